"""What each rule of the grammar makes of the values that were read for it: our syntax nodes.

Lark's conventions, as its documentation of tree construction gives them: terminals that begin with
`_` and punctuation are left out, a rule that begins with `_` stands for its values in another, an
optional part that is not there is None, and a `?rule` without an alias passes its one value on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from lark.grammar import Rule, Terminal

from wootzc.diagnostics import Span
from wootzc.grammar.syntax.draft import Draft
from wootzc.grammar.syntax.transform import make_of

NOWHERE = -1  # the place of what takes up no text


@dataclass(frozen=True, slots=True)
class Reduction:
    """A rule: how many values it takes, its name, and what it makes of values, begin and end.

    None makes nothing of its one value.
    """

    size: int
    origin: str
    make: Callable[[Draft, Sequence[Any], int, int], Any] | None


class Several(NamedTuple):
    """The values of a rule that stands for them in another.

    A repetition grows at its end by a new `Several`; what it was before stays as it is, so that
    reading may go back to it.
    """

    before: "Several | None"
    values: Sequence[Any]


class _Taken(NamedTuple):
    """A value that is no punctuation."""

    at: int
    several: bool
    absent: int  # optional parts before it that are not there


def reduction_of(rule: Rule) -> Reduction:
    """What a rule of the grammar makes of the children it takes."""
    size, name = len(rule.expansion), rule.origin.name
    taken, absent = _taken(rule)
    if name.startswith("_"):
        return Reduction(size, name, _several(taken, absent))
    if rule.options.expand1 and rule.alias is None:
        [passed] = taken
        make = None if size == 1 else lambda _draft, values, *_place: values[passed.at]
        return Reduction(size, name, make)
    node = make_of(rule.alias or name)
    plain = tuple(_Taken(index, False, 0) for index in range(size))
    all_of_them = taken == plain and not absent

    def make_node(draft: Draft, values: Sequence[Any], begin: int, end: int) -> Any:
        children = values if all_of_them else _children(values, taken, absent)
        span = draft.span(begin, end) if begin != NOWHERE else Span(draft.path)
        return node(span, *children)

    return Reduction(size, name, make_node)


def _taken(rule: Rule) -> tuple[tuple[_Taken, ...], int]:
    """The values to take, and how many optional parts are not there after the last of them."""
    missing = iter(rule.options.empty_indices or (False,) * len(rule.expansion))
    taken: list[_Taken] = []
    absent = 0
    for index, symbol in enumerate(rule.expansion):
        while next(missing):
            absent += 1
        if not (isinstance(symbol, Terminal) and symbol.filter_out):
            several = not symbol.is_term and symbol.name.startswith("_")
            taken.append(_Taken(index, several, absent))
            absent = 0
    return tuple(taken), absent + sum(missing)


def _children(values: Sequence[Any], taken: Sequence[_Taken], absent: int) -> list[Any]:
    children: list[Any] = []
    for at, several, absent_before in taken:
        if absent_before:
            children += (None,) * absent_before
        if several:
            children += _flat(values[at])
        else:
            children.append(values[at])
    if absent:
        children += (None,) * absent
    return children


def _several(
    taken: tuple[_Taken, ...], absent: int
) -> Callable[[Draft, Sequence[Any], int, int], Several]:
    grows = bool(taken) and taken[0].several and not taken[0].absent
    rest = taken[1:] if grows else taken
    first = taken[0].at if taken else 0

    def make(_draft: Draft, values: Sequence[Any], _begin: int, _end: int) -> Several:
        return Several(values[first] if grows else None, _children(values, rest, absent))

    return make


def _flat(several: Several) -> list[Any]:
    pieces: list[Sequence[Any]] = []
    more: Several | None = several
    while more is not None:
        pieces.append(more.values)
        more = more.before
    return [value for piece in reversed(pieces) for value in piece]
