"""Walking the syntax tree, whatever its nodes are."""

from collections.abc import Iterator
from dataclasses import is_dataclass
from typing import Any

from wootzc.diagnostics import Span


def children(node: Any) -> Iterator[Any]:
    """The syntax nodes directly within one."""
    for name in node.__dataclass_fields__:
        value = getattr(node, name)
        for child in value if isinstance(value, tuple) else (value,):
            if is_dataclass(child) and not isinstance(child, Span):
                yield child


def descendants(node: Any) -> Iterator[Any]:
    for child in children(node):
        yield child
        yield from descendants(child)
