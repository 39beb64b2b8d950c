"""A module at a rate: how many filters each group keeps, and the smaller body that results."""

from dataclasses import replace
from itertools import pairwise
from math import floor, gcd

from wootzc.ir.layers import Body, Layer, Shape, has_filters, rewritten
from wootzc.ir.net.coupling import Coupling, Group, couple_module
from wootzc.ir.net.network import Module, Network, Plain, Segment, segment_shapes
from wootzc.ir.net.rate import SIDES, Rate, parts, removed
from wootzc.ir.net.skip import SKIP, can_be_skipped, is_skipped, without_sum


def kept_width(group: Group, rate: Rate) -> int:
    """Filters that stay: width − round(rate × width), halves up, the same in every partition.

    With a `multiple` m, the multiple of m nearest to (1 − rate) × width, at least m; a group of no
    more than m filters stays whole. Zero where the module is skipped, or the rate leaves none: the
    checker reports that.
    """
    if group.whole:
        return group.width
    own = parts(rate, group.side)
    # A space's rates are asked of all of its modules: one for other groups than a module has is
    # never its own.
    place = group.place or 0
    rate = own[place] if place < len(own) else own[0]
    if rate == 0:
        return group.width
    if rate == SKIP:
        return 0
    part = group.width // group.partitions
    unit = group.multiple // gcd(group.multiple, group.partitions)
    if unit == 1:
        return group.partitions * (part - floor(rate * part + 0.5 + 1e-9))
    nearest = unit * floor((1 - rate) * part / unit + 0.5 + 1e-9)
    return group.partitions * min(part, max(unit, nearest))


def kept_widths(coupling: Coupling, rate: Rate) -> tuple[int, ...]:
    """`kept_width` of every group."""
    return tuple(kept_width(group, rate) for group in coupling.groups)


def prune_body(body: Body, coupling: Coupling, widths: tuple[int, ...]) -> Body:
    """`body` with every layer's width replaced by what its group keeps."""

    def pruned(path: str, layer: Layer) -> Layer:
        if has_filters(layer):
            return replace(layer, width=widths[coupling.outputs[path][0]])
        return layer

    return rewritten(body, pruned)


def prune_module(module: Module, shape: Shape, rate: Rate) -> Module:
    """The module at `rate`, when `shape` enters the full one.

    What is left has no rules for being pruned again.
    """
    if is_skipped(rate):
        body = without_sum(module)
    else:
        coupling = couple_module(module, shape)
        body = prune_body(module.body, coupling, kept_widths(coupling, rate))
    return replace(module, body=body, kept=(), multiple=1, multiple_from=0, entering=(), leaving=())


def entering_shape(module: Module, shape: Shape, rate: Rate) -> Shape:
    """What enters the module at `rate`, when `shape` enters the full one."""
    if removed(rate, "entering") == 0:
        return shape
    coupling = couple_module(module, shape)
    return shape_kept(coupling, kept_widths(coupling, rate), shape)


def shape_kept(coupling: Coupling, widths: tuple[int, ...], shape: Shape) -> Shape:
    """What enters a module whose groups keep these widths, when `shape` enters the full one."""
    if "0" not in coupling.inputs:  # nothing reads it
        return shape
    return (*shape[:-1], sum(widths[group] for group in coupling.inputs["0"]))


def prune_network(network: Network, rates: tuple[Rate, ...]) -> Network:
    """The network with each module at its rate; one rate per module, in order.

    Auxiliary heads are left out: they serve the teacher's training alone; so is a module of which
    nothing stays. Raises `ValueError` where rates are missing, too many, do not fit together, or
    are not in the range from 0 to below 1 (but for `SKIP`, of modules that can be skipped).
    """
    if len(rates) != len(network.modules):
        names = ", ".join(module.name for module in network.modules)
        raise ValueError(f"{len(rates)} rates for {len(network.modules)} modules: {names}")
    own = (
        part
        for module, rate in zip(network.modules, rates, strict=True)
        for side in (SIDES[1:] if is_skipped(rate) and can_be_skipped(module) else SIDES)
        for part in parts(rate, side)
    )
    if not all(0 <= part < 1 for part in own):
        raise ValueError(f"a rate is the fraction of filters removed, from 0 to below 1: {rates}")
    if any(removed(a, "leaving") != removed(b, "entering") for a, b in pairwise(rates)):
        raise ValueError(f"what leaves a module does not enter the next: {rates}")
    remaining = iter(rates)

    def pruned(segment: Segment, shape: Shape) -> Segment:
        if not isinstance(segment, Module):
            return segment
        small = prune_module(segment, shape, next(remaining))
        return Plain(name=small.name, body=small.body) if small.outside else small

    shapes = segment_shapes(network)
    segments = tuple(
        pruned(segment, shape) for segment, shape in zip(network.segments, shapes, strict=False)
    )
    left = tuple(
        small
        for small, segment in zip(segments, network.segments, strict=True)
        if small.body or not segment.body
    )
    return replace(network, segments=left, auxiliaries=())
