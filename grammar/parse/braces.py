"""Blocks that are written without braces: `begin … end`, `[ … ]`, by indentation."""

import re
from itertools import islice

from lark import Token

from wootzc.diagnostics import Advice, Diagnostic, Span, diagnostic
from wootzc.grammar.syntax.brackets import end_of_code_before
from wootzc.grammar.syntax.marks import mark_at, marks

_BEGIN = re.compile(r"\s*(begin)\b")
_BEGIN_END = re.compile(r"\b(?:begin|end)\b")


def in_words(text: str, path: str, token: Token) -> Diagnostic | None:
    """`begin … end`, as other languages write blocks."""
    begin = _BEGIN.match(text, token.start_pos or 0)
    depth = 0
    for word in _BEGIN_END.finditer(text, begin.start(1)) if begin else ():
        depth += 1 if word[0] == "begin" else -1
        if begin and not depth:
            first = end_of_code_before(text, begin.start(1))
            whole = Span(path, first, word.end())
            inside = f" {{{text[begin.end() : word.start()]}}}"
            return diagnostic(
                Span(path, *begin.span(1)), "WZ001", "what belongs together stands in braces",
                Advice("write `{` here, and `}` for its `end`", inside, at=whole),
            )  # fmt: skip
    return None


def in_square_brackets(text: str, path: str, token: Token) -> Diagnostic | None:
    """`add [ … ]`: statements or arms in the wrong brackets."""
    start, depth = token.start_pos or 0, 0
    for mark in islice(marks(text), mark_at(text, start), None) if token.type == "LSQB" else ():
        depth += {"open": 1, "close": -1}.get(mark.kind, 0)
        inside = text[start + 1 : mark.start]
        if not depth and re.search(r"[{;\n]", inside):
            whole = Span(path, start, mark.end)
            return diagnostic(
                Span(path, start, start + 1), "WZ001", "what belongs together stands in braces",
                Advice("write `{` here, and `}` where it ends", f"{{{inside}}}", at=whole),
            )  # fmt: skip
        if not depth:
            break
    return None


def end_of_indented(text: str, start: int) -> int:
    """Where the lines end that are indented below a `:` at the end of a header."""
    block = re.compile(r":[^\S\n]*(?:\n(?:[^\S\n]+\S[^\n]*|[^\S\n]*(?=\n[^\S\n]+\S)))+")
    header = text[text.rfind("\n", 0, start) + 1 : start]
    found = block.match(text, start) if header[:1].isalpha() else None
    return found.end() if found else start
