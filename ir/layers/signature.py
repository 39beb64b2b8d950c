"""How the language calls a layer: names, parameters, what each may be, and how it is written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Final, Protocol, TypeAlias

from wootzc.ir.layers.maxima import MAX_COUNT, MAX_NUMBER, MAX_SIDE
from wootzc.ir.layers.sizes import shape_text

Value: TypeAlias = int | float | tuple[int, ...] | str  # that the language can write

REQUIRED: Final = object()

FLAGS = {"true": True, "on": True, "yes": True, "false": False, "off": False, "no": False}


@dataclass(frozen=True, slots=True)
class Kind:
    """What an argument may be. `read` gives the checked value or raises ValueError.

    `write` is its inverse. `flaw` says what is wrong with a value that no one has read, one of a
    file say: "0x3; wootzc takes 1 to 4,096".
    """

    expects: str
    read: Callable[[Value], Any]
    write: Callable[[Any], str] = str
    flaw: Callable[[Any], str | None] = lambda value: None


@dataclass(frozen=True, slots=True)
class Parameter:
    """`default` is None where something else settles it: the parameter `like`, or what follows.

    `said` begins a message on its value: "has a width of 0; …".
    """

    name: str
    kind: Kind
    default: Any = REQUIRED
    like: str = ""
    said: str = ""
    always: bool = False  # written even where it is the default

    @property
    def auto(self) -> bool:
        """Whether what follows the layer settles the default."""
        return self.default is None and not self.like


@dataclass(frozen=True, slots=True)
class Operator:
    """A name of the language for a layer, and what other tools call it: those are suggested."""

    name: str
    parameters: tuple[Parameter, ...] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict)  # fields that the name settles
    aliases: tuple[str, ...] = ()
    also: bool = False  # a second name for the same, never written

    def flaws(self, layer: object) -> list[str]:
        """What is wrong with a layer's values: "has an epsilon of -1; wootzc takes 0 and more"."""
        found = []
        for parameter in self.parameters:
            if flaw := parameter.kind.flaw(getattr(layer, parameter.name)):
                article = "an" if parameter.name[0] in "aeiou" else "a"
                found.append(f"{parameter.said or f'has {article} {parameter.name}'} of {flaw}")
        return found

    def text(self, layer: object, *, auto_bias: bool) -> str:
        """The call that makes the layer. `auto_bias`: whether it has a bias where none is said."""
        given = []
        for parameter in self.parameters:
            value = getattr(layer, parameter.name)
            usual = getattr(layer, parameter.like) if parameter.like else parameter.default
            if parameter.default is REQUIRED or parameter.always:
                given.append(parameter.kind.write(value))
            elif value != (auto_bias if parameter.auto else usual):
                given.append(f"{parameter.name} = {parameter.kind.write(value)}")
        return f"{self.name}({', '.join(given)})" if given else self.name


class Named(Protocol):
    """A layer."""

    @property
    def operators(self) -> tuple[Operator, ...]:
        """What the language calls it."""


def operator_of(layer: Named) -> Operator:
    """The name that a layer is written by: the one whose fixed fields are its own."""
    own = (
        operator
        for operator in layer.operators
        if all(getattr(layer, name) == value for name, value in operator.fixed.items())
    )
    return next(own, layer.operators[-1])  # none of a layer that fits no shape


def flaws(layer: Named) -> list[str]:
    """What is wrong with a layer's values, "has an epsilon of -1; …"; of a branch, not its arms."""
    return operator_of(layer).flaws(layer)


# Kinds


def within(
    low: float, high: float, *, low_in: bool = False, high_in: bool = False
) -> Callable[[Any], bool]:
    """Whether a number lies between two others."""

    def inside(value: Any) -> bool:
        above = value >= low if low_in else value > low
        below = value <= high if high_in else value < high
        return bool(above and below)

    return inside


def number(expects: str, inside: Callable[[Any], bool], takes: str = "") -> Kind:
    """A number, written with a point. `takes`: the range in words."""

    def read(value: Value) -> float:
        if not isinstance(value, int | float) or not isfinite(value) or not inside(value):
            raise ValueError
        return float(value)

    def flaw(value: float) -> str | None:
        return None if inside(value) else f"{value:g}; wootzc takes {takes}"

    return Kind(expects, read, lambda value: repr(float(value)), flaw)


