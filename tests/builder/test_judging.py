"""Whether an answer holds. The simulated searches are in `judging_world.py`."""

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from wootzc.backends.bits import packed
from wootzc.builder.search.judging import (
    Run,
    Teacher,
    images_needed,
    judge,
    margin,
    paired_error,
    single_error,
)
from wootzc.builder.search.jury import Jury
from wootzc.ir.space import AccuracyLimit


def bits(images: int, wrong: range) -> np.ndarray:
    right = np.ones(images, np.bool_)
    right[list(wrong)] = False
    return right


def one(right: np.ndarray, cost: float = 1.0, asked: float | None = None) -> Run:
    return Run(cost=cost, looks=right[None], kept=0, asked=asked)


POINT = AccuracyLimit(value=0.01, below_teacher=True)
SURE = AccuracyLimit(value=0.01, below_teacher=True, confidence=0.9)


def test_the_error_is_that_of_the_discordant_images() -> None:
    teacher, other = bits(1000, range(100)), bits(1000, range(50, 160))
    expected = math.sqrt((60 + 50) / 1000 - 0.01**2) / math.sqrt(1000)
    assert paired_error(teacher, other) == pytest.approx(expected, rel=0.01)
    shuffled = bits(1000, range(500, 610))
    assert paired_error(teacher, shuffled) > 1.3 * paired_error(teacher, other)


def test_no_discordant_image_is_no_certainty() -> None:
    right = bits(100, range(0))
    assert paired_error(right, right) == pytest.approx(1 / 102)
    assert single_error(right) > 0.01


def test_nothing_chosen_is_nothing_to_correct() -> None:
    teacher = Teacher(looks=bits(500, range(10))[None], kept=0)
    judged = judge(teacher, [one(bits(500, range(5, 17)))], POINT)
    assert judged.answer.drop == pytest.approx(0.004)
    assert abs(judged.answer.optimism) < 0.001
    assert judged.answer.holds


def test_the_best_of_many_equal_looks_is_worse_than_it_looks() -> None:
    draws = np.random.default_rng(0).random((30, 400))
    looks = draws < 0.8
    run = Run(cost=1.0, looks=looks, kept=int(looks.mean(axis=1).argmax()))
    teacher = Teacher(looks=bits(400, range(40))[None], kept=0)
    answer = judge(teacher, [run], None).answer
    assert answer.drop < 0.08  # where the truth is 0.1
    assert answer.optimism > 0.01
    assert answer.corrected == answer.drop + answer.optimism


def test_the_teachers_own_luck_is_taken_off() -> None:
    draws = np.random.default_rng(0).random((30, 400))
    looks = draws < 0.8
    teacher = Teacher(looks=looks, kept=int(looks.mean(axis=1).argmax()))
    assert judge(teacher, [one(bits(400, range(80)))], None).answer.optimism < -0.01


def test_a_confidence_asks_for_more() -> None:
    teacher = Teacher(looks=bits(1000, range(50))[None], kept=0)
    run = one(bits(1000, range(20, 75)))  # 25 gained, 30 lost... half a point
    assert judge(teacher, [run], POINT).answer.holds
    assert not judge(teacher, [run], SURE).answer.holds


def test_an_absolute_limit_is_judged_on_the_candidate_alone() -> None:
    teacher = Teacher(looks=bits(1000, range(0))[None], kept=0)
    run = one(bits(1000, range(100)))
    assert judge(teacher, [run], AccuracyLimit(value=0.9)).answer.slack == pytest.approx(
        0, abs=2e-3
    )
    assert judge(teacher, [run], AccuracyLimit(value=0.89)).answer.holds
    assert not judge(teacher, [run], AccuracyLimit(value=0.89, confidence=0.99)).answer.holds
    assert not judge(teacher, [run], AccuracyLimit(value=0.91)).answer.holds


def test_of_those_that_hold_the_cheapest_or_the_best_is_chosen() -> None:
    teacher = Teacher(looks=bits(1000, range(50))[None], kept=0)
    runs = [
        one(bits(1000, range(150)), cost=1),
        one(bits(1000, range(52)), cost=2),
        one(bits(1000, range(45)), cost=3),
    ]
    limit = AccuracyLimit(value=0.02, below_teacher=True)
    assert judge(teacher, runs, limit).chosen == 1
    assert judge(teacher, runs, limit, "accuracy").chosen == 2
    assert judge(teacher, runs, None, "accuracy").chosen == 2
    assert judge(teacher, runs[:1], limit).chosen == 0  # none holds: the nearest
    assert [v.holds for v in judge(teacher, runs, limit).runs] == [False, True, True]


def test_judging_twice_gives_the_same() -> None:
    looks = np.random.default_rng(1).random((4, 300)) < 0.9
    teacher = Teacher(looks=looks, kept=2)
    runs = [Run(cost=1.0, looks=looks[::-1], kept=1, asked=0.9)]
    assert judge(teacher, runs, POINT) == judge(teacher, runs, POINT)


