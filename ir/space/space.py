"""The pruning space: which rates each module may have, under which constraints, for what goal."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from wootzc.diagnostics import Placed, Span
from wootzc.ir.array import Array
from wootzc.ir.net.criteria import Criterion
from wootzc.ir.net.metrics import METRICS, CostName, MetricName, Numbers, costs
from wootzc.ir.net.network import Network
from wootzc.ir.net.rate import Rate, Side
from wootzc.ir.space.recipe import Augment, Data, FromFile, Recipe

Comparison = Literal["<=", ">="]


# Constraints ("where"). Modules are positions in network.modules. What is compared is what goes
# inside of them, unless `sides` says for each that it is what enters or leaves: that is how trunks
# are spoken of, by the module that they leave first.


@dataclass(frozen=True, slots=True, kw_only=True)
class Tie(Placed):
    """These modules share one rate."""

    modules: tuple[int, ...]
    sides: tuple[Side, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered(Placed):
    """Rates never fall (or never rise) from each of these modules to the next."""

    direction: Literal["nondecreasing", "nonincreasing"]
    modules: tuple[int, ...]
    sides: tuple[Side, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit(Placed):
    """None of these modules has a rate above the value, or below it; one left out has 1."""

    comparison: Comparison
    value: float
    modules: tuple[int, ...]
    sides: tuple[Side, ...] = ()

    def holds(self, *rates: float) -> bool:
        if self.comparison == "<=":
            return max(rates) <= self.value
        return min(rates) >= self.value


Relation: TypeAlias = Tie | Ordered | RateLimit


def compared(relation: Relation) -> list[tuple[int, Side]]:
    """What a relation compares, in order: modules, and which of their channels."""
    inside: Side = "inside"
    sides = relation.sides or (inside,) * len(relation.modules)
    return list(zip(relation.modules, sides, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class CostLimit(Placed):
    """A cost in whole units (parameters, MACs); percentages are resolved when lowering.

    Those of a cost that is measured are resolved when it is: until then `value` says nothing.
    """

    metric: CostName
    comparison: Comparison
    value: int
    share: float | None = None  # of the full network, as long as that is not known

    @property
    def text(self) -> str:
        """As a `.wz` file says it: size <= 200,000 bytes."""
        return f"{self.metric} {self.comparison} {METRICS[self.metric].amount(self.value)}"

    def holds(self, cost: Any) -> Any:
        """Of one cost, or of each of an array of them."""
        return cost <= self.value if self.comparison == "<=" else cost >= self.value


Constraint: TypeAlias = Relation | CostLimit


# Selections: which of the allowed candidates are worth trying.


@dataclass(frozen=True, slots=True, kw_only=True)
class All(Placed):
    """Every one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample(Placed):
    """`count` distinct candidates, uniformly, or evenly spread over a cost (`stratified`)."""

    count: int
    seed: int = 0
    stratified: CostName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed(Placed):
    """Given one by one. `rows`: rate positions, uint8 [candidates, modules]."""

    rows: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed(Placed):
    """`count` candidates proposed at build time, by integer programming over variants' scores.

    Where modules may be left out or trunks narrowed, as many again that leave that be. The space
    may be far too large to list. Only for `explore predicted`.
    """

    count: int


Selection: TypeAlias = All | Sample | Listed | Proposed


@dataclass(frozen=True, slots=True, kw_only=True)
class AccuracyLimit(Placed):
    """accuracy ≥ value, or ≥ teacher − value where `below_teacher`; fractions, not percent.

    With a `confidence` it must hold by a one-sided test, else by the best estimate.
    """

    value: float
    below_teacher: bool = False
    confidence: float | None = None  # in (0.5, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective(Placed):
    """The best candidate: least cost or highest accuracy among those within every limit."""

    target: MetricName = "params"
    limits: tuple[AccuracyLimit | CostLimit, ...] = ()

    @property
    def maximizes(self) -> bool:
        """The target is accuracy: more is better, and only training tells it."""
        return METRICS[self.target].best == "greatest"

    @property
    def cost(self) -> CostName:
        """The cost that candidates are compared by: the target, if that is one."""
        known = costs()
        return self.target if self.target in known else next(iter(known))


def cost_limits(objective: Objective) -> tuple[CostLimit, ...]:
    """Those of its limits that show before anything is trained."""
    return tuple(limit for limit in objective.limits if isinstance(limit, CostLimit))


def tried_within(space: "Space") -> tuple[Constraint, ...]:
    """The constraints, and the cost limits of the objective: nothing beyond these is tried."""
    return (*space.constraints, *cost_limits(space.objective))


# What a cost is measured on.


@dataclass(frozen=True, slots=True, kw_only=True)
class OnRuntime:
    """onnxruntime, in this process."""

    batch: int = 1
    threads: int = 1
    provider: str = "CPUExecutionProvider"


@dataclass(frozen=True, slots=True, kw_only=True)
class OnCommand:
    """What a command prints, in milliseconds: {model} in it is an ONNX file."""

    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OnJax:
    """JAX on this machine's first device, in this process: the network as one jitted function."""

    batch: int = 1


Target: TypeAlias = OnRuntime | OnJax | OnCommand


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A cost as it was measured: of the full network, and what each variant adds in its place."""

    metric: CostName
    on: str  # what and where, for people
    full: int
    variants: Array  # int64 [modules, rates], as a rule below zero


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a search may spend before it ends with what it has; None: no limit."""

    candidates: int | None = None  # fine-tuned in this build or found in the store
    seconds: float | None = None  # of this build, after the teacher


@dataclass(frozen=True, slots=True, kw_only=True)
class Space(Placed):
    """Everything a `space` block says, resolved against its network.

    `rates` is ascending and starts with 0.0; a candidate is one position in `rates` per module.
    """

    name: str
    network: Network
    rates: tuple[Rate, ...]  # fractions of channels removed, in [0, 1)
    choices: tuple[tuple[int, ...], ...]  # per module: positions in `rates` it may have, ascending
    criteria: tuple[Criterion, ...]  # per module: which filters go first
    constraints: tuple[Constraint, ...] = ()
    selection: Selection = All()
    objective: Objective = Objective()
    data: Data
    augment: Augment = Augment()
    teacher: Recipe | FromFile
    pretrain: Recipe
    finetune: Recipe
    blocks: Literal["none", "modules", "wootz", "maximal", "optimal"] = "modules"
    explore: Literal["ascending", "descending", "all", "predicted"] = "ascending"
    certify: float | None = (
        None  # `predicted`: the confidence at which what is untried is ruled out
    )
    budget: Budget = Budget()
    latency: Target = OnRuntime()  # what it is measured on, where it counts
    measured: Measured | None = None
    quantize: Numbers = "none"  # in which limits are held
    until: float = 0.01  # `predicted` ends when the next try is expected to save less than this
    polish: Recipe | None = None  # how the winner is trained on, in the end
    seed: int = 0
    spans: Mapping[str, Span] = field(default_factory=dict, compare=False, repr=False)

    def at(self, keyword: str) -> Span:
        """The place of the statement that begins so, or of the space where it has none."""
        return self.spans.get(keyword, self.span)
