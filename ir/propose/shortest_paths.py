"""Many good candidates at every cost: shortest paths under scores that are shaken a little.

Costs are rounded to some hundred units. One dynamic programme over the automaton of the orders then
has, for every sum of units, the best that can follow; its paths from each rung of a ladder are the
best candidates of all rungs under one table of scores. Tables differ by normal noise, as in
perturb-and-MAP sampling (Papandreou and Yuille, 2011): each path is the best if the scores, which
are estimates, are off by so much. What rounding let in is taken out: costs are checked as they are.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wootzc.ir.diagram.merge_states import Edges
from wootzc.ir.diagram.orders import order_layers
from wootzc.ir.diagram.space_diagram import relations_of
from wootzc.ir.joining import FAR, UNBOUNDED
from wootzc.ir.net.metrics import METRICS, CostName
from wootzc.ir.space.variables import Variables

BINS = 512  # units of cost, from the least that the variables could have to the highest rung
FEWEST = 16  # of them, where orders are entangled
BATCH = 32  # tables at once
CELLS = 4_000_000  # floats that the tables of a batch may take
NOISE = (0.02, 0.05, 0.15, 0.4)  # deviations, of what a typical variable's scores spread over
OFFSETS = (1, 0, -2)  # units that rounding may have taken from a path's cost, or given
PRICES = (1e-3, 1e3)  # of a unit of another limited cost, of what scores spread over per such unit
GRID = 31  # prices that are tried
HAGGLE = 0.3  # deviation of a price's logarithm

Floats = NDArray[np.float64]
Words = NDArray[np.uint8]  # [n, variables]: rate positions


class Sweep(NamedTuple):
    """A problem in units of cost, its variables in the order of the automaton's layers."""

    values: tuple[NDArray[np.uint8], ...]
    layers: list[Edges]
    units: NDArray[np.int64]  # [variables, rates], from 0 on
    order: NDArray[np.intp]  # of the variables
    bins: int
    batch: int  # tables that are worked on at once

    def best(self, tables: Floats, starts: NDArray[np.int64]) -> Words:
        """The best word of each table from each start: [tables, starts, variables].

        `tables`: [tables, variables, rates]; `starts`: units that may be spent. Where there is no
        word, some that breaks an order.
        """
        tables = tables[:, self.order]
        parts = [tables[low : low + self.batch] for low in range(0, len(tables), self.batch)]
        words = [self.paths(part, self.tails(part), starts) for part in parts]
        return np.concatenate(words)[..., np.argsort(self.order)]

    def tails(self, tables: Floats) -> list[Floats]:
        """Per layer [tables, nodes, units left]: the least sum of what can follow.

        Units may be left over at the end.
        """
        tail = np.zeros((len(tables), 1, self.bins + 1))
        tails = [tail]
        for place in reversed(range(len(self.layers))):
            edges = self.layers[place]
            best = np.full((len(tables), edges.shape[1], self.bins + 1), np.inf)
            for choice, value in enumerate(self.values[place]):
                nodes = np.flatnonzero(edges[choice] >= 0)
                taken = int(self.units[place, value])
                if len(nodes) == 0 or taken > self.bins:
                    continue
                after = tail[:, edges[choice][nodes], : self.bins + 1 - taken]
                after = after + tables[:, place, value][:, None, None]
                best[:, nodes, taken:] = np.minimum(best[:, nodes, taken:], after)
            tail = best
            tails.append(tail)
        return tails[::-1]

    def paths(self, tables: Floats, tails: list[Floats], starts: NDArray[np.int64]) -> Words:
        """From each start along the least of what can follow."""
        shape = len(tables), len(starts)
        table = np.arange(len(tables))[:, None]
        left = np.broadcast_to(starts, shape)
        node = np.zeros(shape, dtype=np.int64)
        words = np.empty((*shape, len(self.layers)), dtype=np.uint8)
        for place, edges in enumerate(self.layers):
            best, chosen = np.full(shape, np.inf), np.zeros(shape, dtype=np.int64)
            for choice, value in enumerate(self.values[place]):
                after, rest = edges[choice][node], left - self.units[place, value]
                sums = tails[place + 1][table, after, np.maximum(rest, 0)]
                sums = sums + tables[:, place, value][:, None]
                better = (after >= 0) & (rest >= 0) & (sums < best)
                best, chosen = np.where(better, sums, best), np.where(better, choice, chosen)
            words[..., place] = self.values[place][chosen]
            left = np.maximum(left - self.units[place, words[..., place]], 0)
            node = edges[chosen, node].astype(np.int64)
        return words


