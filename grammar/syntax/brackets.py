"""A look at the raw text before parsing: brackets, strings and comments that never end.

Each of these mistakes makes a parser complain far from its cause; here they are found where they
are. `statement_at` says which stretch of text to leave out so that the rest can still be parsed.
"""

import re
from dataclasses import dataclass

from wootzc.diagnostics import Diagnostic, Span, place

MAX_NESTING = 32  # brackets within brackets; later stages walk bodies recursively
MAX_CHARACTERS = 1_000_000  # more take seconds and most of a gigabyte to parse
MAX_BYTES = 4 * MAX_CHARACTERS  # in UTF-8
MAX_WORDS = 120_000  # names, numbers, texts and signs: some two seconds of a parser
MAX_OPERATORS = 64  # in one pair of parentheses, or one line of the file: an expression's depth
MAX_NUMBER = 40  # characters

_TOKENS = re.compile(
    r"""(?=[/"(){}\[\];\n*+\d-]) (?:  # at other characters nothing else is tried
        (?P<comment>//[^\n]*|/\*[\s\S]*?\*/)
      | (?P<string>"[^"\n]*")
      | (?P<open>[({\[]) | (?P<close>[)}\]])
      | (?P<endless>"[^\n]*|/\*)
      | (?P<end>[;\n])
      | (?P<operator>[-+*/])
      | (?P<number>(?<![\w.])\d(?:[\d_.]|[eE][+-]?(?=\d)){39,}))
    """,
    re.VERBOSE,
)
_WORD = re.compile(r'"[^"\n]*"|[\w.]+|[^\s\w]')
_CLOSING = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True, slots=True)
class Bracket:
    kind: str
    start: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """`fatal`: the text cannot be cut into statements, so parsing it would only mislead."""

    diagnostics: tuple[Diagnostic, ...]
    fatal: bool


def has_more_words(text: str) -> bool:
    """Whether there are more than `MAX_WORDS`, those in comments included."""
    return len(text) > MAX_WORDS and len(_WORD.findall(text)) > MAX_WORDS


def _too_long(path: str, what: str) -> Scan:
    message = f"the file has more than {what}, too many to be read"
    return Scan(diagnostics=(Diagnostic(Span(path), "WZ007", message),), fatal=True)


def scan(text: str, path: str) -> Scan:
    """Everything wrong with brackets, strings and comments."""
    if len(text) > MAX_CHARACTERS:
        return _too_long(path, f"{MAX_CHARACTERS:,} characters")
    if has_more_words(text):
        return _too_long(path, f"{MAX_WORDS:,} words and signs")
    found: list[Diagnostic] = []
    fatal = False
    stack: list[Bracket] = []
    operators = 0

    def report(code: str, start: int, end: int, message: str, help: str) -> None:
        found.append(Diagnostic(Span(path, start, end), code, message, help))

    def unclosed(bracket: Bracket) -> None:
        closing = _CLOSING[bracket.kind]
        report(
            "WZ003", bracket.start, bracket.start + 1, f"this `{bracket.kind}` is never closed",
            f"add the missing `{closing}`" + _comment_hint(text, bracket),
        )  # fmt: skip

    for match in _TOKENS.finditer(text):
        kind, start, end = match.lastgroup, match.start(), match.end()
        if (stack and stack[-1].kind != "(") or (not stack and kind == "end"):
            operators = 0
        if kind == "operator":
            operators += 1
            if operators == MAX_OPERATORS + 1:
                report(
                    "WZ007", start, end, f"a calculation of more than {MAX_OPERATORS} steps",
                    "work it out, and write the result",
                )  # fmt: skip
        elif kind == "open":
            stack.append(Bracket(match[0], start))
            if len(stack) > MAX_NESTING:
                report(
                    "WZ007", start, end, f"brackets are nested more than {MAX_NESTING} deep",
                    "give inner parts names: module part() { … }",
                )  # fmt: skip
                return Scan(diagnostics=tuple(found), fatal=True)
        elif kind == "close":
            # A `}` cannot close a `(`: the parenthesis was forgotten, not the brace.
            while stack and match[0] == "}" and stack[-1].kind != "{":
                unclosed(stack.pop())
            if stack and _CLOSING[stack[-1].kind] == match[0]:
                stack.pop()
            elif stack and match[0] != "}":
                line, _ = place(Span(path, stack[-1].start), text)
                report(
                    "WZ003", start, end,
                    f"`{match[0]}` does not close the `{stack[-1].kind}` of line {line}",
                    f"write `{_CLOSING[stack[-1].kind]}`"
                    if stack[-1].kind != "{"
                    else f"remove it, or open a `{_opening(match[0])}` before it",
                )  # fmt: skip
                if stack[-1].kind != "{":
                    stack.pop()
            else:
                fatal |= match[0] == "}"
                report(
                    "WZ003", start, end, f"this `{match[0]}` closes nothing",
                    f"remove it, or open a `{_opening(match[0])}` before it",
                )  # fmt: skip
        elif kind == "number":
            report(
                "WZ005", start, end, f"a number of {end - start} characters is too long to mean",
                f"numbers have at most {MAX_NUMBER} characters",
            )  # fmt: skip
        elif kind == "endless" and match[0] == "/*":
            report("WZ004", start, end, "this comment is never closed", "add `*/` where it ends")
            return Scan(diagnostics=tuple(found), fatal=True)
        elif kind == "endless":
            report("WZ004", start, end, "this string is never closed", 'add `"` where it ends')
    for bracket in stack:
        fatal |= bracket.kind == "{"
        unclosed(bracket)
    found.sort(key=lambda d: d.span.start)
    return Scan(diagnostics=tuple(found), fatal=fatal)


