"""benchmarks/defaults.py trains what its tables say."""

import importlib
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(
    not (ROOT / "benchmarks").is_dir(), reason="an sdist carries no benchmarks"
)


@pytest.fixture
def defaults(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))  # as where a script is run
    return importlib.import_module("defaults")


def test_recipes_differ_and_say_how(defaults: ModuleType) -> None:
    names = [trial.name for trial in defaults.TRIALS]
    bench = SimpleNamespace(steps=lambda epochs: round(epochs * 100))
    recipes = [trial.recipe(bench) for trial in defaults.TRIALS]
    assert len(set(names)) == len(names) == len(set(recipes))
    assert all(r.patience is None and r.clip is not None for r in recipes)
    assert defaults.BASE.recipe(bench).steps == 300


def test_cells_are_means_over_candidates(
    defaults: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    cell = defaults.Cell([-0.01, -0.03], [-0.02, -0.02], 0.5, 1.0)
    defaults.print_table({defaults.BASE: {"a": cell}}, ["a"])
    assert f"| {defaults.BASE.name} | -2.00 (-2.00) | -2.00 | 50% |" in capsys.readouterr().out
