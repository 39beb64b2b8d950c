"""The textual form of the IR (`.wzir`): the parser. Values are Python literals, read by `ast`."""

import ast
import math
import re
import warnings
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, field
from difflib import get_close_matches
from typing import Any, NoReturn

import numpy as np

from wootzc.diagnostics import Diagnostic, Span, WootzError
from wootzc.ir.array import Array
from wootzc.ir.net.network import Network
from wootzc.ir.plan import Plan
from wootzc.ir.plan.places import Place, Places
from wootzc.ir.reflect import Mismatch, Slot, fit, op_name, slots_of, unlabelled

OP = re.compile(r"(?:(\w+) = )?([a-z]\w*)(\(.*\))?( \{)?")
ARRAY = re.compile(r"(\w+) = (u?int\d+)\[([\d, ]*)\] \{")
ATTRIBUTE = re.compile(r"(\w+) = (.+)")

DEEPEST = 100  # nodes within nodes; a branch and its arm are two
UNREADABLE = (ValueError, TypeError, SyntaxError, MemoryError, RecursionError)  # of `ast`


@dataclass(slots=True)
class _Item:
    """One node as written: nothing about its class is known yet."""

    line: int
    label: str | None = None
    name: str = ""
    first: list[Any] = field(default_factory=list)  # the value without a name
    values: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, Array] = field(default_factory=dict)
    children: list["_Item"] = field(default_factory=list)
    fields: dict[str, int] = field(default_factory=dict)  # lines of fields and arrays
    rows: dict[str, list[int]] = field(default_factory=dict)  # lines of the rows of arrays


def parse_plan(text: str, path: str = "<ir>") -> Plan:
    """The plan that `print_plan` printed. Raises `WootzError`."""
    plan, _ = parse_placed(text, (Plan,), path)
    assert isinstance(plan, Plan)
    return plan


def parse_network(text: str, path: str = "<ir>") -> Network:
    """The network that `print_plan` printed. Raises `WootzError`."""
    network = parse_ir(text, (Network,), path)
    assert isinstance(network, Network)
    return network


def parse_ir(text: str, classes: tuple[type, ...] = (Plan, Network), path: str = "<ir>") -> Any:
    """The one node in `text`, of one of these classes. Raises `WootzError`."""
    return parse_placed(text, classes, path)[0]


