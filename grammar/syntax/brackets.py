"""A look at the raw text before parsing: brackets, strings and comments that never end.

Each of these mistakes makes a parser complain far from its cause; here they are found where they
are. `statement_at` says which stretch of text to leave out so that the rest can still be parsed.
"""

import re
from dataclasses import dataclass
from itertools import islice

from wootzc.diagnostics import Diagnostic, Span, place
from wootzc.grammar.syntax.marks import TOKENS, mark_at, marks

MAX_NESTING = 32  # brackets within brackets; later stages walk bodies recursively
MAX_CHARACTERS = 1_000_000  # more take seconds and most of a gigabyte to parse
MAX_BYTES = 4 * MAX_CHARACTERS  # in UTF-8
MAX_WORDS = 200_000  # names, numbers, texts, signs: some two seconds of a parser
MAX_OPERATORS = 64  # in one pair of parentheses, or one line of the file: an expression's depth
MAX_NUMBER = 40  # characters

_WORD = re.compile(r'//[^\n]*|/\*[\s\S]*?\*/|"[^"\n]*"|[\w.]+|[^\s\w]')
_CLOSING = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """`fatal`: the text cannot be cut into statements, so parsing it would only mislead."""

    diagnostics: tuple[Diagnostic, ...]
    fatal: bool


def has_more_words(text: str, most: int = MAX_WORDS) -> bool:
    """Whether there are more words and signs than that; a comment counts as one."""
    return len(text) > most and len(_WORD.findall(text)) > most


def too_long(text: str, path: str) -> Diagnostic | None:
    """What to say of a text that would take seconds and most of a gigabyte to read."""
    what = f"{MAX_CHARACTERS:,} characters" if len(text) > MAX_CHARACTERS else None
    if what is None and has_more_words(text):
        what = f"{MAX_WORDS:,} words and signs"
    message = f"the file has more than {what}, too many to be read"
    return Diagnostic(Span(path), "WZ007", message) if what else None


def scan(text: str, path: str) -> Scan:
    """Everything wrong with brackets, strings and comments."""
    found: list[Diagnostic] = []
    fatal = False
    stack: list[int] = []  # where the brackets are that are open
    operators = 0

    def report(code: str, start: int, end: int, message: str, help: str) -> None:
        found.append(Diagnostic(Span(path, start, end), code, message, help))

    def unclosed(bracket: int) -> None:
        report(
            "WZ003", bracket, bracket + 1, f"this `{text[bracket]}` is never closed",
            f"add the missing `{_CLOSING[text[bracket]]}`" + _comment_hint(text, bracket),
        )  # fmt: skip

    for start, end, kind in marks(text):
        if (stack and text[stack[-1]] != "(") or (not stack and kind == "end"):
            operators = 0
        if kind == "operator":
            operators += 1
            if operators == MAX_OPERATORS + 1:
                report(
                    "WZ007", start, end, f"a calculation of more than {MAX_OPERATORS} steps",
                    "work it out, and write the result",
                )  # fmt: skip
        elif kind == "open":
            stack.append(start)
            if len(stack) > MAX_NESTING:
                report(
                    "WZ007", start, end, f"brackets are nested more than {MAX_NESTING} deep",
                    "give inner parts names: module part() { … }",
                )  # fmt: skip
                return Scan(diagnostics=tuple(found), fatal=True)
        elif kind == "close":
            # A `}` cannot close a `(`: the parenthesis was forgotten, not the brace.
            while stack and text[start] == "}" and text[stack[-1]] != "{":
                unclosed(stack.pop())
            if stack and _CLOSING[text[stack[-1]]] == text[start]:
                stack.pop()
            elif stack and text[start] != "}":
                opened = text[stack[-1]]
                line, _ = place(Span(path, stack[-1]), text)
                report(
                    "WZ003", start, end,
                    f"`{text[start]}` does not close the `{opened}` of line {line}",
                    f"write `{_CLOSING[opened]}`"
                    if opened != "{"
                    else f"remove it, or open a `{_opening(text[start])}` before it",
                )  # fmt: skip
                if opened != "{":
                    stack.pop()
            else:
                fatal |= text[start] == "}"
                report(
                    "WZ003", start, end, f"this `{text[start]}` closes nothing",
                    f"remove it, or open a `{_opening(text[start])}` before it",
                )  # fmt: skip
        elif kind == "number":
            report(
                "WZ005", start, end, f"a number of {end - start} characters is too long to mean",
                f"numbers have at most {MAX_NUMBER} characters",
            )  # fmt: skip
        elif kind == "endless" and text[start] == "/":
            report("WZ004", start, end, "this comment is never closed", "add `*/` where it ends")
            return Scan(diagnostics=tuple(found), fatal=True)
        elif kind == "endless":
            report("WZ004", start, end, "this string is never closed", 'add `"` where it ends')
    for bracket in stack:
        fatal |= text[bracket] == "{"
        unclosed(bracket)
    found.sort(key=lambda d: d.span.start)
    return Scan(diagnostics=tuple(found), fatal=fatal)


def _opening(closing: str) -> str:
    return next(o for o, c in _CLOSING.items() if c == closing)


def _comment_hint(text: str, bracket: int) -> str:
    line = text[bracket:].split("\n", 1)[0]
    if text[bracket] == "(" and "//" in line:
        return "; `//` begins a comment, division is a single `/`"
    return ""


def statement_at(text: str, position: int) -> tuple[int, int]:
    """The statement around a position: from the separator before it to the one after it.

    A block that belongs to it is included. Never empty where there is any text left to leave out.
    """
    first = mark_at(text, position)
    before = (
        m.end for m in reversed(marks(text)[:first]) if m.kind == "end" or text[m.start] in "{}"
    )
    start, end, depth = next(before, 0), len(text), 0
    for mark in islice(marks(text), first, None):
        at = mark.start
        if text[at] == "{":
            depth += 1
        elif text[at] == "}":
            depth -= 1
            if depth <= 0:
                end = mark.end if depth == 0 else at
                break
        elif mark.kind == "end" and depth == 0 and text[start:at].strip():
            end = at
            break
    return start, max(end, min(position + 1, len(text)))


def blank(text: str) -> str:
    """Spaces instead of text; lines stay."""
    return "\n".join(" " * len(line) for line in text.split("\n"))


def end_of_code_before(text: str, position: int) -> int:
    """Where the last thing before `position` ends that is neither space nor comment."""
    for mark in reversed(marks(text)[: mark_at(text, position)]):
        if mark.kind == "comment":
            if stretch := text[mark.end : position].rstrip():
                return mark.end + len(stretch)
            position = mark.start
    return len(text[:position].rstrip())


def open_bracket(text: str, position: int) -> int | None:
    """Where the innermost ( or [ around `position` is; None where there is none."""
    depth = 0
    for mark in reversed(marks(text)[: mark_at(text, position)]):
        depth += {"close": 1, "open": -1}.get(mark.kind, 0)
        if depth < 0:
            return mark.start if text[mark.start] != "{" else None
    return None


def comments_of(text: str) -> list[tuple[int, int]]:
    """Where the comments are."""
    return [(mark.start, mark.end) for mark in marks(text) if mark.kind == "comment"]


def blanked(text: str, *kinds: str) -> str:
    """`text` without marks of these kinds; every other character keeps its place.

    Where none are named: without comments and strings.
    """
    gone = kinds or ("comment", "string")
    return TOKENS.sub(lambda m: blank(m[0]) if m.lastgroup in gone else m[0], text)
