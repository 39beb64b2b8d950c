"""The canonical text: golden cases, and what holds for all of them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from wootzc.diagnostics import WootzError
from wootzc.grammar import format_text
from wootzc.grammar.parse import parse

CASES = Path(__file__).parent
GOLDEN = sorted((CASES / "format").glob("*.wz"))
SAMPLES = sorted((CASES.parents[1] / "samples").glob("*.wz"))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_golden(path: Path, expect: Callable[[Path, str], None]) -> None:
    expect(path, format_text(path.read_text(encoding="utf-8"), path.name))


@pytest.mark.parametrize("path", [*GOLDEN, *SAMPLES], ids=lambda path: path.stem)
def test_formatting_again_changes_nothing_and_keeps_the_tree(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    formatted = format_text(text)
    assert format_text(formatted) == formatted
    assert parse(formatted, "x").tree == parse(text, "x").tree


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_windows_line_ends_and_byte_order_marks_stay(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    windows = format_text("\ufeff" + text.replace("\n", "\r\n"))
    assert windows == "\ufeff" + format_text(text).replace("\n", "\r\n")


def test_lines_are_too_long_only_where_nothing_can_be_broken() -> None:
    text = (CASES / "format" / "long-lists.wz").read_text(encoding="utf-8")
    assert max(map(len, text.splitlines())) > 140
    formatted = format_text(text).splitlines()
    assert [line for line in formatted if len(line) > 100 and "a_name_that" not in line] == []


def test_text_with_syntax_errors_is_not_formatted() -> None:
    with pytest.raises(WootzError, match="WZ003"):
        format_text("network n {")
