"""Expressions → values: numbers, sizes and words."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from math import inf
from typing import Any, TypeAlias, assert_never

from wootzc.diagnostics import Span
from wootzc.grammar import syntax
from wootzc.grammar.names import meant, nearest
from wootzc.grammar.report import Report

Value: TypeAlias = int | float | tuple[int, ...] | str
Scope: TypeAlias = Mapping[str, Value | None]  # parameters; None where a value is not known yet

_SUFFIXES = {"k": 10**3, "M": 10**6, "G": 10**9}
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


def sizes_of(text: str) -> tuple[int, ...]:
    """ "8x8x1" → (8, 8, 1)."""
    return tuple(int(size[:20]) for size in text.split("x"))


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
        case _:
            assert_never(expression)


def _operand(expression: syntax.Expression, scope: Scope, report: Report) -> int | float | None:
    value = evaluate(expression, scope, report)
    if value is None or isinstance(value, int | float):
        return value
    shown = source_text(expression)
    if isinstance(expression, syntax.Word) and expression.text not in scope:
        near = nearest(shown, scope)
        known = f"parameters here: {', '.join(scope)}" if scope else "no parameters exist here"
        report.error(
            expression.span, "WZ015", f"there is no parameter `{shown}` to calculate with",
            meant(near) if near else known,
        )  # fmt: skip
    else:
        report.error(expression.span, "WZ015", f"`{shown}` is not a number to calculate with")
    return None


def _calculate(
    operator: str, left: int | float, right: int | float, span: Span, report: Report
) -> int | float | None:
    try:
        match operator:
            case "+":
                result = left + right
            case "-":
                result = left - right
            case "*":
                result = left * right
            case _:
                result = left / right
    except ZeroDivisionError:
        report.error(span, "WZ015", "this divides by zero")
        return None
    if abs(result) > _LARGEST:
        return inf
    return int(result) if isinstance(result, float) and result.is_integer() else result


_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2}


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
        case _:
            assert_never(expression)


def near_value(text: str, read: Callable[[Value], Any]) -> str | None:
    """A number that `read` takes and that `text`, which it does not, may have been meant to be."""
    bare = text.strip('"').lstrip("-").removesuffix("%")
    if not re.fullmatch(r"\d+(\.\d+)?", bare):
        return None
    percent = f"{bare}%" if 1 < float(bare) < 100 else bare
    for candidate in (bare, percent, bare.split(".")[0]):
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
