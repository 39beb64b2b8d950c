"""benchmarks/predictors.py judges a predictor on candidates that it was not fitted to."""

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(
    not (ROOT / "benchmarks").is_dir(), reason="an sdist carries no benchmarks"
)


@pytest.fixture
def predictors(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("predictors")


def test_what_follows_from_the_features_is_foretold(predictors: ModuleType) -> None:
    rng = np.random.default_rng(0)
    values = {"scores": np.exp(rng.normal(size=30)), "1/4": rng.uniform(0.5, 0.9, 30)}
    ends = 0.2 + 0.5 * values["1/4"] - 0.05 * np.log(values["scores"])
    x = predictors.columns(values, ("scores", "1/4"))
    assert predictors.foretold(x, ends) == pytest.approx(ends, abs=1e-4)


def test_a_candidate_does_not_foretell_itself(predictors: ModuleType) -> None:
    values = {"start": np.linspace(0.1, 0.5, 12)}
    ends = np.full(12, 0.6)
    x = predictors.columns(values, ("start",))
    moved = ends.copy()
    moved[4] = 0.9
    before, after = (predictors.foretold(x, each) for each in (ends, moved))
    assert after[4] == pytest.approx(before[4]) and abs(after[5] - before[5]) > 1e-3
