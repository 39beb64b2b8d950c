"""The paper's experiment with and without rates of trunks, and with modules left out.

    python benchmarks/paper_trunks.py digits                               some minutes
    python benchmarks/paper_trunks.py resnet50 mobilenet_v2 --data cifar10-train.zip --keep DIR
    python benchmarks/paper_trunks.py mobilenet_v2 --data cifar10-train.zip --short --limit 3000
    python benchmarks/paper_trunks.py --tiny                               does it run at all

The smallest network within a limit of accuracy, of four spaces over one network with one teacher:
rates of modules alone, with `skip *`, with `narrow t*`, and with both. The zoo's networks have a
fourth of their channels and see 32×32 pixels. Each cell is a `wootzc build` of its own, in a
process of its own, one after the other. With `--keep` a cell that is done is not built again, and
one that was killed goes on from its store, which all spaces of a network share.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from paper_setting import SMALL
from paper_table import DIGITS
from step_networks import narrow

import wootzc
from wootzc.grammar.text.print_network import print_network

PARTS = 4  # the zoo's networks keep so much less of their channels
SIDE = 32  # pixels
WAYS = {
    "modules": "",
    "and skips": "skip *",
    "and trunks": "narrow t*",
    "all three": "narrow t*; skip *",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """How long things are trained, in the language."""

    teacher: str
    finetune: str
    images: str  # that least squares looks at
    budget: str = ""


DIGITS_LENGTHS = Lengths(
    teacher="steps 400; optimizer sgd(0.1, momentum = 0.9)",
    finetune="steps 60; optimizer sgd(0.01, momentum = 0.9); every 20",
    images="512 images",
)
LONG = Lengths(
    teacher="epochs 60; batch 128; optimizer sgd(0.1, momentum = 0.9); weight_decay 5e-4",
    finetune="epochs 8; optimizer sgd(0.02, momentum = 0.9); weight_decay 5e-4",
    images="512 images",
)
SHORT = Lengths(
    teacher="epochs 20; batch 64; optimizer sgd(0.05, momentum = 0.9); weight_decay 5e-4",
    finetune="epochs 3; batch 64; optimizer sgd(0.02, momentum = 0.9); weight_decay 5e-4",
    images="512 images",
    budget="polish off",
)
TINY = Lengths(
    teacher="steps 4; batch 16; every 4",
    finetune="steps 2; batch 16; every 1",
    images="16 images",
    budget="propose 4; budget 2 candidates",
)


def network_text(name: str, parts: int) -> str:
    """A network `net` in the language."""
    if name == "digits":
        return SMALL.network
    whole = wootzc.zoo(name, classes=10, input=(SIDE, SIDE, 3))
    return print_network(replace(narrow(whole, parts), name="net"))


def space_text(
    name: str, way: str, data: str, points: float, lengths: Lengths, parts: int, seed: int
) -> str:
    rates = SMALL.rates if name == "digits" else "50%, 75%, 90%"
    multiple = "multiple of 1" if name == "digits" else ""  # its layers are too narrow for 8
    return f"""{network_text(name, parts)}
space paper over net {{
  data {data}
  teacher {{ {lengths.teacher} }}
  rates {{ 0, {rates} }}
  {multiple}
  {WAYS[way]}
  pretrain {{ reconstruct {lengths.images} }}
  finetune {{ {lengths.finetune} }}
  {lengths.budget}
  minimize params
  subject to accuracy >= teacher - {points} points
  seed {seed}
}}
"""


def cell(folder: Path, name: str, seed: int, way: str, text: str) -> dict[str, Any]:
    """`result.json` of a build; of one that is done already, as it is."""
    out = folder / f"{name}-{seed}-{way.replace(' ', '-')}"
    if not (out / "result.json").exists():
        source = out.with_suffix(".wz")
        source.write_text(text, encoding="utf-8")
        built(source, out, folder / f"store-{name}")
    result: dict[str, Any] = json.loads((out / "result.json").read_text(encoding="utf-8"))
    return result


def row(name: str, seed: int, way: str, result: dict[str, Any]) -> str:
    teacher, best = result["teacher"], result["best"]
    drop = f"{100 * (teacher['validation_accuracy'] - best['accuracy']):.1f}"
    left = f"{best['params'] / teacher['params']:.1%}"
    seconds = sum(result["seconds_now"].get(k, 0.0) for k in ("scores", "blocks", "candidates"))
    return (
        f"| {name} | {seed} | {way} | {left if result['objective_met'] else f'not met ({left})'} "
        f"| {best['macs'] / teacher['macs']:.1%} | {drop} "
        f"| {100 * (teacher['test_accuracy'] - best['test_accuracy']):.1f} "
        f"| {len(result['tried'])} | {seconds:.0f} |"
    )


def synthetic(folder: Path) -> str:
    """A few images of noise, as `data` of a space."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (80, SIDE, SIDE, 3), dtype=np.uint8)
    np.savez(folder / "noise.npz", images=images, labels=np.arange(80) % 10)
    return f'"{folder / "noise.npz"}"'


def built(source: Path, out: Path, store: Path) -> dict[str, Any]:
    """`result.json` of a build in a process of its own."""
    command = [sys.executable, "-m", "wootzc.cli", "build", str(source), "-q"]
    done = subprocess.run(
        [*command, "--out", str(out), "--store", str(store)], stdout=subprocess.DEVNULL, check=False
    )
    if done.returncode not in (0, 1):  # 1: no candidate was accurate enough
        sys.exit(f"this failed: {' '.join(command)}")
    result: dict[str, Any] = json.loads((out / "result.json").read_text())
    return result


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("networks", nargs="*", help="digits, or networks of the zoo")
    parser.add_argument("--data", help="what the zoo's networks are trained on")
    parser.add_argument("--limit", type=int, default=10_000, help="of its images")
    parser.add_argument("--points", type=float, default=2.0, help="that accuracy may fall")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--keep", type=Path, help="a folder for stores and results")
    parser.add_argument("--short", action="store_true", help="20 epochs in the place of 60 …")
    parser.add_argument("--tiny", action="store_true", help="noise, and a few steps")
    options = parser.parse_args()
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print("command:", " ".join(["python", *sys.argv]))
    print(f"machine: {platform.platform()}, {os.cpu_count()} cores, load {load}\n", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.keep or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        print("| network | seed | rates | parameters left | MACs left | validation −points "
              "| test −points | tried | seconds |\n|" + " --- |" * 9, flush=True)  # fmt: skip
        for name in options.networks or ["digits"] if not options.tiny else ["mobilenet_v2"]:
            long = SHORT if options.short else LONG
            lengths, parts = (DIGITS_LENGTHS if name == "digits" else long), PARTS
            data = f'"{DIGITS}"'
            if options.tiny:
                data, lengths, parts = synthetic(folder), TINY, 2 * PARTS
            elif name != "digits":
                if options.data is None:
                    parser.error(f"{name} needs --data")
                data = f'"{Path(options.data).resolve()}" {{ limit {options.limit} }}'
            for seed, way in product(options.seeds, options.ways):
                text = space_text(name, way, data, options.points, lengths, parts, seed)
                print(row(name, seed, way, cell(folder, name, seed, way, text)), flush=True)


if __name__ == "__main__":
    main()
