"""Rates that are one choice: those that leave a module the same widths."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from wootzc.ir.net.coupling import couple_module
from wootzc.ir.net.network import Module, Network, segment_shapes
from wootzc.ir.net.prune import kept_widths
from wootzc.ir.space.space import Constraint, CostLimit

Widths: TypeAlias = tuple[int, ...]  # of each group of a module


def chosen_rates(
    network: Network,
    rates: Sequence[float],  # ascending from 0
    allowed: Sequence[tuple[int, ...]],  # per module: positions in `rates`
    constraints: Sequence[Constraint],
) -> tuple[Mapping[int, int], ...]:
    """For each module every position it may have, and that of the smallest rate of equal widths.

    Modules that a `tie` or an order compares keep two rates apart if one of them has other widths
    at these: 50% and 70% may be one choice of a narrow module, but not for the wide one that must
    have the same rate.
    """
    widths = _widths(network, rates)
    found: list[Mapping[int, int]] = []
    for module, together in enumerate(_compared(len(allowed), constraints)):
        smallest: dict[tuple[Widths, ...], int] = {}
        for position in sorted({0, *allowed[module]}):
            smallest.setdefault(tuple(widths[m][position] for m in together), position)
        found.append({p: smallest[tuple(widths[m][p] for m in together)] for p in allowed[module]})
    return tuple(found)


def _widths(network: Network, rates: Sequence[float]) -> list[list[Widths]]:
    """[modules][rates]; modules that are alike are worked out once."""
    known: dict[tuple[Any, ...], list[Widths]] = {}
    table: list[list[Widths]] = []
    for segment, shape in zip(network.segments, segment_shapes(network), strict=False):
        if not isinstance(segment, Module):
            continue
        key = (replace(segment, name=""), shape)
        if key not in known:
            coupling = couple_module(segment, shape)
            known[key] = [kept_widths(coupling, rate) for rate in rates]
        table.append(known[key])
    return table


def _compared(modules: int, constraints: Sequence[Constraint]) -> list[tuple[int, ...]]:
    """For each module all that constraints on rates compare it with, itself among them."""
    groups = [{module} for module in range(modules)]
    for constraint in constraints:
        if isinstance(constraint, CostLimit):
            continue
        merged = set[int]().union(*(groups[module] for module in constraint.modules))
        for module in merged:
            groups[module] = merged
    return [tuple(sorted(group)) for group in groups]
