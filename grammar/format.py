"""The canonical text of a file: two spaces a level, comments kept, line breaks mostly respected.

Statements that share a line go on sharing it, and braces written on one line stay on one line, as
long as they fit. Formatting formatted text changes nothing, and the syntax tree stays equal.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wootzc.diagnostics import WootzError
from wootzc.grammar.brackets import blanked, comments_of
from wootzc.grammar.layout import Braces, Item, item_of
from wootzc.grammar.parse import parse

WIDTH = 100
INDENT = "  "


@dataclass(frozen=True, slots=True)
class Comment:
    start: int
    end: int
    text: str


@dataclass(slots=True)
class _Row:
    """Items on one line, or comments of their own; `trailing` follows on the line's end."""

    start: int
    end: int
    items: list[Item]
    above: list[str]  # comments on lines of their own before the items
    trailing: list[str]


def format_text(text: str, path: str = "<text>") -> str:
    """The canonical text. Raises `WootzError` where the text has syntax errors."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    parsed = parse(text, path)
    if parsed.tree is None or parsed.diagnostics:
        raise WootzError(parsed.diagnostics, {path: text})
    code = blanked(text)
    items = [item_of(item, code) for item in parsed.tree.items]
    comments = [Comment(s, e, text[s:e].rstrip()) for s, e in comments_of(text)]
    lines, _ = _Printer(text, comments).items(items, 0, len(text), 0, joined=True)
    return "\n".join(lines) + "\n" if lines else ""


@dataclass(frozen=True, slots=True)
class _Printer:
    text: str
    comments: Sequence[Comment]

    def items(
        self, items: Iterable[Item], start: int, end: int, level: int, *, joined: bool
    ) -> tuple[list[str], list[str]]:
        """Lines of what stands in [start, end), and comments that belong behind its `{`."""
        rows, opening = self._rows(list(items), start, end, joined=joined, level=level)
        lines: list[str] = []
        for previous, row in zip([None, *rows], rows, strict=False):
            if previous is not None and self.text.count("\n", previous.end, row.start) > 1:
                lines.append("")
            lines += [INDENT * level + comment for comment in row.above]
            lines += self._row(row, level)
        return lines, opening

    def _row(self, row: _Row, level: int) -> list[str]:
        if not row.items:
            return []
        lines = self._joined(row.items, level)
        if row.trailing:
            lines[-1] += "  " + " ".join(row.trailing)
        return lines

    def _joined(self, items: list[Item], level: int) -> list[str]:
        flat = [self._flat(item) for item in items]
        line = INDENT * level + "; ".join(f for f in flat if f is not None)
        if None not in flat and len(line) <= WIDTH:
            return [line]
        if len(items) > 1:
            return [line for item in items for line in self._joined([item], level)]
        [item] = items
        if item.braces is None or (not item.braces.items and flat[0] is not None):
            return [line]
        return self._broken(item, item.braces, level)

    def _broken(self, item: Item, braces: Braces, level: int) -> list[str]:
        head = INDENT * level + (f"{item.head} {{" if item.head else "{")
        inside, opening = self.items(
            braces.items, braces.start + 1, braces.end - 1, level + 1,
            joined=braces.joiner == "; ",
        )  # fmt: skip
        if opening:
            head += "  " + " ".join(opening)
        return [head, *inside, INDENT * level + "}"]

    def _flat(self, item: Item) -> str | None:
        """The item on one line; None where its braces were broken or hold comments."""
        if item.braces is None:
            return item.head
        inside = self._flat_braces(item.braces)
        return None if inside is None else f"{item.head} {inside}".lstrip()

    def _flat_braces(self, braces: Braces) -> str | None:
        if any(self._inside(braces.start, braces.end)):
            return None
        if not braces.items:
            return "{ }"
        if "\n" in self.text[braces.start : braces.end]:
            return None
        items = [self._flat(item) for item in braces.items]
        if None in items:
            return None
        return f"{{ {braces.joiner.join(i for i in items if i is not None)} }}"

    def _inside(self, start: int, end: int) -> list[Comment]:
        return [c for c in self.comments if start <= c.start < end]

    def _rows(
        self, items: list[Item], start: int, end: int, *, joined: bool, level: int
    ) -> tuple[list[_Row], list[str]]:
        """Items and comments of one level, in rows; and comments right behind the opening."""
        inside = self._inside(start, end)
        own = [c for c in inside if not any(i.start <= c.start < i.end for i in items)]
        both: list[Item | Comment] = [*items, *own]
        entries = sorted(both, key=lambda entry: entry.start)
        rows: list[_Row] = []
        opening: list[str] = []
        for entry in entries:
            last = rows[-1] if rows else None
            previous_end = last.end if last else start
            same_line = "\n" not in self.text[previous_end : entry.start]
            match entry:
                case Comment(text=text) if same_line and last is None and level > 0:
                    opening.append(text)
                    start = entry.end
                case Comment(text=text) if same_line and last is not None and last.items:
                    last.trailing.append(text)
                    last.end = entry.end
                case Comment(text=text):
                    rows.append(_Row(entry.start, entry.end, [], [text], []))
                case Item():
                    above = [c.text for c in self._of_head(entry)]
                    if (
                        joined and same_line and not above
                        and last is not None and last.items and not last.trailing
                    ):  # fmt: skip
                        last.items.append(entry)
                        last.end = entry.end
                    else:
                        rows.append(_Row(entry.start, entry.end, [entry], above, []))
        return rows, opening

    def _of_head(self, item: Item) -> list[Comment]:
        """Comments within a statement, outside of its braces: they move above it."""
        inside = self._inside(item.start, item.end)
        if item.braces is None:
            return inside
        return [c for c in inside if not item.braces.start < c.start < item.braces.end]
