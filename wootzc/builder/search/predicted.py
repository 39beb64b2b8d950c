"""`explore predicted`: fine-tune what promises most for its steps, until little is to be had.

Of the candidates that would beat the best known, begun or not, the next is the one that promises
most for each step it has left, polishing included: its chance (`forecasts.py`) times what it would
save, or the accuracy it is expected to gain. Before it begins it is assembled and looked at, which
costs little and may change the choice. The search ends when no try is expected to save as much as
`until` says.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from wootzc.builder.jobs.pauses import halfway
from wootzc.builder.search.forecasts import COMPLETE, Floats, Forecasts, Ints, polishes
from wootzc.builder.search.goals import cost_of
from wootzc.builder.search.search import Search
from wootzc.builder.search.tried import Ended, Forecast, Left, Open, Tried

FIXED = 0.3  # of a step's time, that does not go by MACs
POINTS = 0.1  # of accuracy: what a whole network's cost weighs, where accuracy is maximised
SHOWN = 5  # candidates not ruled out that are named


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """The candidates that may beat the best known, most promising for their steps first."""

    candidates: Ints
    chance: Floats  # of each to be better than the best known
    accuracy: Floats  # expected
    saving: Floats  # expected of a whole try's steps spent on it, as a share of the network's cost

    def at(self, places: Ints | NDArray[np.bool_]) -> "_View":
        """Of these candidates alone, in this order."""
        return _View(
            candidates=self.candidates[places],
            chance=self.chance[places],
            accuracy=self.accuracy[places],
            saving=self.saving[places],
        )


def predicted(search: Search) -> tuple[Ended, Left]:
    """Search by predictions: why it ended, what is left. Deterministic, but for a time's budget."""
    forecasts = Forecasts.of(search)
    while True:
        while search.must_wait:
            search.note(*search.answer())
        view = _view(search, forecasts)
        ended = _ended(search, view, forecasts.damage)
        best = search.best
        if ended is not None and search.window:
            search.note(*search.answer())
        elif ended is None:
            _advance(search, view.at(_may_go_on(search, view)))
        elif best is not None and _is_unfinished(search, best) and not search.spent:
            search.begin([best.candidate])  # to its end
        else:
            return ended, _left(search, view)


def _advance(search: Search, view: _View) -> None:
    """Let the first candidates run to their next rung, or to the end."""
    now = view.candidates[: search.width].tolist()
    standing = {one.candidate: one for one in search.tried}
    first = standing.get(now[0])
    if first is not None and first.reason in COMPLETE:
        search.begin_polish(first)
        return
    now = [c for c in now if c not in standing or standing[c].reason not in COMPLETE]
    forecasts = [
        Forecast(accuracy=float(a), chance=float(c))
        for a, c in zip(view.accuracy, view.chance, strict=True)
    ]
    by_candidate = dict(zip(view.candidates.tolist(), forecasts, strict=True))
    fresh = [c for c in now if c not in standing and c not in search.looked_at]
    if fresh:
        search.look_at(fresh)
        return
    half = halfway(search.space.finetune)
    begun = {one.candidate: one.steps for one in search.tried}
    pauses = {c: half for c in now if half is not None and begun.get(c, 0) < half}
    expected = [by_candidate[candidate] for candidate in now]
    search.begin(now, expected, pauses)


def _is_unfinished(search: Search, best: Tried) -> bool:
    """Steps are left of its fine-tuning that may make it hold, or better where that counts."""
    wanted = not best.met or search.trials.asked is None
    return best.reason not in COMPLETE and search.goes_on(best) and wanted


def _may_go_on(search: Search, view: _View) -> NDArray[np.bool_]:
    """Once a budget of candidates is used up, only those that were begun."""
    return np.isin(view.candidates, [*search.trials.outcomes]) | (not search.full)


