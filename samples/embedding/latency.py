"""Latency as a cost of your own, and a limit on it: two passes from outside of wootzc.

    python samples/embedding/latency.py samples/listed.wz latency.csv 3.5

Measure each module at each rate on the device you ship to, write the milliseconds to a CSV (one row
a module, one column a rate of the space, ascending): the build then tries what takes at most so
many milliseconds, the fastest first.

Registered under the entry-point group `wootzc.passes`, both also work on the command line:
`wootzc build space.wz -p "expand-space,latency-limit{table=latency.csv, most=3.5}"`, and `opt`
with the same `-p`. Of a space that says `explore predicted` the limit counts, not the order.
"""

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

import wootzc
from wootzc.builder import Built, Options
from wootzc.diagnostics import fail
from wootzc.ir.array import Array
from wootzc.ir.passes import PASSES, having, inserted
from wootzc.ir.plan import Expanded, Plan


class Ordered(Expanded):
    """A plan whose candidates and whose exploration order are there."""

    exploration_order: Array


@dataclass(frozen=True, kw_only=True)
class LatencyLimit:
    """Leave out candidates that are slower than `most` milliseconds.

    Before: candidates = { 0 0; 0 1; 1 1 }; latencies 5.0, 4.2 and 3.1 ms
    After:  candidates = { 1 1 }                                        most=3.5
    """

    table: str  # path of the CSV: milliseconds [modules, rates]
    most: float  # milliseconds
    name: ClassVar[str] = "latency-limit"

    def __call__(self, plan: Plan) -> Plan:
        rows = having(plan, Expanded, self.name).candidates.values
        milliseconds = latencies(plan, self.table)
        if not (milliseconds <= self.most).any():
            raise fail(
                "LAT001",
                f"no candidate takes {self.most:g} ms or less; the fastest takes "
                f"{milliseconds.min():.3g} ms",
                "allow more, or add larger rates",
            )
        return replace(plan, candidates=Array(rows[milliseconds <= self.most]))


@dataclass(frozen=True, kw_only=True)
class FastestFirst:
    """Try candidates in the order of their latency."""

    table: str
    name: ClassVar[str] = "fastest-first"

    def __call__(self, plan: Plan) -> Plan:
        order = having(plan, Ordered, self.name).exploration_order.values
        milliseconds = latencies(plan, self.table)[order]
        sorted_order = order[np.argsort(milliseconds, kind="stable")]
        return replace(plan, exploration_order=Array(sorted_order))


def latencies(plan: Plan, table: str) -> NDArray[Any]:
    """Milliseconds of each candidate: the sum over its modules."""
    rows = having(plan, Expanded, "latency").candidates.values
    values = np.loadtxt(table, delimiter=",", ndmin=2)  # [modules, rates]
    wanted = (len(plan.space.network.modules), len(plan.space.rates))
    if values.shape != wanted:
        raise fail(
            "LAT002",
            f"{table} is {values.shape[0]} x {values.shape[1]}, but the space has "
            f"{wanted[0]} modules and {wanted[1]} rates",
        )
    return np.asarray(values[np.arange(wanted[0]), rows].sum(axis=1))


def fastest(space: Path, table: str, most: float, options: Options) -> Built:
    """Train and search what takes at most so many milliseconds, the fastest first."""
    passes = inserted(PASSES, LatencyLimit(table=table, most=most), after="expand-space")
    passes = inserted(passes, FastestFirst(table=table), after="order")
    return wootzc.build(space, options, passes=passes)


if __name__ == "__main__":
    built = fastest(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), Options())
    print(f"{built.out}: accuracy {built.result.best.test_accuracy:.1%} on test images")
