"""When a fine-tuning is given up."""

from typing import Any

import pytest

from wootzc.build.futility import floors, passes


def run(accuracies: dict[int, float], reason: str = "steps") -> dict[str, Any]:
    history = [{"step": step, "accuracy": accuracy} for step, accuracy in accuracies.items()]
    return {"history": history, "reason": reason, "accuracy": max(accuracies.values())}


SLOW = run({0: 0.5, 20: 0.75, 40: 0.8})
FAST = run({0: 0.4, 20: 0.85, 40: 0.86, 60: 0.85}, "patience")


def test_two_runs_are_needed_that_ended_and_failed() -> None:
    assert floors([SLOW], 0.9, 100) == ()
    assert floors([SLOW, run({0: 0.2, 20: 0.3}, "hopeless")], 0.9, 100) == ()
    assert floors([SLOW, run({0: 0.2, 20: 0.7, 40: 0.95}, "target")], 0.9, 100) == ()
    assert floors([SLOW, run({0: 0.2, 20: 0.7, 40: 0.95})], 0.9, 100) == ()
    assert floors([SLOW, FAST], 0.9, 100) != ()


def test_the_worst_of_them_decides_less_a_standard_error() -> None:
    found = dict(floors([SLOW, FAST], 0.9, 100))
    assert found == {
        20: pytest.approx(0.75 - (0.75 * 0.25 / 100) ** 0.5, abs=1e-6),
        40: pytest.approx(0.8 - (0.8 * 0.2 / 100) ** 0.5, abs=1e-6),
    }  # the start decides nothing, and one run alone came to step 60


def test_a_goal_that_is_always_met_stops_nothing() -> None:
    assert floors([SLOW, FAST], 0.0, 100) == ()


def test_a_run_without_floors_counts_if_they_would_have_let_it_pass() -> None:
    whole = run({0: 0.2, 20: 0.7, 40: 0.6})
    assert passes(whole, ((20, 0.7),), 40)
    assert not passes(whole, ((20, 0.71),), 40)
    assert passes(whole, ((40, 0.9),), 40)  # at its end nothing is given up
