"""Expressions → values: numbers, sizes and words."""

import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from math import ceil, floor, inf, isfinite
from operator import add, mul, sub, truediv
from typing import Any, TypeAlias, assert_never

from wootzc.diagnostics import Span
from wootzc.grammar import syntax
from wootzc.grammar.check.report import Report
from wootzc.grammar.syntax.near_misses import did_you_mean
from wootzc.ir.layers.shapes import Shape

Value: TypeAlias = int | float | tuple[int, ...] | str
Scope: TypeAlias = Mapping[str, Value | None]  # parameters; None where a value is not known yet

_SUFFIXES = {"k": 10**3, "M": 10**6, "G": 10**9}
MAX_SIZES = 8  # in one value
_LARGEST = 10**30  # beyond it a number is no figure of a network
_FAR = re.compile(r"[eE]([+-]?)0*[1-9]\d{4,}")  # an exponent beyond what `Decimal` calculates with


def decimal_of(text: str) -> Decimal:
    """The exact value of a number as written: "30%", "1_000_000", "10M"."""
    text = text.replace("_", "")
    if far := _FAR.search(text):
        return Decimal(0 if far[1] == "-" else "Infinity")
    if text.endswith("%"):
        return Decimal(text[:-1]) / 100
    if text[-1] in _SUFFIXES:
        return Decimal(text[:-1]) * _SUFFIXES[text[-1]]
    return Decimal(text)


def number_of(text: str) -> int | float:
    """The value of a number as written. Whole numbers are `int`, except percentages."""
    value = decimal_of(text)
    if value > _LARGEST:
        return inf
    written_whole = not set(text) & set(".eE%") or text[-1] in _SUFFIXES
    return int(value) if written_whole and value == int(value) else float(value)


def whole_of(
    number: syntax.Number,
    among: range,
    said: str,
    example: str,
    report: Report,
    code: str = "WZ071",
) -> int | None:
    """A whole number of a range. None after a mistake, told as `said`, "a seed is …", and "not"."""
    value = number_of(number.text)
    if isinstance(value, int) and value in among:
        return value
    report.error(number.span, code, f"{said}, not {number.text}", example)
    return None


def sizes_of(text: str) -> tuple[int, ...]:
    """ "8x8x1" → (8, 8, 1)."""
    return tuple(int(size[:20]) for size in text.split("x"))


def at_shape(scope: Scope, shape: Shape | None) -> Scope:
    """What an argument may name: parameters, constants, and `channels`, those that enter."""
    return {"channels": None if shape is None else shape[-1], **scope}


def evaluate(expression: syntax.Expression, scope: Scope, report: Report) -> Value | None:
    """The value, or None where it is not known yet or an error was reported."""
    match expression:
        case syntax.Number(text=text):
            return number_of(text)
        case syntax.Shape(text=text):
            return sizes_of(text)
        case syntax.Text(value=value):
            return value
        case syntax.Word(text=text):
            return scope[text] if text in scope else text
        case syntax.Negative(operand=operand):
            value_ = _operand(operand, scope, report)
            return None if value_ is None else -value_
        case syntax.Binary(left=left, right=right):
            numbers = _operand(left, scope, report), _operand(right, scope, report)
            if numbers[0] is None or numbers[1] is None:
                return None
            return _calculate(expression.operator, numbers[0], numbers[1], expression.span, report)
        case syntax.Sizes(parts=parts):
            return _sizes(parts, scope, report)
        case syntax.Series(span=span):
            report.error(
                span, "WZ242", "`then` tells apart the modules that one line makes",
                "write it in a network, as in: basic(32, stride = 2 then 1) as a[1..3]",
            )  # fmt: skip
            return None
        case syntax.Invoke():
            return _apply(expression, scope, report)
        case _:
            assert_never(expression)


def words_in(expressions: Iterable[syntax.Expression]) -> set[str]:
    """Every word of some expressions."""
    nodes = (node for one in expressions for node in (one, *syntax.descendants(one)))
    return {node.text for node in nodes if isinstance(node, syntax.Word)}


def _sizes(
    parts: tuple[syntax.Expression, ...], scope: Scope, report: Report
) -> tuple[int, ...] | None:
    """`size x size x 3`; a part that is several sizes itself, `224x224`, stands for all of them."""
    sizes: list[int] = []
    for part in parts:
        value = evaluate(part, scope, report)
        match value:
            case None:
                return None
            case int():
                sizes.append(value)
            case tuple():
                sizes += value
            case _:
                shown = source_text(part)
                worked_out = "" if shown == value_text(value) else f" = {value_text(value)}"
                report.error(
                    part.span, "WZ015",
                    f"sizes are whole numbers, and `{shown}`{worked_out} is none",
                    "`round`, `ceil` and `floor` make numbers whole",
                )  # fmt: skip
                return None
        if len(sizes) > MAX_SIZES:
            report.error(
                part.span, "WZ015",
                f"these are more than {MAX_SIZES} sizes, and nothing has so many",
                "an input has three: height x width x channels",
            )  # fmt: skip
            return None
    return tuple(sizes)


