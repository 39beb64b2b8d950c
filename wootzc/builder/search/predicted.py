"""`explore predicted`: fine-tune what promises most for its steps, until little is to be had.

Every variant gets a score, the damage it does to the teacher by itself; a candidate's damage is the
sum of its variants'. `ir/propose/predict.py` turns damage and the accuracies seen so far into
chances, and `jobs/pauses.py` says where a run that was paused will end. Of the candidates that
would beat the best known, begun or not, the next is the one that promises most for each step it has
left, polishing included: its chance times what it would save, or the accuracy it is expected to
gain. It runs to the next rung. The search ends when no try is expected to save as much as `until`
says.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from wootzc.builder.jobs.pauses import (  # fmt: skip
    POLISHED,
    TUNED,
    Outlook,
    Stage,
    outlook,
    rungs,
    unpolished,
)
from wootzc.builder.search.search import AHEAD, Search, cost_of, stops_at_target
from wootzc.builder.search.tried import Ended, Forecast, Left, Open, Tried
from wootzc.ir.propose.predict import Belief, Seen, believed, prior
from wootzc.ir.space import Space

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

COMPLETE = ("steps", "patience")  # what ends a fine-tuning that may be polished
POINTS = 0.1  # of accuracy: what a whole network's cost weighs, where accuracy is maximised
SHOWN = 5  # candidates not ruled out that are named


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """The candidates that may beat the best known, most promising for their steps first."""

    candidates: Ints
    chance: Floats  # of each to be better than the best known
    accuracy: Floats  # expected
    saving: Floats  # expected of a whole try's steps spent on it, as a share of the network's cost


def predicted(search: Search) -> tuple[Ended, Left]:
    """Search by predictions: why it ended, what is left. Deterministic, but for a time's budget."""
    damage = damages(search)
    start = _prior(search, damage)
    while True:
        while search.must_wait:
            search.note(*search.answer())
        outlooks = _outlooks(search)
        belief = believed(start, [seen(one, damage, outlooks) for one in search.tried])
        view = _view(search, belief, damage, outlooks)
        ended = _ended(search, view, damage)
        best = search.best
        if ended is not None and search.window:
            search.note(*search.answer())
        elif ended is None:
            _advance(search, _at_hand(search, view))
        elif best is not None and _is_unfinished(search, best) and not search.spent:
            _advance(search, _only(view, best), whole=True)
        else:
            return ended, _left(search, view)


def damages(search: Search) -> Floats:
    """The damage of every candidate: [candidates] nats."""
    rows = search.jobs.plan.candidates.values
    with search.jobs.events.stage("scores"):
        by_variant = search.jobs.variants.scores(
            search.teacher.weights, [np.unique(column).tolist() for column in rows.T]
        )
    names = [module.name for module in search.space.network.modules]
    search.damage = {
        name: {search.space.rates[r]: float(scores[r]) for r in np.unique(column).tolist()}
        for name, scores, column in zip(names, by_variant, rows.T, strict=True)
    }
    found = np.zeros(len(rows))
    for module, column in enumerate(rows.T):
        found += by_variant[module][column]
    return found


def seen(one: Tried, damage: Floats, outlooks: dict[int, Outlook]) -> Seen:
    """What a candidate tells: a run that reached what was asked shows a bound, a paused one where
    it is expected to end.
    """
    own = float(damage[one.candidate])
    if one.candidate in outlooks:
        expected = outlooks[one.candidate]
        return Seen(damage=own, accuracy=expected.accuracy, error=expected.error)
    bound: Literal["least", "exact"] = "least" if one.reason == "target" else "exact"
    return Seen(damage=own, accuracy=one.accuracy, bound=bound)


def _prior(search: Search, damage: Floats) -> Belief:
    dataset = search.jobs.dataset
    return prior(
        damage[search.order],
        search.reference,
        images=len(dataset.validation),
        chance=1 / len(dataset.classes),
    )


def _outlooks(search: Search) -> dict[int, Outlook]:
    """Where every run that goes on is expected to end, polished where that may make it hold."""
    results = {one.candidate: search.outcomes[one.candidate].done.result for one in search.tried}
    polished = [results[one.candidate] for one in search.tried if one.reason == "polished"]
    last = search.space.finetune.steps
    whole = [result for result in polished if result["begun"] == last]
    tuned = [results[one.candidate] for one in search.tried if one.reason in (*COMPLETE, "target")]
    tuned += [unpolished(result) for result in whole]
    tuning = Stage(believed=TUNED, runs=tuned)
    polish = Stage(believed=POLISHED, runs=whole, since=last)
    polishes = search.space.polish is not None and stops_at_target(search.space.objective)
    images = len(search.jobs.dataset.validation)
    found: dict[int, Outlook] = {}
    for one in search.tried:
        if search.goes_on(one):
            stages = [] if one.reason in COMPLETE else [tuning]
            stages += [polish] if polishes or one.reason in COMPLETE else []
            found[one.candidate] = outlook(results[one.candidate], stages, search.reference, images)
    return found


