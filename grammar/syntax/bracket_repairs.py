"""Which bracket is missing, and where: by how the lines are indented, or by trying."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from wootzc.diagnostics import Diagnostic, Fix, Span
from wootzc.grammar.syntax.brackets import blanked, end_of_code_before, scan

_CLOSING = {"(": ")", "[": "]", "{": "}"}
_HEADER = re.compile(
    r"(module|network|space|data|augment|teacher|pretrain|finetune|polish|rates|configs|auxiliary"
    r"|add|concat|scale)\b[^{}\n]*"
)
_TOKENS = re.compile(r'//[^\n]*|/\*[\s\S]*?\*/|"[^"\n]*"|[{}()\[\]]')

_STANDS_FOR_BRACE = re.compile(r"\s*(:|->|=>|=|\bdo|\bbegin|\bthen|\bis)$")
_NOT_IN_LIST = re.compile(r"[;{}\n]|//|/\*|\bas\b|$")


def repaired_brackets(text: str, path: str, found: Sequence[Diagnostic]) -> tuple[Diagnostic, ...]:
    """The mistakes of `scan` where they were made, with their fixes where there are some."""
    if any(mistake.code == "WZ003" for mistake in found):
        doubled = tuple(_doubled(text, path))
        if len(doubled) == len(found) and _mends(text, path, doubled):
            return doubled
        by_layout = tuple(_by_indentation(text, path))
        if by_layout and _mends(text, path, by_layout):
            return by_layout
    for mistake in found:  # one may be the cause of all
        tried = _tried(text, path, mistake, 1)
        if tried.fixes:
            return (tried,)
    return tuple(_tried(text, path, mistake, len(found)) for mistake in found)


_ARM = re.compile(r"\s*\{")


def _doubled(text: str, path: str) -> Iterator[Diagnostic]:
    """`network net {{` where a line ends. Behind `add` the second one may be its first arm's."""
    pattern = r"(?P<join>\b(?:add|concat|scale)[^\S\n]*)?\{[^\S\n]*(?P<at>\{)(?=[^\S\n]*\n)"
    for match in re.finditer(pattern, text):
        if match["join"] is not None and not _ARM.match(text, match.end()):
            continue
        span = Span(path, *match.span("at"))
        yield Diagnostic(span, "WZ003", "one `{` is enough", "remove it", fixes=(Fix(span, ""),))


# ---- by indentation


@dataclass(frozen=True, slots=True)
class _Line:
    start: int  # of its code
    end: int
    indent: int
    code: str  # without comments


@dataclass(frozen=True, slots=True)
class _Open:
    line: _Line
    at: int
    inline: bool  # something follows it in its line


def _lines(text: str) -> Iterator[_Line]:
    start = 0
    for row in blanked(text, "comment").split("\n"):
        stripped = row.strip()
        if stripped:
            indent = len(row) - len(row.lstrip())
            first = start + indent
            yield _Line(first, first + len(stripped), len(row[:indent].expandtabs()), stripped)
        start += len(row) + 1


def _by_indentation(text: str, path: str) -> Iterator[Diagnostic]:
    """Blocks whose braces contradict how their lines are indented."""
    lines = list(_lines(text))
    stack: list[_Open] = []
    for number, line in enumerate(lines):
        while stack and _must_have_ended(stack[-1], line):
            yield _not_closed(stack.pop(), lines[number - 1], line, text, path)
        for match in _TOKENS.finditer(line.code):
            at = line.start + match.start()
            if match[0] == "{":
                stack.append(_Open(line, at, bool(line.code[match.end() :].strip(" }"))))
            elif match[0] == "}" and _begins_late(stack, line, first=at == line.start):
                yield Diagnostic(
                    Span(path, at, at + 1), "WZ003", "this `}` closes nothing in its line",
                    "add the missing `{` at the beginning of the line",
                    fixes=(Fix(Span(path, line.start, line.start), "{ "),),
                )  # fmt: skip
            elif match[0] == "}" and _is_too_many(stack, line, first=at == line.start):
                yield Diagnostic(
                    Span(path, at, at + 1), "WZ003", "this `}` closes nothing in its line",
                    "remove it", fixes=(Fix(Span(path, at, at + 1), ""),),
                )  # fmt: skip
            elif match[0] == "}" and _closes(stack, line, first=at == line.start):
                stack.pop()
            elif match[0] == "}":
                header = _header_before(lines[:number], line)
                if header is not None:
                    yield _not_opened(header, text, path)
                else:
                    yield Diagnostic(
                        Span(path, at, at + 1), "WZ003", "this `}` closes nothing", "remove it",
                        fixes=(Fix(Span(path, at, at + 1), ""),),
                    )  # fmt: skip
    for opened in reversed(stack):
        yield _not_closed(opened, lines[-1], None, text, path)


def _must_have_ended(opened: _Open, line: _Line) -> bool:
    if line is opened.line:
        return False
    if line.code.startswith("}"):
        return line.indent < opened.line.indent
    return line.indent <= opened.line.indent


def _begins_late(stack: Sequence[_Open], line: _Line, *, first: bool) -> bool:
    """Whether a `}` at the end of `line` lacks its `{`: what is open began on another line."""
    return (
        not first
        and not line.code.startswith("{")
        and bool(stack)
        and stack[-1].line is not line
        and not stack[-1].inline
    )


def _is_too_many(stack: Sequence[_Open], line: _Line, *, first: bool) -> bool:
    """Whether a `}` of a line that begins with its own `{` is one more than that line opened."""
    own = line.code.startswith("{") and bool(stack) and stack[-1].line is not line
    return not first and own and not stack[-1].inline


