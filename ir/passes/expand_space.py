"""expand-space: the candidates of a space as one matrix."""

from dataclasses import dataclass
from typing import ClassVar, assert_never

import numpy as np
from numpy.typing import NDArray

from wootzc.diagnostics import WootzError, fail
from wootzc.ir.array import Array
from wootzc.ir.diagram.feasible import emptied_by, holds, listed
from wootzc.ir.diagram.merge_states import TooLarge
from wootzc.ir.diagram.sampling import stratified
from wootzc.ir.diagram.space_diagram import SpaceDiagram
from wootzc.ir.net.cost_tables import VariantCosts
from wootzc.ir.net.metrics import METRICS
from wootzc.ir.plan import Plan
from wootzc.ir.sequence import distinct_rows
from wootzc.ir.space import (
    All,
    CostLimit,
    Listed,
    Ordered,
    Proposed,
    RateLimit,
    Sample,
    Space,
    Tie,
    tried_within,
)
from wootzc.ir.space.narrow import constraint_text
from wootzc.ir.space.space_costs import space_costs
from wootzc.ir.space.variables import variables
from wootzc.units import large

Rows = NDArray[np.uint8]  # [candidates, modules]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpandSpace:
    """Write down every candidate that the selection picks among those that may be tried.

    Before: rates {0, 50%}; modules a b c; tie b, c; nondecreasing(a, b); all
    After:  candidates = uint8[3, 3] { 0 0 0; 0 1 1; 1 1 1 }

    Those meet the constraints, and the cost limits of the objective. Rows are in lexicographic
    order; listed ones keep the order they were given in, the first of equal ones staying, and stay
    even beyond a limit of the objective, which `order` then leaves out. Samples are drawn by
    counting, from spaces of any size, without listing what is not taken (see
    ir/diagram/diagram.py). The same seed gives the same sample.

    What `propose 500` tries is known only once the variants have scores. Until then a placeholder
    stands for it: a sample of 500, stratified by the cost to be minimised.
    """

    limit: int = 2_000_000  # candidates that `all` may list
    bands: int = 20  # bands of equal width that a stratified sample is spread over
    name: ClassVar[str] = "expand-space"

    def __post_init__(self) -> None:
        for option in ("limit", "bands"):
            if getattr(self, option) < 1:
                raise fail("WZ086", f"`{option}` of `{self.name}` must be 1 or more")

    def __call__(self, plan: Plan) -> Plan:
        space = plan.space
        costs = space_costs(space)
        try:
            rows = self._rows(space, costs)
            if len(rows) == 0:
                raise _empty(space, costs)
        except TooLarge:
            raise fail(
                "WZ069",
                "the orders between modules are too entangled to count the candidates",
                "leave out a `where` that compares modules far apart, or list candidates",
                space.selection.span,
            ) from None
        # What was worked out before was about other candidates.
        return Plan(space=space, cost_model=plan.cost_model, candidates=Array(rows))

    def _rows(self, space: Space, costs: VariantCosts) -> Rows:
        match space.selection:
            case Listed(rows=given):
                return listed(space, variables(space, costs, space.constraints), given.values)
            case All():
                return self._all(space, holds(space, costs, tried_within(space)))
            case Sample() as sample:
                return self._sample(holds(space, costs, tried_within(space)), sample)
            case Proposed() as proposed:
                whole = holds(space, costs, tried_within(space))
                return self._sample(whole, placeholder(space, proposed))
            case _:
                assert_never(space.selection)

    def _all(self, space: Space, whole: SpaceDiagram) -> Rows:
        if whole.diagram.count <= (self.limit if whole.exact else 2 * self.limit):
            rows = whole.rows()
            if len(rows) <= self.limit:
                return rows
        some = f"over {self.limit:,}" if whole.count is None else large(whole.count)
        raise fail(
            "WZ057",
            f"{some} candidates are allowed, but `all` lists at most {self.limit:,}",
            "take some of them, `sample 500 seed 1`; or have them proposed, `propose 500` with "
            "`explore predicted`; or add constraints",
            space.selection.span,
        )

    def _sample(self, whole: SpaceDiagram, sample: Sample) -> Rows:
        rng = np.random.default_rng(sample.seed)
        if whole.exact and whole.diagram.count <= sample.count:
            return whole.rows()
        if sample.stratified:
            bands = min(self.bands, sample.count)
            rows = stratified(whole, sample.stratified, sample.count, bands, rng)
        else:
            rows = whole.sample(sample.count, rng)
        if len(rows) < sample.count:  # only where costs were rounded, and hardly then
            raise fail(
                "WZ056",
                f"found {len(rows):,} candidates of the {sample.count:,} asked for",
                "ask for fewer, or loosen the limits on costs",
                sample.span,
            )
        return rows[distinct_rows(rows)]


def placeholder(space: Space, proposed: Proposed) -> Sample:
    """The sample that stands for candidates not proposed yet."""
    return Sample(
        count=proposed.count,
        seed=space.seed,
        stratified=space.objective.cost,
        span=proposed.span,
    )


def _empty(space: Space, costs: VariantCosts) -> WootzError:
    """Why nothing is left: the first constraint under which, with those before it, nothing is."""
    constraints = tried_within(space)
    found = emptied_by(space, costs, constraints)
    if found is None:
        return fail(
            "WZ055",
            "the space has no candidate",
            "loosen the constraints, or list candidates that the rates of each module allow",
            space.selection.span,
        )
    place, before = found
    constraint = constraints[place]
    others = " together with the constraints before it" if place else ""
    message = f"`{constraint_text(constraint, space.network)}` leaves no candidate{others}"
    match constraint:
        case CostLimit(metric=metric):
            low, high = map(METRICS[metric].amount, before.range(metric))
            help = f"{metric} of the candidates: {low} to {high}"
        case Tie():
            help = "what is tied needs a rate that all of it may have"
        case Ordered():
            help = "look at which rates these may have"
        case RateLimit():
            help = "look at which rates it may have"
        case _:
            assert_never(constraint)
    goal = place >= len(space.constraints)
    return fail("WZ066" if goal else "WZ055", message, help, constraint.span)
