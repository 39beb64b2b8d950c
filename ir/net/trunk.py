"""What runs between the segments of a network, and may be cut: its trunks.

A group of channels that stands at a boundary between segments is made and read by several of them:
by all that an identity shortcut, say, leads past. What stands side by side at a boundary (the arms
of a concatenation, the growth of a DenseNet) has one rate: else hardly two modules would be alike.
Groups that do so, and what does so with them, are a trunk. What enters the network, what leaves it,
and what `couple_network` finds whole is in none.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from wootzc.ir.layers import has_filters
from wootzc.ir.net.coupling import Channels, Coupling, couple_network
from wootzc.ir.net.criteria import Criterion
from wootzc.ir.net.network import Module, Network, Plain, Seam, Segment, walk_network
from wootzc.ir.net.rate import Rate, rate_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Trunk:
    """Channels between segments that have one rate."""

    name: str  # t1, t2, … from the input on
    groups: tuple[int, ...]  # of `couple_network`
    first: int  # the segment that it leaves first
    last: int  # the segment that it enters last


def trunks(network: Network, coupling: Coupling | None = None) -> tuple[Trunk, ...]:
    """All of them, from the input on. `coupling`: of the network, where it is known."""
    coupling = coupling or couple_network(network)
    found: list[tuple[set[int], list[int]]] = []  # groups; the boundaries they stand at
    for boundary in range(1, len(network.segments)):
        leaving = coupling.outputs[network.segments[boundary - 1].name]
        own = {g for g in leaving if coupling.groups[g].can_go}
        if not own:
            continue
        joined, places = own, [boundary]
        for groups, boundaries in [one for one in found if one[0] & own]:
            joined, places = joined | groups, boundaries + places
            found.remove((groups, boundaries))
        found.append((joined, places))
    found.sort(key=lambda one: min(one[1]))
    return tuple(
        Trunk(name=f"t{i}", groups=tuple(sorted(groups)), first=min(at) - 1, last=max(at))
        for i, (groups, at) in enumerate(found, 1)
    )


def readers(network: Network, trunk: Trunk, coupling: Coupling) -> list[str]:
    """The layers that read a trunk's channels and make others of them: segment/path."""
    groups = {*trunk.groups}
    return [
        path
        for path, layer, _ in walk_network(network)
        if has_filters(layer) and not groups.isdisjoint(coupling.inputs[path])
    ]


def even_rates(network: Network, rate: float) -> tuple[Rate, ...]:
    """One rate for all modules, and for all trunks that they are told of."""
    return tuple(
        rate_of(
            0.0 if module.outside else rate,
            rate if module.entering else 0.0,
            rate if module.leaving else 0.0,
        )
        for module in network.modules
    )


def with_seams(
    network: Network,
    narrowed: Collection[str],
    multiple: int = 1,
    multiple_from: int = 0,
    criteria: Mapping[str, Criterion] = MappingProxyType({}),  # of trunks that go by no l1
) -> Network:
    """The network, its modules told which channels of these trunks enter and leave them.

    Plain layers that make or read such channels become modules too, `outside` of what has a rate
    of its own.
    """
    coupling = couple_network(network)
    cut: dict[int, Criterion] = {
        group: criteria.get(trunk.name, "l1")
        for trunk in trunks(network, coupling)
        if trunk.name in narrowed
        for group in trunk.groups
    }

    def seams(channels: Channels) -> tuple[Seam, ...]:
        if cut.keys().isdisjoint(channels):
            return ()
        return tuple(
            Seam(
                group=number,
                width=coupling.groups[number].width,
                partitions=coupling.groups[number].partitions,
                multiple=multiple if coupling.groups[number].width >= multiple_from else 1,
                whole=number not in cut,
                criterion=cut.get(number, "l1"),
            )
            for number in channels
        )

    def told(segment: Segment) -> Segment:
        entering = seams(coupling.inputs[segment.name])
        leaving = seams(coupling.outputs[segment.name])
        if not entering and not leaving:
            return segment
        if isinstance(segment, Plain):
            segment = Module(name=segment.name, body=segment.body, outside=True, span=segment.span)
        return replace(segment, entering=entering, leaving=leaving)

    return replace(network, segments=tuple(map(told, network.segments)))
