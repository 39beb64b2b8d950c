"""A whole file."""

from dataclasses import dataclass
from typing import TypeAlias

from wootzc.grammar.syntax.definitions import ImportedNetwork, ModuleDefinition, NetworkDefinition
from wootzc.grammar.syntax.expressions import Expression, Name, Node, Text
from wootzc.grammar.syntax.spaces import DerivedSpace, SpaceDefinition


@dataclass(frozen=True, slots=True, kw_only=True)
class Include(Node):
    path: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant(Node):
    """`let size = 32`."""

    name: Name
    value: Expression


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
class File(Node):
    items: tuple[Item, ...]
