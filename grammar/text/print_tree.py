"""The syntax tree as indented text, for `wootzc plan --emit ast`."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from wootzc.diagnostics import WootzError
from wootzc.grammar.parse import parse


def print_tree(text: str, path: str) -> str:
    """One line per node, children below it and indented. Raises `WootzError` on syntax errors."""
    parsed = parse(text, path)
    if parsed.tree is None or parsed.diagnostics:
        raise WootzError(parsed.diagnostics, {path: text})
    return "\n".join(_lines(parsed.tree, "")) + "\n"


def _lines(node: Any, indent: str) -> Iterator[str]:
    values = [(f.name, getattr(node, f.name)) for f in fields(node) if f.compare]
    leaves = [f"{name}={value!r}" for name, value in values if not _nested(value)]
    yield f"{indent}{type(node).__name__} {' '.join(leaves)}".rstrip()
    for name, value in values:
        if is_dataclass(value):
            yield from _lines(value, indent + "  ")
        elif _nested(value):
            yield f"{indent}  {name}:"
            for child in value:
                yield from _lines(child, indent + "    ")


def _nested(value: Any) -> bool:
    return is_dataclass(value) or (
        isinstance(value, tuple) and bool(value) and all(map(is_dataclass, value))
    )
