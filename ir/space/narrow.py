"""Spaces whose trunks are cut too: rates of modules become triples that fit together."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from wootzc.ir.net.coupling import Group, couple_network
from wootzc.ir.net.criteria import Criterion
from wootzc.ir.net.network import Module, Network
from wootzc.ir.net.prune import kept_width
from wootzc.ir.net.rate import Inside, Rate, rate_of, rising, triple
from wootzc.ir.net.skip import SKIP
from wootzc.ir.net.trunk import trunks, with_seams
from wootzc.ir.net.widths import ModuleWidths
from wootzc.ir.space.space import (
    Constraint,
    CostLimit,
    RateLimit,
    Relation,
    Space,
    Tie,
    compared,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowed:
    """`rates`, `choices`: as of a `Space` over `network`."""

    network: Network
    rates: tuple[Rate, ...]
    choices: tuple[tuple[int, ...], ...]
    places: tuple[int, ...]  # of the modules there were: where they are now
    entering: tuple[str, ...]  # per module: the trunk that does; "" where all channels stay
    leaving: tuple[str, ...]

    def place(self, trunk: str) -> int:
        """The module that a trunk leaves first."""
        return self.leaving.index(trunk)

    def row(self, inside: Sequence[float], trunk_rates: Mapping[str, float]) -> list[int]:
        """A candidate as positions in `rates`: of the modules there were, and of the trunks."""
        own = dict(zip(self.places, inside, strict=True))
        return [
            self.rates.index(
                rate_of(own.get(m, 0.0), trunk_rates.get(before, 0.0), trunk_rates.get(after, 0.0))
            )
            for m, (before, after) in enumerate(zip(self.entering, self.leaving, strict=True))
        ]


def narrowed(
    network: Network,
    rates: Sequence[float],  # of modules, ascending from 0
    choices: Sequence[Sequence[int]],  # per module: positions in `rates`
    narrow: Mapping[str, Sequence[float]],  # by trunk: its rates
    multiple: int = 1,
    multiple_from: int = 0,
    skip: Collection[int] = (),  # modules that may be left out whole, in the place of a rate
    criteria: Mapping[str, Criterion] = MappingProxyType({}),  # of trunks that go by no l1
    each: Mapping[int, Sequence[Inside]] = MappingProxyType({}),  # of modules: all that is inside
) -> Narrowed:
    """The space in which trunks have rates too."""
    wide = with_seams(network, narrow, multiple, multiple_from, criteria)
    own: Iterator[Sequence[Inside]] = iter(
        [
            *each.get(module, [rates[position] for position in positions]),
            *([SKIP] if module in skip else ()),
        ]
        for module, positions in enumerate(choices)
    )
    entering, leaving = trunk_names(wide)
    options = [
        sorted(
            {
                rate_of(inside, a, b)
                for inside in ((0.0,) if module.outside else next(own))
                for a in narrow.get(before, (0.0,))
                for b in (narrow.get(after, (0.0,)) if after != before else (a,))
            },
            key=rising,
        )
        for module, before, after in zip(wide.modules, entering, leaving, strict=True)
    ]
    table = sorted({0.0, *(rate for own in options for rate in own)}, key=rising)
    number = {rate: position for position, rate in enumerate(table)}
    return Narrowed(
        network=wide,
        rates=tuple(table),
        choices=tuple(tuple(number[rate] for rate in own) for own in options),
        places=tuple(p for p, module in enumerate(wide.modules) if not module.outside),
        entering=tuple(entering),
        leaving=tuple(leaving),
    )


def trunk_names(network: Network) -> tuple[list[str], list[str]]:
    """Per module, the trunk that enters and the one that leaves; "" where all channels stay."""
    found = trunks(network) if any(m.entering or m.leaving for m in network.modules) else ()

    def at(boundary: int) -> str:
        return next(t.name for t in found if t.first < boundary <= t.last)

    ends = [
        (at(number) if module.entering else "", at(number + 1) if module.leaving else "")
        for number, module in enumerate(network.segments)
        if isinstance(module, Module)
    ]
    return [before for before, _ in ends], [after for _, after in ends]


def compared_names(network: Network, relation: Relation) -> list[str]:
    """What a relation compares: modules, and the trunks that enter or leave them."""
    entering, leaving = trunk_names(network) if relation.sides else ([], [])
    inside = [module.name for module in network.modules]
    names = {"inside": inside, "entering": entering, "leaving": leaving}
    return [names[side][module] for module, side in compared(relation)]


def constraint_text(constraint: Constraint, network: Network, *, short: bool = False) -> str:
    """As a `.wz` file says it, with costs in their units. `short`: of many names only some."""
    if isinstance(constraint, CostLimit):
        return constraint.text
    names = compared_names(network, constraint)
    if isinstance(constraint, RateLimit):  # t1 <= 25%
        return f"{', '.join(names)} {constraint.comparison} {100 * constraint.value:.4g}%"
    shown = ", ".join([*names[:3], "…", names[-1]] if short and len(names) > 6 else names)
    return f"tie {shown}" if isinstance(constraint, Tie) else f"{constraint.direction}({shown})"


def trunk_choices(space: Space) -> dict[str, tuple[float, ...]]:
    """The rates that each trunk may have which the space cuts, ascending."""
    found: dict[str, set[float]] = {}
    for name, part in _cut(space.network, [[space.rates[p] for p in own] for own in space.choices]):
        found.setdefault(name, set()).add(part)
    return {name: tuple(sorted(rates)) for name, rates in found.items()}


def trunk_rates(network: Network, rates: Sequence[Rate]) -> dict[str, float]:
    """The rate of each trunk that may be cut, at these rates of the modules."""
    return dict(_cut(network, [[rate] for rate in rates]))


def _cut(network: Network, rates: Sequence[Sequence[Rate]]) -> Iterator[tuple[str, float]]:
    """What some rates of each module remove of the trunks at its ends."""
    for before, after, own in zip(*trunk_names(network), rates, strict=True):
        for _, entering, leaving in map(triple, own):
            yield from (
                (name, part) for name, part in ((before, entering), (after, leaving)) if name
            )


def trunk_widths(network: Network, rates: Sequence[Rate]) -> tuple[ModuleWidths, ...]:
    """For each trunk that may be cut the widths of its groups; `rates`: one per module."""
    cut = trunk_rates(network, rates)
    groups = _seamed_groups(network)
    return tuple(
        ModuleWidths(
            module=trunk.name,
            rate=cut[trunk.name],
            filters=tuple(groups[g].width for g in trunk.groups),
            kept=tuple(kept_width(groups[g], cut[trunk.name]) for g in trunk.groups),
        )
        for trunk in trunks(network)
        if trunk.name in cut
    )


def _seamed_groups(network: Network) -> dict[int, Group]:
    """The groups that modules are told of, with the rules of their widths."""
    groups = couple_network(network).groups
    return {
        seam.group: replace(groups[seam.group], multiple=seam.multiple)
        for module in network.modules
        for seam in (*module.entering, *module.leaving)
    }


def one_trunk(network: Network, module: int, rate: float) -> tuple[Rate, ...]:
    """The rates of all modules where nothing is cut but the trunk that leaves this module first."""
    ends = [*zip(*trunk_names(network), strict=True)]
    name = ends[module][1]
    return tuple(
        rate_of(0.0, rate if before == name else 0.0, rate if after == name else 0.0)
        for before, after in ends
    )


def begins_trunk(network: Network) -> list[bool]:
    """Per module, whether a trunk that is cut leaves it first."""
    ends = zip(*trunk_names(network), strict=True)
    return [bool(after) and after != before for before, after in ends]
