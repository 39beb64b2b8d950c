"""Damaged files for every reader of what a user names: nothing but diagnostics, and soon.

    python benchmarks/fuzz.py                           # 1,000 of each
    python benchmarks/fuzz.py --only onnx --cases 50000
    python benchmarks/fuzz.py --only onnx --cases 50000 --first 50000 --out found

Case n of a reader is always the same file for one `--seed`, so that a run goes on with `--first`,
and what it found is made again by `--first n --cases 1`. Each reader runs in a process of its own.
Counted are exceptions that are no diagnostics (`tracebacks`), cases that took over 2 seconds of the
processor (`slow`), and the most memory that the process had. With `--out` such files are kept.
"""

import argparse
import contextlib
import multiprocessing
import os
import random
import resource
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fuzz_readers import READERS, Reader

from wootzc.diagnostics import WootzError

SLOW = 2.0  # seconds of the processor


@dataclass(slots=True)
class Found:
    """What cases of one reader came to."""

    cases: int = 0
    read: int = 0  # without an error
    tracebacks: Counter[str] = field(default_factory=Counter)  # by what was raised, and where
    slow: list[int] = field(default_factory=list)
    longest: float = 0.0
    first: dict[str, int] = field(default_factory=dict)  # the first case of each traceback


def case(reader: Reader, seeds: list[bytes], kind: str, seed: int, number: int) -> bytes:
    """The file of this number."""
    own = random.Random(f"{seed} {kind} {number}")
    return reader.mutate(own.choice(seeds), own)


def fuzz(
    kind: str, folder: Path, *, seed: int, first: int, cases: int, keep: Path | None = None
) -> Found:
    """Read so many damaged files of a kind."""
    reader = READERS[kind]
    seeds = reader.seeds()
    found = Found()
    path = folder / f"case{reader.suffix}"
    for number in range(first, first + cases):
        content = case(reader, seeds, kind, seed, number)
        path.write_bytes(content)
        began = time.process_time()
        what = _read(reader, path)
        took = time.process_time() - began
        found.cases += 1
        found.read += what is None
        found.longest = max(found.longest, took)
        if took > SLOW:
            found.slow.append(number)
        if what:
            found.tracebacks[what] += 1
            found.first.setdefault(what, number)
        if keep is not None and (took > SLOW or (what and found.first[what] == number)):
            (keep / f"{kind}-{seed}-{number}{reader.suffix}").write_bytes(content)
    return found


def _read(reader: Reader, path: Path) -> str | None:
    """None where it was read, "" where it was refused, else what was raised and where."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reader.read(path)
    except WootzError:
        return ""
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        *_, last = traceback.extract_tb(error.__traceback__)
        ours = [f for f in traceback.extract_tb(error.__traceback__) if "wootzc" in f.filename]
        place = ours[-1] if ours else last
        return f"{type(error).__name__} in {Path(place.filename).name}:{place.lineno}: {error}"[
            :200
        ]
    return None


def _child(answer: Any, kind: str, options: dict[str, Any]) -> None:
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
        with tempfile.TemporaryDirectory() as folder:
            found = fuzz(kind, Path(folder), **options)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    answer.send((found, memory))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=list(READERS), default=list(READERS))
    parser.add_argument("--cases", type=int, default=1_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
    options = {"seed": given.seed, "first": given.first, "cases": given.cases, "keep": given.out}
    bad = 0
    print(
        f"{'reader':12}{'cases':>9}{'read':>9}{'tracebacks':>12}{'slow':>6}{'longest':>9}{'MB':>7}"
    )
    context = multiprocessing.get_context("spawn")
    for kind in given.only:
        mine, theirs = context.Pipe(duplex=False)
        child = context.Process(target=_child, args=(theirs, kind, options))
        child.start()
        theirs.close()
        try:
            found, memory = mine.recv()
        except EOFError:
            print(f"{kind:12} the process died", flush=True)
            bad += 1
            continue
        finally:
            child.join()
        raised = sum(found.tracebacks.values())
        bad += raised + len(found.slow)
        print(
            f"{kind:12}{found.cases:>9,}{found.read:>9,}{raised:>12,}{len(found.slow):>6,}"
            f"{found.longest:>7.2f} s{memory:>7,}",
            flush=True,
        )
        for what, count in found.tracebacks.most_common(12):
            print(f"    {count:,} x {what}  (first: {found.first[what]})")
        if found.slow:
            print(f"    slow: {found.slow[:12]}")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
