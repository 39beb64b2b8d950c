"""What a space holds, without listing it: its candidates as a decision diagram.

Limits on costs that have little in common can need more states than memory has. Then the diagram
is that of rounded costs: a set a little larger, so that whatever is drawn from it uniformly and
stays within the true limits is uniform still. `exact` says which of the two it is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wootzc.ir.diagram.best_words import best_first, bounds
from wootzc.ir.diagram.construct import STATES, build, from_words
from wootzc.ir.diagram.diagram import Diagram
from wootzc.ir.diagram.merge_states import Edges, TooLarge
from wootzc.ir.diagram.orders import Relation, narrow_order, order_layers
from wootzc.ir.diagram.sums import rounded
from wootzc.ir.joining import UNBOUNDED, Range
from wootzc.ir.net.metrics import METRICS, CostName
from wootzc.ir.sequence import distinct_rows
from wootzc.ir.space.variables import Variables

BINS = tuple(2**k for k in range(3, 18))  # values of a rounded sum
BAND_BINS = (2_048, 256, 64, 8)  # the same where every band of costs has a diagram of its own
BAND_STATES = 50_000  # of an exact diagram of a band
WIDE = 4  # variables that wait to be compared, from which on another order of them may be better
FEW = 200_000  # words of the rounded set that are rather looked at one by one
ROUNDS = 10  # draws without a new candidate before the rounded set counts as exhausted
IDLE, BATCH = 16_384, 262_144  # most draws at once: where little turns up, and ever

Rows = NDArray[np.uint8]  # [candidates, modules]


@dataclass(frozen=True, kw_only=True)
class SpaceDiagram:
    """The candidates that meet all constraints of `problem`: see `counted`."""

    problem: Variables
    diagram: Diagram
    order: NDArray[np.intp]  # the diagram's variables among those of the problem
    related: Sequence[Edges]  # what holds between these variables; () where words were listed
    bins: int = 0  # values that a rounded sum has, 0 where costs are exact

    @property
    def exact(self) -> bool:
        """False: the diagram has some words that rounding let in; `_true` takes them out."""
        return self.bins == 0

    def _variables(self, words: NDArray[Any]) -> NDArray[Any]:
        """Columns in the order of the variables, of those in the order of the diagram."""
        return words[:, np.argsort(self.order)]

    def _rows(self, words: NDArray[Any]) -> Rows:
        return self._variables(words)[:, self.problem.of_module]

    @property
    def count(self) -> int | None:
        """How many candidates there are; None where only `between` is known."""
        return self.diagram.count if self.exact else None

    @cached_property
    def between(self) -> Range:
        """Bounds of how many candidates there are."""
        if self.exact:
            return self.diagram.count, self.diagram.count
        inner = _build(self.problem, self.order, self.related, STATES, self.bins, outer=False)
        return inner.count, self.diagram.count

    def range(self, metric: CostName) -> Range:
        """Least and greatest cost; where not `exact`, bounds of these. Some candidate must be."""
        low, high = self._ranges[metric]
        least, most = self.problem.limits.get(metric, UNBOUNDED)
        return max(low, least), min(high, most)

    @cached_property
    def _ranges(self) -> dict[CostName, Range]:
        ranges: dict[CostName, Range] = {}
        for metric, fixed in self.problem.fixed.items():
            joining = METRICS[metric].joining
            low, high = bounds(self.diagram, self.problem.tables[metric][self.order], joining)
            ranges[metric] = int(joining.two(low, fixed)), int(joining.two(high, fixed))
        return ranges

    def within(self, metric: CostName, band: Range) -> "SpaceDiagram":
        """Those candidates whose cost lies in the band; rounded where that takes a moment."""
        low, high = self.problem.limits.get(metric, UNBOUNDED)
        limits = {**self.problem.limits, metric: (max(low, band[0]), min(high, band[1]))}
        problem = replace(self.problem, limits=limits)
        try:
            diagram = _build(problem, self.order, self.related, BAND_STATES if self.exact else 0)
        except TooLarge:
            states = min(STATES, 4 * max(BAND_STATES, self.diagram.states))
            bins = BAND_BINS[len(limits) > 1 :]
            return _rounded(problem, self.order, self.related, states, bins)
        return replace(self, problem=problem, diagram=diagram, bins=0)

    def words(self) -> NDArray[np.uint8]:
        """All candidates, by the diagram's variables, in its order: see `count` first."""
        return self._true(self.diagram.words())

    def rows(self) -> Rows:
        """All candidates in lexicographic order: see `count` first."""
        rows = self._rows(self.words())
        return rows[distinct_rows(rows)]

    def chunks(self) -> Iterator[Rows]:
        """All candidates, some at a time; in lexicographic order where the diagram is."""
        for words in self.diagram.chunks():
            yield self._rows(self._true(words))

    def contains(self, rows: NDArray[Any]) -> NDArray[np.bool_]:
        """Which of these rows, [n, modules], are candidates."""
        words = rows[:, self.problem.firsts]
        there = self.diagram.contains(words[:, self.order]) & self.problem.allowed(words)
        return np.asarray(there & self.problem.tied(rows))

    def sample(self, count: int, rng: "np.random.Generator") -> Rows:
        """So many distinct candidates, every set of them equally likely; fewer if few are found."""
        if self.exact:
            return self._rows(self.diagram.sample(count, rng))
        found = np.zeros((0, len(self.problem.choices)), dtype=np.uint8)
        idle = 0
        while len(found) < count and idle < ROUNDS:
            missing = count - len(found)
            batch = min(BATCH, missing + missing // 4 + min(IDLE, 256 << idle))
            both = np.concatenate([found, self._true(self.diagram.sample(batch, rng))])
            merged = both[np.sort(distinct_rows(both))]
            idle = idle + 1 if len(merged) == len(found) else 0
            found = merged
        return self._rows(found[:count])

    def _true(self, words: NDArray[Any]) -> NDArray[Any]:
        """Without those that only rounding let in."""
        return words if self.exact else words[self.problem.allowed(self._variables(words))]

    def best(self, scores: NDArray[Any], largest: bool = False) -> Iterator[tuple[Rows, float]]:
        """Candidates [modules] and their Σ scores[module, rate], the best first, one at a time.

        The least sum is the best, or the `largest`. Whole scores are added exactly.
        """
        summed = np.zeros((len(self.problem.choices), scores.shape[1]), dtype=scores.dtype)
        np.add.at(summed, self.problem.of_module, scores)
        for word, score in best_first(self.diagram, summed[self.order], largest):
            if len(self._true(word[None])):
                yield self._rows(word[None])[0], score

    def frequency(self, start: int, rates: Sequence[int]) -> int | None:
        """How many candidates have these rates from module `start` on; None if not `exact`."""
        if not self.exact:
            return None
        fixed: dict[int, int] = {}
        place = np.argsort(self.order)
        for module, rate in enumerate(rates, start):
            variable = int(place[self.problem.of_module[module]])
            if fixed.setdefault(variable, rate) != rate:
                return 0
        return self.diagram.count_with(fixed)


def counted(problem: Variables, states: int = STATES) -> SpaceDiagram:
    """The candidates of a problem, exactly if so many states suffice. `TooLarge` if not even
    rounding helps: where orders tie too many modules that stand far apart.
    """
    order = np.arange(len(problem.choices))
    if _width(problem, order) > WIDE:
        order = _narrow(problem)
    related = order_layers([problem.choices[v] for v in order], relations_of(problem, order))
    try:
        diagram = _build(problem, order, related, states // max(1, len(problem.limits)) ** 2)
    except TooLarge:
        return _rounded(problem, order, related, states // 4, BINS)
    return SpaceDiagram(problem=problem, diagram=diagram, order=order, related=related)


def _rounded(
    problem: Variables,
    order: NDArray[np.intp],
    related: Sequence[Edges],
    states: int,
    many: tuple[int, ...],
) -> SpaceDiagram:
    """With rounded costs: the finest of an ascending list that fits, the first of another."""
    found: SpaceDiagram | None = None
    for bins in many:
        try:
            diagram = _build(problem, order, related, states, bins)
        except TooLarge:
            if found is not None:
                break
            continue
        found = SpaceDiagram(
            problem=problem, diagram=diagram, order=order, related=related, bins=bins
        )
        if diagram.count <= FEW:  # then better look at all of them
            return replace(found, diagram=from_words(found.words(), diagram.values), bins=0)
        likely = diagram.states * 2 ** len(problem.limits)  # with twice as many bins
        if many[0] > many[-1] or likely > states:
            break
    if found is None:
        raise TooLarge
    return found


def _build(
    problem: Variables,
    order: NDArray[np.intp],
    related: Sequence[Edges],
    states: int,
    bins: int = 0,
    outer: bool = True,
) -> Diagram:
    values = [problem.choices[v] for v in order]
    limits = [
        linear._replace(table=linear.table[order])
        for metric, range in problem.limits.items()
        for linear in problem.linear(metric, range)
    ]
    if bins:
        limits = [rounded(limit, values, bins, outer) for limit in limits]
    return build(values, related, limits, states)


def relations_of(problem: Variables, order: NDArray[np.intp]) -> list[Relation]:
    """What the variables may be beside one another, in this order of them."""
    place = np.argsort(order).tolist()
    return [
        Relation(
            place[pair.low],
            place[pair.high],
            pair.keeps(problem.choices[pair.low][:, None], problem.choices[pair.high]),
        )
        for pair in problem.pairs
    ]


def _pairs(problem: Variables) -> list[tuple[int, int]]:
    return [(pair.low, pair.high) for pair in problem.pairs]


def _narrow(problem: Variables) -> NDArray[np.intp]:
    """The order of the variables in which orders between them are cheaper to follow."""
    mine = np.arange(len(problem.choices))
    other = np.array(narrow_order(len(problem.choices), _pairs(problem)), dtype=np.intp)
    return other if _width(problem, other) < _width(problem, mine) else mine


def _width(problem: Variables, order: NDArray[np.intp]) -> int:
    """How many variables wait at most, compared with one yet to come."""
    place = np.argsort(order)
    spans = [sorted((int(place[a]), int(place[b]))) for a, b in _pairs(problem)]
    ends: dict[int, int] = {}
    for first, last in spans:
        ends[first] = max(last, ends.get(first, 0))
    return max((sum(a < at <= b for a, b in ends.items()) for at in range(len(order))), default=0)
