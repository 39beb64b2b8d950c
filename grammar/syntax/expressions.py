"""Names, values and arguments: what both networks and spaces are made of."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from wootzc.diagnostics import Placed

Node: TypeAlias = Placed


def children(node: Any) -> Iterator[Any]:
    """The nodes directly within one."""
    for name in node.__dataclass_fields__:
        value = getattr(node, name)
        for child in value if isinstance(value, tuple) else (value,):
            if isinstance(child, Node):
                yield child


def descendants(node: Any) -> Iterator[Any]:
    """The nodes within one, each before those within it."""
    for child in children(node):
        yield child
        yield from descendants(child)


@dataclass(frozen=True, slots=True, kw_only=True)
class Name(Node):
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Number(Node):
    """A number as it was written: "30%", "1_000_000", "10M"."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape(Node):
    """Sizes with an x between them: "3x3", "8x8x1"."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Text(Node):
    """A string, without its quotes; there are no escapes."""

    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Word(Node):
    """A parameter of the module around it, or a word that an operator knows ("same", "avg")."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary(Node):
    left: "Expression"
    operator: Literal["+", "-", "*", "/"]
    right: "Expression"


@dataclass(frozen=True, slots=True, kw_only=True)
class Negative(Node):
    operand: "Expression"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes(Node):
    """`size x size x 3`: sizes that are calculated."""

    parts: tuple["Expression", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series(Node):
    """`2 then 1`: the value for the first of several modules, and the one for all that follow."""

    values: tuple["Expression", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument(Node):
    """`16`, or `stride = 2`."""

    name: Name | None
    value: "Expression"


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoke(Node):
    """A name with or without arguments where a value stands: `sgd(0.1, momentum = 0.9)`.

    In an expression it is a function, and has arguments: `max(8, width / 4)`.
    """

    name: Name
    arguments: tuple[Argument, ...] | None


Expression: TypeAlias = Number | Shape | Text | Word | Binary | Negative | Sizes | Series | Invoke


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberSpan(Node):
    """`[1..3]`, both ends included."""

    first: Number
    last: Number
