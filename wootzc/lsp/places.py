"""Characters of a text ↔ lines and columns as the protocol counts them, in units of UTF-16."""

from bisect import bisect_right

from lsprotocol import types

from wootzc.diagnostics import Span, line_starts


def offset_of(text: str, position: types.Position) -> int:
    """The character at a position; the end of the line, or of the text, where it is beyond."""
    starts = line_starts(text)
    if position.line >= len(starts):
        return len(text)
    start = starts[position.line]
    end = starts[position.line + 1] - 1 if position.line + 1 < len(starts) else len(text)
    line = text[start:end]
    if line.isascii():
        return min(start + position.character, end)
    units = 0
    for column, character in enumerate(line):
        if units >= position.character:
            return start + column
        units += 1 + (character > "\uffff")
    return end


def position_of(text: str, offset: int) -> types.Position:
    """Line and column, which LSP counts in units of UTF-16."""
    starts = line_starts(text)
    line = bisect_right(starts, offset) - 1
    before = text[starts[line] : offset]
    wide = 0 if before.isascii() else sum(character > "\uffff" for character in before)
    return types.Position(line, len(before) + wide)


def range_of(text: str, span: Span) -> types.Range:
    return types.Range(position_of(text, span.start), position_of(text, span.end))
