"""What a search has tried, and how it is judged: all of it anew after every try."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from wootzc.builder.jobs.store import Outcome
from wootzc.builder.search.goals import accuracy_limits, accuracy_target, better, cost_of
from wootzc.builder.search.judging import Judgement
from wootzc.builder.search.jury import Jury
from wootzc.builder.search.measuring import Measuring
from wootzc.builder.search.tried import Tried
from wootzc.ir.space import Space


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What the search would have ended with after one of its tries."""

    best: Tried
    outcome: Outcome
    judgement: Judgement  # of what was tried until then


@dataclass(kw_only=True)
class Trials:
    """The candidates that were tried, in the order in which they were begun."""

    space: Space
    teacher: Mapping[str, Any]  # result of the job that trained it
    images: int  # on the validation side
    measuring: Measuring
    tried: list[Tried] = field(default_factory=list)
    outcomes: dict[int, Outcome] = field(default_factory=dict)  # the latest of each of them
    judgement: Judgement | None = None
    held: Held | None = None  # the latest that met the objective

    def __post_init__(self) -> None:
        objective = self.space.objective
        self.reference = float(self.teacher["accuracy"])
        self.target = accuracy_target(objective, self.reference)
        self._jury = Jury(
            teacher=self.teacher,
            limits=accuracy_limits(objective),
            images=self.images,
            rule="accuracy" if objective.maximizes else "cost",
        )

    @property
    def goal(self) -> float | None:
        """The accuracy at which a candidate that is begun now would hold, as judged so far.

        Before it is quantised, where it is.
        """
        goal = self._jury.goal(self._runs(self.tried), self.judgement)
        return None if goal is None else goal + self.measuring.int8.loss

    @property
    def asked(self) -> float | None:
        """The accuracy at which fine-tuning may stop.

        In a fixed order it is that of the start, so that a candidate does not depend on when it is
        tried, nor on those beside it.
        """
        if self.space.objective.maximizes:  # it needs more accuracy than is asked for
            return None
        if self.space.explore == "predicted":
            return self.goal
        first = self._jury.goal((), None)
        return None if first is None else first + self.measuring.int8.first_loss

    @property
    def best(self) -> Tried | None:
        """The best of those tried; None before the first."""
        best: Tried | None = None
        for one in self.tried:
            if best is None or better(one, best, self.space):
                best = one
        return best

    def note(self, one: Tried, outcome: Outcome) -> Tried:
        """Count a candidate as tried, or as gone on; judge all of them; the best of them."""
        tried = [one if t.candidate == one.candidate else t for t in self.tried]
        tried += [] if one.candidate in self.outcomes else [one]
        outcomes = {**self.outcomes, one.candidate: outcome}
        judgement = self._jury.judge(self._runs(tried, outcomes))
        judged = [
            replace(one, met=verdict.holds)
            for one, verdict in zip(tried, judgement.runs, strict=True)
        ]
        # At once: an interrupt before this leaves what was known without it.
        self.judgement, self.tried, self.outcomes = judgement, judged, outcomes
        best = self.best
        assert best is not None
        if best.met:
            own = self.outcomes[best.candidate]
            self.held = Held(best=best, outcome=own, judgement=judgement)
        return best

    def fall_back(self) -> None:
        """Where nothing holds any more, go back to what did: as if the search had ended there.

        With more looks to choose among, what held may be judged not to hold.
        """
        held = self.held
        if held is None or (self.best and self.best.met):
            return
        best = held.best
        self.tried = [best if one.candidate == best.candidate else one for one in self.tried]
        self.outcomes = {**self.outcomes, best.candidate: held.outcome}
        self.judgement = held.judgement

    def _runs(
        self, tried: Iterable[Tried], outcomes: Mapping[int, Outcome] | None = None
    ) -> Sequence[tuple[int, Mapping[str, Any]]]:
        """Cost and result of each of these."""
        latest = self.outcomes if outcomes is None else outcomes
        judged = self.measuring.judged
        return [
            (cost_of(one, self.space), judged(one.candidate, latest[one.candidate]))
            for one in tried
        ]
