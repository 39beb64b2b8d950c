"""Where a cursor is, told from the raw text, for what is being written can seldom be parsed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lark import UnexpectedInput

from wootzc.grammar.syntax.brackets import blanked, statement_at
from wootzc.grammar.syntax.draft import Draft
from wootzc.grammar.syntax.reader import Reading

MAX_ERRORS = 20  # before the cursor

_STOPS = re.compile(r"[{}()\[\];\n]")
_WORD = re.compile(r"[\w*?]*$")
_STRING = re.compile(r'"[^"\n]*"')
_OPEN_STRING = re.compile(r'"([^"\n]*)$')


@dataclass(frozen=True, slots=True)
class Cursor:
    """`around`: what stands before each bracket that is open, outermost first: "space s over n".

    `brackets` are those. `statement` is what stands between the begin of the statement and the word
    that is being written; `path` the text of a string that is still open, or None.
    """

    around: Sequence[str]
    brackets: str
    statement: str
    path: str | None

    @property
    def called(self) -> str | None:
        """The name before the ( that is open."""
        if not self.brackets.endswith("("):
            return None
        word = re.search(r"(\w+)\s*$", self.around[-1])
        return word[1] if word else None

    @property
    def block(self) -> str:
        """The first word of what the innermost braces belong to: "network", "teacher"; or none."""
        heads = [h for h, b in zip(self.around, self.brackets, strict=True) if b == "{"]
        word = re.match(r"\w+", heads[-1]) if heads else None
        return word[0] if word else ""

    @property
    def in_body(self) -> bool:
        """In the braces of a module or a network, not of one that is read from a file."""
        heads = [h for h, b in zip(self.around, self.brackets, strict=True) if b == "{"]
        return bool(heads) and re.match(r"(module|network)\b(?!.*\bfrom\b)", heads[0]) is not None


def cursor_at(text: str, offset: int) -> Cursor:
    """What stands around the cursor, an offset in characters, of a text that need not parse."""
    line = text[text.rfind("\n", 0, offset) + 1 : offset]
    string = _OPEN_STRING.search(_STRING.sub(lambda found: "'" * len(found[0]), line))
    before = blanked(text[:offset])
    begin = offset - len(_WORD.search(before)[0])  # type: ignore[index]
    around: list[str] = []
    brackets = ""
    start = 0
    for stop in _STOPS.finditer(before, 0, begin):
        bracket, head = stop[0], text[start : stop.start()].strip()
        if bracket in "{([":
            around.append(head)
            brackets += bracket
            start = stop.end() if bracket == "{" else start
        elif bracket in ")]}":
            around, brackets = around[:-1], brackets[:-1]
            start = stop.end() if bracket == "}" else start
        elif not brackets.endswith(("(", "[")) and not head.endswith(","):
            start = stop.end()
    return Cursor(around, brackets, text[start:begin].lstrip(), string[1] if string else None)


def expected_at(text: str, offset: int) -> set[str]:
    """Kinds of tokens that may stand where the word at the cursor begins.

    Statements before it that cannot be read are left out; of those behind it nothing is known.
    """
    draft = Draft(text[: offset - len(_WORD.search(text[:offset])[0])], "")  # type: ignore[index]
    reading = Reading(draft)
    for _ in range(MAX_ERRORS):
        try:
            return reading.expected()
        except UnexpectedInput as error:
            place = min(error.pos_in_stream or 0, max(len(draft.text) - 1, 0))
            start, end = statement_at(draft.text, place)
            draft = draft.without(start, end)
            reading.go_on(draft, start)
    return set()
