"""Arguments against parameters: which is which, and whether each value will do."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

from wootzc.diagnostics import write
from wootzc.grammar import syntax
from wootzc.grammar.names import did_you_mean, either, meant, nearest
from wootzc.grammar.report import Report
from wootzc.grammar.values import (
    Scope,
    Value,
    evaluate,
    near_value,
    sizes_of,
    source_text,
    value_text,
)
from wootzc.ir.limits import MAX_COUNT, MAX_NUMBER, MAX_SIDE

REQUIRED: Final = object()
UNKNOWN_YET: Final = object()  # depends on a parameter of the module that is being checked

FLAGS = {"true": True, "on": True, "yes": True, "false": False, "off": False, "no": False}


@dataclass(frozen=True, slots=True)
class Kind:
    """What an argument may be. `read` gives the checked value or raises ValueError."""

    expects: str
    read: Callable[[Value], Any]


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    kind: Kind
    default: Any = REQUIRED


def _pair(value: Value) -> tuple[int, int]:
    if isinstance(value, tuple) and len(value) == 2 and 1 <= min(value) <= max(value) <= MAX_SIDE:
        return value[0], value[1]
    if isinstance(value, int) and 1 <= value <= MAX_SIDE:
        return value, value
    raise ValueError


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


def _flag(value: Value) -> bool:
    if isinstance(value, str) and value in FLAGS:
        return FLAGS[value]
    raise ValueError


def _number(low: float, high: float, *, low_in: bool, high_in: bool) -> Callable[[Value], float]:
    def read(value: Value) -> float:
        if not isinstance(value, int | float) or not isfinite(value):
            raise ValueError
        above = value >= low if low_in else value > low
        below = value <= high if high_in else value < high
        if not (above and below):
            raise ValueError
        return float(value)

    return read


def whole(least: int) -> Kind:
    """A whole number from `least` on."""

    def read(value: Value) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, int) and least <= value <= MAX_COUNT:
            return value
        raise ValueError

    return Kind(f"a whole number from {least} to {MAX_COUNT:,}", read)


def words(*choices: str) -> Kind:
    """One of a few words."""

    def read(value: Value) -> str:
        if value in choices:
            return str(value)
        raise ValueError

    return Kind(either([f"`{c}`" for c in choices]), read)


def _any(value: Value) -> Value:
    return value


def _list(value: Value) -> tuple[float, ...]:
    values = value if isinstance(value, tuple) else (value,)
    if values and all(isinstance(v, int | float) and isfinite(v) for v in values):
        return tuple(float(v) for v in values)
    raise ValueError


ANY = Kind("a value", _any)
COUNT = whole(1)
PAIR = Kind("a whole number or a size such as 3x3, at least 1", _pair)
PADDING = Kind("`same`, `valid`, or pixels such as 1 or 1x2", _padding)
FLAG = Kind("`true` or `false`", _flag)
PART = Kind("a fraction from 0 to below 1, such as 0.5 or 50%",
            _number(0, 1, low_in=True, high_in=False))  # fmt: skip
SHARE = Kind("a fraction from 0 to 1, such as 0.5 or 50%",
             _number(0, 1, low_in=True, high_in=True))  # fmt: skip
CONFIDENCE = Kind("a confidence above 50% and below 100%, such as 95%",
                  _number(0.5, 1, low_in=False, high_in=False))  # fmt: skip
FRACTION = Kind("a fraction above 0 and below 1, such as 1%",
                _number(0, 1, low_in=False, high_in=False))  # fmt: skip
POSITIVE = Kind("a number above 0", _number(0, MAX_NUMBER, low_in=False, high_in=False))
AMOUNT = Kind("a number of at least 0", _number(0, MAX_NUMBER, low_in=True, high_in=False))
LIST = Kind("a number, or several with commas between them", _list)
REAL = Kind("a number", _number(-MAX_NUMBER, MAX_NUMBER, low_in=False, high_in=False))


def signature(name: str, parameters: Iterable[Parameter]) -> str:
    """ "conv(kernel, width, stride = 1)", as help shows it."""
    shown = (
        p.name if p.default is REQUIRED else f"{p.name} = {_default_text(p.default)}"
        for p in parameters
    )
    return f"{name}({', '.join(shown)})"


def _default_text(default: Any) -> str:
    match default:
        case None:
            return "auto"
        case bool():
            return str(default).lower()
        case (first, second) if first == second:
            return str(first)
        case tuple() | int() | float() | str():
            return value_text(default)
        case _:
            return "…"


def bind(
    name: syntax.Name,
    parameters: tuple[Parameter, ...],
    arguments: tuple[syntax.Argument, ...] | None,
    scope: Scope,
    report: Report,
    note: str = "",
) -> Mapping[str, Any] | None:
    """Values by parameter name; None where one is wrong (reported) or not known yet.

    `note` ends messages that depend on the module's parameters: which use of it is at fault.
    """
    given = _assign(name, parameters, arguments or (), report)
    if given is None:
        return None
    values: dict[str, Any] = {}
    complete = True
    for parameter in parameters:
        argument = given.get(parameter.name)
        if argument is None:
            values[parameter.name] = parameter.default
            if parameter.default is REQUIRED:
                complete = False
                report.error(
                    name.span, "WZ012", f"`{name.text}` needs `{parameter.name}`",
                    f"it is called as {signature(name.text, parameters)}",
                )  # fmt: skip
            continue
        value = evaluate(argument.value, scope, report)
        if value is None:
            complete = False
            continue
        if parameter.kind is PAIR and isinstance(argument.value, syntax.Binary):
            _warn_product(argument.value, report)
        try:
            values[parameter.name] = parameter.kind.read(value)
        except ValueError:
            complete = False
            _report_value(name, parameters, parameter, argument, value, scope, report, note)
    return values if complete else None


def _warn_product(written: syntax.Binary, report: Report) -> None:
    """`3*3` is 9, and was to be a size."""
    sides = written.left, written.right
    if written.operator == "*" and isinstance(sides[0], syntax.Number):
        if isinstance(sides[1], syntax.Number):
            report.warn(
                written.span, "WZ226", f"`{source_text(written)}` is a product, and no size",
                write(f"{sides[0].text}x{sides[1].text}"),
            )  # fmt: skip


def _assign(
    name: syntax.Name,
    parameters: tuple[Parameter, ...],
    arguments: tuple[syntax.Argument, ...],
    report: Report,
) -> dict[str, syntax.Argument] | None:
    """Arguments by parameter name, or None where they cannot be told apart."""
    form = f"it is called as {signature(name.text, parameters)}"
    known = [p.name for p in parameters]
    given: dict[str, syntax.Argument] = {}
    good = True
    for position, argument in enumerate(arguments):
        if argument.name is not None:
            key = argument.name.text
            if key not in known:
                good = False
                report.error(
                    argument.name.span, "WZ011", f"`{name.text}` has no argument `{key}`",
                    did_you_mean(key, known, form if known else "it takes none"),
                )  # fmt: skip
                continue
        elif any(a.name is not None for a in arguments[:position]):
            report.error(
                argument.span, "WZ013", "arguments without a name come before those with one", form
            )
            return None
        elif position >= len(known):
            count = f"at most {len(known)}" if known else "no"
            plural = "" if len(known) == 1 else "s"
            report.error(
                argument.span, "WZ013", f"`{name.text}` takes {count} argument{plural}",
                form if known else f"it is written `{name.text}` alone",
            )  # fmt: skip
            return None
        else:
            key = known[position]
        if key in given:
            report.error(argument.span, "WZ013", f"`{key}` is given twice", form)
            return None
        given[key] = argument
    return given if good else None


def _report_value(
    name: syntax.Name,
    parameters: tuple[Parameter, ...],
    parameter: Parameter,
    argument: syntax.Argument,
    value: Value,
    scope: Scope,
    report: Report,
    note: str,
) -> None:
    shown = source_text(argument.value)
    is_value = value_text(value)
    worked_out = "" if shown == is_value or shown.strip('"') == is_value else f" = {is_value}"
    fitting = _fitting(shown, value, parameter.kind)
    near = nearest(is_value, scope) if isinstance(value, str) and scope else None
    help: str = f"it is called as {signature(name.text, parameters)}"
    if fitting is not None:
        help = write(fitting)
    elif near is not None and near != is_value:
        help = meant(near)
    report.error(
        argument.value.span, "WZ014",
        f"`{parameter.name}` of `{name.text}` must be {parameter.kind.expects}, "
        f"not `{shown}`{worked_out}{note}",
        help,
    )  # fmt: skip


def _fitting(shown: str, value: Value, kind: Kind) -> str | None:
    """What was meant by a value that is written as in other languages: `"3x3"`, `SAME`, `-16`."""
    bare = shown.strip('"')
    for text in (bare, bare.lower()):
        sizes = sizes_of(text) if re.fullmatch(r"\d+(x\d+)+", text) else text
        if text != shown and isinstance(value, str) and _takes(kind, sizes):
            return text
    return near_value(shown, kind.read)


def _takes(kind: Kind, value: Value) -> bool:
    try:
        kind.read(value)
    except ValueError:
        return False
    return True
