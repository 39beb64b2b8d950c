"""Text protobuf → messages: fields in their order, each with its place in the file."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from wootzc.grammar.syntax.brackets import MAX_NESTING, has_more_words
from wootzc.grammar.syntax.near_misses import either
from wootzc.grammar.syntax.parser_tables import load_parser
from wootzc.ir.graph import Refused

MAX_CHARACTERS = 2_000_000
MOST_WORDS = 100_000  # and signs: a second of the parser
GRAMMAR = Path(__file__).with_name("prototxt.lark")

_TOKENS = re.compile(r"""#[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|(?P<endless>["'])|[{}]""")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_READABLE = {
    "NAME": "a name",
    "NUMBER": "a number",
    "STRING": "a text in quotes",
    "COLON": "`:`",
    "LBRACE": "`{`",
    "RBRACE": "`}`",
    "LSQB": "`[`",
    "RSQB": "`]`",
    "COMMA": "`,`",
    "$END": "the end of the file",
}
# Rarely what was meant.
_UNSAID = ("MINUS", "SEMICOLON")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something stands; lines and columns count from 1."""

    file: str
    line: int
    column: int

    def refuse(self, message: str, help: str | None = None) -> Refused:
        """To be raised for what stands here."""
        return Refused(f"{self.file}:{self.line}: {message}", help)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """`text` is without quotes, and a word (`MAX`, `true`) or a number as the file has it."""

    kind: Literal["text", "number", "word"]
    text: str

    def __str__(self) -> str:
        return f'"{self.text}"' if self.kind == "text" else self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    fields: tuple["Field", ...]


Value: TypeAlias = Scalar | Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One value of a field; a list `[1, 2]` is two fields."""

    name: str
    value: Value
    place: Place


@cache
def parser() -> Lark:
    """Made once per process."""
    return load_parser(grammar=GRAMMAR, starts=("file",))


def parse(text: str, file: str) -> Message:
    """The fields of a whole file, which messages call `file`. Raises `Refused`."""
    _scan(text, file)
    try:
        tree = parser().parse(text)
    except UnexpectedInput as error:
        raise _explained(text, file, error) from None
    message: Message = _ToMessages(file).transform(tree)
    return message


def _scan(text: str, file: str) -> None:
    """Mistakes that a parser would only notice far from their cause."""
    if len(text) > MAX_CHARACTERS:
        raise Refused(
            f"{file} has {len(text):,} characters; at most {MAX_CHARACTERS:,} are read",
            "if there are `blobs` in it, weights, remove them",
        )
    if has_more_words(text, MOST_WORDS):
        raise Refused(f"{file} has more than {MOST_WORDS:,} words and signs, too many to be read")
    open_braces: list[int] = []
    for match in _TOKENS.finditer(text):
        start = match.start()
        if match["endless"]:
            raise _syntax(text, file, start, "this text in quotes does not end on its line")
        if match[0] == "{":
            open_braces.append(start)
            if len(open_braces) > MAX_NESTING:
                raise _syntax(text, file, start, f"braces are nested more than {MAX_NESTING} deep")
        elif match[0] == "}" and not open_braces:
            raise _syntax(text, file, start, "this `}` closes nothing")
        elif match[0] == "}":
            open_braces.pop()
    if open_braces:
        raise _syntax(text, file, open_braces[-1], "this `{` is never closed")


def _explained(text: str, file: str, error: UnexpectedInput) -> Refused:
    expected: Iterable[str]
    match error:
        case UnexpectedToken(token=Token(type="$END")):
            found, start, expected = "the end of the file", len(text), error.accepts or ()
        case UnexpectedToken(token=token):
            found, start, expected = f"`{token}`", token.start_pos or 0, error.accepts or ()
        case UnexpectedCharacters():
            start = error.pos_in_stream or 0
            word = re.match(r"[\w.+-]*", text[start : start + 40])
            shown = (word and word[0]) or text[start]
            found = f"`{shown if shown.isprintable() else f'U+{ord(shown):04X}'}`"
            expected = set(error.allowed or ()) - {"RSQB", "RBRACE", "COMMA"}  # here or elsewhere
        case _:  # Lark raises no others
            raise error
    wanted = sorted({_READABLE[t] for t in expected if t not in _UNSAID})
    return _syntax(text, file, start, f"{found} does not fit here: expected {either(wanted)}")


def _syntax(text: str, file: str, position: int, message: str) -> Refused:
    line = text.count("\n", 0, position) + 1
    column = position - text.rfind("\n", 0, position)
    return Refused(f"{file}:{line}:{column}: {message}")


class _ToMessages(Transformer[Token, Message]):
    """Trees are no deeper than braces are, so recursion is safe."""

    def __init__(self, file: str):
        super().__init__()
        self._file = file

    def file(self, fields: list[tuple[Field, ...]]) -> Message:
        return Message(fields=tuple(field for group in fields for field in group))

    message = file

    def field(self, children: list[Token | Value]) -> tuple[Field, ...]:
        name, *values = children
        assert isinstance(name, Token)
        place = Place(file=self._file, line=name.line or 0, column=name.column or 0)
        return tuple(
            Field(name=str(name), value=value, place=place)
            for value in values
            if isinstance(value, Scalar | Message)
        )

    def text(self, strings: list[Token]) -> Scalar:
        joined = "".join(re.sub(r"\\(.)", _unescaped, string[1:-1]) for string in strings)
        return Scalar(kind="text", text=joined)

    def number(self, tokens: list[Token]) -> Scalar:
        return Scalar(kind="number", text=re.sub(r"\s", "", tokens[0]))

    def word(self, tokens: list[Token]) -> Scalar:
        return Scalar(kind="word", text=str(tokens[0]))

    def negative_word(self, tokens: list[Token]) -> Scalar:
        return Scalar(kind="word", text=f"-{tokens[0]}")


def _unescaped(match: re.Match[str]) -> str:
    return _ESCAPES.get(match[1], match[1])
