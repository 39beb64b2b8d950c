"""How a search grows with workers.

    python benchmarks/scale.py                     60 candidates by 1 and by 2 workers on Ray
    python benchmarks/scale.py --simulate STORE    1 to 1,000 workers over the times of that store

The first tries 60 candidates of the digits in a fixed order, every one of them, each worker on one
thread of a processor, and keeps its store in `--out`. The second runs the search of a build over
workers that only take time: as many seconds as recorded jobs took, and `--times` as many. What the
search itself computes meanwhile is measured as it is, and added.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

SAMPLE = Path(__file__).resolve().parent / "digits.wz"
SHORT = {"finetune.steps": "60", "finetune.every": "30"}
ORDERED = {**SHORT, "explore": "all"}  # every candidate
WORKERS = (1, 10, 30, 100, 300, 1000)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("build/scale"))
    parser.add_argument("--candidates", type=int, default=60)
    parser.add_argument("--simulate", type=Path, metavar="STORE")
    parser.add_argument("--times", type=float, nargs="+", default=[1, 100])
    parser.add_argument("--workers", type=int, nargs="+")
    arguments = parser.parse_args()
    print("python", *sys.argv)
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} processors")
    print()
    if arguments.simulate is not None:
        workers = arguments.workers or WORKERS
        lines = simulated(arguments.simulate, workers, arguments.times, arguments.candidates)
    else:
        lines = measured(arguments.out, arguments.workers or (1, 2), arguments.candidates)
    for line in lines:
        print(line, flush=True)


def measured(out: Path, counts: tuple[int, ...], candidates: int) -> Iterator[str]:
    yield "| workers | candidates | candidates, s | speed-up | all, s | best, params |"
    yield "| --- " * 6 + "|"
    first: float | None = None
    for workers in counts:
        folder = out / str(workers)
        shutil.rmtree(folder, ignore_errors=True)
        started = time.perf_counter()
        result = built(folder, workers, {**ORDERED, "sample": str(candidates)})
        whole, spent = time.perf_counter() - started, result["seconds_now"]["candidates"]
        first = first or spent
        tried, best = result["candidates"]["tried"], result["best"]["params"]
        yield (
            f"| {workers} | {tried} | {spent:.0f} | {first / spent:.2f} | {whole:.0f} | {best:,} |"
        )


def built(folder: Path, workers: int, settings: Mapping[str, str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "wootzc.cli", "build", str(SAMPLE), "-q"]
    command += ["--store", str(folder / "store"), "--out", str(folder / "out")]
    command += ["--on", "ray", "--workers", str(workers)]
    command += [f"--set={key}={value}" for key, value in settings.items()]
    one = os.environ | {"NPROC": "1"}
    subprocess.run(command, env=one, stdout=subprocess.DEVNULL, check=False)  # 1: not met
    result: dict[str, Any] = json.loads((folder / "out" / "result.json").read_text())
    return result


def simulated(
    store: Path, counts: tuple[int, ...], times: list[float], candidates: int
) -> Iterator[str]:
    from scale_world import crew_for, searched

    yield (
        "| search | jobs | workers | tried | s | speed-up | workers busy | search computes "
        "| best, params |"
    )
    yield "| --- " * 9 + "|"
    every = {"explore": "all", "sample": str(candidates)}
    for name, settings in (("every candidate", every), ("by scores", {})):
        for long in times:
            first: float | None = None
            for workers in counts:
                one = searched(*crew_for(SAMPLE, store, workers, settings, long))
                first = first or one.seconds
                best = f"{one.cost:,}" if one.met else "none"
                yield (
                    f"| {name} | × {long:g} | {workers:,} | {len(one.order):,} "
                    f"| {one.seconds:,.0f} | {first / one.seconds:.1f} | {one.busy:.0%} "
                    f"| {one.searching / one.seconds:.0%} | {best} |"
                )


if __name__ == "__main__":
    main()
