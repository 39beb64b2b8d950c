"""How far the search by default stays behind others that have the same blocks.

    python benchmarks/regret.py --out regret --store /tmp/regret \
        --cifar cifar10-train.zip --stranger stranger

Every space (benchmarks/regret_spaces.py) is searched with every seed, which decides the split, the
teacher's training and the sample, in these ways:

    default         the search by default, over 500 candidates spread evenly over the sizes
    ascending       the same sample from the smallest on, until one meets the limit
    descending      the same sample from the largest on, until one misses the limit
    bisection       one rate for all modules, 5 to 95 %: halving what is open, as if whatever meets
                    the limit at a rate met it at all smaller ones
    open            the search by default, over the candidates that it selects by itself

A candidate meets the limit where a build says so, and all ways share a store: what one of them has
fine-tuned, another finds there. So tries and steps are counted, not seconds; a try that the store
had counts like any other. A size is the share of the full network's parameters (or MACs, where
these are minimised); 100 % where nothing met the limit.

Every way of every cell is a JSON file in `--out`: stopped at any time, the same command goes on.
"""

import argparse
import json
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from pairs import write_cifar
from regret_spaces import Case, Files, cases

from wootzc.builder import Options, build
from wootzc.driver import compile
from wootzc.files import write_atomically

WAYS = ("default", "ascending", "descending", "bisection", "open")
UNIFORM = tuple(round(0.05 * i, 2) for i in range(1, 20))
AT_ONCE = 8  # candidates that `descending` asks a build for; only those up to a miss count


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """What one way found in one cell."""

    size: float  # share of the full network
    tries: int
    steps: int  # of fine-tuning
    ended: str
    validation: float | None = None  # accuracy of what was found less the teacher's
    test: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One space with one seed."""

    case: Case
    files: Files
    seed: int
    store: Path
    sample: int
    selection: str  # statement of the open way; empty: whatever is the default

    def listed(self) -> str:
        """Evenly over the sizes: a uniform sample has hardly any that are too small to hold."""
        return f"sample {self.sample} stratified by params seed {self.seed}"

    def built(self, *search: str, rates: bool = True) -> dict[str, Any]:
        """`result.json` of a build with these statements."""
        text = self.case.text(self.files, self.seed, *search, rates=rates)
        with tempfile.TemporaryDirectory() as out:
            return build(text, Options(out=Path(out), store=self.store)).summary

    def searched(self, *search: str) -> Way:
        summary = self.built(*search)
        tried, steps = summary["candidates"]["tried"], summary["steps"]["finetune"]
        if not summary["objective_met"]:
            return Way(size=1.0, tries=tried, steps=steps, ended=summary["search"]["ended"])
        return self.winner(summary, summary["best"], tried, steps, summary["search"]["ended"])

    def winner(self, summary: dict[str, Any], best: Any, tries: int, steps: int, why: str) -> Way:
        teacher, tested = summary["teacher"], best.get("test_accuracy")
        return Way(
            size=best[self.case.minimize] / teacher[self.case.minimize],
            tries=tries,
            steps=steps,
            ended=why,
            validation=best["accuracy"] - teacher["validation_accuracy"],
            test=None if tested is None else tested - teacher["test_accuracy"],
        )

    def judged(self, rows: Sequence[Sequence[float]]) -> tuple[dict[str, Any], list[Any]]:
        """Every one of these candidates fine-tuned, in the order in which they are given."""
        lines = " ".join("[" + ", ".join(f"{rate:g}" for rate in row) + "]" for row in rows)
        listed = f"configs {{ {lines} }}"
        summary = self.built(listed, "explore all", *SINGLE, rates=False)
        by_rates = {tuple(round(r, 6) for r in one["rates"]): one for one in summary["tried"]}
        return summary, [by_rates[tuple(round(r, 6) for r in row)] for row in rows]


SINGLE: tuple[str, ...] = ("polish off",)  # statements that leave candidates as they were judged


def default(cell: Cell) -> Way:
    return cell.searched(cell.listed())


def ascending(cell: Cell) -> Way:
    return cell.searched(cell.listed(), "explore ascending")


def open_way(cell: Cell) -> Way:
    return cell.searched(cell.selection)


def descending(cell: Cell) -> Way:
    plan = compile(cell.case.text(cell.files, cell.seed, cell.listed()))
    assert plan.candidates is not None and plan.costs is not None
    costs = plan.costs[cell.case.minimize].candidates
    order = np.argsort(-costs.values, kind="stable")
    rows = [[plan.space.rates[i] for i in plan.candidates.values[c]] for c in order.tolist()]
    seen = _in_turn(cell, rows)
    best, tries, steps = None, 0, 0
    for summary, one in seen:
        tries, steps = tries + 1, steps + one["steps"]
        if not one["met"]:
            break
        best = summary, one
    if best is None:
        return Way(size=1.0, tries=tries, steps=steps, ended="missed")
    return cell.winner(*best, tries, steps, "missed" if tries < len(rows) else "all")


def _in_turn(cell: Cell, rows: list[list[float]]) -> Iterator[tuple[dict[str, Any], Any]]:
    for start in range(0, len(rows), AT_ONCE):
        summary, tried = cell.judged(rows[start : start + AT_ONCE])
        yield from ((summary, one) for one in tried)


def bisection(cell: Cell) -> Way:
    found: dict[float, tuple[dict[str, Any], Any]] = {}
    modules = len(compile(cell.case.text(cell.files, cell.seed, cell.listed())).space.choices)

    def holds(rate: float) -> bool:
        summary, (one,) = cell.judged([[rate] * modules])
        found[rate] = summary, one
        return bool(one["met"])

    rate = bisected(UNIFORM, holds)
    steps = sum(one["steps"] for _, one in found.values())
    if rate is None:
        return Way(size=1.0, tries=len(found), steps=steps, ended="missed")
    return cell.winner(*found[rate], len(found), steps, f"{rate:.0%}")


def bisected(rates: Sequence[float], holds: Callable[[float], bool]) -> float | None:
    """The highest of ascending rates that holds, as if all below it did; None where none does."""
    low, high = -1, len(rates)  # holds, or nothing is there; misses, likewise
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(rates[middle]) else (low, middle)
    return rates[low] if low >= 0 else None


RUN: dict[str, Callable[[Cell], Way]] = {
    "default": default,
    "ascending": ascending,
    "descending": descending,
    "bisection": bisection,
    "open": open_way,
}

Found = dict[tuple[str, int], dict[str, Way]]  # by space and seed, then by way


def measured(cell: Cell, way: str, out: Path) -> Way:
    """From its file, or run and written there."""
    file = out / f"{cell.case.name.replace(', ', '-').replace(' ', '-')}.{cell.seed}.{way}.json"
    if file.exists():
        return Way(**json.loads(file.read_text()))
    print(f"{cell.case.name}, seed {cell.seed}: {way} …", file=sys.stderr, flush=True)
    one = RUN[way](cell)
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(file, json.dumps(asdict(one), indent=1) + "\n")
    return one


def print_table(found: Found, ways: Sequence[str]) -> None:
    """Sizes with tries and steps behind them."""
    print("\n| space | seed | " + " | ".join(ways) + " |\n" + "| --- " * (len(ways) + 2) + "|")
    for (name, seed), by_way in found.items():
        cells = [
            f"{by_way[way].size:.1%} ({by_way[way].tries}, {by_way[way].steps:,})" for way in ways
        ]
        print(f"| {name} | {seed} | " + " | ".join(cells) + " |")


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """Over all cells. Ratios of sizes, and of tries."""

    median: float  # the default to the best of the others on the same list
    worst: float
    tries: float  # the default's to those of ascending, median
    opened: float  # the open way to ascending, median


def total(found: Found) -> Total:
    cells = [by_way for by_way in found.values() if set(WAYS) <= by_way.keys()]
    others = [min(c[w].size for w in ("ascending", "descending", "bisection")) for c in cells]
    behind = [c["default"].size / best for c, best in zip(cells, others, strict=True)]
    return Total(
        median=float(np.median(behind)),
        worst=max(behind),
        tries=float(np.median([c["default"].tries / c["ascending"].tries for c in cells])),
        opened=float(np.median([c["open"].size / c["ascending"].size for c in cells])),
    )


def print_total(one: Total, cells: int) -> None:
    rows = [
        ("size of the default to the best of the others, median", one.median, 1.05),
        ("the same, worst", one.worst, 1.25),
        ("tries of the default to those of ascending, median", one.tries, 1 / 3),
        ("size of the default with its own selection to ascending, median", one.opened, 0.9),
    ]
    print(f"\n| over {cells} cells | | asked for |\n| --- | --- | --- |")
    for name, value, asked in rows:
        print(f"| {name} | {value:.3f} | {asked:.2f} |")


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="a JSON file per way and cell")
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--cifar", type=Path, help="a zip of CIFAR-10's training images")
    parser.add_argument("--stranger", type=Path, help="what benchmarks/stranger.py wrote")
    parser.add_argument("--spaces", nargs="+", help="their names; default: all whose data is there")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=WAYS)
    parser.add_argument("--sample", type=int, default=500)
    parser.add_argument("--selection", default="", help="statement for the open way, if any")
    return parser.parse_args(given)


def main() -> None:
    options = arguments()
    print("command:", " ".join(["python", *sys.argv]))
    versions = ", ".join(f"{n} {version(n)}" for n in ("jax", "flax", "optax", "numpy"))
    print(f"machine: {platform.platform()}, Python {platform.python_version()}, {versions}")
    cifar = write_cifar(options.cifar, options.store) if options.cifar else None
    folder = options.stranger.resolve() if options.stranger else None
    files = Files(cifar=cifar and cifar.resolve(), stranger=folder)
    known = {case.name: case for case in cases(files)}
    chosen = [known[name] for name in options.spaces or known]
    found: Found = {}
    for seed in options.seeds:
        for case in chosen:
            cell = Cell(
                case=case,
                files=files,
                seed=seed,
                store=options.store,
                sample=options.sample,
                selection=options.selection,
            )
            by_way = found.setdefault((case.name, seed), {})
            for way in options.ways:
                by_way[way] = measured(cell, way, options.out)
    print_table(found, options.ways)
    if set(options.ways) == set(WAYS):
        print_total(total(found), len(found))


if __name__ == "__main__":
    main()
