"""Lists in a statement, `(3x3, 16)` or `{ 0, 30% }`: on one line, or broken with their comments."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

WIDTH = 100
INDENT = "  "


@dataclass(frozen=True, slots=True)
class Comment:
    start: int
    end: int
    text: str

    @property
    def is_inline(self) -> bool:
        """Whether something may follow it on its line."""
        return self.text.endswith("*/") and "\n" not in self.text


@dataclass(frozen=True, slots=True)
class Comments:
    """Those of a file, in order."""

    every: Sequence[Comment]

    def inside(self, start: int, end: int) -> Sequence[Comment]:
        first, last = (bisect_left(self.every, at, key=lambda c: c.start) for at in (start, end))
        return self.every[first:last]


@dataclass(frozen=True, slots=True)
class Entry:
    """One of a list, as text."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Listed:
    """Entries with commas between them, in the source at [start, end).

    `opening` and `closing` are "(" and ")", "{ " and " }", or nothing.
    """

    start: int
    end: int
    opening: str
    closing: str
    entries: tuple[Entry, ...]

    def keeps(self, comment: Comment) -> bool:
        """Whether a comment stands between its entries: then it stays there."""
        following = bisect_left(self.entries, comment.start, key=lambda entry: entry.start)
        within = following > 0 and comment.start < self.entries[following - 1].end
        return self.start < comment.start < self.end and not within


@dataclass(slots=True)
class Line:
    """An entry; comments on lines above it, before and after it, and behind its comma.

    The last of a list has no text: what is above it stands before the closing bracket.
    """

    text: str | None
    above: list[str] = field(default_factory=list)
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    behind: list[str] = field(default_factory=list)

    @property
    def entry(self) -> str:
        """The text with the comments that stay beside it."""
        return " ".join([*self.before, self.text or "", *self.after])


@dataclass(frozen=True, slots=True)
class Annotated:
    """A list with its comments. `opened` are those on the line of the opening bracket."""

    listed: Listed
    lines: Sequence[Line]
    opened: Sequence[str]

    @property
    def flat(self) -> str | None:
        """On one line; None where comments need lines of their own."""
        if self.opened or any(line.above or line.behind for line in self.lines):
            return None
        entries = ", ".join(line.entry for line in self.lines[:-1])
        return f"{self.listed.opening}{entries}{self.listed.closing}"

    @property
    def first(self) -> str:
        """What stands on the line that it begins on, where it is broken."""
        return self.listed.opening.strip() or f"{self.lines[0].entry},"

    def broken(self, level: int, column: int, behind: int = 0) -> list[str]:
        """Lines, of which the first goes on at `column`, and the last with `behind` characters.

        Without brackets the first entry stays on the line that the list begins on.
        """
        opening, closing = self.listed.opening.strip(), self.listed.closing.strip()
        apart = self.flat is None
        within = (
            self._apart()
            if apart
            else self._filled(level + 1, 0 if opening else column, 0 if opening else behind)
        )
        inside = [INDENT * (level + 1) + line for line in within]
        if not opening:
            return [inside[0].lstrip(), *inside[1:]]
        first = opening + "".join(f"  {text}" for text in self.opened)
        return [first, *inside, INDENT * level + closing]

    def _apart(self) -> Iterator[str]:
        """A line for each entry."""
        for at, line in enumerate(self.lines):
            yield from line.above
            if line.text is not None:
                comma = "," if at < len(self.lines) - 2 else ""
                yield line.entry + comma + "".join(f"  {text}" for text in line.behind)

    def _filled(self, level: int, column: int, behind: int) -> Iterator[str]:
        """As many entries on a line as fit; the first line begins at `column`, if that is later."""
        *most, last = (line.entry for line in self.lines[:-1])
        room = WIDTH - max(column, len(INDENT * level))
        row = ""
        pieces = [*((f"{entry},", 0) for entry in most), (last, behind)]
        for piece, more in pieces:
            if row and len(row) + 1 + len(piece) + more > room:
                yield row
                row, room = piece, WIDTH - len(INDENT * level)
            else:
                row = f"{row} {piece}" if row else piece
        yield row


def annotated(listed: Listed, comments: Comments, code: str) -> Annotated:
    """The comments within a list, each with the entry it is about.

    Behind an entry or its comma it is about that; on a line above one, or right before it, it is
    about what follows. `code`: the source with comments blanked.
    """
    lines = [*(Line(entry.text) for entry in listed.entries), Line(None)]
    places = [*((entry.start, entry.end) for entry in listed.entries), (listed.end, listed.end)]
    opened: list[str] = []
    at = 0  # of the entry that follows
    for comment in comments.inside(listed.start, listed.end):
        if not listed.keeps(comment):
            continue
        while places[at][0] < comment.start:
            at += 1
        between = code[places[at - 1][1] if at else listed.start : comment.start]
        goes_on = "\n" not in code[comment.start : places[at][0]]
        begins_line = "\n" in between
        if goes_on and at < len(listed.entries) and ("," in between or not at or begins_line):
            lines[at].before.append(comment.text)
        elif begins_line:
            lines[at].above.append(comment.text)
        elif not at:
            opened.append(comment.text)
        elif comment.is_inline and ("," not in between or (goes_on and at == len(places) - 1)):
            lines[at - 1].after.append(comment.text)
        else:
            lines[at - 1].behind.append(comment.text)
    return Annotated(listed, lines, opened)
