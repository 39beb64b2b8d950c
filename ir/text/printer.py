"""The textual form of the IR (`.wzir`): the printer. `parser` is its exact inverse.

One node a line, `op(first, name = value) {`, its children below, `}`. The first field of a node
needs no name; fields at their default are left out (a leading name or kind is always shown). A line
that would grow too long gives its fields lines of their own. A child that could be taken for
another field is labelled, `teacher = recipe(600)`. Arrays are rows of numbers. See docs/ir.md.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from wootzc.ir.array import Array
from wootzc.ir.net.network import Network
from wootzc.ir.plan import Plan
from wootzc.ir.reflect import Slot, op_name, slots_of, unlabelled

WIDTH = 100  # columns
INDENT = "  "


def print_plan(plan: Plan) -> str:
    """A plan, at any stage of the pipeline, as text."""
    return print_ir(plan)


def print_network(network: Network) -> str:
    """A network as IR text. (`wootzc.grammar.print_network` writes it in the language.)"""
    return print_ir(network)


def print_ir(node: Any) -> str:
    """Any node of the IR as text. Equal nodes print alike, so the text can be hashed."""
    return "\n".join(_node(node, None, "")) + "\n"


def _node(node: Any, label: str | None, indent: str) -> Iterator[str]:
    slots = slots_of(node.__class__)
    shown = [slot for slot in slots if slot.kind == "literal" and _is_shown(slot, slots[0], node)]
    children = [line for slot in slots for line in _children(node, slot, indent + INDENT)]
    head = (f"{label} = " if label else "") + op_name(node.__class__)
    inline = ", ".join(
        (f"{slot.name} = " if slot is not slots[0] else "") + _literal(getattr(node, slot.name))
        for slot in shown
    )
    line = f"{indent}{head}({inline})" if inline else f"{indent}{head}"
    if len(line) + 2 > WIDTH:
        line = f"{indent}{head}"
        attributes = [_attribute(slot.name, getattr(node, slot.name), indent) for slot in shown]
        children = [row for rows in attributes for row in rows] + children
    if not children:
        yield line
        return
    yield f"{line} {{"
    yield from children
    yield f"{indent}}}"


def _is_shown(slot: Slot, first: Slot, node: Any) -> bool:
    value = getattr(node, slot.name)
    return bool(value != slot.default) or (slot is first and isinstance(value, str))


def _children(node: object, slot: Slot, indent: str) -> Iterator[str]:
    """The lines of a field that is no literal, when it is there at all."""
    cls: type = type(node)
    value = getattr(node, slot.name)
    if slot.kind == "literal" or value is None or value == slot.default:
        return
    if slot.kind == "array":
        yield from _array(slot.name, value, indent)
    elif slot.kind == "node":
        label = slot.name if slot.name != op_name(value.__class__) else None
        yield from _node(value, label, indent)
    elif slot.name == unlabelled(cls):
        yield from _items(slot, value, indent)
    else:
        yield f"{indent}{slot.name} {{"
        yield from _items(slot, value, indent + INDENT)
        yield f"{indent}}}"


def _items(slot: Slot, value: tuple[Any, ...], indent: str) -> Iterator[str]:
    for item in value:
        if slot.kind == "nodes":
            yield from _node(item, None, indent)
            continue
        yield f"{indent}body {{"
        for layer in item:
            yield from _node(layer, None, indent + INDENT)
        yield f"{indent}}}"


def _literal(value: Any) -> str:
    if isinstance(value, tuple):
        inner = ", ".join(map(_literal, value))
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    text = repr(value.item() if isinstance(value, np.generic) else value)
    plain = text.startswith("'") and '"' not in text
    return f'"{text[1:-1]}"' if plain else text


def _attribute(name: str, value: Any, indent: str) -> list[str]:
    """`name = value` on a line, or on several where a tuple is long."""
    indent += INDENT
    line = f"{indent}{name} = {_literal(value)}"
    if len(line) <= WIDTH or not isinstance(value, tuple):
        return [line]
    items = _packed([_literal(v) + "," for v in value], indent)
    return [f"{indent}{name} = (", *items, f"{indent})"]


def _array(name: str, array: Array, indent: str) -> Iterator[str]:
    values = array.values
    if values.dtype.kind not in "iu" or values.ndim not in (1, 2):
        raise TypeError(f"{name}: only vectors and matrices of integers have a textual form")
    shape = ", ".join(map(str, values.shape))
    yield f"{indent}{name} = {values.dtype.name}[{shape}] {{"
    if values.ndim == 2:
        yield from (f"{indent}{INDENT}{' '.join(map(str, row))}" for row in values.tolist())
    else:
        yield from _packed([str(v) for v in values.tolist()], indent)
    yield f"{indent}}}"


def _packed(words: list[str], indent: str) -> list[str]:
    """Words, as many to a line as fit."""
    indent += INDENT
    lines: list[str] = []
    line = indent
    for word in words:
        if len(line) + len(word) >= WIDTH and line != indent:
            lines.append(line.rstrip())
            line = indent
        line += word + " "
    return [*lines, line.rstrip()] if words else []
