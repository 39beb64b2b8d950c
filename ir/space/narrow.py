"""Spaces whose trunks are cut too: rates of modules become triples that fit together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from wootzc.ir.net.coupling import couple_network
from wootzc.ir.net.network import Module, Network
from wootzc.ir.net.prune import kept_width
from wootzc.ir.net.rate import Rate, rate_of, triple
from wootzc.ir.net.trunk import Trunk, trunks, with_seams


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowed:
    """`rates`, `choices`: as of a `Space` over `network`."""

    network: Network
    rates: tuple[Rate, ...]
    choices: tuple[tuple[int, ...], ...]
    places: tuple[int, ...]  # of the modules there were: where they are now


def narrowed(
    network: Network,
    rates: Sequence[float],  # of modules, ascending from 0
    choices: Sequence[Sequence[int]],  # per module: positions in `rates`
    narrow: Mapping[str, Sequence[float]],  # by trunk: its rates
    multiple: int = 1,
    multiple_from: int = 0,
) -> Narrowed:
    """The space in which trunks may have rates too; of rates that leave equal widths the smallest."""
    wide = with_seams(network, narrow, multiple, multiple_from)
    allowed = {
        trunk.name: _distinct(wide, trunk, narrow[trunk.name])
        for trunk in trunks(network)
        if trunk.name in narrow
    }
    own = iter(choices)
    entering, leaving = trunk_names(wide)
    options = [
        sorted(
            {
                rate_of(rates[position], a, b)
                for position in ((0,) if module.outside else next(own))
                for a in allowed.get(before, (0.0,))
                for b in (allowed.get(after, (0.0,)) if after != before else (a,))
            },
            key=triple,
        )
        for module, before, after in zip(wide.modules, entering, leaving, strict=True)
    ]
    table = sorted({0.0, *(rate for own in options for rate in own)}, key=triple)
    number = {rate: position for position, rate in enumerate(table)}
    return Narrowed(
        network=wide,
        rates=tuple(table),
        choices=tuple(tuple(number[rate] for rate in own) for own in options),
        places=tuple(p for p, module in enumerate(wide.modules) if not module.outside),
    )


def trunk_names(network: Network) -> tuple[list[str], list[str]]:
    """Per module, the trunk that enters and the one that leaves; "" where all channels stay."""
    found = trunks(network) if any(m.entering or m.leaving for m in network.modules) else ()

    def at(boundary: int) -> str:
        return next(t.name for t in found if t.first < boundary <= t.last)

    places = [
        (module, number)
        for number, module in enumerate(network.segments)
        if isinstance(module, Module)
    ]
    return (
        [at(number) if module.entering else "" for module, number in places],
        [at(number + 1) if module.leaving else "" for module, number in places],
    )


def trunk_rates(network: Network, rates: Sequence[Rate]) -> dict[str, float]:
    """The rate of each trunk that may be cut, at these rates of the modules."""
    entering, leaving = trunk_names(network)
    found: dict[str, float] = {}
    for rate, before, after in zip(map(triple, rates), entering, leaving, strict=True):
        for name, part in ((before, rate[1]), (after, rate[2])):
            if name:
                found[name] = part
    return found


def _distinct(network: Network, trunk: Trunk, rates: Sequence[float]) -> tuple[float, ...]:
    """Of rates that leave all groups of a trunk the same widths, the smallest."""
    seams = {
        seam.group: seam for module in network.modules for seam in (*module.entering, *module.leaving)
    }
    groups = [couple_network(network).groups[g] for g in trunk.groups]
    multiples = [seams[g].multiple for g in trunk.groups]
    found: dict[tuple[int, ...], float] = {}
    for rate in sorted(rates):
        widths = tuple(
            kept_width(replace(group, multiple=multiple), rate)
            for group, multiple in zip(groups, multiples, strict=True)
        )
        found.setdefault(widths, rate)
    return tuple(found.values())
