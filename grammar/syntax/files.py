"""A whole file."""

from dataclasses import dataclass, field
from typing import TypeAlias

from wootzc.diagnostics import UNKNOWN, Span
from wootzc.grammar.syntax.expressions import Text
from wootzc.grammar.syntax.networks import ImportedNetwork, ModuleDefinition, NetworkDefinition
from wootzc.grammar.syntax.spaces import SpaceDefinition


@dataclass(frozen=True, slots=True, kw_only=True)
class Include:
    path: Text
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


Item: TypeAlias = Include | ModuleDefinition | NetworkDefinition | ImportedNetwork | SpaceDefinition


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    items: tuple[Item, ...]
    span: Span = field(default=UNKNOWN, compare=False, repr=False)
