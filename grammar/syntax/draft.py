"""A text that is repaired as it is read, and where each of its characters stood at first."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from wootzc.diagnostics import Diagnostic, Fix, Span
from wootzc.grammar.syntax.brackets import blank
from wootzc.grammar.syntax.marks import edited


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
        match = SequenceMatcher(None, self.text[start:end], new, autojunk=False)
        for _, old, old_end, first, last in match.get_opcodes():
            kept += [before[start + min(old + i, old_end)] for i in range(last - first)]
        return replace(self, text=text, origin=[*before[:start], *kept, *before[end:]])

    def without(self, start: int, end: int) -> "Draft":
        """A stretch blanked; every other character keeps its place."""
        return replace(self, text=edited(self.text, start, end, blank(self.text[start:end])))
