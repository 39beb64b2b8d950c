"""The judge of one search: a teacher, a limit and a rule, asked again after every try."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from wootzc.builder.search import judging
from wootzc.builder.search.judging import Judgement, Limit, Rule, Run, Teacher
from wootzc.ir.space import AccuracyLimit

Result = Mapping[str, Any]  # of a job that trained


@dataclass(frozen=True)
class Jury:
    """Judges candidates against one teacher."""

    teacher: Result
    limit: AccuracyLimit | None
    images: int  # on the validation side
    rule: Rule

    def judge(self, runs: Sequence[tuple[int, Result]]) -> Judgement:
        """`runs`: cost and result of everything that was tried, in order."""
        return judging.judge(self._teacher, self._runs(runs), self._limit, self.rule)

    def margin(self, runs: Sequence[tuple[int, Result]], judgement: Judgement | None) -> float:
        """Accuracy beyond the limit at which a fresh candidate would hold."""
        if self._limit is None:
            return 0.0
        extra = judging.margin(self._teacher, self._runs(runs), self._limit, judgement)
        return extra / self.images

    def _runs(self, runs: Sequence[tuple[int, Result]]) -> list[Run]:
        return [Run.of(result, self.images, cost) for cost, result in runs]

    @cached_property
    def _teacher(self) -> Teacher:
        return Teacher.of(self.teacher, self.images)

    @cached_property
    def _limit(self) -> Limit | None:
        if self.limit is None:
            return None
        return Limit(
            value=self.limit.value,
            below_teacher=self.limit.below_teacher,
            confidence=self.limit.confidence,
        )
