"""Mining side by side: time, memory, and what the resulting blocks cost.

    python benchmarks/mining.py speed     windows to 10^6 candidates, sequitur and re-pair to 10^5
    python benchmarks/mining.py blocks    number and predicted cost of the blocks they lead to
    python benchmarks/mining.py agree     how often each finds the runs that always occur together

Three kinds of candidates: independent rates; one rate per run of four modules; monotone rates,
never falling from module to module. Each speed is measured in a process of its own: CPU seconds
beside wall seconds, for other work on the machine slows mostly the latter; memory is the peak of
the whole process, some 30 MB of it Python and what it imports. Independent rates and 16 modules
make as many candidates as are asked for; the other kinds are fewer, so they are measured on 33
modules.
"""

import argparse
import math
import multiprocessing
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from repair import repair

import wootzc
from wootzc.ir.array import Array
from wootzc.ir.passes import PASSES, SelectBlocks, replaced, run
from wootzc.ir.passes.mine_subsequences import mine_grammar
from wootzc.ir.passes.select_blocks import maximal_blocks, priced_plan, wootz_blocks
from wootzc.ir.plan import Block, Plan
from wootzc.ir.sequence import distinct_rows, linked_runs, shared_windows
from wootzc.ir.sequitur import Rules, sequitur
from wootzc.ir.space import Listed, Space
from wootzc.ir.space.recipe import Data, Recipe

KINDS = ("independent", "runs of four", "monotone")
RATES = (0.0, 0.3, 0.5, 0.7)
METHODS: dict[str, Callable[[NDArray[Any]], object]] = {
    "windows": shared_windows,
    "sequitur": mine_grammar,
    "re-pair": lambda rows: mine_grammar(rows, repair),
    "linked runs": linked_runs,
}


def candidates(kind: str, count: int, modules: int, seed: int = 0) -> NDArray[np.uint8]:
    """Distinct rows of rate positions in random order: at most `count`, fewer where few exist."""
    rng = np.random.default_rng(seed)
    if kind == "runs of four":
        rows = rng.integers(0, len(RATES), (count, math.ceil(modules / 4)))
        rows = np.repeat(rows, 4, axis=1)[:, :modules]
    else:
        rows = rng.integers(0, len(RATES), (count, modules))
    if kind == "monotone":
        rows = np.sort(rows, axis=1)
    rows = rows.astype(np.uint8)
    return rows[np.sort(distinct_rows(rows))]


def space_of(rows: NDArray[np.uint8], network: str = "resnet50") -> Space:
    """The settings of the paper (Guan et al., 2019) for these candidates."""
    net = wootzc.zoo(network, classes=102)
    modules = len(net.modules)
    return Space(
        name="mining",
        network=net,
        rates=RATES,
        choices=(tuple(range(len(RATES))),) * modules,
        criteria=("l1",) * modules,
        selection=Listed(rows=Array(rows)),
        data=Data(path="none.npz"),
        teacher=Recipe(steps=1),
        pretrain=Recipe(steps=10_000, batch=32),
        finetune=Recipe(steps=30_000, batch=32),
    )


def _child(method: str, rows: NDArray[np.uint8], answer: Any) -> None:
    wall, cpu = time.perf_counter(), time.process_time()
    METHODS[method](rows)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    answer.send((wall, cpu, peak()))