def test_the_margin_is_what_a_fresh_candidate_needs_to_hold() -> None:
    teacher = Teacher(looks=bits(2000, range(100))[None], kept=0)
    assert 0 < margin(teacher, [], POINT) < margin(teacher, [], SURE)
    tried = [one(bits(2000, range(60, 185)))]  # 60 gained, 85 lost
    judged = judge(teacher, tried, SURE)
    extra = margin(teacher, tried, SURE, judged)
    assert not judged.answer.holds
    for spare, holds in ((extra + 3, True), (extra - 8, False)):
        lost = 60 + 20 - spare  # beyond the 20 images of the limit
        fresh = one(bits(2000, range(60, 100 + lost)))
        assert judge(teacher, [fresh], SURE).answer.holds == holds, spare


def test_the_images_needed_tell_the_drop() -> None:
    images = images_needed(0.01, 0.9, 0.9)
    assert 0.06 * (1.28 / 0.01) ** 2 == pytest.approx(images, rel=0.01)
    assert images_needed(0.005, 0.9) > 3 * images
    assert images_needed(0.01, 0.9, discordance=0.02) < images
    with pytest.raises(ValueError, match="no number"):
        images_needed(0, 0.9)


def test_what_a_job_stored_is_read_back() -> None:
    looks = np.random.default_rng(2).random((4, 75)) < 0.5
    looks[3] = looks[1]
    best = int(looks.sum(axis=1).max())
    history = [{"right": packed(right)} for right in looks]
    result: dict[str, Any] = {"history": history, "reason": "paused", "asked": 0.5}
    assert len(json.dumps(result["history"][0]["right"])) < 20
    run = Run.of(result, 75, cost=2.0)
    assert (run.asked, run.paused) == (0.5, True)
    np.testing.assert_array_equal(run.looks, looks)
    assert run.kept == max(i for i in range(4) if looks[i].sum() == best)
    assert Teacher.of(result, 75).kept == run.kept
    with pytest.raises(ValueError, match="10 bytes"):
        Teacher.of(result, 85)


def test_what_was_only_begun_is_no_answer_that_was_chosen_among() -> None:
    rng = np.random.default_rng(3)
    teacher = Teacher(looks=(rng.random((1, 400)) < 0.9), kept=0)
    one, *others = [a_run(rng, cost) for cost in (2.0, *np.linspace(1, 1.9, 30))]
    alone = judge(teacher, [one], AccuracyLimit(value=0.02, below_teacher=True))
    begun = [replace(run, paused=True) for run in others]
    beside = judge(teacher, [one, *begun], AccuracyLimit(value=0.02, below_teacher=True))
    among = judge(teacher, [one, *others], AccuracyLimit(value=0.02, below_teacher=True))
    assert beside.runs[0] == alone.runs[0]
    assert among.runs[0].optimism > alone.runs[0].optimism
    assert all(isinstance(verdict.holds, bool) for verdict in beside.runs)


def a_run(rng: np.random.Generator, cost: float) -> Run:
    return Run(cost=cost, looks=rng.random((1, 400)) < 0.88, kept=0)


def test_there_must_be_something_to_judge() -> None:
    with pytest.raises(ValueError, match="no run"):
        judge(Teacher(looks=bits(10, range(1))[None], kept=0), [], POINT)


def test_what_was_only_begun_does_not_hold() -> None:
    teacher = Teacher(looks=bits(1000, range(50))[None], kept=0)
    ended, begun = one(bits(1000, range(55)), cost=2), one(bits(1000, range(50)), cost=1)
    runs = [ended, replace(begun, paused=True)]
    limit = AccuracyLimit(value=0.02, below_teacher=True)
    assert [v.holds for v in judge(teacher, runs, limit).runs] == [True, False]
    assert judge(teacher, runs, limit).chosen == 0
    assert not judge(teacher, runs[1:], limit).answer.holds


def test_of_several_limits_all_must_hold() -> None:
    """The one that asks for more accuracy is not always the harder: it may ask for less surety."""
    right = bits(400, range(40))
    result = {"history": [{"right": packed(right)}], "accuracy": 0.9}
    jury = Jury(
        teacher=result,
        limits=(
            AccuracyLimit(value=0.01, below_teacher=True),
            AccuracyLimit(value=0.885, confidence=0.99),
        ),
        images=400,
        rule="cost",
    )
    run = {
        "history": [{"right": packed(bits(400, range(43)))}],
        "reason": "steps",
        "asked": None,
    }
    first = replace(jury, limits=jury.limits[:1]).judge([(1, run)])
    both = jury.judge([(1, run)])
    assert first.answer.holds and not both.answer.holds
    assert both.answer.limit == AccuracyLimit(value=0.885, confidence=0.99)
    goal, alone = jury.goal([], None), replace(jury, limits=jury.limits[:1]).goal([], None)
    assert goal is not None and alone is not None and goal > alone
