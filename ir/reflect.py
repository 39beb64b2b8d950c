"""What the fields of a node hold, read off the dataclasses for printer and parser.

A field is a literal (numbers, strings, tuples of them), an array, one node, a tuple of nodes, or a
tuple of bodies (tuples of tuples of nodes, the arms of a branch). Spans are no part of a program.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from wootzc.ir.array import Array

Kind = Literal["literal", "array", "node", "nodes", "bodies"]


@dataclass(frozen=True, slots=True)
class OneOf:
    """What is annotated with it is a string: one of these, as known when a text is read."""

    names: Callable[[], Iterable[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One field of a node class."""

    name: str
    kind: Kind
    annotation: Any  # without None
    classes: tuple[type, ...]  # of a node, or of each of the nodes
    optional: bool  # may be None
    default: Any  # MISSING where there is none


class Mismatch(ValueError):
    """A value that its annotation does not allow; the text says what would be."""


@cache
def slots_of(cls: type) -> tuple[Slot, ...]:
    """The fields of a node class, without its place."""
    hints = get_type_hints(cls, include_extras=True)
    return tuple(
        _slot(field.name, hints[field.name], field.default)
        for field in fields(cls)
        if field.name not in ("span", "spans")
    )


@cache
def op_name(cls: type) -> str:
    """`GlobalPool` → `global_pool`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).lower()


@cache
def unlabelled(cls: type) -> str | None:
    """The field whose nodes need no label: the only tuple of nodes, where it cannot be None.

    Of several it is the only one without a default.
    """
    several = [slot for slot in slots_of(cls) if slot.kind in ("nodes", "bodies")]
    many = [slot for slot in several if slot.default is MISSING] or several
    return many[0].name if len(many) == 1 and not many[0].optional else None


def _slot(name: str, annotation: Any, default: Any) -> Slot:
    optional = NoneType in _alternatives(annotation)
    members = [a for a in _alternatives(annotation) if a is not NoneType]
    kind, classes = _kind(members)
    bare = members[0] if len(members) == 1 else Union[tuple(members)]  # noqa: UP007
    return Slot(
        name=name,
        kind=kind,
        annotation=bare,
        classes=classes,
        optional=optional,
        default=default,
    )


def _kind(members: list[Any]) -> tuple[Kind, tuple[type, ...]]:
    if members == [Array]:
        return "array", ()
    if all(is_dataclass(member) for member in members):
        return "node", tuple(members)
    if (
        len(members) == 1
        and get_origin(members[0]) is tuple
        and get_args(members[0])[-1:] == (...,)
    ):
        kind, classes = _kind(_alternatives(get_args(members[0])[0]))
        if kind in ("node", "nodes"):
            return ("nodes" if kind == "node" else "bodies"), classes
    return "literal", ()


def _alternatives(annotation: Any) -> list[Any]:
    """The members of a union, or the annotation itself."""
    if get_origin(annotation) in (Union, UnionType):
        return list(get_args(annotation))
    return [annotation]


def fit(value: Any, annotation: Any) -> Any:
    """`value` as its annotation wants it: whole numbers become floats. Raises `Mismatch`."""
    for member in _alternatives(annotation):
        try:
            return _fit_one(value, member)
        except Mismatch:
            continue
    raise Mismatch(f"expected {describe(annotation)}, not {value!r}")


def _fit_one(value: Any, annotation: Any) -> Any:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated and value in names_of(annotation):
        return value
    if origin is Literal and any(
        value is a or (value == a and isinstance(value, str)) for a in args
    ):
        return value
    if origin is tuple and isinstance(value, tuple):
        wanted = (args[0],) * len(value) if args[-1] is ... else args
        if len(wanted) == len(value):
            return tuple(fit(v, a) for v, a in zip(value, wanted, strict=True))
    if annotation is float and type(value) is int:
        return float(value)
    if isinstance(annotation, type) and type(value) is annotation:
        return value
    raise Mismatch


def names_of(annotation: Any) -> list[str]:
    """What a string that is annotated with `OneOf` may be."""
    return [name for one in annotation.__metadata__ for name in one.names()]


def describe(annotation: Any) -> str:
    """An annotation in words: "an integer", "one of 'max', 'avg'"."""
    words = {int: "an integer", float: "a number", str: "a string", bool: "True or False"}
    words |= {NoneType: "None"}
    members = _alternatives(annotation)
    if len(members) > 1:
        return " or ".join(describe(member) for member in members)
    origin, args = get_origin(annotation), get_args(annotation)
    if origin in (Literal, Annotated):
        names = args if origin is Literal else names_of(annotation)
        return f"one of {', '.join(map(repr, names))}"
    if origin is tuple:
        inner = args[0] if args[-1] is ... else None
        return f"a tuple, each item {describe(inner)}" if inner else f"a tuple of {len(args)}"
    return words.get(annotation, str(annotation))