def peak() -> float:
    """MB that this process held at most (Linux). `ru_maxrss` would count its parent's too."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1e3


def measured(method: str, rows: NDArray[np.uint8]) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds, MB."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_child, args=(method, rows, there)
    )
    process.start()
    found: tuple[float, float, float] = here.recv()
    process.join()
    return found


def speed() -> None:
    print("| method | candidates | rows × modules | seconds | CPU seconds | MB |")
    print("| --- | --- | --- | --- | --- | --- |")
    for kind in KINDS:
        for method, largest in (
            ("windows", 6), ("linked runs", 6), ("sequitur", 5), ("re-pair", 5),
        ):  # fmt: skip
            times: list[tuple[int, float]] = []
            for power in range(3, largest + 1):
                rows = candidates(kind, 10**power, 16 if kind == "independent" else 33)
                if times and len(rows) < 2 * times[-1][0]:
                    break  # there are no more
                _speed_row(method, kind, rows, times)
            if len(times) > 1:
                (n0, t0), (n1, t1) = times[0], times[-1]
                slope = math.log(t1 / t0) / math.log(n1 / n0)
                print(f"| {method} | {kind} | slope {n0:,} to {n1:,} | | {slope:.2f} | |")
    _speed_row("windows", "independent", candidates("independent", 100_000, 33), [])


def _speed_row(
    method: str, kind: str, rows: NDArray[np.uint8], times: list[tuple[int, float]]
) -> None:
    wall, cpu, memory = measured(method, rows)
    times.append((len(rows), cpu))
    size = f"{len(rows):,} × {rows.shape[1]}"
    print(f"| {method} | {kind} | {size} | {wall:.3f} | {cpu:.3f} | {memory:.0f} |", flush=True)


def blocks_of(method: str, rows: NDArray[np.uint8]) -> list[Block]:
    infer: dict[str, Callable[[Iterable[int]], Rules]] = {"sequitur": sequitur, "re-pair": repair}
    if method in infer:
        found = wootz_blocks(mine_grammar(rows, infer[method]))
    else:
        found = maximal_blocks(rows)
    return sorted((b for b in found if any(b.rates)), key=lambda b: (b.start, b.rates))


def predicted(plan: Plan) -> tuple[float, float]:
    """Hours of pre-training, and of everything, by the default cost model."""
    assert plan.costs is not None and plan.blocks is not None and plan.composition is not None
    task = priced_plan(plan, plan.costs)
    used = np.unique(plan.composition.values)
    price = sum(
        task.problem.price_of(plan.blocks[b].start, plan.blocks[b].rates) for b in used if b >= 0
    )
    total = task.total(task.value_of(plan.blocks, plan.composition.values))
    return task.seconds(price) / 3600, total / 3600


def blocks() -> None:
    print("| candidates | mined by | blocks | modules in them | pre-training, h | in all, h |")
    print("| --- | --- | --- | --- | --- | --- |")
    for kind in KINDS:
        rows = candidates(kind, 500, 16)
        base = run(Plan(space=space_of(rows)), PASSES[:2])
        for method in ("windows", "sequitur", "re-pair", "linked runs"):
            if method == "windows":  # what `optimal` makes of them
                plan = run(base, replaced(PASSES, SelectBlocks(method="optimal"))[2:])
            else:
                chosen = replace(base, blocks=tuple(blocks_of(method, rows)))
                plan = run(chosen, PASSES[4:5])
            assert plan.blocks is not None
            modules = sum(len(block.rates) for block in plan.blocks)
            pretraining, everything = predicted(plan)
            print(
                f"| {len(rows)} {kind} | {method} | {len(plan.blocks)} | {modules} "
                f"| {pretraining:.1f} | {everything:.1f} |",
                flush=True,
            )


def agree(collections: int = 100) -> None:
    print("| 8 candidates × 16 modules | mined by | the same blocks | blocks, mean | fewest |")
    print("| --- | --- | --- | --- | --- |")
    for kind in KINDS:
        sets = [candidates(kind, 8, 16, seed) for seed in range(collections)]
        ideal = [blocks_of("linked runs", rows) for rows in sets]
        for method in ("sequitur", "re-pair"):
            found = [blocks_of(method, rows) for rows in sets]
            same = sum(a == b for a, b in zip(found, ideal, strict=True))
            mean = np.mean([len(one) for one in found])
            print(
                f"| {kind} | {method} | {same} of {collections} | {mean:.1f} "
                f"| {np.mean([len(one) for one in ideal]):.1f} |",
                flush=True,
            )


def machine() -> str:
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{platform.platform()}, {os.cpu_count()} cores, load {load}, "
        f"Python {sys.version.split()[0]}, numpy {np.__version__}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("what", nargs="*", choices=["speed", "blocks", "agree", []])
    options = parser.parse_args()
    print("command:", " ".join(["python", *sys.argv]), "\nmachine:", machine(), "\n")
    for name in options.what or ["speed", "blocks", "agree"]:
        {"speed": speed, "blocks": blocks, "agree": agree}[name]()
        print()
