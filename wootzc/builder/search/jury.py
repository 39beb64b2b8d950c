"""The judge of one search: a teacher, limits and a rule, asked again after every try."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from wootzc.builder.search import judging
from wootzc.builder.search.goals import asked
from wootzc.builder.search.judging import Judgement, Rule, Run, Teacher
from wootzc.ir.space import AccuracyLimit

Result = Mapping[str, Any]  # of a job that trained


@dataclass(frozen=True)
class Jury:
    """Judges candidates against one teacher."""

    teacher: Result
    limits: tuple[AccuracyLimit, ...]  # all of which an answer must hold
    images: int  # on the validation side
    rule: Rule

    def judge(self, runs: Sequence[tuple[int, Result]]) -> Judgement:
        """`runs`: cost and result of everything that was tried, in order."""
        own = self._runs(runs)
        each = [
            judging.judge(self._teacher, own, limit, self.rule) for limit in self.limits or [None]
        ]
        return judging.held_against_all(each, own, self.rule)

    def goal(self, runs: Sequence[tuple[int, Result]], judgement: Judgement | None) -> float | None:
        """The accuracy at which a fresh candidate would hold; None where there is no limit."""
        own, reference = self._runs(runs), float(self.teacher["accuracy"])
        return max(
            (
                asked(limit, reference)
                + judging.margin(self._teacher, own, limit, judgement) / self.images
                for limit in self.limits
            ),
            default=None,
        )

    def _runs(self, runs: Sequence[tuple[int, Result]]) -> list[Run]:
        return [Run.of(result, self.images, cost) for cost, result in runs]

    @cached_property
    def _teacher(self) -> Teacher:
        return Teacher.of(self.teacher, self.images)
