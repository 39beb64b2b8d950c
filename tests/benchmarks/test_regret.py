"""benchmarks/regret.py counts what it says, and its spaces are spaces."""

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from wootzc.driver import front

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(
    not (ROOT / "benchmarks").is_dir(), reason="an sdist carries no benchmarks"
)


@pytest.fixture
def regret(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))  # as where a script is run
    return importlib.import_module("regret")


@pytest.fixture
def spaces(regret: ModuleType) -> ModuleType:
    return importlib.import_module("regret_spaces")


@pytest.mark.parametrize("holding", range(20))
def test_bisection_finds_the_highest_rate_that_holds(holding: int, regret: ModuleType) -> None:
    asked: list[float] = []

    def holds(rate: float) -> bool:
        asked.append(rate)
        return rate in regret.UNIFORM[:holding]

    found = regret.bisected(regret.UNIFORM, holds)
    assert found == (regret.UNIFORM[holding - 1] if holding else None)
    assert len(asked) == len(set(asked)) <= 5


def test_every_space_is_one(spaces: ModuleType) -> None:
    files = spaces.Files(cifar=Path("cifar.npz"), stranger=ROOT / "samples")
    names = [case.name for case in spaces.cases(files)]
    assert len(set(names)) == len(names) >= 10
    for case in spaces.cases(files):
        if "stranger" in case.name:
            continue  # its network comes from a script that needs PyTorch
        listed = front(case.text(files, 3, "sample 500 seed 3", "explore ascending")).space
        assert listed.seed == 3 and listed.objective.target == case.minimize
        row = ", ".join(["5%"] * len(listed.choices))
        single = front(case.text(files, 3, f"configs {{ [{row}] }}", rates=False)).space
        assert single.network == listed.network and single.finetune == listed.finetune


def test_descending_stops_at_the_first_miss(regret: ModuleType, spaces: ModuleType) -> None:
    asked: list[int] = []

    class Judge(regret.Cell):  # type: ignore[name-defined,misc]
        def judged(self, rows: Any) -> Any:
            asked.append(len(rows))
            first = sum(asked[:-1])
            teacher = {"params": 1000, "validation_accuracy": 0.9, "test_accuracy": 0.9}
            tried = [
                {"met": place < 10, "steps": 7, "accuracy": 0.9, "params": 900 - place}
                for place in range(first, first + len(rows))
            ]
            return {"teacher": teacher}, tried

    case = spaces.DIGIT_CASES[0]
    files = spaces.Files(cifar=None, stranger=None)
    cell = Judge(case=case, files=files, seed=1, store=Path("x"), sample=30, selection="")
    found = regret.descending(cell)
    assert (found.size, found.tries, found.steps, found.ended) == (0.891, 11, 77, "missed")
    assert asked == [8, 8]


def test_totals(regret: ModuleType) -> None:
    def cell(**sizes: float) -> dict[str, Any]:
        tries = {"default": 5, "ascending": 20}
        return {
            way: regret.Way(size=size, tries=tries.get(way, 1), steps=1, ended="")
            for way, size in sizes.items()
        }

    found = {
        ("a", 1): cell(default=0.2, ascending=0.2, descending=0.4, bisection=0.3, open=0.1),
        ("a", 2): cell(default=0.3, ascending=0.4, descending=0.2, bisection=0.4, open=0.4),
    }
    one = regret.total(found)
    assert one.worst == pytest.approx(1.5) and one.median == pytest.approx(1.25)
    assert one.tries == 0.25 and one.opened == pytest.approx(0.75)
