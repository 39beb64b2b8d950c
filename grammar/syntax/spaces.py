"""The statements of a `space`."""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from wootzc.diagnostics import UNKNOWN, Span
from wootzc.grammar.syntax.expressions import (
    Argument,
    Invoke,
    Name,
    Negative,
    Number,
    NumberSpan,
    Shape,
    Text,
)


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
    """`finetune { … }`, `finetune from teacher { … }`, or a word: `polish off`."""

    name: Literal["pretrain", "finetune", "polish"]
    settings: Settings | None
    word: Name | None = None
    base: Name | None = None  # the stage whose settings hold where it has none of its own
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RateRange:
    """`0..90% step 10%`, both ends included."""

    first: Number
    last: Number
    step: Number
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    rates: tuple[Number | RateRange, ...]
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """Modules: `a*`, `a1..b3` (in network order), `a[1..3]`."""

    glob: Name
    last: Name | None = None
    numbers: NumberSpan | None = None
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patterns:
    """`a*, b*`, or `* except a1, a2`."""

    named: tuple[Pattern, ...]
    exceptions: tuple[Pattern, ...] = ()
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prune:
    patterns: Patterns
    criterion: Name | None
    rates: Rates | None
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrow:
    """`narrow t* rates { 0, 25% }`: channels between modules."""

    patterns: Patterns
    rates: Rates | None
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """`skip b2`: modules that may be left out whole."""

    patterns: Patterns
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    patterns: Patterns
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Multiple:
    """`multiple of 8`: what a rate leaves of a layer's filters."""

    number: Number
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tie:
    patterns: Patterns
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class WhereOrder:
    """`where nondecreasing(a1..b3)`."""

    relation: Name
    patterns: Patterns
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
class Confidence:
    """`with confidence 90%`; `what` is the word that should be `confidence`."""

    what: Name
    number: Number
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """`subject to accuracy >= teacher - 1.0 points with confidence 90%`."""

    metric: Name
    comparison: Name
    limit: Limit
    confidence: Confidence | None = None
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """`blocks wootz`, `explore ascending`, `precision bfloat16`, `quantize int8`."""

    setting: Literal["blocks", "explore", "precision", "quantize"]
    value: Name
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certify:
    """`certify 95%`, or without a number."""

    confidence: Number | None
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Until:
    """`until saving < 1%`."""

    what: Name
    comparison: Name
    number: Number
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """`budget 10 candidates`, `budget 30 minutes`."""

    number: Number
    unit: Name | None
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """`latency on onnxruntime { threads 1 }`, `latency on command "./measure.sh {model}"`.

    `latency from "phone.csv"`: a `table` that was measured before, with or without a target.
    """

    target: Name | None
    command: Text | None
    settings: Settings | None
    table: Text | None = None
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
    | Narrow
    | Skip
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
    | Until
    | Budget
    | Latency
    | Seed
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceDefinition:
    name: Name
    network: Name
    arguments: tuple[Argument, ...] | None  # of the network
    statements: tuple[SpaceStatement, ...]
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedSpace:
    """`space b from a { … }`: as `base`, but for its own statements, and its network if any."""

    name: Name
    network: Name | None
    arguments: tuple[Argument, ...] | None
    base: Name
    statements: tuple[SpaceStatement, ...]
    span: Span = field(default=UNKNOWN, compare=False, repr=False)
