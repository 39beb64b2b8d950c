"""Sizes of an input that are written as in other languages, or in another order."""

from collections.abc import Sequence

from wootzc.diagnostics import Span, write
from wootzc.grammar import syntax
from wootzc.grammar.check.report import Report
from wootzc.ir.layers.shapes import Shape, shape_text

_SIDES = {"h": 0, "w": 1, "c": 2}


def report_sizes(arguments: Sequence[syntax.Argument], report: Report) -> bool:
    """Report sizes of an input that are written `32, 32, 3`, `32*32*3` or without channels."""
    named = sorted(arguments, key=lambda a: _SIDES.get(a.name.text[:1].lower(), 0) if a.name else 0)
    values = [argument.value for argument in named]
    if len(values) == 1 and isinstance(values[0], syntax.Shape):
        return _report_batch(values[0], report)
    numbers = _factors(values[0]) if len(values) == 1 else values
    if not numbers or not all(isinstance(number, syntax.Number) for number in numbers):
        return False
    texts = [number.text for number in numbers if isinstance(number, syntax.Number)]
    if len(texts) not in (2, 3):
        return False
    first, last = arguments[0].span, arguments[-1].span
    span = Span(first.file, first.start, last.end)
    report.error(
        span, "WZ014", "the sizes of an input are written with an x",
        write(_turned([*texts, *["3"] * (3 - len(texts))]), ": height x width x channels"),
    )  # fmt: skip
    return True


def _report_batch(shape: syntax.Shape, report: Report) -> bool:
    """Report `1x32x32x3`, an input with the number of images."""
    _, *texts = shape.text.split("x")
    if len(texts) != 3:
        return False
    report.error(
        shape.span, "WZ014", "an input is one image: how many come at once is no part of it",
        write(_turned(texts), ": height x width x channels"),
    )  # fmt: skip
    return True


def _turned(texts: list[str]) -> str:
    """Three sizes, channels last, as they are written in the language."""
    first = all(text.isdecimal() for text in texts) and is_turned([*map(int, texts)])
    return "x".join([*texts[1:], texts[0]] if first else texts)


def _factors(expression: syntax.Expression) -> list[syntax.Expression]:
    """The factors of a product of several; none where it is no product."""
    match expression:
        case syntax.Binary(operator="*", left=left, right=right):
            return [*(_factors(left) or [left]), right]
        case _:
            return []


def is_turned(shape: Sequence[int]) -> bool:
    """Whether three sizes look like channels x height x width."""
    channels, height, width = shape
    return channels in (1, 3, 4) and width > 4 and (height == width or channels > 1 < height // 8)


def warn_order(shape: Shape, written: syntax.Expression, report: Report) -> None:
    """Warn of an input that looks like channels x height x width."""
    if len(shape) != 3:
        return
    channels, height, width = shape
    if is_turned(shape):
        report.warn(
            written.span, "WZ221",
            f"{shape_text(shape)} is an image of {width} channels, {channels} pixels high: it "
            "looks like channels first",
            write(
                shape_text((height, width, channels)),
                ": an input is height x width x channels",
            ),
        )  # fmt: skip
