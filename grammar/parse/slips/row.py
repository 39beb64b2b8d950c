"""A row of a table of slips, and which rows fit a place."""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import NamedTuple, TypeAlias

from wootzc.grammar.check.statements import KEYWORDS
from wootzc.ir.net.criteria import CRITERIA

Match: TypeAlias = re.Match[str]
NEAR = 2_000  # characters to both sides: a pattern takes time by the square of them
ANYWHERE = "file body space settings list call range"


class Slip(NamedTuple):
    """What the text looks like, what to write instead, what to say.

    In `pattern` a space is any space within a line, `<NAME>`, `<NUM>`, `<GLOB>`, `<KEYWORD>` and
    `<CRITERION>` are those of the language; what is replaced is its group `at`, or all of it.
    Patterns may be generous: a row is told only if the parser gets past the place once it is
    followed. `{old}` and `{new}` in a text
    are what is replaced and by what, `{word}` is the word that the statement begins with. Without
    `instead` there is no repair, and the row is told wherever it fits.
    """

    pattern: str
    instead: str | Callable[[Match], str] | None  # a template as of `re.Match.expand`
    message: str
    safe: bool = False
    within: str = ANYWHERE  # contexts it may stand in
    code: str = "WZ001"
    help: str = "write `{new}`"


class Found(NamedTuple):
    """A slip at a place of a text."""

    slip: Slip
    start: int
    end: int
    instead: str | None


_NOTATION = {
    "<KEYWORD>": f"(?:{'|'.join(KEYWORDS)})",
    "<CRITERION>": rf"(?:{'|'.join(CRITERIA)})\b",
    "<NAME>": r"[A-Za-z_]\w*",
    "<NUM>": r"(?:\d[\d_]*(?:\.\d+)?|\.\d+)(?:%|[kMG]\b)?",
    "<GLOB>": r"[A-Za-z_*?][\w*?]*(?:\[\d+\.\.\d+\]|\.\.\w+)?",
    " ?": r"[^\S\n]*",
    " ": r"[^\S\n]+",
}


_COMMENTS = re.compile(r'//[^\n]*|/\*[\s\S]*?\*/|"[^"\n]*"')


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    for short, meant in _NOTATION.items():
        pattern = pattern.replace(short, meant)
    return re.compile(pattern)


def slips_in(slips: Iterable[Slip], text: str, position: int, context: str) -> Iterator[Found]:
    """The slips that the text around a position may be: its line, that before and that after."""
    low = text.rfind("\n", 0, position) + 1
    before = position  # the end of the line before, where the error is what follows it
    while low and not text[low:before].strip():
        before = len(text[:low].rstrip())
        low = text.rfind("\n", 0, before) + 1
    low = text.rfind("\n", 0, max(low - 1, 0)) + 1
    line_end = text.find("\n", position)
    high = text.find("\n", line_end + 1) if line_end >= 0 else -1
    high = len(text) if high < 0 else high
    low, high = max(low, before - NEAR), min(high, position + NEAR)
    comments = [m.span() for m in _COMMENTS.finditer(text, low, high) if m[0][0] == "/"]
    for slip in slips:
        if context not in slip.within.split():
            continue
        for match in _compiled(slip.pattern).finditer(text, low, high):
            start, end = match.span("at" if "at" in match.groupdict() else 0)
            if not any(match.start() <= at <= match.end() for at in (position, before)):
                continue
            if any(first < start < last for first, last in comments):
                continue
            if slip.instead is None:
                yield Found(slip, start, end, None)
                continue
            instead = slip.instead(match) if callable(slip.instead) else match.expand(slip.instead)
            if instead != text[start:end]:
                yield Found(slip, start, end, instead)
