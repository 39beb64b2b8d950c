"""A space as a counting problem: variables, their choices and costs, and what must hold.

Modules that share a rate are one variable; it stands where its first module stands, so that rows
in lexicographic order of the variables are candidates in lexicographic order of the modules. Where
rates are triples, what leaves a module and what enters the next are held to be the same.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wootzc.ir.joining import UNBOUNDED, Limit, Range
from wootzc.ir.net.cost_tables import VariantCosts
from wootzc.ir.net.metrics import METRICS, CostName
from wootzc.ir.net.network import Module
from wootzc.ir.net.rate import SIDES, Side, parts, ranks
from wootzc.ir.space.space import (
    Constraint,
    CostLimit,
    Ordered,
    RateLimit,
    Space,
    Tie,
    compared,
)


class Pair(NamedTuple):
    """The key of what variable `low` is at is at most that of what `high` is at."""

    low: int
    high: int
    low_keys: NDArray[np.int16]  # [rates]
    high_keys: NDArray[np.int16]

    def keeps(self, low: Any, high: Any) -> NDArray[np.bool_]:
        """Whether rate positions, arrays that fit together, keep to it."""
        return np.asarray(self.low_keys[low] <= self.high_keys[high])


@dataclass(frozen=True, slots=True, kw_only=True)
class Variables(VariantCosts):
    """The parts that costs are of are the variables: `tables` are [variables, rates]."""

    of_module: NDArray[np.intp]  # [modules]: the variable of each
    choices: tuple[NDArray[np.uint8], ...]  # per variable: rate positions, ascending
    pairs: tuple[Pair, ...]
    limits: dict[CostName, Range]

    @property
    def firsts(self) -> NDArray[np.intp]:
        """[variables]: the first module of each."""
        return np.unique(self.of_module, return_index=True)[1]

    def tied(self, rows: NDArray[Any]) -> NDArray[np.bool_]:
        """Which of `rows`, rate positions [n, modules], have one rate for each variable."""
        return np.asarray((rows == rows[:, self.firsts][:, self.of_module]).all(axis=1))

    def linear(self, metric: CostName, bounds: Range) -> Iterator[Limit]:
        """What sums, over the variables, say that a cost lies within `bounds`."""
        return METRICS[metric].joining.linear(self.tables[metric], self.fixed[metric], bounds)

    def allowed(self, rows: NDArray[Any]) -> NDArray[np.bool_]:
        """Which of `rows` (rate positions among the choices, [n, variables]) meet everything."""
        good = np.ones(len(rows), dtype=bool)
        for pair in self.pairs:
            good &= pair.keeps(rows[:, pair.low], rows[:, pair.high])
        for metric, (low, high) in self.limits.items():
            total = self.total(metric, rows)
            good &= (low <= total) & (total <= high)
        return good


def variables(space: Space, costs: VariantCosts, constraints: Iterable[Constraint]) -> Variables:
    """The problem that `space` poses under these of its constraints."""
    constraints = tuple(constraints)
    keys = {side: ranks(space.rates, side) for side in SIDES}
    ties = [c.modules for c in constraints if isinstance(c, Tie) and not c.sides]
    narrow = {j for j, m in enumerate(space.network.modules) if m.entering or m.leaving}
    one = together(len(space.choices), [tie for tie in ties if narrow.isdisjoint(tie)])
    of_module = np.unique([modules[0] for modules in one], return_inverse=True)[1]
    members = [np.flatnonzero(of_module == v) for v in range(of_module.max(initial=-1) + 1)]
    choices = [sorted(set.intersection(*(set(space.choices[j]) for j in m))) for m in members]
    tables = {
        metric: np.array([METRICS[metric].joining.two.reduce(table[m], axis=0) for m in members])
        for metric, table in costs.tables.items()
    }
    limits: dict[CostName, Range] = {}
    pairs: list[Pair] = [*_links(space.network.modules, of_module, keys)]
    for constraint in constraints:
        match constraint:
            case CostLimit(metric=metric):
                limits[metric] = narrowed(limits.get(metric, UNBOUNDED), constraint)
            case RateLimit():
                for m, side in compared(constraint):
                    within = [constraint.holds(*parts(rate, side)) for rate in space.rates]
                    beyond = np.array(within, dtype=bool).astype(np.int16) ^ 1
                    pairs.append(Pair(*2 * (int(of_module[m]),), beyond, 0 * beyond))
            case Ordered() | Tie():
                chain = [(int(of_module[m]), keys[side]) for m, side in compared(constraint)]
                steps = [*pairwise(chain)]
                if isinstance(constraint, Tie) or constraint.direction == "nonincreasing":
                    falling = [(b, a) for a, b in steps]
                    steps = steps + falling if isinstance(constraint, Tie) else falling
                pairs += [Pair(a, b, low, high) for (a, low), (b, high) in steps]
    for pair in pairs:
        if pair.low == pair.high:  # about one module: what is left keeps to it
            choices[pair.low] = [c for c in choices[pair.low] if pair.keeps(c, c)]
    for metric, (_, high) in limits.items():
        if not METRICS[metric].joining.adds:  # each variable for itself
            choices = [
                [choice for choice in own if table[choice] <= high]
                for own, table in zip(choices, tables[metric], strict=True)
            ]
    return Variables(
        of_module=of_module,
        choices=tuple(np.array(c, dtype=np.uint8) for c in choices),
        tables=tables,
        fixed=costs.fixed,
        pairs=tuple(pairs),
        limits=limits,
    )


def _links(
    modules: Sequence[Module], of_module: NDArray[np.intp], keys: Mapping[Side, NDArray[np.int16]]
) -> Iterator[Pair]:
    """What leaves a module enters the next."""
    leaving, entering = keys["leaving"], keys["entering"]
    for j, (one, other) in enumerate(pairwise(modules)):
        if one.leaving and other.entering:
            a, b = int(of_module[j]), int(of_module[j + 1])
            yield Pair(a, b, leaving, entering)
            yield Pair(b, a, entering, leaving)


def narrowed(bounds: Range, limit: CostLimit) -> Range:
    """`bounds` after one more limit."""
    low, high = bounds
    if limit.comparison == "<=":
        return low, min(high, limit.value)
    return max(low, limit.value), high


def together(parts: int, groups: Iterable[Iterable[int]]) -> list[tuple[int, ...]]:
    """For each of some parts all that stand in a group with it, directly or by way of others."""
    found = [{part} for part in range(parts)]
    for group in groups:
        merged = set[int]().union(*(found[part] for part in group))
        for part in merged:
            found[part] = merged
    return [tuple(sorted(one)) for one in found]
