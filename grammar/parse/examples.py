"""Mistakes by example: where the parser stops as it stops in a text that is known to be wrong."""

from functools import cache
from typing import NamedTuple

from lark import UnexpectedInput, UnexpectedToken

from wootzc.grammar.parse.mistakes import MISTAKES, Mistake
from wootzc.grammar.syntax.reader import parser


class _Example(NamedTuple):
    """Where and at what the parser stops in an example of a mistake."""

    mistake: Mistake
    state: int
    token: str
    terminal: str
    kind: str


@cache
def _examples() -> tuple[_Example, ...]:
    found = []
    for mistake in MISTAKES:
        for text in mistake.examples:
            try:
                parser().parse(text, start="file")
            except UnexpectedInput as error:
                found.append(_example(mistake, error))
    return tuple(found)


def _example(mistake: Mistake, error: UnexpectedInput) -> _Example:
    state = getattr(error.state, "position", error.state)  # not how deep it is in the text
    if not isinstance(error, UnexpectedToken):
        return _Example(mistake, state, "", "", "character")
    word = error.token.type in ("NAME", "PATTERN") or error.token.isidentifier()
    kind = "word" if word else error.token.type
    return _Example(mistake, state, str(error.token), error.token.type, kind)


def by_example(error: UnexpectedToken) -> Mistake | None:
    """The mistake of an example that stops the parser likewise: best at the same text."""
    here = _example(MISTAKES[0], error)
    alike = [example for example in _examples() if example.state == here.state]
    for likeness in (
        lambda e: e.token == here.token,
        lambda e: e.terminal == here.terminal,
        lambda e: True,
    ):
        for example in filter(likeness, alike):
            mistake = example.mistake
            fits = any(e.kind == here.kind for e in _examples() if e.mistake is mistake)
            return mistake if fits else None
    return None
