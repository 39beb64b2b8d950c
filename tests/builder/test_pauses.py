"""Where a run is paused, what is expected of it, and how the store keeps it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from wootzc.builder.jobs.pauses import (
    POLISHED,
    TUNED,
    Stage,
    halfway,
    kept,
    outlook,
    passed,
    paused,
    polished,
    trained_weights,
    unpolished,
)  # fmt: skip
from wootzc.builder.jobs.store import Done, Outcome
from wootzc.ir.space.recipe import Recipe


@pytest.mark.parametrize(
    ("steps", "every", "half"),
    [(400, 50, 200), (60, 20, 20), (60, 60, None), (100, 10, 50), (1, 10, None)],
)
def test_a_run_is_paused_after_a_look(steps: int, every: int, half: int | None) -> None:
    assert halfway(Recipe(steps=steps, every=every)) == half


ONE = np.ones(1)


def run(accuracies: dict[int, float], reason: str = "steps") -> dict[str, Any]:
    history = [{"step": s, "accuracy": a, "loss": None, "right": ""} for s, a in accuracies.items()]
    best = max(accuracies.values())
    return {"history": history, "reason": reason, "accuracy": best, "steps": max(accuracies)}


HALF = run({0: 0.2, 50: 0.8}, "paused")


REST = Stage(believed=TUNED, runs=(), since=50)
POLISH = Stage(believed=POLISHED, runs=(), since=100)


def expected(
    now: float, *stages: Stage, teacher: float = 0.9, error: float = 0.0
) -> tuple[float, float]:
    """Accuracy and error of one run."""
    found = outlook(np.array([now]), np.array([error]), stages, teacher, images=10_000)
    return float(found.accuracy[0]), float(found.spread[0])


def test_more_is_expected_than_there_is_but_no_more_than_the_teacher_has() -> None:
    assert 0.8 < expected(0.8, REST)[0] < 0.9
    assert expected(0.8, REST, teacher=0.7)[0] == pytest.approx(0.7, abs=0.004)


def test_each_stage_that_is_left_closes_more_and_adds_to_the_error() -> None:
    one, both = expected(0.8, REST), expected(0.8, REST, POLISH)
    assert 0.8 < one[0] < both[0] < 0.9
    measured = float(np.sqrt(0.9 * 0.1 / 10_000))
    assert min(one[1], both[1]) > measured
    assert expected(0.8, REST, error=0.1)[1] > one[1]


def test_runs_that_ended_say_how_much_of_the_gap_is_closed() -> None:
    closing = [run({0: 0.1, 50: 0.7, 100: 0.88})] * 9  # nine tenths
    still = [run({0: 0.1, 50: 0.7, 100: 0.7})] * 9
    early, more, less = (expected(0.7, replace(REST, runs=runs)) for runs in ([], closing, still))
    assert less[0] < early[0] < more[0]
    assert more[0] == pytest.approx(0.88, abs=0.005) and less[0] == pytest.approx(0.7, abs=0.02)
    assert more[1] < early[1]
    short = [run({0: 0.1, 50: 0.7}, "target")] * 9  # says nothing of what comes after
    assert expected(0.7, replace(REST, runs=short)) == early


def test_wide_and_narrow_gaps_close_by_different_shares() -> None:
    """By a power of the gap: here 0.4 points are left of 4, and 20 of 40, or the other way."""
    for wide, narrow in ((0.7, 0.86), (0.899, 0.88)):
        runs = [run({50: 0.5, 100: wide}), run({50: 0.86, 100: narrow})] * 20
        for now, then in ((0.5, wide), (0.86, narrow)):
            found = expected(now, replace(REST, runs=runs))[0]
            assert found == pytest.approx(then, abs=0.3 * (0.9 - then) + 0.004)


def test_the_chance_is_that_of_what_was_measured() -> None:
    """Gaps are lognormal, and accuracies are measured with an error."""
    found = outlook(np.array([0.8]), np.zeros(1), [REST], teacher=0.9, images=10_000)
    rng = np.random.default_rng(0)
    gaps = np.exp(rng.normal(found.log[0], np.sqrt(found.variance[0]), 200_000))
    measured = found.most - gaps + rng.normal(0, found.error, 200_000)
    assert found.accuracy[0] == pytest.approx(measured.mean(), abs=0.002)
    for goal in (0.8, 0.85, 0.88, 0.89):
        assert found.chance(goal)[0] == pytest.approx((measured >= goal).mean(), abs=0.02)


def test_how_far_off_forecasts_are_is_learned() -> None:
    alike = [run({50: 0.7, 100: 0.85})] * 12
    apart = [run({50: 0.7, 100: 0.89}), run({50: 0.7, 100: 0.72})] * 6
    sure, unsure = (expected(0.7, replace(REST, runs=runs))[1] for runs in (alike, apart))
    assert unsure > 2 * sure


def test_polishing_counts_where_it_made_a_run_better() -> None:
    def outcome(result: dict[str, Any], key: str) -> Outcome:
        done = Done(key=key, result=result, seconds=1.0, weights={key: np.ones(1), "state:0": ONE})
        return Outcome(done=done, reused=False)

    before = outcome(run({0: 0.2, 50: 0.8, 100: 0.85}), "tuned")
    up = polished(before, outcome(run({0: 0.85, 100: 0.9, 200: 0.88}), "up"))
    assert (up.done.key, up.done.result["accuracy"], up.done.result["steps"]) == ("up", 0.9, 300)
    assert [look["step"] for look in up.done.result["history"]] == [0, 50, 100, 200, 300]
    assert unpolished(up.done.result)["accuracy"] == 0.85
    down = polished(before, outcome(run({0: 0.85, 100: 0.8}), "down"))
    assert (down.done.key, down.done.result["accuracy"]) == ("tuned", 0.85)
    assert down.done.result["history"] == before.done.result["history"]
    assert list(down.weights) == ["tuned"]
    assert down.done.result["reason"] == up.done.result["reason"] == "polished"


def test_a_run_that_goes_on_may_have_passed_over_its_target() -> None:
    earlier = Outcome(done=Done(key="k", result=HALF, seconds=1.0, weights={}), reused=False)
    assert (passed(None, 0.8), passed(earlier, None), passed(earlier, 0.81)) == (None, None, None)
    assert passed(earlier, 0.8) == passed(earlier, 0.1) == 50


def test_a_state_lies_beside_the_weights() -> None:
    weights, state = {"a/0/kernel": np.ones(2)}, {"0": np.zeros(3), "1": np.ones(1)}
    done = Done(key="k", result=HALF, seconds=1.0, weights=kept(weights, state))
    outcome = Outcome(done=done, reused=False)
    assert trained_weights(outcome.weights).keys() == weights.keys()
    on = paused(outcome.done.result, outcome.weights)
    assert (on.weights.keys(), on.state.keys()) == (weights.keys(), state.keys())
    assert [look.step for look in on.history] == [0, 50]
    assert kept(weights, None) == weights
