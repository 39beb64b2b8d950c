"""When a fine-tuning is given up."""

from typing import Any

import pytest

from wootzc.build.futility import floors


def run(accuracies: dict[int, float], reason: str = "steps") -> dict[str, Any]:
    history = [{"step": step, "accuracy": accuracy} for step, accuracy in accuracies.items()]
    return {"history": history, "reason": reason}


def test_two_complete_runs_are_needed() -> None:
    one = run({0: 0.2, 20: 0.6, 40: 0.8})
    assert floors([one], 0.9, 100) == ()
    assert floors([one, run({0: 0.2, 20: 0.3}, "hopeless")], 0.9, 100) == ()
    assert floors([one, run({0: 0.2, 20: 0.7, 40: 0.95}, "target")], 0.9, 100) == ()


def test_the_largest_share_repaired_decides() -> None:
    slow = run({0: 0.5, 20: 0.75, 40: 0.75})  # half of the errors at the start, none of the later
    fast = run({0: 0.5, 20: 0.8, 40: 0.85, 60: 0.85})
    found = dict(floors([slow, fast], 0.9, 100))
    margin = (0.9 * 0.1 / 100) ** 0.5
    assert found[0] == pytest.approx((0.9 - margin - 0.7) / 0.3, abs=1e-6)
    assert found[20] == pytest.approx((0.9 - margin - 0.25) / 0.75, abs=1e-6)
    # One who stands at the floor and repairs the largest share gets to the goal, less the margin.
    assert found[20] + 0.25 * (1 - found[20]) == pytest.approx(0.9 - margin, abs=1e-6)
    assert 60 not in found  # nothing comes after the last look


def test_an_accuracy_that_was_lost_again_counts_with_the_best() -> None:
    runs = [run({0: 0.5, 20: 0.9, 40: 0.6}, "patience")] * 2
    assert dict(floors(runs, 0.95, 100))[0] > 0  # it did reach 0.9: the best weights are kept


def test_a_goal_that_is_always_met_stops_nothing() -> None:
    assert floors([run({0: 0.5, 20: 0.6})] * 2, 0.0, 100) == ()
