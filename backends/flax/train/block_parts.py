"""What a block is made of, and what it sees of the teacher: the channels that are left to it."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from wootzc.backends.flax.device.parallel import Devices, Function
from wootzc.backends.weights.importance import Scores, kept_at
from wootzc.ir.layers.shapes import Shape
from wootzc.ir.net.coupling import couple_module
from wootzc.ir.net.network import (
    Module,
    Network,
    Segment,
    module_positions,
    module_shapes,
    segment_shapes,
)  # fmt: skip
from wootzc.ir.net.prune import entering_shape, prune_module
from wootzc.ir.net.rate import Rate, Side, removed


class Part(NamedTuple):
    """One segment of a block."""

    segment: Segment  # pruned, if it is a module
    position: int  # in the network
    shape: Shape  # that enters it, pruned


def block_parts(network: Network, start: int, rates: Sequence[Rate]) -> Iterator[Part]:
    """The segments from module number `start` to the last that has a rate."""
    positions = module_positions(network)[start : start + len(rates)]
    shapes, remaining = segment_shapes(network), iter(rates)
    for position in range(positions[0], positions[-1] + 1):
        segment, shape = network.segments[position], shapes[position]
        if isinstance(segment, Module):
            rate = next(remaining)
            whole, shape = shape, entering_shape(segment, shape, rate)
            segment = prune_module(segment, whole, rate)
        yield Part(segment, position, shape)


def end_cuts(
    network: Network,
    start: int,
    rates: Sequence[Rate],
    seams: Mapping[int, Scores],  # of the network
    devices: Devices,
) -> tuple[Function, Function]:
    """Functions that leave of the teacher's activations what enters and what leaves a block."""
    modules = module_shapes(network)
    cuts: list[Function] = []
    ends: tuple[tuple[int, Side], ...] = ((0, "entering"), (len(rates) - 1, "leaving"))
    for offset, side in ends:
        (module, shape), rate = modules[start + offset], rates[offset]
        kept = None
        if removed(rate, side):
            coupling = couple_module(module, shape)
            last = str(len(module.body) - 1)
            channels = coupling.inputs["0"] if side == "entering" else coupling.outputs[last]
            kept = tuple(kept_at(coupling, channels, rate, seams).tolist())
        cuts.append(_compiled_cut(kept, devices))
    return cuts[0], cuts[1]


@cache
def _compiled_cut(kept: tuple[int, ...] | None, devices: Devices) -> Function:
    if kept is None:
        return lambda x: x
    positions = np.array(kept)
    return devices.compile(lambda x: x[..., positions])
