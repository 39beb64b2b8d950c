"""The plan: what the passes turn a space into. Each pass fills in its part."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wootzc.ir.array import Array
from wootzc.ir.net.metrics import METRICS, CostName
from wootzc.ir.plan.cost_model import CostModel
from wootzc.ir.space import Space


@dataclass(frozen=True, slots=True, kw_only=True)
class CostTable:
    """One cost. A candidate's is that of its variants and what is fixed, joined."""

    metric: CostName
    fixed: int  # of the plain segments
    variants: Array  # int64 [modules, rates]
    candidates: Array  # int64 [candidates]

    @property
    def full(self) -> int:
        """Of the whole network."""
        none = np.zeros((1, len(self.variants.values)), dtype=np.uint8)
        return int(self.total(none)[0])

    def total(self, rows: NDArray[Any]) -> NDArray[np.int64]:
        """Of each of `rows`, rate positions [n, modules]."""
        return METRICS[self.metric].joining.total(self.variants.values, self.fixed, rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What is known before training: a table a metric, as many as `cost_names` of its space."""

    tables: tuple[CostTable, ...]

    def __getitem__(self, metric: CostName) -> CostTable:
        for table in self.tables:
            if table.metric == metric:
                return table
        raise KeyError(metric)

    @property
    def full(self) -> dict[CostName, int]:
        """Costs of the whole network."""
        return {table.metric: table.full for table in self.tables}

    def of(self, candidate: int) -> dict[CostName, int]:
        return {table.metric: int(table.candidates.values[candidate]) for table in self.tables}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of a Sequitur grammar. Body: rule numbers, or end markers below zero.

    A terminal rule wraps one symbol: its body is empty and `symbol` is (module, rate position).
    """

    body: tuple[int, ...]  # other rules; -k-1 is the end marker of candidate k
    frequency: int  # occurrences in the full expansion
    symbol: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grammar:
    """What `mine-subsequences{method=sequitur}` finds: rule 0 is the start, bodies make the DAG."""

    rules: tuple[Rule, ...]

    def expansion(self, rule: int = 0) -> Iterator[int]:
        """Every rule that stands in another's full expansion, that one first; and end markers."""
        stack = [rule]
        while stack:
            value = stack.pop()
            yield value
            stack += self.rules[value].body[::-1] if value >= 0 else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """What `mine-subsequences{method=windows}` finds: every run that several candidates share.

    A row is (first module, module after the last, one candidate that has the run, how many have
    it): the rates are read from that candidate, so millions of runs stay small.
    """

    runs: Array  # int32 [runs, 4]


Mined: TypeAlias = Grammar | Windows


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A tuning block: consecutive modules at given rates, pre-trained as one unit."""

    start: int  # first module
    rates: tuple[int, ...]  # positions in space.rates

    @property
    def stop(self) -> int:
        return self.start + len(self.rates)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What `select-blocks{method=optimal}` expects of its blocks, by the plan's cost model.

    Seconds of pre-training all blocks and fine-tuning all candidates within the cost limits.
    """

    value: float  # with these blocks
    bound: float  # no set of blocks takes less
    without: float  # with no blocks at all
    proven: bool = False  # no set is better


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A space on its way through the passes; None is what no pass has filled in yet."""

    space: Space
    cost_model: CostModel | None = None  # None: the defaults; see ir/plan/cost_model.py
    candidates: Array | None = None  # uint8 [candidates, modules], rows distinct
    costs: Costs | None = None
    mined: Mined | None = None
    blocks: tuple[Block, ...] | None = None
    selection: Selection | None = None  # of `blocks optimal`
    composition: Array | None = None  # int32 [candidates, modules]: block that covers, or -1
    training_order: tuple[int, ...] | None = None  # blocks, in the order they are first needed
    exploration_order: Array | None = None  # int32: candidates within the cost limits, first to try


Method = Literal["sequitur", "windows"]


# What a plan has once certain passes are through. These are types alone, for mypy: every plan is a
# `Plan`, and `having` (ir/passes/base.py) takes it for one of these after a look at its fields.


class Expanded(Plan):
    """The candidates are there."""

    candidates: Array


class Costed(Expanded):
    """Their costs are there, too."""

    costs: Costs


class MinedPlan(Expanded):
    mined: Mined


class Blocked(Plan):
    """The blocks are there."""

    blocks: tuple[Block, ...]


class Composed(Expanded, Blocked):
    """What covers each module of each candidate is there."""

    composition: Array


class Complete(Costed, Composed):
    """What the default passes leave: all but what not every space needs."""

    training_order: tuple[int, ...]
    exploration_order: Array


def parts_of(stage: type[Plan]) -> tuple[str, ...]:
    """The fields that are filled in at a stage."""
    stages = (cls for cls in stage.__mro__ if issubclass(cls, Plan) and cls is not Plan)
    return tuple(dict.fromkeys(name for one in stages for name in one.__annotations__))
