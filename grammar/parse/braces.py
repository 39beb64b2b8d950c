"""Blocks that are written without braces: `begin … end`, `[ … ]`, by indentation."""

import re
from itertools import islice

from lark import Token

from wootzc.diagnostics import Advice, Diagnostic, Span, diagnostic
from wootzc.grammar.check.operators import JOINS
from wootzc.grammar.syntax.brackets import end_of_code_before
from wootzc.grammar.syntax.marks import mark_at, marks

_BEGIN = re.compile(r"\s*(begin)\b")
_ARMS_IN_PARENTHESES = re.compile(rf"\b(?:{'|'.join(JOINS)})\s*(?P<at>\()\s*$")
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


def in_other_brackets(text: str, path: str, token: Token) -> Diagnostic | None:
    """`add [ … ]`, `add( { … }, { … } )`: statements or arms in the wrong brackets."""
    start, depth = token.start_pos or 0, 0
    opened = _ARMS_IN_PARENTHESES.search(text[:start]) if token.type == "LBRACE" else None
    if opened is None and token.type != "LSQB":
        return None
    start = opened.start("at") if opened else start
    for mark in islice(marks(text), mark_at(text, start), None):
        depth += {"open": 1, "close": -1}.get(mark.kind, 0)
        inside = text[start + 1 : mark.start]
        if not depth and re.search(r"[{;\n]", inside):
            whole = Span(path, start, mark.end)
            arms = re.sub(r"\}\s*,", "} ", inside) if opened else inside
            commas = ", and no commas between" if arms != inside else ""
            return diagnostic(
                Span(path, start, start + 1), "WZ001", "what belongs together stands in braces",
                Advice(f"write `{{` here, and `}}` where it ends{commas}", f"{{{arms}}}", at=whole),
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
