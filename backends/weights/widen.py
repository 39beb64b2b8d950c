"""Pruned weights at full width: the inverse of `slicing`. NumPy only.

Survivors go back to where they were cut out, removed filters are zero. Consumers have zeros for
what removed channels bring, so the full module computes in evaluation mode what the pruned one
does, and every candidate runs through the functions that were compiled for the teacher. That holds
of modules that `can_be_widened`.
"""

from collections.abc import Sequence
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wootzc.backends.weights.parameters import Weights, segment_weights
from wootzc.backends.weights.slicing import Cut, Pruner, sliced
from wootzc.ir import layers
from wootzc.ir.layers import walk
from wootzc.ir.layers.shapes import Shape
from wootzc.ir.net.network import Module
from wootzc.ir.net.rate import Rate
from wootzc.ir.net.skip import is_skipped

Array = NDArray[Any]


def can_be_widened(module: Module) -> bool:
    """Whether zeros do no harm in the place of removed channels: norms of groups count them."""
    return not any(layer.sums_channels for _, layer in walk(module.body))


def widen_weights(
    pruner: Pruner,  # says which filters were removed
    pruned: Weights,  # of `prune_network(network, rates)`
    rates: Sequence[Rate],
) -> Weights:
    """Weights that make the pruner's network compute what the pruned network does."""
    wide: Weights = {}
    numbers = count()
    for segment in pruner.network.segments:
        own = segment_weights(pruned, segment.name)
        if isinstance(segment, Module):
            number = next(numbers)
            own = widen_module_weights(pruner, number, own, rates[number])
        wide |= {f"{segment.name}/{name}": value for name, value in own.items()}
    return wide


def widen_module_weights(
    pruner: Pruner,
    number: int,  # of the module
    pruned: Weights,  # of the module at `rate`: path/parameter
    rate: Rate,
) -> Weights:
    """The inverse of `Pruner.prune_module`, with nothing where filters were removed."""
    if rate == 0:
        return dict(pruned)
    whole, cut = pruner.parts[number], None if is_skipped(rate) else pruner.cut(number, rate)
    return {
        name: np.full_like(whole[name], array.removed)
        if cut is None
        else _widened(array, pruned[name], whole[name].shape, cut, path)
        for path, layer in walk(pruner.network.modules[number].body)
        for array in layer.arrays()
        for name in [f"{path}/{array.name}"]
    }


def places(pruner: Pruner, rates: Sequence[Rate]) -> dict[str, Array]:
    """By array of the pruned network, in its shape: where in the full array its numbers come from.

    As positions in the flat array. What was removed whole is not there.
    """
    return {
        name: at if cut is None else sliced(array, at, cut, path)
        for segment, cut in pruner.cuts(rates)
        for path, layer in walk(segment.body)
        for array in layer.arrays()
        for name in [f"{segment.name}/{path}/{array.name}"]
        for at in [_positions(pruner.weights[name].shape)]
    }


def _positions(shape: Shape) -> Array:
    size = int(np.prod(shape))
    return np.arange(size, dtype=np.min_scalar_type(size)).reshape(shape)


def _widened(array: layers.Array, value: Array, shape: Shape, cut: Cut, path: str) -> Array:
    """One array scattered to its places: those that slicing takes from an array of positions."""
    wide = np.full(shape, array.removed, value.dtype)
    wide.flat[sliced(array, _positions(shape), cut, path)] = value
    return wide