def _view(search: Search, forecasts: Forecasts) -> _View:
    best, space = search.best, search.space
    met = best is not None and best.met
    over = {one.candidate for one in search.tried if not search.goes_on(one)}
    steps = {one.candidate: one.steps for one in search.tried}
    closed = over | {one.candidate for one in search.window}
    open_ = np.array([c for c in search.order if c not in closed], dtype=np.int64)
    goal = search.trials.goal or 0.0
    if space.objective.maximizes and best is not None and met:
        goal = best.accuracy + search.measuring.int8.loss
    expected, chance, gain = np.zeros((3, len(open_)))
    for group, then in forecasts.outlooks(open_):
        expected[group], chance[group] = then.accuracy, then.chance(goal)
        z = (then.accuracy - goal) / then.spread
        density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
        gain[group] = then.spread * (z * ndtr(z) + density)  # the mean of what lies above
    if space.objective.maximizes:
        saving = gain / POINTS
        within = np.ones(len(open_), dtype=bool)
    else:
        costs = np.array([search.costs(c)[space.objective.cost] for c in open_.tolist()])
        limit = cost_of(best, space) if best is not None and met else search.full_cost
        saving = chance * (limit - costs) / search.full_cost
        within = costs < limit
        if not met and not (within & (saving >= space.until)).any():
            within = costs <= limit  # what is as large as the full network may still hold
    saving = saving / _effort(search, open_, np.array([steps.get(c, 0) for c in open_.tolist()]))
    promise = saving * chance if search.hurries and not met else saving  # an answer first
    if not met and not (within & (saving >= space.until)).any():
        promise = -forecasts.damage[open_]  # before all is given up, the least damaged is tried
    order = np.argsort(-promise, kind="stable")
    every = _View(candidates=open_, chance=chance, accuracy=expected, saving=saving)
    return every.at(order[within[order]])


def _effort(search: Search, candidates: Ints, done: Ints) -> Floats:
    """What runs with so many steps done have left, polishing included.

    As a share of a whole try of the full network: a step of a smaller one takes less time.
    """
    polish, steps = search.space.polish, search.space.finetune.steps
    whole = steps + (polish.steps if polish and polishes(search, steps) else 0)
    left = np.maximum(whole - done, 0)
    assert search.jobs.plan.costs is not None
    full = search.jobs.plan.costs["macs"].full
    size = np.array([search.costs(c)["macs"] for c in candidates.tolist()]) / full
    return np.where(left > 0, left, whole) / whole * (FIXED + (1 - FIXED) * size)


def _ended(search: Search, view: _View, damage: Floats) -> Ended | None:
    """Why the search is over; None where it goes on."""
    if not len(view.candidates):
        return "all"
    if not search.tried:
        return None
    certify = search.space.certify
    if certify is not None:
        if view.chance.sum() <= 1 - certify:
            return "certified"
    elif not (view.saving >= search.space.until).any():
        # Where nothing met the limit, what is damaged least is tried before all is given up.
        least = min(damage[one.candidate] for one in search.tried)
        met = search.best is not None and search.best.met
        if met or least <= damage[view.candidates].min():
            return "ruled out"
    if search.spent:
        return "budget"
    begun = view.saving[_may_go_on(search, view)]
    return "budget" if search.full and not (begun >= search.space.until).any() else None


def _left(search: Search, view: _View) -> Left:
    worth = view.saving >= search.space.until
    order = np.argsort(-view.chance, kind="stable")
    likeliest = order[worth[order]][:SHOWN]
    return Left(
        ruled_out=int((~worth).sum()),
        open=int(worth.sum()),
        likeliest=tuple(
            Open(
                candidate=int(view.candidates[i]),
                rates=search.jobs.keys.rates(int(view.candidates[i])),
                costs=search.costs(int(view.candidates[i])),
                forecast=Forecast(accuracy=float(view.accuracy[i]), chance=float(view.chance[i])),
            )
            for i in likeliest.tolist()
        ),
        chance=min(float(view.chance.sum()), 1.0),
    )
