"""The best network in other forms."""

from pathlib import Path

import numpy as np

from wootzc.build.verify import load_best
from wootzc.files import load_json, write_atomically


def export_result(folder: Path, form: str, out: Path) -> list[Path]:
    """Write the best network of a result folder as `form`; the files written."""
    load_best(folder)  # refuse a damaged result
    match form:
        case "flax":
            names = ["model.py", "weights.safetensors", "example.npz"]
            return [_copy(folder / "best" / name, out / name) for name in names]
        case "safetensors":
            network = out.with_suffix(".wz")
            return [
                _copy(folder / "best" / "weights.safetensors", out),
                _copy(folder / "best" / "network.wz", network),
            ]
        case "stablehlo":
            return [_stablehlo(folder, out)]
        case _:
            raise ValueError(form)


def _copy(source: Path, target: Path) -> Path:
    write_atomically(target, source.read_bytes())
    return target


def _stablehlo(folder: Path, out: Path) -> Path:
    """Images as stored in files, float32 [batch, h, w, c], to logits [batch, classes].

    Normalisation is inside. `jax.export` keeps such files readable for six months.
    """
    import jax
    from jax import export

    from wootzc.backends.flax.model import structures
    from wootzc.backends.flax.step import evaluate_all
    from wootzc.backends.flax.weights import split

    network, weights = load_best(folder)
    scale = load_json(folder / "best" / "manifest.json")["normalize"]
    mean, std = np.float32(scale["mean"]), np.float32(scale["std"])
    nets, values = structures(network), split(network, weights)

    def from_images(images: jax.Array) -> jax.Array:
        return evaluate_all(nets, values, (images - mean) / std)

    shape = export.symbolic_shape("batch, " + ", ".join(map(str, network.input)))
    images = jax.ShapeDtypeStruct(shape, np.float32)  # type: ignore[no-untyped-call]
    exported = export.export(jax.jit(from_images), platforms=["cpu", "cuda", "tpu"])(images)
    write_atomically(out, bytes(exported.serialize()))
    return out
