"""What jobs recorded, as `judging.py` wants it: which images were right, at which look."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from wootzc.backends.bits import unpacked
from wootzc.build import judging
from wootzc.build.judging import Bits, Judgement, Limit, Rule
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

    def _runs(self, runs: Sequence[tuple[int, Result]]) -> list[judging.Run]:
        return [
            judging.Run(
                cost=cost,
                looks=self._looks(result),
                kept=_kept(result),
                asked=result["asked"],
            )
            for cost, result in runs
        ]

    @cached_property
    def _teacher(self) -> judging.Teacher:
        return judging.Teacher(looks=self._looks(self.teacher), kept=_kept(self.teacher))

    @cached_property
    def _limit(self) -> Limit | None:
        if self.limit is None:
            return None
        return Limit(
            value=self.limit.value,
            below_teacher=self.limit.below_teacher,
            confidence=self.limit.confidence,
        )

    def _looks(self, result: Result) -> Bits:
        return np.array([unpacked(look["right"], self.images) for look in result["history"]])


def _kept(result: Result) -> int:
    """The look whose weights were kept: of equal ones the later."""
    accuracies = [look["accuracy"] for look in result["history"]]
    return len(accuracies) - 1 - int(np.argmax(accuracies[::-1]))
