"""The search: which candidate is fine-tuned next, and when to stop.

This file holds what every search shares; `explore.py` the searches in a fixed order, `predicted.py`
the one that chooses by scores. Blocks are trained when the next candidate needs them.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from wootzc.build.futility import Floors
from wootzc.build.jobs import Jobs
from wootzc.build.store import Outcome, Weights
from wootzc.ir.space import AccuracyLimit, Objective, Space

# met: the first in the order that meets the objective. all: nothing is left to try. ruled out: what
# is left would hardly be better. certified: nor all of it together. budget: it was spent.
# interrupted: by the user, who gets the best so far.
Ended = Literal["met", "all", "ruled out", "certified", "budget", "interrupted"]

AHEAD = 20  # candidates whose blocks may be trained before it is their turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What was expected of a candidate before it was fine-tuned."""

    accuracy: float  # fraction, on validation data
    chance: float  # of being better than the best known then


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One candidate that was fine-tuned. Accuracies are fractions, on validation data."""

    candidate: int  # row of plan.candidates
    rates: tuple[float, ...]  # one per module
    params: int
    macs: int  # one image
    start_accuracy: float  # assembled, before fine-tuning
    accuracy: float
    steps: int  # of fine-tuning
    seconds: float  # of fine-tuning, when it ran
    reason: str  # why fine-tuning ended: steps, target, patience, hopeless, diverged
    met: bool  # accuracy is within the objective
    blocks: tuple[int, ...]
    reused: bool  # found in the store
    key: str  # of the job that made it: the store has its weights
    forecast: Forecast | None = None  # of `explore predicted`


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockUse:
    """One tuning block that the search asked for."""

    block: int
    name: str
    steps: int
    seconds: float
    loss_first: float | None  # None where nothing was trained, only solved
    loss_last: float | None
    uses: int  # candidates tried that were assembled from it
    reused: bool  # found in the store


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """A candidate that was neither tried nor ruled out when the search ended."""

    candidate: int
    rates: tuple[float, ...]
    params: int
    macs: int
    forecast: Forecast


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What a predicted search did not try."""

    ruled_out: int  # candidates that would be better if they held, but hardly do
    open: int  # candidates that may well be better
    likeliest: tuple[Open, ...]  # of those the first few
    chance: float  # that any untried candidate is better: at most this, by the predictions


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the search saw. `best` is the winner or, if none met the objective, the closest."""

    tried: tuple[Tried, ...]
    blocks: tuple[BlockUse, ...]
    best: Tried
    best_key: str  # of the job that made it
    weights: Weights  # of the best
    target: float | None  # the accuracy asked for
    ended: Ended
    left: Left | None = None  # of `explore predicted`


def accuracy_target(objective: Objective, teacher_accuracy: float) -> float | None:
    """The highest accuracy that the objective's limits ask for; None where there is no limit.

    Less a billionth: 52/100 − 0.05 is a hair above 47/100, and an exact tie meets the limit.
    """
    targets = [
        teacher_accuracy - limit.value if limit.below_teacher else limit.value
        for limit in objective.limits
        if isinstance(limit, AccuracyLimit)
    ]
    return max(targets) - 1e-9 if targets else None


def stops_at_target(objective: Objective) -> bool:
    """A least-cost search needs no more accuracy than asked; a best-accuracy search does."""
    return objective.target != "accuracy"


def better(one: Tried, other: Tried, space: Space) -> bool:
    """Within the limits first; then the objective; among misses the one nearer to the limit."""
    if one.met != other.met:
        return one.met
    if not one.met or space.objective.target == "accuracy":
        return one.accuracy > other.accuracy
    return cost_of(one, space) < cost_of(other, space)


def cost_of(one: Tried, space: Space) -> int:
    """In the objective's measure; parameters where that is accuracy."""
    return one.macs if space.objective.target == "macs" else one.params


