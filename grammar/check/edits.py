"""Fixes that take something out of a text, or put a statement into it."""

import re

from wootzc.diagnostics import Advice, Span
from wootzc.grammar.check.report import Report
from wootzc.grammar.syntax.marks import behind

_WORD = re.compile(r"\b(?:as|except|keep)\s*$")  # that stands for nothing alone


def remove(span: Span, report: Report, words: str = "remove it") -> Advice:
    """The advice to take out an item of a list or a statement, with what separates it."""
    text = report.sources.get(span.file, "")
    return Advice(words, "", at=Span(span.file, *_with_separator(text, span.start, span.end)))


def _with_separator(text: str, start: int, end: int) -> tuple[int, int]:
    before, after = text[:start].rstrip(), text[end:].lstrip(" \t")
    behind = len(text) - len(after)
    if after.startswith(","):
        return start, behind + 1 + (after[1:2] == " ")
    if before.endswith(","):
        return len(before) - 1, end if end > start else len(before)
    if (word := _WORD.search(before)) is not None:
        return _with_separator(text, word.start(), end)
    begins = text[len(before) : start].count("\n") or before.endswith((";", "{"))
    if begins and after.startswith(";"):
        return start, behind + 1 + (after[1:2] == " ")
    if begins and after[:1] == "\n" and "\n" in text[len(before) : start]:
        return text.rfind("\n", 0, start), end  # the whole line
    if before.endswith(";"):
        return len(before) - 1, end
    return len(before) if not begins else start, end


def add(
    statement: str, near: Span, report: Report, words: str = "", *, first: bool = False
) -> Advice:
    """The advice to say `statement` as well, behind the one at `near`; or as the first of the
    space whose name is there.
    """
    text = report.sources.get(near.file, "")
    at = behind("{", text, near.end) if first else near.end
    opened = text[at - 1 : at] == "{"
    end = text.find("\n", at)
    rest = text[at : len(text) if end < 0 else end]
    if re.fullmatch(r"\s*(//.*)?", rest):
        at += len(rest)
        indent = re.match(r"[ \t]*", text[text.rfind("\n", 0, near.start) + 1 :])
        new = f"\n{indent[0] if indent else ''}{'  ' * opened}{statement}"
    else:
        new = f" {statement};" if opened else f"; {statement}"
    return Advice(words or f"add: {statement}", new, at=Span(near.file, at, at))
