"""Filters of every module before and after pruning, for tables and pictures."""

from dataclasses import dataclass

from wootzc.ir.net.coupling import couple_module
from wootzc.ir.net.network import Network, module_shapes
from wootzc.ir.net.prune import kept_widths
from wootzc.ir.net.rate import Rate, rate_of, triple


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleWidths:
    module: str
    rate: Rate  # of what is inside
    filters: tuple[int, ...]  # of each prunable group, in the full network
    kept: tuple[int, ...]  # of the same groups, pruned


def module_widths(network: Network, rates: tuple[Rate, ...]) -> tuple[ModuleWidths, ...]:
    """For each module the widths of its prunable groups; `rates`: one per module."""
    rows: list[ModuleWidths] = []
    for (module, shape), rate in zip(module_shapes(network), rates, strict=True):
        coupling = couple_module(module, shape)
        pairs = [
            (group.width, kept)
            for group, kept in zip(coupling.groups, kept_widths(coupling, rate), strict=True)
            if not group.whole and group.side == "inside"
        ]
        rows.append(
            ModuleWidths(
                module=module.name,
                rate=rate_of(triple(rate)[0]),
                filters=tuple(full for full, _ in pairs),
                kept=tuple(kept for _, kept in pairs),
            )
        )
    return tuple(rows)
