"""The syntax tree: what a `.wz` file says, before names and numbers mean anything.

Spans never affect equality, so a file and its formatted text have equal trees.
"""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from wootzc.diagnostics import UNKNOWN, Span

# ---- names and expressions


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    text: str
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A number as it was written: "30%", "1_000_000", "10M"."""

    text: str
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Sizes with an x between them: "3x3", "8x8x1"."""

    text: str
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A string, without its quotes; there are no escapes."""

    value: str
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A parameter of the module around it, or a word that an operator knows ("same", "avg")."""

    text: str
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    operator: Literal["+", "-", "*", "/"]
    left: "Expression"
    right: "Expression"
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Negative:
    operand: "Expression"
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


Expression: TypeAlias = Number | Shape | Text | Word | Binary | Negative


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """`16`, or `stride = 2`."""

    name: Name | None
    value: Expression
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoke:
    """A name with or without arguments where a value stands: `sgd(0.1, momentum = 0.9)`."""

    name: Name
    arguments: tuple[Argument, ...] | None
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


# ---- bodies of modules and networks


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberSpan:
    """`[1..3]`, both ends included."""

    first: Number
    last: Number
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


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


# ---- networks from files


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """`modules by names`: how the modules of an imported network are found."""

    how: Name
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundModule:
    """`module m1 { "layer1.0.*" }`: the layers of the file that make a module."""

    name: Name
    patterns: tuple[Text, ...]
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


ImportStatement: TypeAlias = Call | Grouping | FoundModule


# ---- spaces


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """`steps 600`, `optimizer sgd(0.1)`, `crop(4)`, `flip`: never both arguments and a value.

    A number may have a `unit`: `reconstruct 512 images`.
    """

    name: Name
    arguments: tuple[Argument, ...] | None
    value: Number | Shape | Text | Negative | Invoke | None
    unit: Name | None = None
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    settings: tuple[Setting, ...]
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """`data "x.npz"`, `data folder("x") { … }`; `kind` is the name before the parenthesis."""

    kind: Name | None
    path: Text
    options: Settings | None
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Augment:
    settings: Settings
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Teacher:
    """Trained by `settings`, read from a file, or read and then trained on."""

    path: Text | None
    settings: Settings | None
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    name: Literal["pretrain", "finetune"]
    settings: Settings
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    rates: tuple[Number, ...]
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """Modules: `a*`, `a1..b3` (in network order), `a[1..3]`."""

    glob: Name
    last: Name | None = None
    numbers: NumberSpan | None = None
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prune:
    patterns: tuple[Pattern, ...]
    criterion: Name | None
    rates: Rates | None
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    patterns: tuple[Pattern, ...]
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Multiple:
    """`multiple of 8`: what a rate leaves of a layer's filters."""

    number: Number
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tie:
    patterns: tuple[Pattern, ...]
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class WhereOrder:
    """`where nondecreasing(a1..b3)`."""

    relation: Name
    patterns: tuple[Pattern, ...]
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainLimit:
    """`70%`, `10M`, `0.8`; `unit` is a word after it."""

    number: Number
    unit: Name | None
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RelativeLimit:
    """`teacher - 1.0 points`."""

    number: Number | None
    unit: Name | None
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


Limit: TypeAlias = PlainLimit | RelativeLimit


@dataclass(frozen=True, slots=True, kw_only=True)
class WhereCost:
    """`where params <= 70%`."""

    metric: Name
    comparison: Name
    limit: Limit
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class All:
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stratified:
    metric: Name
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleSeed:
    number: Number
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    count: Number
    options: tuple[Stratified | SampleSeed, ...]
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    rates: tuple[Number, ...]
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Configs:
    """Candidates one by one: rows, or the file that holds them."""

    source: tuple[Row, ...] | Text
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Propose:
    """`propose 500`."""

    count: Number
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """`minimize params`, `maximize accuracy`."""

    direction: Literal["minimize", "maximize"]
    metric: Name
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """`subject to accuracy >= teacher - 1.0 points`."""

    metric: Name
    comparison: Name
    limit: Limit
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """`blocks wootz`, `explore ascending`, `precision bfloat16`."""

    setting: Literal["blocks", "explore", "precision"]
    value: Name
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certify:
    """`certify 95%`, or without a number."""

    confidence: Number | None
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """`budget 10 candidates`, `budget 30 minutes`."""

    number: Number
    unit: Name | None
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    number: Number
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


SpaceStatement: TypeAlias = (
    Data
    | Augment
    | Teacher
    | Stage
    | Rates
    | Prune
    | Keep
    | Multiple
    | Tie
    | WhereOrder
    | WhereCost
    | All
    | Sample
    | Configs
    | Propose
    | Goal
    | Subject
    | Choice
    | Certify
    | Budget
    | Seed
)


# ---- files


@dataclass(frozen=True, slots=True, kw_only=True)
class Include:
    path: Text
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceDefinition:
    name: Name
    network: Name
    arguments: tuple[Argument, ...] | None  # of the network
    statements: tuple[SpaceStatement, ...]
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


Item: TypeAlias = Include | ModuleDefinition | NetworkDefinition | ImportedNetwork | SpaceDefinition


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    items: tuple[Item, ...]
    span: Span = field(default=UNKNOWN, compare=False, repr=False)
