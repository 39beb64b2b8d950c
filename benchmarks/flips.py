"""Bits flipped in every kind of file of a result folder and of a store: how many are noticed.

    wootzc build space.wz --out out --store store
    python benchmarks/flips.py out store --flips 200

Of a result folder `verify` has to refuse it; of a store a job whose record or artifact has changed,
and a checkpoint, has to count as never made.
"""

import argparse
import random
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from wootzc.builder.jobs.checkpoints import Checkpoint, Checkpoints
from wootzc.builder.jobs.store import Store
from wootzc.builder.result.replay import verify_result
from wootzc.diagnostics import WootzError


def caught(path: Path, noticed: Callable[[], bool], flips: int, seed: str) -> int:
    """Of so many flips, each of one bit of the file as it is."""
    own, whole, count = random.Random(seed), path.read_bytes(), 0
    for _ in range(flips):
        content = bytearray(whole)
        content[own.randrange(len(content))] ^= 1 << own.randrange(8)
        path.write_bytes(content)
        count += noticed()
    path.write_bytes(whole)
    return count


def refused(out: Path) -> bool:
    try:
        list(verify_result(out))
    except WootzError:
        return True
    return False


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("store", type=Path)
    parser.add_argument("--flips", type=int, default=200)
    given = parser.parse_args()
    missed = 0

    def row(kind: str, path: Path, noticed: Callable[[], bool]) -> None:
        nonlocal missed
        found = caught(path, noticed, given.flips, kind)
        missed += given.flips - found
        print(f"| {kind} | {path.stat().st_size:,} | {given.flips} | {found} |", flush=True)

    print("command:", " ".join(["python", *sys.argv]), "\n")
    print("| file | bytes | flips | noticed |\n| --- | --- | --- | --- |")
    for path in sorted(path for path in given.out.rglob("*") if path.is_file()):
        if path.name != "log.jsonl":  # what happened, and no part of the result
            row(path.relative_to(given.out).as_posix(), path, lambda: refused(given.out))
    records = sorted((given.store / "jobs").glob("*/*.json"))
    for kind in sorted({Store(given.store)._records.read(path.stem).kind for path in records}):
        path = next(p for p in records if Store(given.store)._records.read(p.stem).kind == kind)
        key = path.stem

        def gone(key: str = key) -> bool:
            return Store(given.store).find(key) is None

        row(f"store: record of a {kind}", path, gone)
        for artifact in (given.store / "artifacts").glob(f"*/{key}*"):
            row(f"store: artifact of a {kind}", artifact, gone)
    checkpoints = Checkpoints(root=given.store / "checkpoints")
    here = Checkpoint(result={"steps": 7}, seconds=1.5, arrays={"a": np.arange(999.0)})
    checkpoints.write("flips", here)
    whole, path = checkpoints.path("flips").read_bytes(), checkpoints.path("flips")

    def lost() -> bool:
        found = checkpoints.find("flips") is None
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(whole)  # a damaged one is dropped
        return found

    row("store: checkpoint", path, lost)
    checkpoints.drop("flips")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
