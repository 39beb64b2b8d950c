"""Python expressions laid out as `ruff format` does it, so that generated files are formatted."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from textwrap import wrap
from typing import TypeAlias

WIDTH = 88  # of a line: ruff's default


@dataclass(frozen=True, slots=True)
class Call:
    """Items between brackets: a call, or a list where the head is "["."""

    head: str  # up to and with the opening bracket: "nn.Conv2d("
    items: tuple["Expression", ...]
    tail: str = ")"  # may go on after the closing bracket: "].flatten(1)"


@dataclass(frozen=True, slots=True)
class Sum:
    """Names with an operator between each two."""

    operator: str
    names: tuple[str, ...]


Expression: TypeAlias = str | Call | Sum


def text_of(expression: Expression) -> str:
    """On one line."""
    match expression:
        case str():
            return expression
        case Call(head=head, items=items, tail=tail):
            return f"{head}{', '.join(map(text_of, items))}{tail}"
        case Sum(operator=operator, names=names):
            return f" {operator} ".join(names)


def laid_out(
    before: str, expression: Expression, after: str = "", *, width: int = WIDTH, fill: bool = False
) -> Iterator[str]:
    """Lines of `before`, which holds the indent, the expression, and `after`.

    `fill`: of items that are too many for a line as many stand on each as fit; else one.
    """
    line = f"{before}{text_of(expression)}{after}"
    indent = before[: len(before) - len(before.lstrip())]
    if len(line) <= width or isinstance(expression, str):
        yield line
        return
    inner = f"{indent}    "
    match expression:
        case Call(head=head, items=items, tail=tail):
            together = f"{inner}{', '.join(map(text_of, items))}"
            each = chain.from_iterable(laid_out(inner, item, ",", width=width) for item in items)
        case Sum(operator=operator, names=names):
            head, together, tail = "(", f"{inner}{text_of(expression)}", ")"
            first, *others = names
            each = chain([f"{inner}{first}"], (f"{inner}{operator} {name}" for name in others))
    yield f"{before}{head}"
    if len(together) <= width:
        yield together
    elif fill:
        yield from wrap(together, width, subsequent_indent=inner)
    else:
        yield from each
    yield f"{indent}{tail}{after}"
