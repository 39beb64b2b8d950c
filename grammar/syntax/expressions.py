"""Names, values and arguments: what both networks and spaces are made of."""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from wootzc.diagnostics import UNKNOWN, Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    text: str
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A number as it was written: "30%", "1_000_000", "10M"."""

    text: str
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Sizes with an x between them: "3x3", "8x8x1"."""

    text: str
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A string, without its quotes; there are no escapes."""

    value: str
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A parameter of the module around it, or a word that an operator knows ("same", "avg")."""

    text: str
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    operator: Literal["+", "-", "*", "/"]
    left: "Expression"
    right: "Expression"
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Negative:
    operand: "Expression"
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """`size x size x 3`: sizes that are calculated."""

    parts: tuple["Expression", ...]
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """`2 then 1`: the value for the first of several modules, and the one for all that follow."""

    values: tuple["Expression", ...]
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """`16`, or `stride = 2`."""

    name: Name | None
    value: "Expression"
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoke:
    """A name with or without arguments where a value stands: `sgd(0.1, momentum = 0.9)`.

    In an expression it is a function, and has arguments: `max(8, width / 4)`.
    """

    name: Name
    arguments: tuple[Argument, ...] | None
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


Expression: TypeAlias = Number | Shape | Text | Word | Binary | Negative | Sizes | Series | Invoke


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberSpan:
    """`[1..3]`, both ends included."""

    first: Number
    last: Number
    span: Span = field(default=UNKNOWN, compare=False, repr=False)
