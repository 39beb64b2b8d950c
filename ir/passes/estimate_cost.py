"""estimate-cost: the exact cost of every candidate."""

from dataclasses import dataclass, replace
from typing import ClassVar

from wootzc.ir.array import Array
from wootzc.ir.passes.base import having
from wootzc.ir.plan import Costs, CostTable, Expanded, Plan
from wootzc.ir.space.space_costs import space_costs


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimateCost:
    """Work out every cost of every module at every rate, and add them up by candidate.

    Before: candidates = { 0 0; 0 1 }
    After:  costs { cost_table("params", fixed = 90) { variants = { 100 50; 200 90 };
            candidates = { 390 280 } }; … }

    Exact, not an estimate in spite of the name: see ir/net/cost_tables.py.
    """

    name: ClassVar[str] = "estimate-cost"

    def __call__(self, plan: Plan) -> Plan:
        rows = having(plan, Expanded, self.name).candidates.values
        costs = space_costs(plan.space)
        tables = tuple(
            CostTable(
                metric=metric,
                fixed=costs.fixed[metric],
                variants=Array(table),
                candidates=Array(costs.total(metric, rows)),
            )
            for metric, table in costs.tables.items()
        )
        return replace(plan, costs=Costs(tables=tables))
