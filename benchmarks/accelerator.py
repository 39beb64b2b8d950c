"""Images per second of a training step on one device, against the same step written plainly.

    python benchmarks/accelerator.py --precision bfloat16
    python benchmarks/accelerator.py --side 64 --batch 8 --steps 3 --rounds 2

ResNet-50. teacher: one step of the full network against labels. blocks: one teacher pass and a step
of every module as a block at `--rate`, all against the teacher's activations. finetune: one step of
the network with all modules at that rate. Sides: wootzc's own runners and blocks; Flax NNX with one
jitted function a step; PyTorch, eager and channels last, if it is installed. All use SGD with
momentum and get their batches from the host's memory, so that copying them counts. Each side is a
process of its own; the parameters that learn must be as many on all of them. Weights are each
side's own initial ones, so the last loss only tells that there is one.

FLOPs are counted, 2 a multiply-accumulate: three times the forward pass for what learns, once for
the teacher of blocks. `of peak` takes the device's dense peak from a datasheet; for other devices
give it as `--peak`, in TFLOP/s. In float32 NVIDIA's convolutions run in TF32, on all sides.
"""

import argparse
import importlib.util
import json
import platform
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from accelerator_job import Job, job_text

import wootzc
from wootzc.ir.net.cost import body_cost, network_cost
from wootzc.ir.net.network import Module, Network, segment_shapes
from wootzc.ir.net.prune import prune_network

HERE = Path(__file__).parent
SIDES = {
    "wootzc": "accelerator_wootzc.py",
    "flax": "accelerator_flax.py",
    "pytorch": "accelerator_torch.py",
}
KINDS = ("teacher", "blocks", "finetune")

# Dense TFLOP/s by the vendors' datasheets: (part of the device's name, float32 as run, bfloat16).
PEAKS = (
    ("H100 PCIe", 378.0, 756.0),
    ("H100", 495.0, 989.0),
    ("H200", 495.0, 989.0),
    ("A100", 156.0, 312.0),
)


def main() -> None:
    options = arguments()
    job = Job(
        kinds=tuple(options.kinds),
        batch=options.batch,
        side=options.side,
        classes=options.classes,
        rate=options.rate,
        precision=options.precision,
        steps=options.steps,
        rounds=options.rounds,
        strategy=options.strategy,
    )
    print(f"python {shlex.join(sys.argv)}")
    print(f"{platform.machine()}, ResNet-50, {job.side}x{job.side}, batch {job.batch}, ", end="")
    print(f"{job.precision}, {job.steps} steps a round, the best of {job.rounds}\n")
    work = flops(job)
    params: dict[str, int] = {}
    rows = []
    for side in options.sides:
        if side == "pytorch" and importlib.util.find_spec("torch") is None:
            print("pytorch: not installed")
            continue
        head, *results = run(side, job)
        print(f"{side}: {head['device']}; {', '.join(head['versions'])}")
        peak = options.peak or peak_of(head["device"], job.precision)
        for result in results:
            kind = result["kind"]
            if params.setdefault(kind, result["params"]) != result["params"]:
                raise SystemExit(
                    f"{side} learns {result['params']:,} parameters, {params} were due"
                )
            rows.append((KINDS.index(kind), row(side, job, result, work[kind], peak)))
    print(
        "\n| step | side | how | images/s | ms a step | first round s | TFLOP/s | of peak | loss |"
    )
    print("| --- " * 9 + "|")
    for _, line in sorted(rows, key=lambda numbered: numbered[0]):
        print(line)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--side", type=int, default=224, help="pixels")
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=32, help="of a round")
    parser.add_argument("--rounds", type=int, default=3, help="timed, after one that compiles")
    parser.add_argument("--rate", type=float, default=0.5, help="of filters removed")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--sides", nargs="+", choices=list(SIDES), default=list(SIDES))
    parser.add_argument("--strategy", choices=["segments", "loop", "scan"], help="of wootzc")
    parser.add_argument("--peak", type=float, help="TFLOP/s of the device")
    return parser.parse_args()


def run(side: str, job: Job) -> list[dict[str, Any]]:
    command = [sys.executable, str(HERE / SIDES[side]), job_text(job)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def flops(job: Job) -> dict[str, float]:
    """Of one step."""
    full = wootzc.zoo("resnet50", classes=job.classes, input=(job.side, job.side, 3))
    small = prune_network(full, (job.rate,) * len(full.modules))
    last = max(k for k, segment in enumerate(full.segments) if isinstance(segment, Module))
    macs = {
        "teacher": 3 * network_cost(full).macs,
        "finetune": 3 * network_cost(small).macs,
        "blocks": sum(macs_of(full)[: last + 1])
        + 3 * sum(m for s, m in zip(small.segments, macs_of(small), strict=True) if is_module(s)),
    }
    return {kind: 2.0 * job.batch * count for kind, count in macs.items()}


def is_module(segment: Any) -> bool:
    return isinstance(segment, Module)


def macs_of(network: Network) -> list[int]:
    """Of each segment, on one image."""
    shapes = segment_shapes(network)
    return [
        body_cost(segment.body, shape).macs
        for segment, shape in zip(network.segments, shapes, strict=False)
    ]


def peak_of(device: str, precision: str) -> float | None:
    for name, float32, bfloat16 in PEAKS:
        if name in device:
            return bfloat16 if precision == "bfloat16" else float32
    return None


def row(side: str, job: Job, result: dict[str, Any], work: float, peak: float | None) -> str:
    speed = work / result["best"] / 1e12
    share = f"{speed / peak:.1%}" if peak else "?"
    return (
        f"| {result['kind']} | {side} | {result['how']} | {job.batch / result['best']:,.1f} "
        f"| {1000 * result['best']:,.1f} | {result['first']:.1f} | {speed:.3g} | {share} "
        f"| {result['loss']:.3f} |"
    )


if __name__ == "__main__":
    main()
