"""benchmarks/paper_trunks.py builds the spaces that it tells of, and each of them once."""

import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from wootzc.grammar import analyze

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(
    not (ROOT / "benchmarks").is_dir(), reason="an sdist carries no benchmarks"
)


@pytest.fixture
def trunks(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("paper_trunks")


def test_spaces_differ_in_the_variables_that_they_have(trunks: ModuleType) -> None:
    for name in ("digits", "mobilenet_v2"):
        sizes = []
        for way in trunks.WAYS:
            text = trunks.space_text(name, way, '"x.npz"', 2.0, trunks.DIGITS_LENGTHS, 4, 0)
            (space,) = analyze(text).spaces
            sizes.append(len(space.rates))
        assert sizes == sorted(set(sizes))


def test_what_is_done_is_not_built_again(
    trunks: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    built: list[tuple[str, str]] = []

    def build(source: Path, out: Path, store: Path) -> Any:
        built.append((out.name, store.name))
        out.mkdir()
        (out / "result.json").write_text(json.dumps({"best": 1}))

    monkeypatch.setattr(trunks, "built", build)
    for _ in range(2):
        for way in trunks.WAYS:
            assert trunks.cell(tmp_path, "digits", 3, way, "") == {"best": 1}
    assert [name for name, _ in built] == [
        "digits-3-modules", "digits-3-and-skips", "digits-3-and-trunks", "digits-3-all-three"
    ]  # fmt: skip
    assert {store for _, store in built} == {"store-digits"}
