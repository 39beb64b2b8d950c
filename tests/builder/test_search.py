"""Which accuracy is asked for, and which candidate is better."""

from pathlib import Path
from typing import Any

import pytest

from wootzc.builder.search.goals import accuracy_target, better
from wootzc.builder.search.tried import Tried
from wootzc.driver import compile
from wootzc.ir.space import AccuracyLimit, CostLimit, Objective, Space


def tried(params: int, accuracy: float, met: bool, macs: int = 0) -> Tried:
    return Tried(
        candidate=0, rates=(), costs={"params": params, "macs": macs}, start_accuracy=0.0,
        accuracy=accuracy, steps=1, seconds=1.0, reason="steps", met=met, blocks=(), reused=False,
        key="",
    )  # fmt: skip


@pytest.fixture(scope="module")
def spaces(make_space: Any) -> dict[str, Space]:
    text = Path(make_space()).read_text()
    maximize = text.replace("minimize params", "maximize accuracy").replace("ascending", "all")
    return {
        "params": compile(text, ()).space,
        "macs": compile(text.replace("minimize params", "minimize macs"), ()).space,
        "accuracy": compile(maximize, ()).space,
    }


def test_the_strictest_accuracy_limit_counts() -> None:
    below, absolute = AccuracyLimit(value=0.02, below_teacher=True), AccuracyLimit(value=0.9)
    costs = CostLimit(metric="params", comparison="<=", value=10)
    objective = Objective(limits=(below, absolute, costs))
    assert accuracy_target(objective, 0.95) == pytest.approx(0.93)
    assert accuracy_target(objective, 0.91) == pytest.approx(0.9)
    assert accuracy_target(Objective(limits=(costs,)), 0.9) is None


def test_better_is_by_the_objective_among_those_that_meet_it(spaces: dict[str, Space]) -> None:
    small, large = tried(10, 0.91, True, macs=7), tried(20, 0.95, True, macs=5)
    assert better(small, large, spaces["params"])
    assert better(large, small, spaces["macs"])
    assert better(large, small, spaces["accuracy"])


def test_misses_are_ranked_by_accuracy(spaces: dict[str, Space]) -> None:
    near, far, met = tried(20, 0.89, False), tried(10, 0.5, False), tried(30, 0.9, True)
    for space in spaces.values():
        assert better(near, far, space)
        assert better(met, near, space) and not better(near, met, space)
