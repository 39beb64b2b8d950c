"""Lines of the IR's textual form → items: nodes as they are written, before any class is known."""

import ast
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np

from wootzc.diagnostics import Diagnostic, Span, WootzError
from wootzc.ir.array import Array

OP = re.compile(r"(?:(\w+) = )?([a-z]\w*)(\(.*\))?( \{)?")
ARRAY = re.compile(r"(\w+) = (\w+)\[([\d, ]*)\] \{")
INTEGERS = ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64")
ATTRIBUTE = re.compile(r"(\w+) = (.+)")

DEEPEST = 100  # nodes within nodes; a branch and its arm are two
UNREADABLE = (ValueError, TypeError, SyntaxError, MemoryError, RecursionError)  # of `ast`


@dataclass(slots=True)
class Item:
    """One node as written: nothing about its class is known yet."""

    line: int
    label: str | None = None
    name: str = ""
    first: list[Any] = field(default_factory=list)  # the value without a name
    values: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, Array] = field(default_factory=dict)
    children: list["Item"] = field(default_factory=list)
    fields: dict[str, int] = field(default_factory=dict)  # lines of fields and arrays
    rows: dict[str, list[int]] = field(default_factory=dict)  # lines of the rows of arrays


class Reader:
    """Lines → items. Knows the shape of the text, no node."""

    def __init__(self, text: str, path: str):
        self.text, self.path = text, path
        self.lines = [line.strip() for line in text.splitlines()]
        self.at = 0  # the next line, counted from 0
        self.depth = 0  # nodes that are open

    def error(
        self, line: int, code: str, message: str, help: str | None = None, name: str = ""
    ) -> NoReturn:
        """Stop with a line (counted from 1) marked, from the field `name` on if it is in it."""
        place = self.span(line, name)
        raise WootzError([Diagnostic(place, code, message, help)], {self.path: self.text})

    def span(self, line: int, name: str = "") -> Span:
        """A line, counted from 1, but for the spaces around it; from the field `name` on."""
        rows = self.text.splitlines(keepends=True)
        start = sum(map(len, rows[: line - 1]))
        row = rows[line - 1].rstrip() if line <= len(rows) else ""
        field = re.search(rf"\b{re.escape(name)} = ", row) if name else None
        before = field.start() if field else len(row) - len(row.lstrip())
        return Span(self.path, start + before, start + max(before + 1, len(row)))

    def next(self, opened: int) -> str:
        """The next line; `opened` is the line whose brace must be closed."""
        if self.at >= len(self.lines):
            self.error(
                self.unclosed() or opened, "WZ080",
                f"this is never closed: the text ends in line {len(self.lines)}",
                "add a line with `}` or `)`",
            )  # fmt: skip
        self.at += 1
        return self.lines[self.at - 1]

    def unclosed(self) -> int | None:
        """The line of a node that the next line is not within, by how they are indented."""
        stack: list[tuple[int, int]] = []
        for number, row in enumerate(self.text.splitlines(), start=1):
            code = row.strip()
            indent = len(row) - len(row.lstrip())
            if stack and code and indent <= stack[-1][1] and code not in "})":
                return stack[-1][0]
            if code in ("}", ")") and stack:
                stack.pop()
            elif code.endswith(("{", "= (")):
                stack.append((number, indent))
        return stack[-1][0] if stack else None

    def items(self) -> Iterator[Item]:
        """The items on the outermost level."""
        outside = Item(line=1)
        while self.at < len(self.lines):
            self.member(outside, self.next(0))
            for name, line in outside.fields.items():
                self.error(
                    line, "WZ080", f"the field `{name}` stands outside of every node",
                    "one of the `}` before it closes too much",
                )  # fmt: skip
        yield from outside.children

    def member(self, parent: Item, line: str) -> None:
        """One line of a node's inside, and what belongs to it."""
        number = self.at
        if not line or line.startswith(("#", "//")):
            return
        if (match := ARRAY.fullmatch(line) or ATTRIBUTE.fullmatch(line)) and (
            not OP.fullmatch(line) and match[1] in (*parent.fields, *parent.values)
        ):
            self.error(number, "WZ082", f"`{match[1]}` stands here twice")
        if match := ARRAY.fullmatch(line):
            parent.arrays[match[1]] = self.array(match[2], match[3], number)
            parent.fields[match[1]] = number
            parent.rows[match[1]] = [*range(number + 1, self.at)]
        elif match := OP.fullmatch(line):
            parent.children.append(self.item(match, number))
        elif match := ATTRIBUTE.fullmatch(line):
            value = self.wrapped(number) if match[2] == "(" else match[2]
            parent.values[match[1]] = self.literal(value, number)
            parent.fields[match[1]] = number
        else:
            self.error(
                number,
                "WZ080",
                "this line is no node, no field and no array",
                "nodes: `op(value, name = value) {`; fields: `name = value`; close with `}`",
            )

    def item(self, match: re.Match[str], number: int) -> Item:
        item = Item(line=number, label=match[1], name=match[2])
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
        values: dict[str, Any] = {}
        for given in call.keywords:
            name = given.arg or "**"
            if name in values:
                self.error(number, "WZ082", f"`{name}` stands here twice", name=name)
            values[name] = self.literal(given.value, number, name)
        return first, values

    def literal(self, source: str | ast.expr, number: int, name: str = "") -> Any:
        try:
            return ast.literal_eval(source)
        except UNREADABLE:
            shown = source if isinstance(source, str) else ast.unparse(source)
            self.error(
                number, "WZ080",
                f"cannot read `{shown}`: expected a number, a string, True, False, None or a tuple",
                "fractions are written as 0.5, and numbers are finite", name,
            )  # fmt: skip

    def wrapped(self, opened: int) -> str:
        rows = []
        while (line := self.next(opened)) != ")":
            rows.append(line)
        return f"({' '.join(rows)})"

    def array(self, dtype: str, shape_text: str, opened: int) -> Array:
        if dtype not in INTEGERS:
            self.error(opened, "WZ083", f"an array holds {', '.join(INTEGERS)}, not {dtype}")
        shape = tuple(int(size) for size in shape_text.replace(",", " ").split())
        rows = []
        while (line := self.next(opened)) != "}":
            rows.append(line.split())
        info = np.iinfo(dtype)
        try:
            numbers = np.array([int(word) for row in rows for word in row], dtype=np.int64)
        except (ValueError, OverflowError):
            numbers = np.array([], dtype=np.int64)
        good = numbers.size == sum(map(len, rows))
        if not good or (
            numbers.size and not info.min <= numbers.min() <= numbers.max() <= info.max
        ):
            self.no_number(rows, opened, int(info.min), int(info.max))
        if numbers.size != math.prod(shape) or len(shape) not in (1, 2):
            self.other_shape(rows, opened, shape, shape_text)
        return Array(numbers.astype(dtype).reshape(shape))

    def no_number(self, rows: list[list[str]], opened: int, least: int, most: int) -> NoReturn:
        """Tell of the first word of an array that is no number, or none from `least` to `most`."""
        for line, row in enumerate(rows, start=opened + 1):
            for word in row:
                if not re.fullmatch(r"[+-]?\d[\d_]*", word):
                    self.error(
                        line, "WZ083", f"`{word}` in this array is no whole number",
                        "numbers have spaces between them",
                    )  # fmt: skip
                if not least <= int(word) <= most:
                    self.error(
                        line, "WZ083",
                        f"{word} does not fit into this array: it holds {least:,} to {most:,}",
                    )  # fmt: skip
        raise AssertionError("one of them was found")

    def other_shape(
        self, rows: list[list[str]], opened: int, shape: tuple[int, ...], shape_text: str
    ) -> NoReturn:
        """Tell of the row that is too long or too short, or of the whole array."""
        if len(shape) == 2 and len(rows) == shape[0]:  # else rows are wrapped, or some are missing
            for line, row in enumerate(rows, start=opened + 1):
                if len(row) != shape[1]:
                    self.error(
                        line, "WZ083",
                        f"{len(row)} numbers in this row, and [{shape_text}] says {shape[1]}",
                    )  # fmt: skip
        count = sum(map(len, rows))
        self.error(opened, "WZ083", f"[{shape_text}] does not hold {count} numbers")