def parse_placed(text: str, classes: tuple[type, ...], path: str) -> tuple[Any, Places]:
    """The one node in `text`, and where its parts stand. Raises `WootzError`."""
    reader = _Reader(text, path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # `ast` has an opinion on `1if`
        items = list(reader.items())
    if len(items) != 1:
        line = items[1].line if items else 1
        reader.error(line, "WZ080", f"expected one {_choice(classes)}, found {len(items)} nodes")
    builder = _Builder(reader)
    return builder.node(items[0], classes, ()), builder.places


class _Reader:
    """Lines → items. Knows the shape of the text, no node."""

    def __init__(self, text: str, path: str):
        self.text, self.path = text, path
        self.lines = [line.strip() for line in text.splitlines()]
        self.at = 0  # the next line, counted from 0
        self.depth = 0  # nodes that are open

    def error(self, line: int, code: str, message: str, help: str | None = None) -> NoReturn:
        """Stop with the whole line (counted from 1) marked."""
        raise WootzError([Diagnostic(self.span(line), code, message, help)], {self.path: self.text})

    def span(self, line: int) -> Span:
        """All of a line, counted from 1, but for the spaces around it."""
        rows = self.text.splitlines(keepends=True)
        start = sum(map(len, rows[: line - 1]))
        row = rows[line - 1].rstrip() if line <= len(rows) else ""
        start += len(row) - len(row.lstrip())
        return Span(self.path, start, start + max(1, len(row.strip())))

    def next(self, opened: int) -> str:
        """The next line; `opened` is the line whose brace must be closed."""
        if self.at >= len(self.lines):
            self.error(opened, "WZ080", "this is never closed", "add a line with `}` or `)`")
        self.at += 1
        return self.lines[self.at - 1]

    def items(self) -> Iterator[_Item]:
        """The items on the outermost level."""
        outside = _Item(line=1)
        while self.at < len(self.lines):
            self.member(outside, self.next(0))
            if outside.values or outside.arrays:
                self.error(self.at, "WZ080", "a field stands outside of every node")
        yield from outside.children

    def member(self, parent: _Item, line: str) -> None:
        """One line of a node's inside, and what belongs to it."""
        number = self.at
        if not line or line.startswith(("#", "//")):
            return
        if match := ARRAY.fullmatch(line):
            parent.arrays[match[1]] = self.array(match[2], match[3], number)
            parent.fields[match[1]] = number
            parent.rows[match[1]] = [*range(number + 1, self.at)]
        elif match := OP.fullmatch(line):
            parent.children.append(self.item(match, number))
        elif match := ATTRIBUTE.fullmatch(line):
            value = self.tuple(number) if match[2] == "(" else match[2]
            parent.values[match[1]] = self.literal(value, number)
            parent.fields[match[1]] = number
        else:
            self.error(
                number,
                "WZ080",
                "this line is no node, no field and no array",
                "nodes: `op(value, name = value) {`; fields: `name = value`; close with `}`",
            )

    def item(self, match: re.Match[str], number: int) -> _Item:
        item = _Item(line=number, label=match[1], name=match[2])
        if match[3]:
            item.first, item.values = self.arguments(match[3], number)
        if match[4]:
            self.depth += 1
            if self.depth > DEEPEST:
                self.error(number, "WZ080", f"nodes are nested more than {DEEPEST} deep")
            while (line := self.next(number)) != "}":
                self.member(item, line)
            self.depth -= 1
        return item

    def arguments(self, text: str, number: int) -> tuple[list[Any], dict[str, Any]]:
        try:
            call = ast.parse(f"op{text}", mode="eval").body
        except UNREADABLE:
            call = None
        if not isinstance(call, ast.Call):
            self.error(number, "WZ080", f"cannot read the fields in {text}")
        first = [self.literal(a, number) for a in call.args]
        return first, {k.arg or "**": self.literal(k.value, number) for k in call.keywords}

    def literal(self, source: str | ast.expr, number: int) -> Any:
        try:
            return ast.literal_eval(source)
        except UNREADABLE:
            self.error(number, "WZ080", "expected a number, a string, True, False, None or a tuple")

    def tuple(self, opened: int) -> str:
        rows = []
        while (line := self.next(opened)) != ")":
            rows.append(line)
        return f"({' '.join(rows)})"

    def array(self, dtype: str, shape_text: str, opened: int) -> Array:
        shape = tuple(int(size) for size in shape_text.replace(",", " ").split())
        rows = []
        while (line := self.next(opened)) != "}":
            rows.append(line)
        try:
            numbers = np.array([int(word) for row in rows for word in row.split()], dtype=np.int64)
            info = np.iinfo(dtype)
        except (ValueError, TypeError, OverflowError) as error:
            self.error(opened, "WZ083", f"this array cannot be read: {error}")
        if numbers.size != math.prod(shape) or len(shape) not in (1, 2):
            self.error(opened, "WZ083", f"[{shape_text}] does not hold {numbers.size} numbers")
        if numbers.size and not (info.min <= numbers.min() and numbers.max() <= info.max):
            self.error(opened, "WZ083", f"a number does not fit into {dtype}")
        return Array(numbers.astype(dtype).reshape(shape))


class _Builder:
    """Items → nodes, by what the fields of each class hold."""

    def __init__(self, reader: _Reader):
        self.error = reader.error
        self.places = Places(reader.span)

    def node(self, item: _Item, classes: tuple[type, ...], at: Place) -> Any:
        self.places.put(at, item.line)
        for name, line in item.fields.items():
            self.places.put((*at, name), line)
        for name, lines in item.rows.items():
            if len(lines) == len(item.arrays[name].values):  # else they were wrapped
                for row, line in enumerate(lines):
                    self.places.put((*at, name, row), line)
        cls = next((c for c in classes if op_name(c) == item.name), None)
        if cls is None:
            names = [op_name(c) for c in classes]
            self.error(
                item.line,
                "WZ081",
                f"`{item.name}` cannot stand here; expected {_choice(classes)}",
                _did_you_mean(item.name, names),
            )
        slots = {slot.name: slot for slot in slots_of(cls)}
        given = self.literals(item, slots)
        given |= self.arrays(item, slots)
        given |= self.nested(item, cls, slots, at)
        for name, slot in slots.items():
            if name not in given and slot.default is MISSING:
                self.error(item.line, "WZ082", f"`{item.name}` lacks `{name}`")
        return cls(**given)

    def literals(self, item: _Item, slots: dict[str, Slot]) -> dict[str, Any]:
        first = next(iter(slots.values()), None)
        named = dict(item.values)
        if item.first:
            if first is None or len(item.first) > 1 or first.name in named:
                self.error(item.line, "WZ082", "only the first field may stand without its name")
            named[first.name] = item.first[0]
        values = {}
        for name, value in named.items():
            slot = self.slot(item, name, slots)
            if slot.kind != "literal":
                self.error(item.line, "WZ082", f"`{name}` is no plain value")
            try:
                values[name] = (
                    None if slot.optional and value is None else fit(value, slot.annotation)
                )
            except Mismatch as mismatch:
                self.error(item.line, "WZ082", f"`{name}` of `{item.name}`: {mismatch}")
        return values

    def arrays(self, item: _Item, slots: dict[str, Slot]) -> dict[str, Any]:
        for name in item.arrays:
            if self.slot(item, name, slots).kind != "array":
                self.error(item.line, "WZ082", f"`{name}` of `{item.name}` is no array")
        return dict(item.arrays)

    def nested(self, item: _Item, cls: type, slots: dict[str, Slot], at: Place) -> dict[str, Any]:
        """Fields that hold nodes: labelled, named like their node, or the one without a label."""
        loose = unlabelled(cls)
        given: dict[str, Any] = {loose: ()} if loose else {}
        for child in item.children:
            name = child.label or child.name
            if not child.label and loose and slots.get(name) is None:
                place = (*at, loose, len(given[loose]))
                given[loose] += (self.element(child, slots[loose], place),)
                continue
            slot = self.slot(child, name, slots)
            if name in given:
                self.error(child.line, "WZ082", f"`{name}` stands here twice")
            if slot.kind == "node":
                given[name] = self.node(child, slot.classes, (*at, name))
            elif slot.kind in ("nodes", "bodies"):
                self.places.put((*at, name), child.line)
                given[name] = tuple(
                    self.element(c, slot, (*at, name, n)) for n, c in enumerate(child.children)
                )
            else:
                self.error(child.line, "WZ082", f"`{name}` of `{item.name}` is no node")
        return given

    def element(self, item: _Item, slot: Slot, at: Place) -> Any:
        if slot.kind == "nodes":
            return self.node(item, slot.classes, at)
        if item.name != "body":
            self.error(item.line, "WZ081", f"`{item.name}` cannot stand here; expected `body {{`")
        self.places.put(at, item.line)
        return tuple(
            self.node(child, slot.classes, (*at, n)) for n, child in enumerate(item.children)
        )

    def slot(self, item: _Item, name: str, slots: dict[str, Slot]) -> Slot:
        if name not in slots:
            self.error(
                item.line, "WZ082", f"there is no field `{name}` here", _did_you_mean(name, slots)
            )
        return slots[name]


def _choice(classes: tuple[type, ...]) -> str:
    return " or ".join(f"`{op_name(c)}`" for c in classes)


def _did_you_mean(name: str, names: Any) -> str | None:
    close = get_close_matches(name, list(names), n=1)
    return f"did you mean `{close[0]}`?" if close else None
