"""From ONNX to a smaller ONNX, family by family: import, plan, prune, train, export, run.

    python benchmarks/onnx_pipeline.py                  # all families that PyTorch exported
    python benchmarks/onnx_pipeline.py densenet vgg     # some

The models are the fixtures of the tests (benchmarks/onnx_families.py made them in PyTorch, with
random weights), the data are 300 random images of 5 classes that a mean tells apart. Accuracy
means little on them; what counts is that every step works and that onnxruntime computes what the
search measured.
"""

import platform
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnxruntime

from wootzc.builder import Options, build
from wootzc.builder.result.export import export_result
from wootzc.builder.result.replay import load_best

FIXTURES = Path(__file__).parents[1] / "tests" / "imports" / "onnx_fixtures"
SPACE = """network net from "{model}"
space {family} over net {{
  data "images.npz" {{ mean(0.5); std(0.25) }}
  teacher {{ steps 60; batch 32; optimizer sgd(0.02, momentum = 0.9); every 30 }}
  rates {{ 0, 50%, 70% }}
  prune * by l1
  sample 6 seed 1
  minimize params
  subject to accuracy >= teacher - 50 points
  pretrain {{ steps 8; batch 32 }}
  finetune {{ steps 8; batch 32; every 4 }}
}}
"""


def images(path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(300) % 5
    noise = rng.normal(0, 40, (300, 32, 32, 3))
    pictures = noise + 60 + 30 * labels[:, None, None, None]
    np.savez(path, images=np.clip(pictures, 0, 255).astype(np.uint8), labels=labels)


def run(family: str, folder: Path) -> tuple[str, ...]:
    model = FIXTURES / f"{family}_ts11.onnx"  # with its norms
    source = folder / f"{family}.wz"
    source.write_text(SPACE.format(model=model, family=family))
    began = time.perf_counter()
    built = build(source, Options(out=folder / family, store=folder / "store"))
    seconds = time.perf_counter() - began
    exported = export_result(folder / family, "onnx", folder / f"{family}.onnx")
    example = np.load(folder / family / "best" / "example.npz")
    network, _ = load_best(folder / family)
    normalised = ((example["images"] / 255 - 0.5) / 0.25).astype(np.float32)
    session = onnxruntime.InferenceSession(exported.files[0])
    (logits,) = session.run(None, {session.get_inputs()[0].name: normalised.transpose(0, 3, 1, 2)})
    largest = max(float(np.abs(example["logits"]).max()), 1e-3)  # some networks died in training
    worst = float(np.abs(logits - example["logits"]).max()) / largest
    summary = built.summary
    return (
        family,
        str(len(network.modules)),
        f"{summary['teacher']['params']:,}",
        f"{summary['best']['params']:,}",
        f"{model.stat().st_size:,} → {exported.files[0].stat().st_size:,}",
        f"{worst:.1e}",
        f"{seconds:.0f}",
    )


def main() -> None:
    families = sys.argv[1:] or sorted({p.stem.split("_")[0] for p in FIXTURES.glob("*_ts11.onnx")})
    print(f"python benchmarks/onnx_pipeline.py {' '.join(sys.argv[1:])}".rstrip())
    print(f"{platform.machine()}, Python {platform.python_version()}, jax {version('jax')}, "
          f"onnxruntime {version('onnxruntime')}")  # fmt: skip
    print("\n| family | modules | params | pruned | bytes | logits differ by | seconds |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        images(folder / "images.npz")
        for family in families:
            print(f"| {' | '.join(run(family, folder))} |", flush=True)


if __name__ == "__main__":
    main()