def _advance(search: Search, view: _View, *, whole: bool = False) -> None:
    """Let the first candidates run to their next rung, or to the end."""
    now = view.candidates[: search.width].tolist()
    standing = {one.candidate: one for one in search.tried}
    first = standing.get(now[0])
    if first is not None and first.reason in COMPLETE:
        if search.window:
            search.note(*search.answer())
        else:
            search.polish(first)
        return
    now = [c for c in now if c not in standing or standing[c].reason not in COMPLETE]
    forecasts = [
        Forecast(accuracy=float(a), chance=float(c))
        for a, c in zip(view.accuracy, view.chance, strict=True)
    ]
    by_candidate = dict(zip(view.candidates.tolist(), forecasts, strict=True))
    upcoming = [
        (int(candidate), 0.5 ** (ahead + 1))
        for ahead, candidate in enumerate(view.candidates[len(now) : len(now) + AHEAD])
    ]
    stops = () if whole else rungs(search.space.finetune)
    pauses: dict[int, int] = {}
    for candidate in now:
        done = standing[candidate].steps if candidate in standing else 0
        if later := [stop for stop in stops if stop > done]:
            pauses[candidate] = min(later)
    expected = [by_candidate[candidate] for candidate in now]
    search.begin(now, upcoming, expected, pauses)


def _is_unfinished(search: Search, best: Tried) -> bool:
    """Steps are left of its fine-tuning that may make it hold, or better where that counts."""
    wanted = not best.met or search.asked is None
    return best.reason not in COMPLETE and search.goes_on(best) and wanted


def _may_go_on(search: Search, view: _View) -> NDArray[np.bool_]:
    """Once a budget of candidates is used up, only those that were begun."""
    return np.isin(view.candidates, [*search.outcomes]) | (not search.full)


def _at_hand(search: Search, view: _View) -> _View:
    held = _may_go_on(search, view)
    return _View(
        candidates=view.candidates[held],
        chance=view.chance[held],
        accuracy=view.accuracy[held],
        saving=view.saving[held],
    )


def _only(view: _View, one: Tried) -> _View:
    """The view of a single candidate."""
    place = np.flatnonzero(view.candidates == one.candidate)
    known = len(place) > 0
    return _View(
        candidates=np.array([one.candidate]),
        chance=view.chance[place] if known else np.zeros(1),
        accuracy=view.accuracy[place] if known else np.array([one.accuracy]),
        saving=view.saving[place] if known else np.zeros(1),
    )


def _view(search: Search, belief: Belief, damage: Floats, outlooks: dict[int, Outlook]) -> _View:
    best, space = search.best, search.space
    met = best is not None and best.met
    steps = {one.candidate: one.steps for one in search.tried}
    waiting = {c for c in search.order if c not in steps or c in outlooks} - {*search.window}
    open_ = np.array([c for c in search.order if c in waiting], dtype=np.int64)
    expected = belief.expected(damage[open_])
    goal = search.goal or 0.0
    if space.objective.maximizes and best is not None and met:
        goal = best.accuracy
    chance = belief.chance(damage[open_], goal)
    gain = belief.improvement(damage[open_], goal)
    for place, candidate in enumerate(open_.tolist()):
        if candidate in outlooks:
            own = outlooks[candidate]
            expected[place] = own.accuracy
            chance[place], gain[place] = _normal(own, goal)
    if space.objective.maximizes:
        saving = gain / POINTS
    else:
        costs = np.array([search.costs(c)[space.objective.cost] for c in open_.tolist()])
        limit = cost_of(best, space) if best is not None and met else search.full_cost
        saving = chance * (limit - costs) / search.full_cost
        within = costs < limit
        if not met and not (within & (saving >= space.until)).any():
            within = costs <= limit  # what is as large as the full network may still hold
        open_, expected, chance, saving = (
            open_[within], expected[within], chance[within], saving[within]
        )  # fmt: skip
    saving = saving / _effort(space, np.array([steps.get(c, 0) for c in open_.tolist()]))
    promise = saving
    if not met and not (saving >= space.until).any():
        promise = chance  # before all is given up, the likeliest is tried
    order = np.argsort(-promise, kind="stable")
    return _View(
        candidates=open_[order],
        chance=chance[order],
        accuracy=expected[order],
        saving=saving[order],
    )


def _effort(space: Space, done: Ints) -> Floats:
    """The share of a whole try, polishing included, that runs with so many steps done have left."""
    polish = space.polish.steps if space.polish and stops_at_target(space.objective) else 0
    whole = space.finetune.steps + polish
    left = np.maximum(whole - done, 0)
    return np.asarray(np.where(left > 0, left, whole) / whole)


def _normal(expected: Outlook, goal: float) -> tuple[float, float]:
    """The chance of a normal variable to exceed the goal, and by how much it is expected to."""
    z = (expected.accuracy - goal) / expected.error
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return float(ndtr(z)), float(expected.error * (z * ndtr(z) + density))


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
    order = np.argsort(-view.chance, kind="stable")[:SHOWN]
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
            for i in order.tolist()
            if worth[i]
        ),
        chance=min(float(view.chance.sum()), 1.0),
    )
