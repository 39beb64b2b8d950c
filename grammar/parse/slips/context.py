"""What is written at a place of a text, by the brackets around it."""

import re
from itertools import islice
from typing import NamedTuple

from wootzc.grammar.syntax.marks import mark_at, marks

_WORD = re.compile(r"\s*([A-Za-z_]\w*)?")


class Header(NamedTuple):
    """A bracket that is open, with the word of the statement that opened it."""

    context: str  # inside of it: body, space, settings, list (of rates), call or range
    word: str
    start: int  # of the word


def headers_at(text: str, position: int) -> list[Header]:
    """The brackets around a position, the outermost first."""
    stack: list[Header] = []
    statement = 0  # where the one begins that is being read
    for begin, end, kind in islice(marks(text), mark_at(text, position)):
        token = text[begin]
        if kind in ("comment", "string"):
            continue
        if token in "{([":
            word = _WORD.match(text, statement)
            found, start = (word[1] or "", word.start(1)) if word else ("", begin)
            context = {"(": "call", "[": "range"}.get(token) or _inside(found, stack)
            stack.append(Header(context, found, start))
        elif token in "})]" and stack:
            stack.pop()
        if token in "{};\n" and not (stack and stack[-1].context in ("call", "range")):
            statement = end
    return stack


def _inside(word: str, stack: list[Header]) -> str:
    """The context in braces that a statement opens which begins with `word`."""
    match word:
        case "module" | "network":
            return "body"
        case "space":
            return "space"
        case "rates" | "prune" | "configs":
            return "list"
        case "data" | "augment" | "teacher" | "pretrain" | "finetune" | "polish":
            return "settings"
        case _:
            outer = stack[-1].context if stack else "file"
            return "settings" if outer in ("space", "settings") else "body"
