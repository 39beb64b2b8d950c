"""Modules and networks: bodies of layers, or what a file gives."""

from dataclasses import dataclass, field
from typing import TypeAlias

from wootzc.diagnostics import UNKNOWN, Span
from wootzc.grammar.syntax.expressions import Argument, Expression, Name, NumberSpan, Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The name or names a module gets: `b1`, `a[1..3]`."""

    name: Name
    numbers: NumberSpan | None = None
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A layer or a module: `norm`, `conv(3x3, 16)`, `basic(16) as a[1..3]`."""

    name: Name
    arguments: tuple[Argument, ...] | None
    target: Target | None
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Statements between braces."""

    statements: tuple["Statement", ...]
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Branches:
    """`add { {…} {…} }`, and concat and scale likewise."""

    name: Name
    arguments: tuple[Argument, ...] | None
    arms: tuple[Block, ...]
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class InlineModule:
    """`module c1 { … }` inside a network: defined and used at once."""

    name: Name
    body: Block
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Auxiliary:
    """`auxiliary(weight = 0.3) { … }`: a second head that only training the teacher uses."""

    arguments: tuple[Argument, ...] | None
    body: Block
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


Statement: TypeAlias = Call | Branches | InlineModule | Auxiliary


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """`modules by names`: how the modules of an imported network are found."""

    how: Name
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Norms:
    """`norms folded`: what becomes of norms that an exporter folded into convolutions."""

    how: Name
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundModule:
    """`module m1 { "layer1.0.*" }`: the layers of the file that make a module."""

    name: Name
    patterns: tuple[Text, ...]
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


ImportStatement: TypeAlias = Call | Grouping | Norms | FoundModule


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """`width`, or `stride = 1`."""

    name: Name
    default: Expression | None
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleDefinition:
    name: Name
    parameters: tuple[Parameter, ...]
    body: Block
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkDefinition:
    name: Name
    parameters: tuple[Parameter, ...]
    body: Block
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedNetwork:
    """`network n from "model.onnx" { … }`; the braces may be missing."""

    name: Name
    path: Text
    statements: tuple[ImportStatement, ...]
    span: Span = field(default=UNKNOWN, compare=False, repr=False)
