"""Every kind of mistake: a broken file beside what is said about it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from wootzc.diagnostics import render
from wootzc.grammar import analyze
from wootzc.grammar.parse.slips import row

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


def test_repairs_are_looked_for_near_the_mistake_alone() -> None:
    """A pattern takes time by the square of the text: a line may have a million characters."""
    text, slip = "x" * 100_000, row.Slip(r"(?P<at>x+)", "y", "{old}")
    (found,) = row.slips_in([slip], text, 50_000, "file")
    assert (found.start, found.end) == (50_000 - row.NEAR, 50_000 + row.NEAR)
