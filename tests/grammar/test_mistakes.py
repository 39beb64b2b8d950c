"""Every kind of mistake: a broken file beside what is said about it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from wootzc.diagnostics import render
from wootzc.grammar import analyze

CASES = Path(__file__).parent / "mistakes"
FILES = sorted(CASES.glob("*.wz"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_mistakes_are_told(
    path: Path, expect: Callable[[Path, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(CASES)
    analysis = analyze(path.read_text(encoding="utf-8"), path.name)
    assert analysis.diagnostics
    expect(path, render(analysis.diagnostics, analysis.sources) + "\n")
