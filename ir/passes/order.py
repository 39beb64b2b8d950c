"""order: what to try first, and so what to train first."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from wootzc.diagnostics import fail
from wootzc.ir.array import Array
from wootzc.ir.net.metrics import METRICS
from wootzc.ir.passes.base import having
from wootzc.ir.plan import Composed, Costed, Costs, Plan
from wootzc.ir.space import Objective, Space, cost_limits


class Needs(Costed, Composed):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Leave out candidates beyond the objective's cost limits and sort the others.

    Before: costs { params = { 390 280 300 } }; minimize params
    After:  exploration_order = { 1 2 0 }; training_order = (2, 0, 1)

    Ascending or descending by the objective's cost (parameters where it is accuracy), then by the
    other costs, then by the candidates' own order. `explore all` takes the objective's natural
    direction: cheapest first, or for `maximize accuracy` largest first. So does `explore
    predicted`, which makes an order of its own once there are scores. Blocks come in the order in
    which the candidates need them; those that no candidate needs are left out. An exploration order
    that a pass before this one has filled in stays as it is.
    """

    name: ClassVar[str] = "order"

    def __call__(self, plan: Plan) -> Plan:
        needs = having(plan, Needs, self.name)
        costs, composition = needs.costs, needs.composition.values
        order = plan.exploration_order
        if order is None:
            allowed = within_limits(costs, plan.space.objective)
            if not allowed.any():
                raise _beyond_limits(plan.space, costs)
            order = Array(exploration_order(plan.space, costs, allowed).astype(np.int32))
        return replace(
            plan,
            training_order=training_order(composition[order.values]),
            exploration_order=order,
        )


def exploration_order(space: Space, costs: Costs, allowed: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Positions of the allowed candidates, the first to try first."""
    main = costs[space.objective.cost]
    tables = (main, *(table for table in costs.tables if table is not main))
    sign = -1 if is_descending(space) else 1
    keys = [sign * table.candidates.values for table in tables]
    order = np.lexsort(keys[::-1])  # stable, the last key counts first
    return order[allowed[order]]


def is_descending(space: Space) -> bool:
    """Whether what costs more is tried first."""
    if space.explore in ("all", "predicted"):
        return space.objective.maximizes
    return space.explore == "descending"


def training_order(compositions: NDArray[Any]) -> tuple[int, ...]:
    """Blocks as they first appear in composite vectors [candidates, modules]."""
    blocks, first = np.unique(compositions, return_index=True)
    return tuple(b for b in blocks[np.argsort(first)].tolist() if b >= 0)


def within_limits(costs: Costs, objective: Objective) -> NDArray[np.bool_]:
    """Which candidates meet the cost limits of the objective; accuracy shows only in training."""
    good = np.ones(len(costs.tables[0].candidates), dtype=bool)
    for limit in cost_limits(objective):
        good &= limit.holds(costs[limit.metric].candidates.values)
    return good


def _beyond_limits(space: Space, costs: Costs) -> Exception:
    limits = cost_limits(space.objective)
    shown = " and ".join(c.text for c in limits)
    ranges = {c.metric: costs[c.metric].candidates.values for c in limits}
    help = "; ".join(
        f"{metric} of the candidates: {amount(int(cost.min()))} to {amount(int(cost.max()))}"
        for metric, cost in ranges.items()
        for amount in (METRICS[metric].amount,)
    )
    return fail(
        "WZ066", f"no candidate has {shown}, as the objective asks", help, space.objective.span
    )
