"""Blocks against default networks: the same candidates, order and recipes, over several seeds.

    python benchmarks/baseline.py benchmarks/digits.wz --seeds 0 1 2 [--set KEY=VALUE …]

Each pair of builds shares a new store, so the teacher is trained once and nothing else is shared.
Seconds are those of training blocks and fine-tuning candidates, without the teacher.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any


def build(source: str, folder: Path, arguments: list[str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "wootzc.cli", "build", source, "-q", *arguments]
    command += ["--store", str(folder / "store"), "--out", str(folder / "out")]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=False)  # 1: objective not met
    result: dict[str, Any] = json.loads((folder / "out" / "result.json").read_text())
    return result


def row(name: str, seed: int, result: dict[str, Any]) -> str:
    spent = result["seconds_now"]
    seconds = sum(spent.get(stage, 0.0) for stage in ("scores", "blocks", "candidates"))
    best, steps = result["best"], result["steps"]
    cells = [
        name,
        str(seed),
        "yes" if result["objective_met"] else "no",
        str(result["candidates"]["tried"]),
        f"{steps['blocks']:,}",
        f"{steps['finetune']:,}",
        f"{seconds:.0f}",
        f"{best['params']:,}",
        f"{best['params'] / result['teacher']['params']:.1%}",
        f"{best['accuracy']:.2%}",
        f"{best['test_accuracy']:.2%}",
    ]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("source")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--set", dest="settings", action="append", default=[])
    options = parser.parse_args()
    print("command:", " ".join(["python", *sys.argv]))
    print(
        f"machine: {platform.platform()}, {os.cpu_count()} cores, Python {sys.version.split()[0]}"
    )
    print(
        "| start | seed | met | tried | block steps | fine-tuning steps | seconds | params "
        "| of full | validation | test |\n|" + " --- |" * 11,
        flush=True,
    )
    versions: dict[str, str] = {}
    for seed in options.seeds:
        with tempfile.TemporaryDirectory() as temporary:
            given = [f"--set={setting}" for setting in options.settings] + [f"--seed={seed}"]
            for name, extra in (("blocks", []), ("default", ["--baseline"])):
                result = build(options.source, Path(temporary), given + extra)
                versions = result["versions"]
                print(row(name, seed, result), flush=True)
    print("versions:", {name: versions[name] for name in ("jax", "flax", "optax", "numpy")})


if __name__ == "__main__":
    main()