def _opening(closing: str) -> str:
    return next(o for o, c in _CLOSING.items() if c == closing)


def _comment_hint(text: str, bracket: Bracket) -> str:
    line = text[bracket.start :].split("\n", 1)[0]
    if bracket.kind == "(" and "//" in line:
        return "; `//` begins a comment, division is a single `/`"
    return ""


def statement_at(text: str, position: int) -> tuple[int, int]:
    """The statement around a position: from the separator before it to the one after it.

    A block that belongs to it is included. Never empty where there is any text left to leave out.
    """
    start = end = None
    cut, depth = 0, 0
    for match in _TOKENS.finditer(text):
        at, kind = match.start(), match.lastgroup
        if at < position:
            if kind == "end" or match[0] in ("{", "}"):
                cut = match.end()
            continue
        if start is None:
            start = cut
        if match[0] == "{":
            depth += 1
        elif match[0] == "}":
            depth -= 1
            if depth <= 0:
                end = match.end() if depth == 0 else at
                break
        elif kind == "end" and depth == 0 and text[start:at].strip():
            end = at
            break
    start = cut if start is None else start
    end = len(text) if end is None else end
    return start, max(end, min(position + 1, len(text)))


def without(text: str, start: int, end: int) -> str:
    """`text` with a stretch blanked; every other character keeps its place."""
    return text[:start] + _blank(text[start:end]) + text[end:]


def _blank(text: str) -> str:
    return "\n".join(" " * len(line) for line in text.split("\n"))


def end_of_code_before(text: str, position: int) -> int:
    """Where the last thing before `position` ends that is neither space nor comment."""
    end = begin = 0  # of the code so far, and of the stretch without comments
    for comment_begin, comment_end in [*comments_of(text[:position]), (position, position)]:
        stretch = text[begin:comment_begin].rstrip()
        end = begin + len(stretch) if stretch else end
        begin = comment_end
    return end


def open_bracket(text: str, position: int) -> int | None:
    """Where the innermost ( or [ around `position` is; None where there is none."""
    stack: list[int] = []
    for match in _TOKENS.finditer(text, 0, position):
        if match.lastgroup == "open":
            stack.append(match.start())
        elif match.lastgroup == "close" and stack:
            stack.pop()
    return stack[-1] if stack and text[stack[-1]] != "{" else None


def comments_of(text: str) -> list[tuple[int, int]]:
    """Where the comments are."""
    return [m.span() for m in _TOKENS.finditer(text) if m.lastgroup == "comment"]


def blanked(text: str) -> str:
    """`text` without comments and strings; every other character keeps its place."""
    return _TOKENS.sub(
        lambda match: _blank(match[0]) if match.lastgroup in ("comment", "string") else match[0],
        text,
    )
