"""estimate-cost: the exact cost of every candidate."""

from dataclasses import dataclass, replace
from typing import ClassVar

from wootzc.ir.array import Array
from wootzc.ir.costs import variant_costs
from wootzc.ir.passes.base import needed
from wootzc.ir.plan import Costs, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimateCost:
    """Work out parameters and MACs of every module at every rate, and add them up by candidate.

    Before: candidates = { 0 0; 0 1 }
    After:  costs(90, …) { variant_params = { 100 50; 200 90 }; …; params = { 390 280 }; … }

    Exact, not an estimate in spite of the name: see ir/costs.py.
    """

    name: ClassVar[str] = "estimate-cost"

    def __call__(self, plan: Plan) -> Plan:
        rows = needed(plan.candidates, "candidates", "expand-space", self.name).values
        table = variant_costs(plan.space.network, plan.space.rates)
        costs = Costs(
            variant_params=Array(table.params),
            variant_macs=Array(table.macs),
            fixed_params=table.fixed.params,
            fixed_macs=table.fixed.macs,
            params=Array(table.total("params", rows)),
            macs=Array(table.total("macs", rows)),
        )
        return replace(plan, costs=costs)
