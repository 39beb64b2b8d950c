"""The sums that words can still reach from each node of a layered automaton, last layer first.

A limit on a sum leaves a state an allowance for what follows. Between two neighbours among the
sums that can follow, all allowances allow the same words: their states are one. That is the
interval merging of Abío et al. (2012, "A new look at BDDs for pseudo-Boolean constraints").
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wootzc.ir.diagram.merge_states import Edges
from wootzc.ir.joining import Limit
from wootzc.ir.sequence import FAR, Ints, TooLarge


def rounded(limit: Limit, values: Sequence[NDArray[Any]], bins: int, outer: bool) -> Limit:
    """The limit with costs rounded so that the sums it lets through take about `bins` values; with
    costs as they are, if they do so already.

    Every word within `limit` is within the outer one; every word within the inner one is within
    `limit`. Both are as close as the sum of the rounding errors permits.
    """
    own = [limit.table[v, choices] for v, choices in enumerate(values)]
    least = np.array([c.min(initial=FAR) if len(c) else 0 for c in own], dtype=np.int64)
    base = sum(least.tolist())
    spread = sum(int(np.ptp(c)) for c in own if len(c))
    room = min(spread, limit.high - base, base + spread - limit.low)
    unit = max(1, -(-room // bins))
    table = (limit.table - least[:, None] + unit // 2) // unit
    errors = limit.table - least[:, None] - unit * table
    kept = [errors[v, choices] for v, choices in enumerate(values) if len(choices)]
    lowest, highest = sum(int(e.min()) for e in kept), sum(int(e.max()) for e in kept)
    first, last = (highest, lowest) if outer else (lowest, highest)
    return Limit(table, -((base + first - limit.low) // unit), (limit.high - base - last) // unit)


class Tails:
    """One limit along an automaton, in units of the greatest common divisor of its costs."""

    def __init__(self, limit: Limit, values: Sequence[NDArray[Any]], layers: Sequence[Edges]):
        costs = [limit.table[v, choices] for v, choices in enumerate(values)]
        least = [int(c.min(initial=FAR)) if len(c) else 0 for c in costs]
        costs = [c - low for c, low in zip(costs, least, strict=True)]
        self.unit = max(1, int(np.gcd.reduce([int(np.gcd.reduce(c)) for c in costs if len(c)])))
        self.costs: list[Ints] = [c // self.unit for c in costs]
        self.layers = layers
        self.span = 1 + sum(int(c.max(initial=0)) for c in self.costs)
        low, high = limit.low - sum(least), limit.high - sum(least)
        self.low = min(max(-(-low // self.unit), 0), self.span)
        self.high = min(max(high // self.unit, -1), self.span)
        if self.span * max(edges.shape[1] for edges in layers) >= FAR:
            raise TooLarge
        self.top = len(layers)  # from this layer on the sums are known
        self.sums: dict[int, Ints] = {self.top: np.zeros(1, dtype=np.int64)}
        self.bounds = self._bounds()

    def _bounds(self) -> list[tuple[Ints, Ints]]:
        """Per layer, the least and the greatest sum from each node on."""
        low = high = np.zeros(1, dtype=np.int64)
        bounds = [(low, high)]
        for edges, costs in zip(self.layers[::-1], self.costs[::-1], strict=True):
            there, cost = edges >= 0, costs[:, None]
            low = np.where(there, np.append(low, 0)[edges] + cost, FAR).min(axis=0, initial=FAR)
            high = np.where(there, np.append(high, 0)[edges] + cost, -1).max(axis=0, initial=-1)
            bounds.append((low, high))
        return bounds[::-1]

    @property
    def vacuous(self) -> bool:
        """Whether the limit leaves every word."""
        low, high = self.bounds[0]
        return bool(self.low <= low[0] and high[0] <= self.high)

    @property
    def size(self) -> int:
        """How many sums are held at the layer that is reached."""
        return len(self.sums[self.top])

    def grow(self) -> None:
        """Work out the sums of one layer more: keys node × span + sum, sorted."""
        place = self.top - 1
        after, edges, costs = self.sums[self.top], self.layers[place], self.costs[place]
        starts = np.searchsorted(after, self.span * np.arange(int(edges.max(initial=0)) + 2))
        node, choice = np.nonzero(edges.T >= 0)  # by node, so that most of what is sorted is so
        follows = edges[choice, node].astype(np.int64)
        lengths = starts[follows + 1] - starts[follows]
        shift = (node - follows) * self.span + costs[choice]
        before = np.cumsum(lengths) - lengths
        which = np.arange(int(lengths.sum())) + np.repeat(starts[follows] - before, lengths)
        keys = np.sort(after[which] + np.repeat(shift, lengths), kind="stable")
        new = np.ones(len(keys), dtype=bool)
        new[1:] = keys[1:] != keys[:-1]
        self.top = place
        self.sums[self.top] = keys[new]

    def keys(self, layer: int, node: Ints, spent: Ints) -> tuple[NDArray[np.bool_], list[Ints]]:
        """Which states can still meet the limit, and columns whose equal rows mean equal states."""
        if layer < self.top:
            low, high = (bound[node] for bound in self.bounds[layer])
            alive = (spent + low <= self.high) & (self.low <= spent + high)
            free = (spent + high <= self.high) & (self.low <= spent + low)
            return alive, [np.where(free, -1, spent)]
        sums, start = self.sums[layer], node * self.span
        last = np.searchsorted(
            sums, start + np.clip(self.high - spent, -1, self.span - 1), side="right"
        )
        first = np.searchsorted(sums, start + np.clip(self.low - spent, 0, self.span))
        return first < last, [last] if self.low == 0 else [first, last]
