"""Candidates worth trying, of a space too large to list, by what every variant costs and harms.

Scores and costs add up over the modules, so the best candidate within a cost solves an integer
programme. A ladder of bounds leads from the least cost that the space attains to the greatest;
each rung gives the candidate of least score within its bound, all rungs together the front between
cost and harm. Scores are estimates, so around each rung come further candidates which differ in
some modules from all that were found at that rung.

Exact: that every candidate meets constraints and limits; the first of each rung, by HiGHS up to its
tolerance, unless a limit of nodes ended its search or networks of a thousand variants left it no
time for every rung (`proven` tells); and all else where so few candidates are allowed that every
one is looked at. Heuristic: the further candidates of larger spaces. They are the best of many
drawn near the front (shortest_paths.py), and HiGHS is asked for more where those do not suffice.
Nothing goes by the clock or by chance: the same arguments give the same candidates.
"""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wootzc.ir.diagram.merge_states import TooLarge
from wootzc.ir.diagram.space_diagram import SpaceDiagram, counted
from wootzc.ir.joining import UNBOUNDED, Range
from wootzc.ir.net.cost_tables import VariantCosts
from wootzc.ir.net.metrics import METRICS, CostName
from wootzc.ir.propose.integer_program import NODES, Apart, Programme, Solved
from wootzc.ir.propose.picks import Picks, Rows
from wootzc.ir.propose.shortest_paths import near
from wootzc.ir.space import CostLimit, Space, tried_within
from wootzc.ir.space.variables import Variables, variables

RUNGS = 50
APART = 8  # one module of so many differs
LISTED = 500_000  # candidates that are looked at one by one
STATES = 100_000  # of the diagram that counts them; more where orders need them
DRAWN = 20  # candidates near the front for each that is asked for
WORK = 50_000_000  # binaries squared, over the searches of a ladder: about half a minute
CEILINGS = 12  # rungs of a cost where the greatest counts
SEARCHES = 50  # by HiGHS for further candidates, where too few were drawn

Scores = NDArray[np.float64]  # [modules, rates]
Bounds = NDArray[np.int64]  # [rungs]: greatest cost at each, ascending


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposals:
    """Distinct candidates: the first of every rung, then further ones, round by round."""

    rows: Rows
    rung: NDArray[np.int64]  # [rows]: where each was found first
    bounds: Bounds
    proven: NDArray[np.bool_]  # [rungs]: nothing within the bound has a smaller score