def near(
    problem: Variables,
    order: NDArray[np.intp],  # of the variables: see SpaceDiagram
    table: Floats,  # [variables, rates]: scores
    metric: CostName,
    bounds: NDArray[np.int64],  # costs of the rungs, ascending
    count: int,  # to be drawn, at least; not all of them are within limits
) -> Words:
    """Words within the problem's limits, good ones at each of the bounds; some are equal."""
    ladders: dict[CostName, NDArray[np.int64]] = {metric: bounds}
    for other, (_, high) in problem.limits.items():
        if high != UNBOUNDED[1] and METRICS[other].joining.adds:
            ladders.setdefault(other, np.array([high]))  # it may be what binds first
    rng = np.random.default_rng(0)
    return np.concatenate(
        [
            words
            for by, rungs in ladders.items()
            for words in _drawn(problem, order, table, by, rungs, count // len(ladders), rng)
        ]
    )


def _drawn(
    problem: Variables,
    order: NDArray[np.intp],
    table: Floats,
    metric: CostName,
    bounds: NDArray[np.int64],
    count: int,
    rng: "np.random.Generator",
) -> Iterator[Words]:
    sweep, starts = sweep_of(problem, order, metric, bounds)
    unseen = [
        (costs, _prices(problem, sweep, starts, table, costs, limit))
        for costs, limit in _unseen(problem, metric)
    ]
    spread = _spread(problem, table)
    noise = float(np.median(spread[spread > 0])) if spread.any() else 1.0
    rounds = max(2, -(-count // (len(NOISE) * sweep.batch * len(starts))))
    for deviation in NOISE * rounds:
        tables = table + deviation * noise * rng.standard_normal((sweep.batch, *table.shape))
        for costs, prices in unseen:
            paid = rng.choice(prices, sweep.batch) * rng.lognormal(0.0, HAGGLE, sweep.batch)
            tables += paid[:, None, None] * costs
        words = sweep.best(tables, starts).reshape(-1, len(order))
        yield words[problem.allowed(words)]


def sweep_of(
    problem: Variables, order: NDArray[np.intp], metric: CostName, bounds: NDArray[np.int64]
) -> tuple[Sweep, NDArray[np.int64]]:
    """The sweep, and the units that may be spent at each bound, give or take some."""
    values = tuple(problem.choices[v] for v in order)
    layers = order_layers(values, relations_of(problem, order))
    nodes = sum(edges.shape[1] for edges in layers)
    bins = int(np.clip(CELLS // nodes, FEWEST, BINS))
    costs = problem.tables[metric][order]
    least = np.array([costs[v, own].min() for v, own in enumerate(values)])
    most = np.array([costs[v, own].max() for v, own in enumerate(values)])
    room = np.minimum(bounds - problem.fixed[metric], int(most.sum())) - int(least.sum())
    unit = max(1.0, int(room.max()) / bins)
    starts = (room / unit).astype(np.int64)[:, None] + np.array(OFFSETS)
    units = np.rint((costs - least[:, None]) / unit).astype(np.int64)
    batch = int(np.clip(CELLS // (nodes * (bins + 1)), 1, BATCH))
    return Sweep(values, layers, units, order, bins, batch), np.unique(np.clip(starts, 0, bins))


def _unseen(problem: Variables, metric: CostName) -> Iterator[tuple[Floats, float]]:
    """Limits that a sweep by `metric` does not see: Σ costs[variable, rate] ≤ limit."""
    for other, (least, most) in problem.limits.items():
        unseen = least, UNBOUNDED[1] if other == metric else most
        for table, low, high in problem.linear(other, unseen):
            costs = table.astype(np.float64)
            if low > -FAR:
                yield -costs, -low
            if high < FAR:
                yield costs, high


def _prices(
    problem: Variables,
    sweep: Sweep,
    starts: NDArray[np.int64],
    table: Floats,
    costs: Floats,
    limit: float,
) -> Floats:
    """[starts]: about the least price of a unit of `costs` at which the path meets the limit.

    It is a Lagrange multiplier, looked for on a grid; the highest where no price is enough.
    """
    rate = float(_spread(problem, table).sum()) / (float(_spread(problem, costs).sum()) or 1.0)
    grid = np.append(0.0, rate * np.geomspace(*PRICES, GRID))
    words = sweep.best(table + grid[:, None, None] * costs, starts)
    spent = costs[np.arange(len(costs)), words].sum(axis=2)  # [grid, starts]
    enough = spent <= limit
    enough[-1] = True
    prices: Floats = grid[np.argmax(enough, axis=0)]
    return prices


def _spread(problem: Variables, table: Floats) -> Floats:
    """[variables]: how far the values of the choices lie apart."""
    own = [np.ptp(table[v, choices]) for v, choices in enumerate(problem.choices)]
    return np.array(own, dtype=np.float64)
