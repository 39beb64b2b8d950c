"""benchmarks/truth.py: searches whose truth is known, and what is told of builds."""

import importlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(
    not (ROOT / "benchmarks").is_dir(), reason="an sdist carries no benchmarks"
)


@pytest.fixture
def truth(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return script("truth", monkeypatch)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return script("truth_world", monkeypatch)


def script(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")  # as where a script is run
    return importlib.import_module(name)


@cache
def found(world: ModuleType, place: int, way: str, trials: int) -> list[Any]:
    """Answers of so many searches."""
    return list(world.answers(world.WORLDS[place], way, trials, resamples=100))


def points_off(found: Sequence[Any]) -> float:
    """How much more accurate answers say they are than they are: mean of claimed − true."""
    return float(100 * np.mean([one.claimed - one.true for one in found]))


def held(found: Sequence[Any], drop: float) -> float:
    """The share of answers whose true drop is within the limit."""
    return float(np.mean([one.true <= drop for one in found]))


def within(found: Sequence[Any], drop: float) -> float:
    """The share whose drop on test images is, but for the error of that."""
    return float(np.mean([one.test <= drop + one.error for one in found]))


def test_a_claim_is_nearer_to_the_truth_than_what_is_seen(world: ModuleType) -> None:
    digits = world.WORLDS[0]
    assert digits.images == 359
    raw, corrected = found(world, 0, "raw", 40), found(world, 0, "corrected", 40)
    assert points_off(raw) < -0.4
    assert -0.3 < points_off(corrected) < 0.3
    assert held(corrected, digits.drop) > held(raw, digits.drop) + 0.15


@pytest.mark.parametrize(("place", "trials"), [(0, 40), (4, 16)], ids=["359", "2,000 images"])
def test_with_confidence_one_search_in_ten_is_wrong(
    world: ModuleType, place: int, trials: int
) -> None:
    drop = world.WORLDS[place].drop
    raw, confident = found(world, place, "raw", trials), found(world, place, "confident", trials)
    assert (1 - held(raw, drop)) * len(raw) > 0.3 * trials
    assert (1 - held(confident, drop)) * len(
        confident
    ) <= 0.125 * trials  # a tenth, and half an error
    assert within(raw, drop) < 0.9
    assert within(confident, drop) >= 0.9
    assert len(confident) > trials / 2


def row(truth: ModuleType, **changed: Any) -> Any:
    fields = {
        "seed": 0, "way": "best estimate", "met": True, "limit": 1.0, "seen": 0.5,
        "claimed": 0.8, "test": 1.4, "error": 0.5, "size": 0.2, "tried": 5, "seconds": 1.0,
    }  # fmt: skip
    return truth.Row(**(fields | changed))


def test_only_answers_that_met_their_limit_count(truth: ModuleType) -> None:
    rows = [row(truth), row(truth, test=1.6), row(truth, met=False, test=9.0)]
    best, sure = truth.totals(rows)
    assert best.startswith("best estimate: 2 of 3 met; 50% within")
    assert "claimed − test -0.70 ± 0.07 points (as seen, uncorrected, -1.00)" in best
    assert sure == "confidence 90%: 0 of 0 met"


def test_a_claim_is_the_corrected_drop_where_there_is_one(truth: ModuleType) -> None:
    assert truth.claimed({}, 0.5) == 0.5
    assert truth.claimed({"judgement": {"drop": 0.008}}, 0.5) == pytest.approx(0.8)
    judged = {"judgement": {"drop": 0.005, "corrected": 0.009}}
    assert truth.claimed(judged, 0.5) == pytest.approx(0.9)


def test_what_was_measured_is_not_measured_again(
    truth: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "a.wz"
    source.write_text("subject to accuracy >= teacher - 1.0 points\n")
    texts: list[str] = []

    def built(file: Path, data: Path, seed: int, way: str, *_: object) -> Any:
        texts.append(file.read_text())
        return row(truth, seed=seed, way=way)

    monkeypatch.setattr(truth, "built", built)

    def measure(way: str, settings: dict[str, str]) -> Any:
        return truth.measured(source, tmp_path / "a.npz", 3, way, tmp_path / "out", settings)

    first = measure("confidence 90%", {})
    assert measure("confidence 90%", {}) == first
    assert texts == ["subject to accuracy >= teacher - 1.0 points with confidence 90%\n"]
    measure("best estimate", {})
    measure("confidence 90%", {"finetune.steps": "5"})
    assert [text.count("confidence") for text in texts] == [1, 0, 1]
