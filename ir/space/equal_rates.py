"""Rates that are one choice: those that leave a module, or a trunk, the same widths."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from wootzc.ir.net.coupling import couple_module, couple_network
from wootzc.ir.net.network import Network, module_shapes
from wootzc.ir.net.prune import kept_width, kept_widths
from wootzc.ir.net.trunk import trunks
from wootzc.ir.space.space import Constraint, CostLimit, RateLimit
from wootzc.ir.space.variables import together

Widths: TypeAlias = tuple[int, ...]  # of each group


def chosen_rates(
    network: Network,
    rates: Sequence[float],  # ascending from 0
    allowed: Sequence[tuple[int, ...]],  # per module, and then per trunk: positions in `rates`
    constraints: Sequence[Constraint],  # on modules by their positions, and on trunks behind them
    multiple: int = 1,  # of trunks, whose groups of `multiple_from` channels and more keep to it
    multiple_from: int = 0,
) -> tuple[Mapping[int, int], ...]:
    """For each variable every position it may have, and that of the smallest rate of equal widths.

    A limit on rates keeps apart what it tells apart. What a `tie` or an order compares keeps two
    rates apart if one of them has other widths at these: 50% and 70% may be one choice of a narrow
    module, but not for the wide one that must have the same rate.
    """
    widths = _widths(network, rates)
    if len(allowed) > len(widths):
        widths += _trunk_widths(network, rates, multiple, multiple_from)
    found: list[dict[int, int]] = []
    compared = [c.modules for c in constraints if not isinstance(c, CostLimit | RateLimit)]
    for variable, same in enumerate(together(len(allowed), compared)):
        limits = [
            one for one in constraints
            if isinstance(one, RateLimit) and not set(one.modules).isdisjoint(same)
        ]  # fmt: skip
        alike: dict[Any, int] = {}
        found.append({})
        for position in sorted({0, *allowed[variable]}):
            left = tuple(widths[v][position] for v in same)
            within = tuple(one.holds(rates[position]) for one in limits)
            smallest = alike.setdefault((left, within), position)
            if position in allowed[variable]:
                found[-1][position] = smallest
    return tuple(found)


def _widths(network: Network, rates: Sequence[float]) -> list[list[Widths]]:
    """[modules][rates]"""
    couplings = (couple_module(module, shape) for module, shape in module_shapes(network))
    return [[kept_widths(coupling, rate) for rate in rates] for coupling in couplings]


def _trunk_widths(
    network: Network, rates: Sequence[float], multiple: int, multiple_from: int
) -> list[list[Widths]]:
    """[trunks][rates]"""
    coupling = couple_network(network)
    groups = [
        replace(group, multiple=multiple if group.width >= multiple_from else 1)
        for group in coupling.groups
    ]
    return [
        [tuple(kept_width(groups[g], rate) for g in trunk.groups) for rate in rates]
        for trunk in trunks(network, coupling)
    ]