@dataclass(kw_only=True)
class Search:
    """A search under way. A budget of time counts from `started`."""

    jobs: Jobs
    teacher: Outcome
    tried: list[Tried] = field(default_factory=list)
    blocks: dict[int, Outcome] = field(default_factory=dict)
    best: Tried | None = None
    best_outcome: Outcome | None = None
    results: list[dict[str, Any]] = field(default_factory=list)  # of the candidates' jobs
    started: float = field(default_factory=time.perf_counter)

    def __post_init__(self) -> None:
        objective = self.jobs.space.objective
        self.target = accuracy_target(objective, float(self.teacher.done.result["accuracy"]))
        self.asked = self.target if stops_at_target(objective) else None
        assert self.jobs.plan.exploration_order is not None
        self.order: list[int] = self.jobs.plan.exploration_order.values.tolist()

    @property
    def space(self) -> Space:
        return self.jobs.space

    @property
    def spent(self) -> bool:
        """The budget is used up. One candidate is always tried."""
        budget = self.space.budget
        if not self.tried:
            return False
        if budget.candidates is not None and len(self.tried) >= budget.candidates:
            return True
        return budget.seconds is not None and time.perf_counter() - self.started >= budget.seconds

    @property
    def width(self) -> int:
        """How many candidates to try next, side by side."""
        most = self.space.budget.candidates
        return self.jobs.width if most is None else min(self.jobs.width, most - len(self.tried))

    def attempt(
        self,
        candidates: Sequence[int],
        upcoming: Sequence[tuple[int, float]] = (),  # candidates that may follow: (row, chance)
        forecasts: Sequence[Forecast] = (),
        floors: Floors = (),
    ) -> Iterator[tuple[Tried, Outcome]]:
        """Assemble and fine-tune these candidates, side by side where the devices allow."""
        for place, candidate in enumerate(candidates, start=len(self.tried) + 1):
            costs = self.costs(candidate)
            self.jobs.events.emit(
                "candidate", candidate=candidate, position=place, of=len(self.order), **costs
            )
        self._train_blocks(candidates, upcoming)
        with self.jobs.events.stage("candidates"):
            outcomes = self.jobs.candidates(
                candidates, self.teacher.weights, self.blocks, self.asked, floors
            )
        expected: Sequence[Forecast | None] = forecasts or [None] * len(candidates)
        for candidate, outcome, forecast in zip(candidates, outcomes, expected, strict=True):
            yield self._judged(candidate, outcome, forecast), outcome

    def note(self, one: Tried, outcome: Outcome) -> None:
        """Count a candidate as tried."""
        self.tried.append(one)
        self.results.append(outcome.done.result)
        if self.best is None or better(one, self.best, self.space):
            self.best, self.best_outcome = one, outcome
        best = self.best
        self.jobs.events.emit("best", candidate=best.candidate, params=best.params, met=best.met)

    def found(self, ended: Ended, left: Left | None = None) -> Found:
        assert self.best is not None and self.best_outcome is not None
        uses = [number for one in self.tried for number in one.blocks]
        return Found(
            tried=tuple(self.tried),
            blocks=tuple(
                BlockUse(
                    block=number,
                    name=self.jobs.tuning.name(number),
                    steps=int(outcome.done.result["steps"]),
                    seconds=outcome.done.seconds,
                    loss_first=outcome.done.result["loss_first"],
                    loss_last=outcome.done.result["loss_last"],
                    uses=uses.count(number),
                    reused=outcome.reused,
                )
                for number, outcome in sorted(self.blocks.items())
            ),
            best=self.best,
            best_key=self.best_outcome.done.key,
            weights=self.best_outcome.weights,
            target=self.target,
            ended=ended,
            left=left,
        )

    @property
    def full_cost(self) -> int:
        """What the whole network costs, in the objective's measure."""
        costs = self.jobs.plan.costs
        assert costs is not None
        return costs.full_macs if self.space.objective.target == "macs" else costs.full_params

    def costs(self, candidate: int) -> dict[str, int]:
        assert self.jobs.plan.costs is not None
        return {
            "params": int(self.jobs.plan.costs.params.values[candidate]),
            "macs": int(self.jobs.plan.costs.macs.values[candidate]),
        }

    def _train_blocks(
        self, candidates: Sequence[int], upcoming: Sequence[tuple[int, float]]
    ) -> None:
        keys = self.jobs.keys
        needed = [b for candidate in candidates for b in keys.blocks_of(candidate)]
        missing = [b for b in dict.fromkeys(needed) if b not in self.blocks]
        likely: dict[int, float] = {}
        for candidate, chance in upcoming[:AHEAD]:
            for number in keys.blocks_of(candidate):
                if number not in self.blocks and number not in missing:
                    likely.setdefault(number, chance)
        with self.jobs.events.stage("blocks"):
            self.blocks |= self.jobs.blocks(missing, self.teacher.weights, tuple(likely.items()))

    def _judged(self, candidate: int, outcome: Outcome, forecast: Forecast | None) -> Tried:
        result = outcome.done.result
        accuracy = float(result["accuracy"])
        return Tried(
            candidate=candidate,
            rates=self.jobs.keys.rates(candidate),
            **self.costs(candidate),
            start_accuracy=float(result["start_accuracy"]),
            accuracy=accuracy,
            steps=int(result["steps"]),
            seconds=outcome.done.seconds,
            reason=str(result["reason"]),
            met=self.target is None or accuracy >= self.target,
            blocks=self.jobs.keys.blocks_of(candidate),
            reused=outcome.reused,
            key=outcome.done.key,
            forecast=forecast,
        )
