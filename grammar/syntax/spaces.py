"""The statements of a `space`."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from wootzc.grammar.syntax.expressions import (
    Argument,
    Invoke,
    Name,
    Negative,
    Node,
    Number,
    NumberSpan,
    Shape,
    Text,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting(Node):
    """`steps 600`, `optimizer sgd(0.1)`, `crop(4)`, `flip`: never both arguments and a value.

    A number may have a `unit`: `reconstruct 512 images`.
    """

    name: Name
    arguments: tuple[Argument, ...] | None
    value: Number | Shape | Text | Negative | Invoke | None
    unit: Name | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Node):
    settings: tuple[Setting, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Data(Node):
    """`data "x.npz"`, `data folder("x") { … }`; `kind` is the name before the parenthesis."""

    kind: Name | None
    path: Text
    options: Settings | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Augment(Node):
    settings: Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Teacher(Node):
    """Trained by `settings`, read from a file, or read and then trained on."""

    path: Text | None
    settings: Settings | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage(Node):
    """`finetune { … }`, `finetune from teacher { … }`, or a word: `polish off`."""

    name: Literal["pretrain", "finetune", "polish"]
    settings: Settings | None
    word: Name | None = None
    base: Name | None = None  # the stage whose settings hold where it has none of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class RateRange(Node):
    """`0..90% step 10%`, both ends included."""

    first: Number
    last: Number
    step: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates(Node):
    """`rates { 0, 30% } each`: every group of channels of a module has one of them."""

    rates: tuple[Number | RateRange, ...]
    each: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern(Node):
    """Modules: `a*`, `a1..b3` (in network order), `a[1..3]`."""

    glob: Name
    last: Name | None = None
    numbers: NumberSpan | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Patterns(Node):
    """`a*, b*`, or `* except a1, a2`."""

    named: tuple[Pattern, ...]
    exceptions: tuple[Pattern, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Prune(Node):
    patterns: Patterns
    criterion: Name | None
    rates: Rates | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrow(Node):
    """`narrow t* by l2 rates { 0, 25% }`: channels between modules."""

    patterns: Patterns
    criterion: Name | None
    rates: Rates | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip(Node):
    """`skip b2`: modules that may be left out whole."""

    patterns: Patterns


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep(Node):
    patterns: Patterns


@dataclass(frozen=True, slots=True, kw_only=True)
class Multiple(Node):
    """`multiple of 8`: what a rate leaves of a layer's filters."""

    number: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Tie(Node):
    patterns: Patterns


@dataclass(frozen=True, slots=True, kw_only=True)
class WhereOrder(Node):
    """`where nondecreasing(a1..b3)`."""

    relation: Name
    patterns: Patterns


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainLimit(Node):
    """`70%`, `10M`, `0.8`; `unit` is a word after it."""

    number: Number
    unit: Name | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RelativeLimit(Node):
    """`teacher - 1.0 points`."""

    number: Number | None
    unit: Name | None


Limit: TypeAlias = PlainLimit | RelativeLimit


@dataclass(frozen=True, slots=True, kw_only=True)
class WhereCost(Node):
    """`where params <= 70%`."""

    metric: Name
    comparison: Name
    limit: Limit


@dataclass(frozen=True, slots=True, kw_only=True)
class All(Node):
    """`all`: every combination of rates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stratified(Node):
    metric: Name


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleSeed(Node):
    number: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample(Node):
    count: Number
    options: tuple[Stratified | SampleSeed, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row(Node):
    rates: tuple[Number, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Configs(Node):
    """Candidates one by one: rows, or the file that holds them."""

    source: tuple[Row, ...] | Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Propose(Node):
    """`propose 500`."""

    count: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal(Node):
    """`minimize params`, `maximize accuracy`."""

    direction: Literal["minimize", "maximize"]
    metric: Name


@dataclass(frozen=True, slots=True, kw_only=True)
class Confidence(Node):
    """`with confidence 90%`; `what` is the word that should be `confidence`."""

    what: Name
    number: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject(Node):
    """`subject to accuracy >= teacher - 1.0 points with confidence 90%`."""

    metric: Name
    comparison: Name
    limit: Limit
    confidence: Confidence | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(Node):
    """`blocks wootz`, `explore ascending`, `precision bfloat16`, `quantize int8`."""

    setting: Literal["blocks", "explore", "precision", "quantize"]
    value: Name


@dataclass(frozen=True, slots=True, kw_only=True)
class Certify(Node):
    """`certify 95%`, or without a number."""

    confidence: Number | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Until(Node):
    """`until saving < 1%`."""

    what: Name
    comparison: Name
    number: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget(Node):
    """`budget 10 candidates`, `budget 30 minutes`."""

    number: Number
    unit: Name | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency(Node):
    """`latency on onnxruntime { threads 1 }`, `latency on command "./measure.sh {model}"`.

    `latency from "phone.csv"`: a `table` that was measured before, with or without a target.
    """

    target: Name | None
    command: Text | None
    table: Text | None = None
    settings: Settings | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed(Node):
    number: Number


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
class SpaceDefinition(Node):
    name: Name
    network: Name
    arguments: tuple[Argument, ...] | None  # of the network
    statements: tuple[SpaceStatement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedSpace(Node):
    """`space b from a { … }`: as `base`, but for its own statements, and its network if any."""

    name: Name
    network: Name | None
    arguments: tuple[Argument, ...] | None
    base: Name
    statements: tuple[SpaceStatement, ...]
