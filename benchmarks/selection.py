"""Choosing tuning blocks: the methods side by side under the cost model, with time and gap.

    python benchmarks/selection.py                     500, 2,000 and 10,000 candidates × 16 modules
    python benchmarks/selection.py --highs             small ones against HiGHS, to the end

Candidates and settings as in mining.py: ResNet-50, 16 modules, 10,000 steps of pre-training a
block, 30,000 of fine-tuning a candidate. Hours are those of the default cost model; gap: (hours −
bound) / hours. `--finetune` sets those steps: the fewer, the less there is to spare.
"""

import argparse
import sys
import time
from dataclasses import replace

import numpy as np
from mining import KINDS, candidates, machine, predicted, space_of
from numpy.typing import NDArray

from wootzc.ir.passes import PASSES, MineSubsequences, SelectBlocks, run
from wootzc.ir.passes.select_blocks import priced_plan
from wootzc.ir.plan import Plan
from wootzc.ir.selection.exact import solve
from wootzc.ir.selection.local_search import cover
from wootzc.ir.selection.problem import offers_of


def front(rows: NDArray, finetune: int, modules: int) -> Plan:  # type: ignore[type-arg]
    space = space_of(rows, "resnet50" if modules == 16 else "resnet101")
    recipe = replace(space.finetune, steps=finetune)
    return run(Plan(space=replace(space, finetune=recipe)), PASSES[:2])


def optimal(plan: Plan, **options: int) -> tuple[Plan, float, float]:
    """The plan with its blocks; wall and CPU seconds of choosing them."""
    wall, cpu = time.perf_counter(), time.process_time()
    plan = SelectBlocks(method="optimal", **options)(plan)
    return plan, time.perf_counter() - wall, time.process_time() - cpu


def compare(sizes: list[int], finetune: int, modules: int) -> None:
    print(
        "| candidates | none | modules | wootz | maximal | optimal, h | gap | blocks "
        "| seconds | CPU seconds |\n|" + " --- |" * 10
    )
    for size in sizes:
        for kind in KINDS:
            rows = candidates(kind, size, modules)
            base = front(rows, finetune, modules)
            cells = [f"{len(rows):,} {kind}"]
            for method in ("none", "modules", "wootz", "maximal"):
                mine = (MineSubsequences(method="sequitur"),) if method == "wootz" else ()
                chosen = run(base, (*mine, SelectBlocks(method=method), PASSES[4]))  # type: ignore[arg-type]
                cells.append(f"{predicted(chosen)[1]:,.1f}")
            plan, wall, cpu = optimal(base)
            assert plan.selection is not None and plan.blocks is not None
            gap = 1 - plan.selection.bound / plan.selection.value
            cells += [
                f"{plan.selection.value / 3600:,.1f}",
                "proven" if plan.selection.proven else f"{gap:.3%}",
                str(len(plan.blocks)),
                f"{wall:.1f}",
                f"{cpu:.1f}",
            ]
            print("| " + " | ".join(cells) + " |", flush=True)


def highs(sizes: list[int], finetune: int, modules: int) -> None:
    print(
        "| candidates | heuristic, h | its gap | CPU seconds | HiGHS, h | CPU seconds "
        "| heuristic above HiGHS |\n|" + " --- |" * 7
    )
    for size in sizes:
        for kind in KINDS:
            rows = candidates(kind, size, modules)
            base = front(rows, finetune, modules)
            quick, _, cpu = optimal(base, exact=0)
            assert quick.selection is not None and quick.costs is not None
            mine, task = quick.selection, priced_plan(quick, quick.costs)
            offers = offers_of(task.problem)
            started = time.process_time()
            solved = solve(offers, np.ones(len(offers.gain), dtype=bool), nodes=2_000)
            longer = time.process_time() - started
            taken = offers.nothing() if solved.taken is None else solved.taken
            best = task.total(round(cover(offers, taken).value))
            print(
                f"| {len(rows):,} {kind} | {mine.value / 3600:,.2f} "
                f"| {1 - mine.bound / mine.value:.4%} | {cpu:.1f} "
                f"| {best / 3600:,.2f}{'' if solved.proven else ' (unfinished)'} | {longer:.1f} "
                f"| {mine.value / best - 1:.4%} |",
                flush=True,
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", type=int, nargs="+")
    parser.add_argument("--finetune", type=int, default=30_000)
    parser.add_argument("--modules", type=int, default=16, choices=[16, 33])
    parser.add_argument("--highs", action="store_true")
    options = parser.parse_args()
    print("command:", " ".join(["python", *sys.argv]), "\nmachine:", machine(), "\n")
    if options.highs:
        highs(options.sizes or [50, 100, 200], options.finetune, options.modules)
    else:
        compare(options.sizes or [500, 2_000, 10_000], options.finetune, options.modules)
