"""Costs of every module at every rate, and of a million candidates by joining from that table.

Modules fit together because their rates say what enters and what leaves them, all of it as a rule;
so a module's cost depends on its own rate alone, and a candidate's cost is an exact sum; or the
greatest of them, where what needs most is what counts.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wootzc.ir.layers import Body
from wootzc.ir.layers.shapes import Shape
from wootzc.ir.net.coupling import couple_module
from wootzc.ir.net.metrics import METRICS, CostName, Counted, Numbers, counts
from wootzc.ir.net.network import Module, Network, segment_shapes
from wootzc.ir.net.prune import kept_widths, prune_body, shape_kept
from wootzc.ir.net.rate import Rate
from wootzc.ir.net.skip import can_be_skipped, is_skipped, without_sum

Figures: TypeAlias = dict[CostName, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantCosts:
    """What each module costs at each rate, by metric; `fixed` is what lies outside of modules."""

    tables: Mapping[CostName, NDArray[np.int64]]  # each [modules, rates]
    fixed: Mapping[CostName, int]

    def total(self, metric: CostName, rows: NDArray[Any]) -> NDArray[np.int64]:
        """Cost of each candidate of `rows`, rate positions [candidates, modules]."""
        return METRICS[metric].joining.total(self.tables[metric], self.fixed[metric], rows)


def network_costs(network: Network, quantize: Numbers = "none") -> Figures:
    """Every cost that can be counted of a whole network, without its auxiliary heads."""
    total = _entering(network, quantize)
    for segment, shape in zip(network.segments, segment_shapes(network), strict=False):
        total = joined(total, body_costs(segment.body, shape, quantize))
    return total


def _entering(network: Network, quantize: Numbers) -> Figures:
    return {name: one.entering(network.input) for name, one in counts(quantize).items()}


def joined(one: Figures, other: Figures) -> Figures:
    """What two parts of a network cost together."""
    return {name: int(METRICS[name].joining.two(cost, other[name])) for name, cost in one.items()}


def body_costs(body: Body, shape: Shape, quantize: Numbers = "none") -> Figures:
    """The same of layers one after the other, when `shape` enters."""
    return {name: _whole(name, one.body(body, shape)) for name, one in counts(quantize).items()}


def _whole(name: CostName, cost: float) -> int:
    """A metric may be anyone's: a table of integers would cut its fractions off unseen."""
    if not math.isfinite(cost) or cost != int(cost):
        raise ValueError(
            f"{name} was counted as {cost}: costs are whole numbers, so scale its unit"
        )
    return int(cost)


def variant_costs(
    network: Network, rates: tuple[Rate, ...], quantize: Numbers = "none"
) -> VariantCosts:
    """The counted tables of a network. Modules of equal body and input are worked out once."""
    return _counted(network, rates, quantize, tuple(counts(quantize).items()))


@lru_cache(maxsize=8)
def _counted(
    network: Network,
    rates: tuple[Rate, ...],
    quantize: Numbers,
    by: tuple[tuple[CostName, Counted], ...],  # part of the key: a metric may be put in anew
) -> VariantCosts:
    known: dict[tuple[Any, ...], list[Figures]] = {}
    rows: list[list[Figures]] = []
    fixed = _entering(network, quantize)
    for segment, shape in zip(network.segments, segment_shapes(network), strict=False):
        if not isinstance(segment, Module):
            fixed = joined(fixed, body_costs(segment.body, shape, quantize))
            continue
        key = (replace(segment, name=""), shape)
        if key not in known:
            known[key] = _costs_at(segment, shape, rates, quantize)
        rows.append(known[key])
    return VariantCosts(
        tables={
            name: np.array([[one[name] for one in row] for row in rows], dtype=np.int64).reshape(
                len(rows), len(rates)
            )
            for name in fixed
        },
        fixed=fixed,
    )


def _costs_at(
    module: Module, shape: Shape, rates: tuple[Rate, ...], quantize: Numbers
) -> list[Figures]:
    coupling = couple_module(module, shape)
    # By widths, since many triples leave the same ones; what is left out has those of its ends too.
    known: dict[tuple[bool, tuple[int, ...]], Figures] = {}
    found = []
    skippable = can_be_skipped(module)  # else it is never asked to be
    for rate in rates:
        skipped, widths = skippable and is_skipped(rate), kept_widths(coupling, rate)
        if (skipped, widths) not in known:
            body = without_sum(module) if skipped else prune_body(module.body, coupling, widths)
            shape_left = shape_kept(coupling, widths, shape)
            known[skipped, widths] = body_costs(body, shape_left, quantize)
        found.append(known[skipped, widths])
    return found
