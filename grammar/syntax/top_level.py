"""A whole file."""

from dataclasses import dataclass, field
from typing import TypeAlias

from wootzc.diagnostics import UNKNOWN, Span
from wootzc.grammar.syntax.definitions import ImportedNetwork, ModuleDefinition, NetworkDefinition
from wootzc.grammar.syntax.expressions import Expression, Name, Text
from wootzc.grammar.syntax.spaces import DerivedSpace, SpaceDefinition


@dataclass(frozen=True, slots=True, kw_only=True)
class Include:
    path: Text
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """`let size = 32`."""

    name: Name
    value: Expression
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


Item: TypeAlias = (
    Include
    | Constant
    | ModuleDefinition
    | NetworkDefinition
    | ImportedNetwork
    | SpaceDefinition
    | DerivedSpace
)


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    items: tuple[Item, ...]
    span: Span = field(default=UNKNOWN, compare=False, repr=False)
