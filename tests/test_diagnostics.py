"""How mistakes are shown: short, whatever the source is."""

from pathlib import Path

import pytest

from wootzc.diagnostics import (
    LONGEST,
    MOST,
    WIDTH,
    Diagnostic,
    Span,
    WootzError,
    fail,
    render,
    told_at,
)


def shown(source: str, *diagnostics: Diagnostic) -> list[str]:
    return render(diagnostics, {"a.wz": source}).splitlines()


def at(start: int, end: int, message: str = "wrong") -> Diagnostic:
    return Diagnostic(Span("a.wz", start, end), "WZ001", message)


def test_carets_stand_under_the_span() -> None:
    assert shown("one\n\ttwo three\r\nfour", at(9, 14)) == [
        "error[WZ001]: wrong",
        " --> a.wz:2:6",
        "  |",
        "2 |  two three ",
        "  |      ^^^^^",
    ]


def test_the_end_of_a_text_has_a_line() -> None:
    assert shown("one\n", at(4, 4))[-2:] == ["2 | ", "  | ^"]
    assert shown("", at(0, 9))[-2:] == ["1 | ", "  | ^"]


def test_a_span_of_several_lines_is_marked_on_its_first() -> None:
    assert shown("one {\n}\n", at(0, 7))[-2:] == ["1 | one {", "  | ^^^^^"]


def test_of_long_lines_the_part_around_the_span_is_shown() -> None:
    source = "a" * 5_000 + "HERE" + "b" * 5_000
    line, carets = shown(source, at(5_000, 5_004))[-2:]
    assert len(line) < WIDTH + 20 and line.startswith("1 | … a") and line.endswith("b …")
    assert line[carets.index("^") : carets.rindex("^") + 1] == "HERE"
    line, carets = shown(source, at(0, 10_004))[-2:]
    assert len(carets) <= len(line) < WIDTH + 20


def test_what_a_terminal_would_obey_is_not_printed() -> None:
    assert shown("\x1b[31m red\0", at(0, 1))[3] == "1 |  [31m red "


def test_names_that_a_terminal_would_obey_are_spelt_out() -> None:
    """They come out of archives and models, and say whatever their author likes."""
    span = Span("a\x1b[2J.wz", 0, 1)
    told = render([Diagnostic(span, "WZ001", "\x1b[31mred\u202e\x9b", "é\n\x07")], {})
    assert told == ("error[WZ001]: \\x1b[31mred\\u202e\\x9b\n --> a\\x1b[2J.wz\n  help: é\n\\x07")


def test_long_messages_are_shortened() -> None:
    (message, *_) = shown("a", at(0, 1, "there is no `" + "a" * 100_000 + "` here"))
    assert len(message) < 2 * LONGEST and message.endswith("a` here")


def test_of_very_many_the_first_errors_are_shown() -> None:
    warnings = [Diagnostic(Span("a.wz", 0, 1), "WZ002", "hm", severity="warning")] * MOST
    lines = shown("a", *warnings, at(0, 1))
    assert lines[0] == "error[WZ001]: wrong" and lines[-1] == "… and 1 more"
    assert sum(line.startswith("warning") for line in lines) == MOST - 1
    assert sum(line.startswith("warning") for line in shown("a", *warnings)) == MOST


def test_what_has_no_place_is_told_at_the_one_of_what_is_done(tmp_path: Path) -> None:
    """And the line is shown of a file that nobody kept the text of."""
    file = tmp_path / "a.wz"
    file.write_text("one\ntwo three\n")
    with pytest.raises(WootzError) as caught, told_at(Span(str(file), 4, 7)):
        with told_at(Span(str(file), 8, 13)):
            raise fail("WZ001", "wrong")
    assert str(caught.value).splitlines()[1:] == [
        f" --> {file}:2:5",
        "  |",
        "2 | two three",
        "  |     ^^^^^",
    ]
    with pytest.raises(WootzError) as gone, told_at(Span("nowhere.wz", 4, 7)):
        raise fail("WZ001", "wrong")
    assert str(gone.value) == "error[WZ001]: wrong\n --> nowhere.wz"
