"""The search: which candidate is fine-tuned next, and when to stop.

This file holds what every search shares; `explore.py` the searches in a fixed order, `predicted.py`
the one that chooses by scores. Blocks are trained when the next candidate needs them.
"""

import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

from wootzc.backends.flax.train.distilling import learns_of_logits
from wootzc.builder.jobs.events import BestKnown, CandidateChosen, Step
from wootzc.builder.jobs.jobs import Jobs
from wootzc.builder.jobs.pauses import polished, trained_weights
from wootzc.builder.jobs.store import Outcome
from wootzc.builder.search.measuring import Measuring
from wootzc.builder.search.trials import Trials
from wootzc.builder.search.tried import BlockUse, Ended, Forecast, Left, SearchResult, Tried
from wootzc.builder.search.window import UnderWay
from wootzc.diagnostics import fail
from wootzc.ir.net.rate import Rate
from wootzc.ir.plan.cost_model import TRAINING
from wootzc.ir.space import Space
from wootzc.ir.space.recipe import Recipe

Answer: TypeAlias = tuple[Tried, Outcome]
FEW = 3  # tries


@dataclass(kw_only=True)
class Search:
    """A search under way. A budget of time counts from `started`."""

    jobs: Jobs
    teacher: Outcome
    looked_at: dict[int, Outcome] = field(default_factory=dict)  # assembled, not yet tried
    blocks: dict[int, Outcome] = field(default_factory=dict)
    started: float = field(default_factory=time.perf_counter)
    damage: Mapping[str, Mapping[Rate, float]] | None = None  # of each variant, once it is scored
    window: deque[UnderWay] = field(default_factory=deque)  # under way, as they were chosen

    def __post_init__(self) -> None:
        self.measuring = Measuring(jobs=self.jobs)
        self.measuring.int8.judged(self.jobs.space.network, self.teacher)  # what that costs
        self.trials = Trials(
            space=self.jobs.space,
            measuring=self.measuring,
            teacher=self.teacher.done.result,
            images=len(self.jobs.dataset.validation),
        )
        self.order: list[int] = self.jobs.plan.exploration_order.values.tolist()

    @property
    def space(self) -> Space:
        return self.jobs.space

    @property
    def tried(self) -> Sequence[Tried]:
        """In the order in which they were begun."""
        return self.trials.tried

    @property
    def best(self) -> Tried | None:
        """The best of those tried; None before the first."""
        return self.trials.best

    @property
    def full(self) -> bool:
        """No more candidates may be begun."""
        most = self.space.budget.candidates
        return most is not None and self._begun >= most

    @property
    def spent(self) -> bool:
        """The time is over. One candidate is always tried."""
        most = self.space.budget.seconds
        return bool(self.tried) and most is not None and self.elapsed >= most

    @property
    def elapsed(self) -> float:
        return time.perf_counter() - self.started

    def has_time_to_polish(self, beside: int = 0) -> bool:
        """And for so many steps of fine-tuning, where the space asks for polishing."""
        polish = self.space.polish
        return polish is not None and self._has_time(
            beside + polish.steps + self._teacher_passes(polish) / TRAINING
        )

    def _teacher_passes(self, recipe: Recipe) -> float:
        """Batches that the teacher is shown: of every step, or of each image once."""
        if not recipe.distill:
            return 0
        dataset = self.jobs.dataset
        once = learns_of_logits(recipe, self.space.augment, dataset)
        return min(recipe.steps, len(dataset.train) / recipe.batch) if once else recipe.steps

    @property
    def hurries(self) -> bool:
        """A budget leaves time for few tries."""
        return not self._has_time(FEW * self.space.finetune.steps)

    def _has_time(self, steps: float) -> bool:
        """For so many steps, by the pace so far."""
        most, taken = self.space.budget.seconds, sum(one.steps for one in self.tried)
        if most is None or not taken:
            return True
        pace = sum(one.seconds for one in self.tried) / taken
        return self.elapsed + pace * steps <= most

    @property
    def width(self) -> int:
        """How many candidates to try next, beside those under way."""
        most, free = self.space.budget.candidates, self.jobs.width - len(self.window)
        return free if most is None else max(not self.window, min(free, most - self._begun))

    @property
    def _begun(self) -> int:
        """How many candidates were tried, or are for the first time."""
        return len(self.tried) + sum(
            one.candidate not in self.trials.outcomes for one in self.window
        )

    def attempt(self, candidates: Sequence[int], *, whole: bool = False) -> Iterator[Answer]:
        """Assemble and fine-tune these candidates, side by side where the devices allow."""
        for one in self._begin(candidates, whole=whole):
            yield self._ended(one)

    def begin(
        self,
        candidates: Sequence[int],
        forecasts: Sequence[Forecast] = (),
        stops: Mapping[int, int] = MappingProxyType({}),  # steps at which they are paused
        *,
        whole: bool = False,  # to the end, whatever was asked
    ) -> None:
        """Have these candidates assembled and fine-tuned, beside those under way.

        Those that were paused go on from there. Where a cost is measured, each is measured first,
        and what turns out to be beyond a limit is not tried.
        """
        self.window.extend(self._begin(candidates, forecasts, stops, whole=whole))

    @property
    def must_wait(self) -> bool:
        """No more may be chosen before one that is under way is in."""
        return bool(self.window) and (not self.jobs.apart or self.width < 1)

    def answer(self) -> Answer:
        """What comes of the candidate that was begun first, of those under way."""
        return self._ended(self.window.popleft())

    def stop(self) -> None:
        """Drop what is under way."""
        if self.window:
            self.window.clear()
            self.jobs.stop()

    def _begin(
        self,
        candidates: Sequence[int],
        forecasts: Sequence[Forecast] = (),
        stops: Mapping[int, int] = MappingProxyType({}),
        *,
        whole: bool,
    ) -> list[UnderWay]:
        within = self.measuring.within(candidates)
        beyond = {one for one, kept in zip(candidates, within, strict=True) if not kept}
        self.order[:] = [one for one in self.order if one not in beyond]
        expected: Sequence[Forecast | None] = forecasts or [None] * len(candidates)
        expected = [one for one, kept in zip(expected, within, strict=True) if kept]
        candidates = [one for one, kept in zip(candidates, within, strict=True) if kept]
        if not candidates and not self.order and not self.tried and not self.window:
            raise fail(
                "WZ321",
                "every candidate turned out to be beyond the limits once it was measured",
                "allow more, or add higher rates",
                self.space.objective.span,
            )
        if not candidates:
            return []
        begun = {one.candidate: place for place, one in enumerate(self.tried, start=1)}
        fresh = [candidate for candidate in candidates if candidate not in begun]
        begun |= {one: place for place, one in enumerate(fresh, start=self._begun + 1)}
        for candidate in candidates:
            then: Step = "go on" if candidate in self.trials.outcomes else "begin"
            self._tell(candidate, begun[candidate], then)
        self._train_blocks(candidates)
        earlier = {
            one: self.trials.outcomes[one] for one in candidates if one in self.trials.outcomes
        }
        with self.jobs.events.stage("candidates"):
            asked = None if whole else self.trials.asked
            futures = self.jobs.begin(
                candidates, self.teacher.weights, self.blocks, asked, stops, earlier
            )
        return [
            UnderWay(candidate=candidate, future=future, forecast=forecast)
            for candidate, future, forecast in zip(candidates, futures, expected, strict=True)
        ]

    def _ended(self, one: UnderWay) -> Answer:
        with self.jobs.events.stage("polish" if one.before else "candidates"):
            outcome = self.jobs.outcome(one.future)
        if one.before is not None:
            outcome = polished(one.before, outcome)
        return self._judged(one.candidate, outcome, one.forecast), outcome

    def look_at(self, candidates: Sequence[int]) -> None:
        """Assemble some: how accurate each is before any step says where it will end."""
        self._train_blocks(candidates)
        for candidate in candidates:
            self._tell(candidate, len(self.tried) + 1, "look")
        with self.jobs.events.stage("candidates"):
            seen = self.jobs.look_at(candidates, self.teacher.weights, self.blocks)
        self.looked_at |= dict(zip(candidates, seen, strict=True))

    def goes_on(self, one: Tried) -> bool:
        """More steps may still make an answer of it."""
        match one.reason:
            case "paused":
                return True
            case "target":
                return not one.met
            case "steps" | "patience":
                # It may fail: then there must be time for another.
                return not one.met and self.has_time_to_polish(self.space.finetune.steps)
            case _:
                return False

    def begin_polish(self, one: Tried) -> None:
        """Have a candidate trained on by the space's last recipe, beside those under way."""
        place = self.tried.index(one) + 1
        before = self.jobs.recalled(self.trials.outcomes[one.candidate])
        self._tell(one.candidate, place, "polish")
        with self.jobs.events.stage("polish"):
            future = self.jobs.begin_polish(
                before.done.key,
                one.candidate,
                trained_weights(before.weights),
                self.teacher.weights,
            )
        self.window.append(UnderWay(candidate=one.candidate, future=future, before=before))

    def finish(self) -> None:
        """Polish the best, if that was not done and a budget of time leaves enough of it."""
        self.trials.fall_back()
        best = self.best
        assert best is not None
        done = best.reason in ("polished", "diverged") or not any(best.rates)
        if not done and self.has_time_to_polish():
            self.begin_polish(best)
            self.note(*self.answer())

    def note(self, one: Tried, outcome: Outcome) -> None:
        """Count a candidate as tried, or as gone on; and judge all of them anew."""
        best = self.trials.note(one, outcome.light())
        told = BestKnown(
            candidate=best.candidate,
            met=best.met,
            cost=self.space.objective.cost,
            costs=best.costs,
        )
        self.jobs.events.emit(told)

    def _tell(self, candidate: int, position: int, then: Step) -> None:
        told = CandidateChosen(
            candidate=candidate,
            position=position,
            of=len(self.order),
            then=then,
            cost=self.space.objective.cost,
            costs=self.costs(candidate),
        )
        self.jobs.events.emit(told)

    def found(self, ended: Ended, left: Left | None = None) -> SearchResult:
        self.trials.fall_back()
        best, judgement = self.best, self.trials.judgement
        assert best is not None and judgement is not None
        won = self.jobs.recalled(self.trials.outcomes[best.candidate])
        uses = [number for one in self.tried for number in one.blocks]
        return SearchResult(
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
            best=best,
            best_key=won.done.key,
            weights=trained_weights(won.weights),
            target=self.trials.target,
            verdict=judgement.runs[self.tried.index(best)],
            among=len(judgement.runs),
            within=len(self.order),
            ended=ended,
            left=left,
            damage=self.damage,
        )

    @property
    def full_cost(self) -> int:
        """What the whole network costs, in the objective's measure."""
        costs = self.jobs.plan.costs
        assert costs is not None
        return costs[self.space.objective.cost].full

    def costs(self, candidate: int) -> dict[str, int]:
        return self.measuring.costs(candidate)

    def _train_blocks(self, candidates: Sequence[int]) -> None:
        keys = self.jobs.keys
        needed = [b for candidate in candidates for b in keys.blocks_of(candidate)]
        missing = [b for b in dict.fromkeys(needed) if b not in self.blocks]
        with self.jobs.events.stage("blocks"):
            self.blocks |= self.jobs.blocks(missing, self.teacher.weights)

    def _judged(self, candidate: int, outcome: Outcome, forecast: Forecast | None) -> Tried:
        result = outcome.done.result
        accuracy = float(self.measuring.judged(candidate, outcome)["accuracy"])
        before = next((one for one in self.tried if one.candidate == candidate), None)
        earlier = before.seconds if before is not None and result["begun"] else 0.0
        return Tried(
            candidate=candidate,
            rates=self.jobs.keys.rates(candidate),
            costs=self.costs(candidate),
            start_accuracy=float(result["start_accuracy"]),
            accuracy=accuracy,
            steps=int(result["steps"]),
            seconds=earlier + outcome.done.seconds,
            reason=str(result["reason"]),
            met=False,  # until it is judged, beside the others
            blocks=self.jobs.keys.blocks_of(candidate),
            reused=outcome.reused and (before is None or before.reused),
            key=outcome.done.key,
            forecast=forecast if before is None else before.forecast,
        )
