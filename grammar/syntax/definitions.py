"""Modules and networks: bodies of layers, or what a file gives."""

from dataclasses import dataclass
from typing import TypeAlias

from wootzc.grammar.syntax.expressions import Argument, Expression, Name, Node, NumberSpan, Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Target(Node):
    """The name or names a module gets: `b1`, `a[1..3]`."""

    name: Name
    numbers: NumberSpan | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Node):
    """A layer or a module: `norm`, `conv(3x3, 16)`, `basic(16) as a[1..3]`."""

    name: Name
    arguments: tuple[Argument, ...] | None
    target: Target | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Block(Node):
    """Statements between braces."""

    statements: tuple["Statement", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Branches(Node):
    """`add { {…} {…} }`, and concat and scale likewise."""

    name: Name
    arguments: tuple[Argument, ...] | None
    arms: tuple[Block, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InlineModule(Node):
    """`module c1 { … }` inside a network: defined and used at once."""

    name: Name
    body: Block


@dataclass(frozen=True, slots=True, kw_only=True)
class Auxiliary(Node):
    """`auxiliary(weight = 0.3) { … }`: a second head that only training the teacher uses."""

    arguments: tuple[Argument, ...] | None
    body: Block


Statement: TypeAlias = Call | Branches | InlineModule | Auxiliary


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping(Node):
    """`modules by names`: how the modules of an imported network are found."""

    how: Name


@dataclass(frozen=True, slots=True, kw_only=True)
class Norms(Node):
    """`norms folded`: what becomes of norms that an exporter folded into convolutions."""

    how: Name


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundModule(Node):
    """`module m1 { "layer1.0.*" }`: the layers of the file that make a module."""

    name: Name
    patterns: tuple[Text, ...]


ImportStatement: TypeAlias = Call | Grouping | Norms | FoundModule


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter(Node):
    """`width`, or `stride = 1`."""

    name: Name
    default: Expression | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleDefinition(Node):
    name: Name
    parameters: tuple[Parameter, ...]
    body: Block


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkDefinition(Node):
    name: Name
    parameters: tuple[Parameter, ...]
    body: Block


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedNetwork(Node):
    """`network n from "model.onnx" { … }`; the braces may be missing."""

    name: Name
    path: Text
    statements: tuple[ImportStatement, ...]
