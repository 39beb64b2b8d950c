"""Where a run is paused, what is expected of it, and how the store keeps it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from wootzc.build.pauses import cut, kept, outlook, paused, rungs, trained_weights
from wootzc.build.store import Done, Outcome
from wootzc.ir.recipe import Recipe


@pytest.mark.parametrize(
    ("steps", "every", "stops"),
    [(400, 50, (100, 200)), (60, 20, (20,)), (60, 60, ()), (100, 10, (20, 50)), (1, 10, ())],
)
def test_a_run_is_paused_after_a_look(steps: int, every: int, stops: tuple[int, ...]) -> None:
    assert rungs(Recipe(steps=steps, every=every)) == stops


def run(accuracies: dict[int, float], reason: str = "steps") -> dict[str, Any]:
    history = [{"step": s, "accuracy": a, "loss": None} for s, a in accuracies.items()]
    best = max(accuracies.values())
    return {"history": history, "reason": reason, "accuracy": best, "steps": max(accuracies)}


HALF = run({0: 0.2, 50: 0.8}, "paused")


def test_more_is_expected_than_there_is_but_no_more_than_the_teacher_has() -> None:
    expected = outlook(HALF, [], teacher=0.9, images=1000)
    assert 0.8 < expected.accuracy < 0.9
    assert outlook(HALF, [], teacher=0.7, images=1000).accuracy == pytest.approx(0.8, abs=0.001)


def test_runs_that_ended_say_how_much_of_the_gap_is_closed() -> None:
    closing = [run({0: 0.1, 50: 0.7, 100: 0.88})] * 9  # nine tenths
    still = [run({0: 0.1, 50: 0.7, 100: 0.7})] * 9
    early = outlook(HALF, [], teacher=0.9, images=1000)
    more, less = (outlook(HALF, runs, teacher=0.9, images=1000) for runs in (closing, still))
    assert less.accuracy < early.accuracy < more.accuracy
    assert more.accuracy == pytest.approx(0.885, abs=0.001)
    alike = [run({0: 0.1, 50: 0.7, 100: 0.78})] * 9  # as was believed: surer than before
    assert outlook(HALF, alike, teacher=0.9, images=1000).error < early.error


def test_a_whole_run_is_cut_to_how_it_stood() -> None:
    done = Done(key="k", result=run({0: 0.2, 50: 0.9, 100: 0.85}), seconds=1.0, weights={})
    at = cut(done, 50)
    assert (at.result["reason"], at.result["steps"], at.result["accuracy"]) == ("paused", 50, 0.9)
    assert [look["step"] for look in at.result["history"]] == [0, 50]
    early = replace(done, result=run({0: 0.2, 40: 0.95}, "target"))
    assert cut(early, 50) == early


def test_a_state_lies_beside_the_weights() -> None:
    weights, state = {"a/0/kernel": np.ones(2)}, {"0": np.zeros(3), "1": np.ones(1)}
    done = Done(key="k", result=HALF, seconds=1.0, weights=kept(weights, state))
    outcome = Outcome(done=done, reused=False)
    assert trained_weights(outcome).keys() == weights.keys()
    on = paused(outcome)
    assert (on.weights.keys(), on.state.keys()) == (weights.keys(), state.keys())
    assert [look.step for look in on.history] == [0, 50]
    assert kept(weights, None) == weights
