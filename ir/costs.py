"""Costs of every module at every rate, and of a million candidates by adding up from that table.

Modules fit together because their inputs and outputs stay whole; so a module's cost depends on its
own rate alone, and a candidate's cost is an exact sum.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wootzc.ir import space
from wootzc.ir.cost import Cost, body_cost
from wootzc.ir.coupling import couple_module
from wootzc.ir.network import Module, Network, segment_shapes
from wootzc.ir.prune import kept_widths, prune_body
from wootzc.ir.shapes import Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantCosts:
    """What each module costs at each rate; `fixed` is what lies outside of modules."""

    params: NDArray[np.int64]  # [modules, rates]
    macs: NDArray[np.int64]  # [modules, rates]; one image
    fixed: Cost

    def table(self, metric: space.Cost) -> NDArray[np.int64]:
        return self.params if metric == "params" else self.macs

    def total(self, metric: space.Cost, rows: NDArray[Any]) -> NDArray[np.int64]:
        """Cost of each candidate of `rows`, rate positions [candidates, modules]."""
        fixed = self.fixed.params if metric == "params" else self.fixed.macs
        return add_up(self.table(metric), fixed, rows)


def add_up(table: NDArray[np.int64], fixed: int, rows: NDArray[Any]) -> NDArray[np.int64]:
    """fixed + Σ over columns j of table[j, rows[:, j]]: int64 [rows]."""
    total = np.full(len(rows), fixed, dtype=np.int64)
    for costs, column in zip(table, rows.T, strict=True):
        total += costs[column]
    return total


def variant_costs(network: Network, rates: tuple[float, ...]) -> VariantCosts:
    """The tables for a network. Modules of equal body and input shape are worked out once."""
    known: dict[tuple[Any, ...], list[Cost]] = {}
    rows: list[list[Cost]] = []
    fixed = Cost(0, 0)
    for segment, shape in zip(network.segments, segment_shapes(network), strict=False):
        if not isinstance(segment, Module):
            fixed = fixed.plus(body_cost(segment.body, shape))
            continue
        key = (replace(segment, name=""), shape)
        if key not in known:
            known[key] = _costs_at(segment, shape, rates)
        rows.append(known[key])
    table = np.array(rows, dtype=np.int64).reshape(len(rows), len(rates), 2)
    return VariantCosts(params=table[:, :, 0].copy(), macs=table[:, :, 1].copy(), fixed=fixed)


def _costs_at(module: Module, shape: Shape, rates: tuple[float, ...]) -> list[Cost]:
    coupling = couple_module(module, shape)
    widths = (kept_widths(coupling, rate) for rate in rates)
    return [body_cost(prune_body(module.body, coupling, kept), shape) for kept in widths]