def proposals(
    space: Space,
    costs: VariantCosts,
    scores: Scores,  # the harm of each variant; infinite or nan: not to be had
    count: int,
    *,
    metric: CostName | None = None,  # of the ladder; None: the one that the objective goes by
    rungs: int | None = None,  # only the highest where accuracy is what counts, else 50
    distance: int | None = None,  # modules that two of a rung differ in, else an eighth
    nodes: int = NODES,  # of each search by HiGHS
) -> Proposals:
    """At most `count` distinct candidates, fewer only where not more are found.

    They meet the constraints of the space and the cost limits of its objective; what it selects
    plays no part. No rows where nothing meets them, with finite scores: `emptied_by` knows why.
    `TooLarge` where orders are too entangled to count.
    """
    if rungs is None:
        rungs = 1 if space.objective.maximizes else RUNGS
    if distance is None:
        distance = max(1, len(space.choices) // APART)
    rungs = min(rungs, count)
    metric = metric or space.objective.cost
    task = None if rungs < 1 else _posed(space, costs, scores, metric, nodes)
    if task is not None and not METRICS[metric].joining.adds:
        bounds = _ceilings(task.held, costs, metric, min(rungs, CEILINGS))
        other = next(name for name in costs.tables if METRICS[name].joining.adds)
        parts = [
            proposals(
                _below(space, metric, bound), costs, scores, -(-count // len(bounds)),
                metric=other, rungs=1, distance=distance, nodes=nodes,
            )
            for bound in bounds.tolist()
        ]  # fmt: skip
        found = [(rung, row) for rung, part in enumerate(parts) for row in part.rows][:count]
        proven = [bool(part.proven.all()) for part in parts]
        return _collected(found, proven, bounds, len(space.choices))
    ladder = None if task is None else _ladder(task, rungs, count)
    if task is None or ladder is None:
        return _collected([], [], np.zeros(0, dtype=np.int64), len(space.choices))
    pool = ladder.pool
    harm = task.scores[np.arange(pool.shape[1]), pool].sum(axis=1)
    picks = Picks(pool, harm, costs.total(metric, pool), ladder.bounds, count)
    picks.firsts()
    picks.rounds(distance)
    if not task.few:
        _search(task, picks, ladder.bounds, distance)
    for less in range(distance - 1, 0, -1):
        picks.rounds(less)
    rows, rung = picks.taken()
    return Proposals(rows=rows, rung=rung, bounds=ladder.bounds, proven=ladder.proven)


def _ceilings(held: SpaceDiagram, costs: VariantCosts, metric: CostName, most: int) -> Bounds:
    """The rungs of a cost where the greatest counts: values that it can have.

    Below each of them nothing is to be saved, so that candidates of little score are all that is
    wanted.
    """
    least, greatest = held.range(metric)
    levels = np.unique(np.maximum(costs.tables[metric], costs.fixed[metric]))
    levels = levels[(least <= levels) & (levels <= greatest)]
    places = np.linspace(len(levels) - 1, 0, min(most, len(levels))).round()
    return np.asarray(levels[np.unique(places.astype(int))])


def _below(space: Space, metric: CostName, bound: int) -> Space:
    limit = CostLimit(metric=metric, comparison="<=", value=bound)
    objective = replace(space.objective, limits=(*space.objective.limits, limit))
    return replace(space, objective=objective)


def _collected(
    found: list[tuple[int, NDArray[np.uint8]]], proven: list[bool], bounds: Bounds, modules: int
) -> Proposals:
    """Rows with the rungs they were found at; of equal ones the first."""
    first: dict[bytes, int] = {}
    for rung, row in found:
        first.setdefault(row.tobytes(), rung)
    return Proposals(
        rows=np.frombuffer(b"".join(first), dtype=np.uint8).reshape(-1, modules),
        rung=np.array([*first.values()], dtype=np.int64),
        bounds=bounds,
        proven=np.array(proven, dtype=bool),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    problem: Variables  # with the objective's limits, without variants that have no score
    held: SpaceDiagram  # of the problem
    programme: Programme
    scores: Scores  # 0 where there is none
    table: Scores  # [variables, rates]: the same, summed over tied modules
    metric: CostName
    nodes: int

    @property
    def few(self) -> bool:
        """All candidates are looked at."""
        return self.held.exact and self.held.diagram.count <= LISTED

    def searches(self, most: int) -> int:
        """How often HiGHS may be asked: its time grows with the square of the binaries."""
        return min(most, WORK // max(1, self.programme.binaries) ** 2)

    def best(
        self, table: NDArray[Any], bound: int = UNBOUNDED[1], apart: Apart | None = None
    ) -> Solved:
        low, high = self.problem.limits.get(self.metric, UNBOUNDED)
        limits: dict[CostName, Range] = {**self.problem.limits}
        limits[self.metric] = low, min(high, bound)
        return self.programme.best(table, limits, apart, nodes=self.nodes)


def _posed(
    space: Space, costs: VariantCosts, scores: Scores, metric: CostName, nodes: int
) -> _Task | None:
    """None where nothing is left."""
    finite = np.isfinite(scores)
    choices = [tuple(r for r in own if finite[j, r]) for j, own in enumerate(space.choices)]
    problem = variables(replace(space, choices=tuple(choices)), costs, tried_within(space))
    if not all(len(own) for own in problem.choices):
        return None
    try:
        held = counted(problem, STATES)
    except TooLarge:
        held = counted(problem)
    if held.diagram.count == 0:
        return None
    scores = np.where(finite, scores, 0.0)
    table = np.zeros((len(problem.choices), scores.shape[1]))
    np.add.at(table, problem.of_module, scores)
    return _Task(
        problem=problem,
        held=held,
        programme=Programme(problem),
        scores=scores,
        table=table,
        metric=metric,
        nodes=nodes,
    )


class _Ladder(NamedTuple):
    bounds: Bounds
    proven: NDArray[np.bool_]  # [rungs]: the best candidate is in the pool for sure
    pool: Rows


def _ladder(task: _Task, rungs: int, count: int) -> _Ladder | None:
    """None where there is no candidate, or none was found."""
    least, most = task.held.range(task.metric)
    if task.few:
        bounds = _spread(least, most, rungs)
        return _Ladder(bounds, np.ones(len(bounds), dtype=bool), task.held.rows())
    smallest = Solved(None, -np.inf, False)
    if task.searches(1):
        smallest = task.best(task.problem.tables[task.metric])
    if smallest.word is not None:
        least = int(task.problem.total(task.metric, smallest.word[None])[0])
    elif smallest.proven:
        return None
    bounds = _spread(least, max(least, most), rungs)
    best = _front(task, bounds)
    words = [solved.word for solved in best if solved.word is not None]
    drawn = near(task.problem, task.held.order, task.table, task.metric, bounds, DRAWN * count)
    pool = np.concatenate([np.array(words, dtype=np.uint8).reshape(-1, drawn.shape[1]), drawn])
    some = task.held.sample(count, np.random.default_rng(0))
    proven = np.array([solved.proven for solved in best])
    return _Ladder(bounds, proven, np.concatenate([pool[:, task.problem.of_module], some]))


def _spread(least: int, most: int, rungs: int) -> Bounds:
    """Evenly, both ends included; the highest where there is but one."""
    steps = max(rungs - 1, 1)
    return np.unique([most - (most - least) * step // steps for step in range(rungs)])


def _front(task: _Task, bounds: Bounds) -> list[Solved]:
    """The best at each rung; from the highest down, for it may be within the next bound too."""
    asked = np.linspace(len(bounds) - 1, 0, task.searches(len(bounds))).round()
    found: list[Solved] = []
    for rung in range(len(bounds) - 1, -1, -1):
        bound = int(bounds[rung])
        word = found[-1].word if found else None
        if word is not None and task.problem.total(task.metric, word[None])[0] <= bound:
            found.append(found[-1])
        elif rung in asked:
            found.append(task.best(task.table, bound))
        else:
            found.append(Solved(None, -np.inf, False))
    return found[::-1]


def _search(task: _Task, picks: Picks, bounds: Bounds, distance: int) -> None:
    """Further candidates of each rung in turn by HiGHS, as far from the rung's as is asked for."""
    waiting = list(range(len(bounds)))
    for _ in range(task.searches(SEARCHES)):
        if picks.full or not waiting:
            return
        rung = waiting.pop(0)
        found = np.array(picks.found[rung], dtype=np.uint8).reshape(-1, len(picks.columns))
        apart = Apart(found[:, task.problem.firsts], distance)
        word = task.best(task.table, int(bounds[rung]), apart).word
        if word is not None:
            picks.add(rung, word[task.problem.of_module])
            waiting.append(rung)
