"""The textual form of the IR (`.wzir`): the parser. Values are Python literals, read by `ast`."""

import warnings
from dataclasses import MISSING
from difflib import get_close_matches
from typing import Any

from wootzc.ir.net.network import Network
from wootzc.ir.plan import Plan
from wootzc.ir.plan.places import Place, Places
from wootzc.ir.reflect import Mismatch, Slot, fit, op_name, slots_of, unlabelled
from wootzc.ir.text.items import Item, Reader


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
    reader = Reader(text, path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # `ast` has an opinion on `1if`
        items = list(reader.items())
    if len(items) != 1:
        line = items[1].line if items else 1
        reader.error(line, "WZ080", f"expected one {_choice(classes)}, found {len(items)} nodes")
    builder = _Builder(reader)
    return builder.node(items[0], classes, ()), builder.places


class _Builder:
    """Items → nodes, by what the fields of each class hold."""

    def __init__(self, reader: Reader):
        self.error = reader.error
        self.places = Places(reader.span)

    def node(self, item: Item, classes: tuple[type, ...], at: Place) -> Any:
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
        for name in item.values:
            self.places.put((*at, name), item.fields.get(name, item.line), name)
        given = self.literals(item, slots)
        given |= self.arrays(item, slots)
        given |= self.nested(item, cls, slots, at)
        for name, slot in slots.items():
            if name not in given and slot.default is MISSING:
                self.error(item.line, "WZ082", f"`{item.name}` lacks `{name}`")
        return cls(**given)

    def literals(self, item: Item, slots: dict[str, Slot]) -> dict[str, Any]:
        first = next(iter(slots.values()), None)
        named = dict(item.values)
        if item.first:
            if first is None or len(item.first) > 1 or first.name in named:
                self.error(item.line, "WZ082", "only the first field may stand without its name")
            named[first.name] = item.first[0]
        values = {}
        for name, value in named.items():
            line = item.fields.get(name, item.line)
            slot = self.slot(item, name, slots)
            if slot.kind != "literal":
                self.error(line, "WZ082", f"`{name}` is no plain value", name=name)
            try:
                values[name] = (
                    None if slot.optional and value is None else fit(value, slot.annotation)
                )
            except Mismatch as mismatch:
                self.error(line, "WZ082", f"`{name}` of `{item.name}`: {mismatch}", name=name)
        return values

    def arrays(self, item: Item, slots: dict[str, Slot]) -> dict[str, Any]:
        for name in item.arrays:
            if self.slot(item, name, slots).kind != "array":
                line = item.fields[name]
                self.error(line, "WZ082", f"`{name}` of `{item.name}` is no array")
        return dict(item.arrays)

    def nested(self, item: Item, cls: type, slots: dict[str, Slot], at: Place) -> dict[str, Any]:
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

    def element(self, item: Item, slot: Slot, at: Place) -> Any:
        if slot.kind == "nodes":
            return self.node(item, slot.classes, at)
        if item.name != "body":
            self.error(item.line, "WZ081", f"`{item.name}` cannot stand here; expected `body {{`")
        self.places.put(at, item.line)
        return tuple(
            self.node(child, slot.classes, (*at, n)) for n, child in enumerate(item.children)
        )

    def slot(self, item: Item, name: str, slots: dict[str, Slot]) -> Slot:
        if name not in slots:
            self.error(
                item.fields.get(name, item.line), "WZ082", f"there is no field `{name}` here",
                _did_you_mean(name, slots), name,
            )  # fmt: skip
        return slots[name]


def _choice(classes: tuple[type, ...]) -> str:
    return " or ".join(f"`{op_name(c)}`" for c in classes)


def _did_you_mean(name: str, names: Any) -> str | None:
    part = [known for known in names if known in name.split("_")]
    close = part or get_close_matches(name, list(names), n=1)
    return f"did you mean `{close[0]}`?" if close else None
