"""The canonical text of a file: two spaces a level, comments kept, line breaks mostly respected.

Statements that share a line go on sharing it, and braces written on one line stay on one line, as
long as they fit; lists are broken where they do not fit, or hold comments that end lines.
Formatting formatted text changes nothing, and the syntax tree stays equal.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wootzc.diagnostics import WootzError
from wootzc.grammar.parse import parse
from wootzc.grammar.syntax.brackets import blanked, comments_of
from wootzc.grammar.text.format_nodes import Braces, Head, Item, item_of
from wootzc.grammar.text.lists import INDENT, WIDTH, Annotated, Comment, Comments, Listed, annotated

BYTE_ORDER_MARK = "\ufeff"


@dataclass(slots=True)
class _Row:
    """Items on one line, or comments of their own; `trailing` follows on the line's end."""

    start: int
    end: int
    items: list[Item]
    above: list[str]  # comments on lines of their own before the items
    trailing: list[str]


def format_text(text: str, path: str = "<text>") -> str:
    """The canonical text, with the line ends and the byte order mark that it had.

    Raises `WootzError` where the text has syntax errors.
    """
    mark = BYTE_ORDER_MARK if text.startswith(BYTE_ORDER_MARK) else ""
    line_end = "\r\n" if "\r\n" in text[: text.find("\n") + 1] else "\n"
    text = text.removeprefix(mark).replace("\r\n", "\n").replace("\r", "\n")
    parsed = parse(text, path)
    if parsed.tree is None or parsed.diagnostics:
        raise WootzError(parsed.diagnostics, {path: text})
    code = blanked(text)
    items = [item_of(item, code) for item in parsed.tree.items]
    comments = Comments([Comment(s, e, text[s:e].rstrip()) for s, e in comments_of(text)])
    lines, _ = _Printer(text, code, comments).items(items, 0, len(text), 0, joined=True)
    whole = "\n".join(lines) + "\n" if lines else ""
    return mark + (whole if line_end == "\n" else whole.replace("\n", line_end))


@dataclass(frozen=True, slots=True)
class _Printer:
    text: str
    code: str  # the same without comments and strings
    comments: Comments

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
        if item.braces is None:
            return self._head(item.head, level, "")
        if not item.braces.items and not self._inside(item.braces):
            return self._head(item.head, level, " { }")
        return self._broken(item, item.braces, level)

    def _broken(self, item: Item, braces: Braces, level: int) -> list[str]:
        inside, opening = self.items(
            braces.items, braces.start + 1, braces.end - 1, level + 1,
            joined=braces.joiner == "; ",
        )  # fmt: skip
        head = self._head(item.head, level, " {" if item.head else "{")
        if opening:
            head[-1] += "  " + " ".join(opening)
        return [*head, *inside, INDENT * level + "}"]

    def _head(self, head: Head, level: int, tail: str) -> list[str]:
        """A statement up to its braces: lists are broken where they must, the longest first."""
        parts = [self._annotated(part) for part in (*head, tail)]
        whole = [at for at, part in enumerate(parts) if isinstance(part, Annotated)]
        whole.sort(key=lambda at: len(_flat(parts[at]) or ""))
        broken = {at for at in whole if _flat(parts[at]) is None}
        whole = [at for at in whole if at not in broken]
        lines = _laid(parts, broken, level)
        while whole and any(len(line) > WIDTH for line in lines):
            broken.add(whole.pop())
            lines = _laid(parts, broken, level)
        return lines

    def _annotated(self, part: str | Listed) -> "str | Annotated":
        return part if isinstance(part, str) else annotated(part, self.comments, self.code)

    def _flat(self, item: Item) -> str | None:
        """The item on one line; None where its braces were broken, or comments end lines."""
        parts = [_flat(self._annotated(part)) for part in item.head]
        if None in parts:
            return None
        head = "".join(part for part in parts if part is not None)
        if item.braces is None:
            return head
        inside = self._flat_braces(item.braces)
        return None if inside is None else f"{head} {inside}".lstrip()

    def _flat_braces(self, braces: Braces) -> str | None:
        if self._inside(braces):
            return None
        if not braces.items:
            return "{ }"
        if self.text.find("\n", braces.start, braces.end) >= 0:
            return None
        items = [self._flat(item) for item in braces.items]
        if None in items:
            return None
        return f"{{ {braces.joiner.join(i for i in items if i is not None)} }}"

    def _inside(self, part: Braces | Listed) -> Sequence[Comment]:
        return self.comments.inside(part.start, part.end)

    def _rows(
        self, items: list[Item], start: int, end: int, *, joined: bool, level: int
    ) -> tuple[list[_Row], list[str]]:
        """Items and comments of one level, in rows; and comments right behind the opening."""
        edges = [start, *(edge for i in items for edge in (i.start, i.end)), end]
        own = [
            c
            for a, b in zip(edges[::2], edges[1::2], strict=True)
            for c in self.comments.inside(a, b)
        ]
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
        """Comments within a statement, but not between the entries of its lists, nor in its braces:
        they move above it.
        """
        inside = self.comments.inside(item.start, item.end)
        if not inside:
            return []
        braces = item.braces
        lists = [part for part in item.head if isinstance(part, Listed)]
        return [
            c
            for c in inside
            if not (braces is not None and braces.start < c.start < braces.end)
            and not any(part.keeps(c) for part in lists)
        ]


def _flat(part: str | Annotated) -> str | None:
    return part if isinstance(part, str) else part.flat


def _laid(parts: Sequence[str | Annotated], broken: set[int], level: int) -> list[str]:
    """The lines of a head whose lists are whole but for `broken`."""
    lines = [INDENT * level]
    for at, part in enumerate(parts):
        if isinstance(part, Annotated) and at in broken:
            first, *others = part.broken(level, len(lines[-1]), _before_break(parts, broken, at))
            lines[-1] = (lines[-1].rstrip() if not first else lines[-1]) + first
            lines += others
        else:
            lines[-1] += _flat(part) or ""
    return lines


def _before_break(parts: Sequence[str | Annotated], broken: set[int], at: int) -> int:
    """How much follows part `at` on its last line: up to the first break of a list behind it."""
    behind = 0
    for later in range(at + 1, len(parts)):
        part = parts[later]
        if isinstance(part, Annotated) and later in broken:
            return behind + len(part.first)
        behind += len(_flat(part) or "")
    return behind