def _outside(least: int, most: int) -> Callable[[tuple[int, ...]], str | None]:
    def flaw(values: tuple[int, ...]) -> str | None:
        if all(least <= value <= most for value in values):
            return None
        return f"{shape_text(values)}; wootzc takes {least} to {most:,}"

    return flaw


def whole(least: int) -> Kind:
    """A whole number from `least` on."""

    def read(value: Value) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, int) and least <= value <= MAX_COUNT:
            return value
        raise ValueError

    flaw = _outside(least, MAX_COUNT)
    expects = f"a whole number from {least} to {MAX_COUNT:,}"
    return Kind(expects, read, flaw=lambda value: flaw((value,)))


def words(*choices: str) -> Kind:
    """One of a few words."""

    def read(value: Value) -> str:
        if value in choices:
            return str(value)
        raise ValueError

    *most, last = (f"`{choice}`" for choice in choices)
    return Kind(f"{', '.join(most)} or {last}" if most else last, read)


def _pair(value: Value) -> tuple[int, int]:
    if isinstance(value, tuple) and len(value) == 2 and 1 <= min(value) <= max(value) <= MAX_SIDE:
        return value[0], value[1]
    if isinstance(value, int) and 1 <= value <= MAX_SIDE:
        return value, value
    raise ValueError


def _shortest(pair: tuple[int, int]) -> str:
    return shape_text(pair) if pair[0] != pair[1] else str(pair[0])


def _padding(value: Value) -> Any:
    match value:
        case "same" | "valid":
            return value
        case int() if 0 <= value <= MAX_SIDE:
            return (value, value), (value, value)
        case (int() as v, int() as h) if max(v, h) <= MAX_SIDE:
            return (v, v), (h, h)
        case (int() as top, int() as bottom, int() as left, int() as right) if (
            max(value) <= MAX_SIDE
        ):
            return (top, bottom), (left, right)
        case _:
            raise ValueError


def _padding_text(padding: Any) -> str:
    if isinstance(padding, str):
        return padding
    (top, bottom), (left, right) = padding
    if top == bottom and left == right:
        return _shortest((top, left))
    return shape_text((top, bottom, left, right))


def _padding_flaw(padding: Any) -> str | None:
    return None if isinstance(padding, str) else _outside(0, MAX_SIDE)(sum(padding, ()))


def _flag(value: Value) -> bool:
    if isinstance(value, str) and value in FLAGS:
        return FLAGS[value]
    raise ValueError


_SIZE = "a whole number or a size such as 3x3, at least 1"
COUNT = whole(1)
PAIR = Kind(_SIZE, _pair, _shortest, _outside(1, MAX_SIDE))
SIZE = Kind(_SIZE, _pair, shape_text, _outside(1, MAX_SIDE))  # of a kernel: 3x3, never 3
PADDING = Kind(
    "`same`, `valid`, or pixels such as 1 or 1x2", _padding, _padding_text, _padding_flaw
)
FLAG = Kind("`true` or `false`", _flag, lambda value: str(value).lower())
PART = number("a fraction from 0 to below 1, such as 0.5 or 50%",
              within(0, 1, low_in=True), "0 to below 1")  # fmt: skip
SHARE = number("a fraction from 0 to 1, such as 0.5 or 50%",
               within(0, 1, low_in=True, high_in=True), "0 to 1")  # fmt: skip
POSITIVE = number("a number above 0", within(0, MAX_NUMBER))
AMOUNT = number("a number of at least 0", within(0, MAX_NUMBER, low_in=True), "0 and more")
REAL = number("a number", within(-MAX_NUMBER, MAX_NUMBER), f"up to {MAX_NUMBER:g}")

# Of every layer with a window.
STRIDE = Parameter("stride", PAIR, (1, 1))
SAME = Parameter("padding", PADDING, "same")
DILATION = Parameter("dilation", PAIR, (1, 1))
AUTO_BIAS = Parameter("bias", FLAG, None)  # none where a norm follows, which would cancel it