FUNCTIONS = ("max", "min", "round", "ceil", "floor")


def _apply(call: syntax.Invoke, scope: Scope, report: Report) -> int | float | None:
    """A function of numbers. What is whole but for errors of rounding counts as whole."""
    name = call.name.text
    given = call.arguments or ()
    if name not in FUNCTIONS:
        report.error(
            call.name.span, "WZ241", f"there is no function `{name}`",
            did_you_mean(name, FUNCTIONS),
        )  # fmt: skip
        return None
    several = name in ("max", "min")
    if any(a.name for a in given) or (len(given) < 2 if several else len(given) != 1):
        report.error(
            call.span, "WZ241",
            f"`{name}` takes {'two numbers or more' if several else 'one number'}",
            f"as in `{name}(8, width / 4)`" if several else f"as in `{name}(width / 4)`",
        )  # fmt: skip
        return None
    found = [_operand(argument.value, scope, report) for argument in given]
    numbers = [number for number in found if number is not None]
    if len(numbers) < len(found):
        return None
    if several:
        return max(numbers) if name == "max" else min(numbers)
    value = numbers[0]
    if not isfinite(value):
        return value
    nearest_whole = floor(value + 0.5)
    if abs(value - nearest_whole) <= 1e-9 * max(1, abs(value)):
        return nearest_whole
    return ceil(value) if name == "ceil" else floor(value) if name == "floor" else nearest_whole


def _operand(expression: syntax.Expression, scope: Scope, report: Report) -> int | float | None:
    value = evaluate(expression, scope, report)
    if value is None or isinstance(value, int | float):
        return value
    shown = source_text(expression)
    if isinstance(expression, syntax.Word) and expression.text not in scope:
        report.error(
            expression.span, "WZ015",
            f"there is no parameter or constant `{shown}` to calculate with",
            did_you_mean(shown, scope, None if scope else "none is known here"),
        )  # fmt: skip
    else:
        report.error(
            expression.span, "WZ015", f"`{shown}` is not a number to calculate with",
            "sizes are put together with `x`, and their parts calculated: `size / 2 x 3`"
            if isinstance(value, tuple) else None,
        )  # fmt: skip
    return None


def _calculate(
    operator: str, left: int | float, right: int | float, span: Span, report: Report
) -> int | float | None:
    try:
        result: int | float = _OPERATIONS[operator](left, right)
    except ZeroDivisionError:
        report.error(span, "WZ015", "this divides by zero")
        return None
    if abs(result) > _LARGEST:
        return inf
    return int(result) if isinstance(result, float) and result.is_integer() else result


_OPERATIONS = {"+": add, "-": sub, "*": mul, "/": truediv}
_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2}  # sizes, `a x b`, are below them all


def source_text(expression: syntax.Expression, outer: int = 0) -> str:
    """The canonical text of an expression; `outer` is the precedence it stands in."""
    match expression:
        case syntax.Number(text=text) | syntax.Shape(text=text) | syntax.Word(text=text):
            return text
        case syntax.Text(value=value):
            return f'"{value}"'
        case syntax.Negative(operand=operand):
            text = f"-{source_text(operand, 3)}"
            return f"({text})" if outer > 2 else text
        case syntax.Binary(operator=operator, left=left, right=right):
            own = _PRECEDENCE[operator]
            text = f"{source_text(left, own)} {operator} {source_text(right, own + 1)}"
            return f"({text})" if own < outer else text
        case syntax.Sizes(parts=parts):
            text = " x ".join(source_text(part, 1) for part in parts)
            return f"({text})" if outer > 0 else text
        case syntax.Series(values=values):
            return " then ".join(map(source_text, values))
        case syntax.Invoke(name=name, arguments=arguments):
            return name.text + arguments_text(arguments)
        case _:
            assert_never(expression)


def arguments_text(arguments: tuple[syntax.Argument, ...] | None) -> str:
    """`(16, stride = 2)`, or nothing where there are none."""
    if arguments is None:
        return ""
    return f"({', '.join(map(argument_text, arguments))})"


def argument_text(argument: syntax.Argument) -> str:
    return (f"{argument.name.text} = " if argument.name else "") + source_text(argument.value)


def near_value(text: str, read: Callable[[Value], Any]) -> str | None:
    """A number that `read` takes and that `text`, which it does not, may have been meant to be."""
    bare = text.strip('"').lstrip("-").removesuffix("%")
    if not re.fullmatch(r"\d+(\.\d+)?", bare):
        return None
    percent = f"{bare}%" if 1 < float(bare) < 100 else bare
    numbers = (percent,) if text.endswith("%") else (bare, percent, bare.split(".")[0])
    for candidate in numbers:
        try:
            read(number_of(candidate))
        except ValueError:
            continue
        return candidate if candidate != text else None
    return None


def value_text(value: Value) -> str:
    """A value as a user would write it."""
    match value:
        case tuple():
            return "x".join(map(str, value))
        case float():
            return f"{value:g}"
        case _:
            return str(value)
