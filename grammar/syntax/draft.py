"""A text that is repaired as it is read, and where each of its characters stood at first."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import pairwise

from wootzc.diagnostics import Diagnostic, Fix, Span
from wootzc.grammar.syntax.brackets import blank
from wootzc.grammar.syntax.marks import edited

LONG = 400  # characters that are compared one by one


@dataclass(frozen=True, slots=True)
class Draft:
    """`origin` is None as long as every character stands where it stood."""

    text: str
    path: str
    origin: Sequence[int] | None = None  # [characters + 1], with the end

    def at(self, position: int) -> int:
        """Where in the file a position of this text is."""
        return position if self.origin is None else self.origin[position]

    def span(self, start: int, end: int) -> Span:
        """Where in the file as it was written this part of the text comes from."""
        if self.origin is None:
            return Span(self.path, start, end)
        first = self.at(start)
        return Span(self.path, first, max(self.at(end), first))

    def placed(self, found: Diagnostic) -> Diagnostic:
        """A diagnostic on this text as one on the file."""
        if self.origin is None:
            return found
        fixes = tuple(replace(f, span=self.span(f.span.start, f.span.end)) for f in found.fixes)
        return replace(found, span=self.span(found.span.start, found.span.end), fixes=fixes)

    def repaired(self, fix: Fix) -> "Draft":
        """With a fix made; every character knows still where it stood in the file."""
        start, end, new = fix.span.start, fix.span.end, fix.replacement
        text = edited(self.text, start, end, new)
        before = range(len(self.text) + 1) if self.origin is None else self.origin
        kept: list[int] = []
        for old, old_end, first, last in _changes(self.text[start:end], new):
            kept += [before[start + min(old + i, old_end)] for i in range(last - first)]
        return replace(self, text=text, origin=[*before[:start], *kept, *before[end:]])

    def without(self, start: int, end: int) -> "Draft":
        """A stretch blanked; every other character keeps its place."""
        return replace(self, text=edited(self.text, start, end, blank(self.text[start:end])))


def _changes(old: str, new: str) -> list[tuple[int, int, int, int]]:
    """Stretches of `old` with those of `new` in their places, one after the other."""
    if len(old) > LONG:  # what is alike is looked for by the cube of the length
        begin, end = alike(old, new)
        places = (0, 0), (begin, begin), (len(old) - end, len(new) - end), (len(old), len(new))
        return [(a, b, c, d) for (a, c), (b, d) in pairwise(places)]
    return [code[1:] for code in SequenceMatcher(None, old, new, autojunk=False).get_opcodes()]


def alike(one: str, other: str) -> tuple[int, int]:
    """How many characters both begin with, and with how many of the others both end."""
    most = min(len(one), len(other))
    begin = bisect_left(range(most), True, key=lambda n: one[: n + 1] != other[: n + 1])
    ends = one[begin:][::-1], other[begin:][::-1]
    most -= begin
    return begin, bisect_left(range(most), True, key=lambda n: ends[0][: n + 1] != ends[1][: n + 1])