def _closes(stack: Sequence[_Open], line: _Line, *, first: bool) -> bool:
    """Whether a `}` of `line` ends the innermost block; `first`: it begins the line."""
    return bool(stack) and not (first and line.indent > stack[-1].line.indent)


def _not_closed(
    opened: _Open, last: _Line, following: _Line | None, text: str, path: str
) -> Diagnostic:
    """`last`: the line before the one that cannot be within the braces any more."""
    if last is opened.line:
        end, closing, where = last.end, " }", "at the end of this line"
    else:
        indent = text[text.rfind("\n", 0, opened.line.start) + 1 : opened.line.start]
        end, closing = last.end, f"\n{indent}}}"
        where = f"after line {_number(text, end)}"
    why = "" if following is None else ": the line after it can't be within these"
    return Diagnostic(
        Span(path, opened.at, opened.at + 1), "WZ003", "this `{` is never closed",
        f"add the missing `}}` {where}{why}",
        fixes=(Fix(Span(path, end, end), closing),),
    )  # fmt: skip


def _header_before(lines: Sequence[_Line], closing: _Line) -> _Line | None:
    """The line that should have opened the block which `closing` ends."""
    inside: list[_Line] = []
    for line in reversed(lines):
        if line.indent <= closing.indent:
            headed = _HEADER.fullmatch(_STANDS_FOR_BRACE.sub("", line.code)) and inside
            return line if headed and line.indent == closing.indent else None
        inside.append(line)
    return None


def _not_opened(header: _Line, text: str, path: str) -> Diagnostic:
    if (stands := _STANDS_FOR_BRACE.search(header.code)) is not None:
        word, before = stands[1], header.start + stands.start()
        return Diagnostic(
            Span(path, header.start + stands.start(1), header.end), "WZ003",
            f"a block opens with `{{`, not with `{word}`",
            "write `{`", fixes=(Fix(Span(path, before, header.end), " {", safe=True),),
        )  # fmt: skip
    end = header.end
    return Diagnostic(
        Span(path, header.start, end), "WZ003", "this block is never opened",
        f"add the missing `{{` at the end of line {_number(text, end)}",
        fixes=(Fix(Span(path, end, end), " {"),),
    )  # fmt: skip


def _number(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _mends(text: str, path: str, mistakes: Sequence[Diagnostic]) -> bool:
    """Whether all brackets are in order once these are."""
    for fix in sorted((m.fixes[0] for m in mistakes), key=lambda f: f.span.start, reverse=True):
        text = _with(text, fix)
    return not any(d.code == "WZ003" for d in scan(text, path).diagnostics)


def _with(text: str, fix: Fix) -> str:
    return text[: fix.span.start] + fix.replacement + text[fix.span.end :]


# ---- by trying


def _tried(text: str, path: str, mistake: Diagnostic, before: int) -> Diagnostic:
    """The mistake with the first of its possible fixes that leaves fewer of them."""
    for fix in _possible(text, path, mistake):
        if len(scan(_with(text, fix), path).diagnostics) < before:
            if fix.replacement == " {":
                return replace(
                    mistake, message="a block opens with `{`, not with `(`", help="write `{`",
                    fixes=(fix,),
                )  # fmt: skip
            if mistake.code == "WZ004" and not fix.replacement:
                return replace(
                    mistake, message="`/*` begins a comment, which is never closed",
                    help="leave out the `/`: names of modules have none", fixes=(fix,),
                )  # fmt: skip
            return replace(mistake, fixes=(fix,))
    return mistake


def _possible(text: str, path: str, mistake: Diagnostic) -> Iterator[Fix]:
    start, end = mistake.span.start, mistake.span.end
    if mistake.code == "WZ004" and re.match(r"[\w*?]/\*", text[max(start - 1, 0) : start + 2]):
        yield Fix(Span(path, start, start + 1), "")
    elif mistake.code == "WZ004" and text[start] == '"':
        word = re.compile(r'"[^\s"(){};,]*').match(text, start)
        assert word is not None, "it begins with a quote"
        yield Fix(Span(path, word.end(), word.end()), '"')
    elif mistake.code == "WZ003" and text[start] in "([" and _is_cut_off(text, start):
        return
    elif mistake.code == "WZ003" and text[start] in "([":
        if (comment := re.compile(r"[^\n/]*(//)[^\n]*\)").match(text, start)) is not None:
            yield Fix(Span(path, *comment.span(1)), "/")
        if text[end : text.find("\n", end)].strip() == "":
            yield Fix(mistake.span, " {")
        yield Fix(Span(path, *[_end_of_list(text, start)] * 2), _CLOSING[text[start]])
    elif mistake.code == "WZ003" and text[start] in ")]":
        for other in ")]":
            yield Fix(mistake.span, other)
        yield Fix(Span(path, start, end), "")


def _is_cut_off(text: str, start: int) -> bool:
    """Whether a line ends within a list, or before it, that the next one does not go on with."""
    line, _, rest = text[start:].partition("\n")
    code = line.split("//")[0].rstrip()
    if not code.endswith((",", "(", "[")) or line.rstrip().endswith(")"):
        return False
    begin = text.rfind("\n", 0, start) + 1
    indent = len(text[begin:start]) - len(text[begin:start].lstrip())
    following = next((row for row in rest.split("\n") if row.strip()), "")
    return len(following) - len(following.lstrip()) <= indent


def _end_of_list(text: str, start: int) -> int:
    """Where the ( or [ at `start` should have ended: before what no list holds."""
    end = _NOT_IN_LIST.search(text, start)
    while end and end[0] == "\n" and text[: end.start()].rstrip().endswith((",", "(", "[")):
        end = _NOT_IN_LIST.search(text, end.end())
    return end_of_code_before(text, end.start() if end else len(text))
