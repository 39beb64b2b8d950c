"""`explore predicted`: fine-tune what is most likely to be best, then what could still beat it.

Every variant gets a score, the damage it does to the teacher by itself; a candidate's damage is the
sum of its variants'. `ir/predict.py` turns damage and the accuracies seen so far into chances. Of
the candidates that would beat the best known, the next is the one that promises most: its chance
times what it would save, or the accuracy it is expected to gain. The search ends when no candidate
is left that would be better with a chance worth trying.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wootzc.build.futility import Floors, floors
from wootzc.build.search import AHEAD, Ended, Forecast, Found, Left, Open, Search, Tried, cost_of
from wootzc.ir.predict import Belief, Seen, prior

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

WORTH = 0.2  # a candidate less likely than this to be better is not tried, unless certifying
SHOWN = 5  # candidates not ruled out that are named


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """The untried candidates that would beat the best known, most promising first."""

    candidates: Ints
    chance: Floats  # of each to be better than the best known
    accuracy: Floats  # expected


def predicted(search: Search) -> Found:
    """Search by predictions; deterministic, but for a budget of time."""
    damage = damages(search)
    belief = _prior(search, damage)
    while True:
        view = _view(search, belief, damage)
        ended = _ended(search, view, damage)
        if ended is not None:
            return search.found(ended, _left(search, view))
        now = view.candidates[: search.width].tolist()
        forecasts = [
            Forecast(accuracy=float(a), chance=float(c))
            for a, c in zip(view.accuracy, view.chance, strict=True)
        ][: len(now)]
        upcoming = [
            (int(candidate), 0.5 ** (ahead + 1))
            for ahead, candidate in enumerate(view.candidates[len(now) : len(now) + AHEAD])
        ]
        goal = _goal(search)
        for one, outcome in search.attempt(now, upcoming, forecasts, _floors(search, goal)):
            search.note(one, outcome)
            belief = belief.given(seen(one, float(damage[one.candidate]), goal))


def damages(search: Search) -> Floats:
    """The damage of every candidate: [candidates] nats."""
    assert search.jobs.plan.candidates is not None
    rows = search.jobs.plan.candidates.values
    with search.jobs.events.stage("scores"):
        by_variant = search.jobs.variants.scores(
            search.teacher.weights, [np.unique(column).tolist() for column in rows.T]
        )
    found = np.zeros(len(rows))
    for module, column in enumerate(rows.T):
        found += by_variant[module][column]
    return found


def seen(one: Tried, damage: float, goal: float | None) -> Seen:
    """What a fine-tuned candidate tells: a run that was ended early shows a bound alone.

    `goal`: the accuracy that a run was given up for missing.
    """
    if one.reason == "target":
        return Seen(damage=damage, accuracy=one.accuracy, bound="least")
    if one.reason == "hopeless" and goal is not None:
        return Seen(damage=damage, accuracy=max(goal, one.accuracy), bound="most")
    return Seen(damage=damage, accuracy=one.accuracy)


def _prior(search: Search, damage: Floats) -> Belief:
    dataset = search.jobs.dataset
    return prior(
        damage[search.order],
        float(search.teacher.done.result["accuracy"]),
        images=len(dataset.validation),
        chance=1 / len(dataset.classes),
    )


def _view(search: Search, belief: Belief, damage: Floats) -> _View:
    best, space = search.best, search.space
    met = best is not None and best.met
    done = {one.candidate for one in search.tried}
    untried = np.array([c for c in search.order if c not in done], dtype=np.int64)
    goal = 0.0 if search.target is None else search.target
    if space.objective.target == "accuracy":
        reached = best.accuracy if best is not None and met else goal
        chance = belief.chance(damage[untried], reached)
        promise = belief.improvement(damage[untried], reached)
        hopeless = not met and not (chance >= WORTH).any()
    else:
        costs = np.array([search.costs(c)[space.objective.target] for c in untried.tolist()])
        limit = cost_of(best, space) if best is not None and met else search.full_cost
        chance = belief.chance(damage[untried], goal)
        within = costs < limit
        hopeless = not met and not (within & (chance >= WORTH)).any()
        if hopeless:
            within = costs <= limit  # what is as large as the full network may still hold
        untried, costs, chance = untried[within], costs[within], chance[within]
        promise = chance * (limit - costs)
    if hopeless:
        promise = chance  # before all is given up, the likeliest is tried
    order = np.argsort(-promise, kind="stable")
    return _View(
        candidates=untried[order],
        chance=chance[order],
        accuracy=belief.expected(damage[untried])[order],
    )


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
    elif not (view.chance >= WORTH).any():
        # Where nothing met the limit, what is damaged least is tried before all is given up.
        least = min(damage[one.candidate] for one in search.tried)
        met = search.best is not None and search.best.met
        if met or least <= damage[view.candidates].min():
            return "ruled out"
    return "budget" if search.spent else None


def _goal(search: Search) -> float | None:
    """The accuracy that a candidate must reach to be the best."""
    best = search.best
    if search.space.objective.target == "accuracy" and best is not None and best.met:
        return best.accuracy
    return search.target


def _floors(search: Search, goal: float | None) -> Floors:
    """What a candidate must have at each look to go on.

    Nothing with `certify`: a rule of thumb rules out nothing for certain.
    """
    if goal is None or search.space.certify is not None:
        return ()
    return floors(search.results, goal, len(search.jobs.dataset.validation))


def _left(search: Search, view: _View) -> Left:
    worth = view.chance >= WORTH
    order = np.argsort(-view.chance, kind="stable")[:SHOWN]
    return Left(
        ruled_out=int((~worth).sum()),
        open=int(worth.sum()),
        likeliest=tuple(
            Open(
                candidate=int(view.candidates[i]),
                rates=search.jobs.keys.rates(int(view.candidates[i])),
                **search.costs(int(view.candidates[i])),
                forecast=Forecast(accuracy=float(view.accuracy[i]), chance=float(view.chance[i])),
            )
            for i in order.tolist()
            if worth[i]
        ),
        chance=min(float(view.chance.sum()), 1.0),
    )
