"""Pruned weights at full width: the inverse of `slicing`. NumPy only.

Survivors go back to where they were cut out, removed filters are zero. Consumers have zeros for
what removed channels bring, so the full module computes in evaluation mode what the pruned one
does, and every candidate runs through the functions that were compiled for the teacher. That holds
of modules that `can_be_widened`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wootzc.backends.weights.importance import (
    NO_EVIDENCE,
    NOTHING,
    Evidence,
    Saliencies,
    gather_evidence,
)
from wootzc.backends.weights.parameters import Weights, segment_weights
from wootzc.backends.weights.slicing import Cut, cut_module, cuts, sliced
from wootzc.ir import layers
from wootzc.ir.layers import walk
from wootzc.ir.layers.shapes import Shape
from wootzc.ir.net.network import Module, Network, segment_shapes
from wootzc.ir.net.rate import Rate
from wootzc.ir.net.skip import is_skipped
from wootzc.ir.space import Criterion

Array = NDArray[Any]


def can_be_widened(module: Module) -> bool:
    """Whether zeros do no harm in the place of removed channels: norms of groups count them."""
    return not any(layer.sums_channels for _, layer in walk(module.body))


def widen_weights(
    network: Network,
    teacher: Weights,  # of `network`: say which filters were removed
    pruned: Weights,  # of `prune_network(network, rates)`
    rates: Sequence[Rate],
    criteria: Sequence[Criterion],
    *,
    seed: int = 0,  # of criterion `random`
    saliencies: Saliencies = NOTHING,  # of criteria that read images
) -> Weights:
    """Weights that make `network` compute what the pruned network does; by module as there."""
    wide: Weights = {}
    by_module = iter(zip(rates, criteria, strict=True))
    evidence = gather_evidence(network, teacher, saliencies, seed=seed)
    for segment, shape in zip(network.segments, segment_shapes(network), strict=False):
        own = segment_weights(pruned, segment.name)
        if isinstance(segment, Module):
            rate, criterion = next(by_module)
            whole = segment_weights(teacher, segment.name)
            own = widen_module_weights(segment, shape, whole, own, rate, criterion, evidence)
        wide |= {f"{segment.name}/{name}": value for name, value in own.items()}
    return wide


def widen_module_weights(
    module: Module,
    shape: Shape,
    teacher: Weights,  # of the whole module: path/parameter
    pruned: Weights,  # of the module at `rate`, named likewise
    rate: Rate,
    criterion: Criterion,
    evidence: Evidence = NO_EVIDENCE,  # of the network
) -> Weights:
    """The inverse of `prune_module_weights`, with nothing where filters were removed."""
    if rate == 0:
        return dict(pruned)
    if is_skipped(rate):
        return {
            f"{path}/{array.name}": np.full_like(teacher[f"{path}/{array.name}"], array.removed)
            for path, layer in walk(module.body)
            for array in layer.arrays()
        }
    cut = cut_module(module, shape, teacher, rate, criterion, evidence)
    return {
        name: _widened(array, pruned[name], teacher[name].shape, cut, path)
        for path, layer in walk(module.body)
        for array in layer.arrays()
        for name in [f"{path}/{array.name}"]
    }


def places(
    network: Network,
    teacher: Weights,  # of `network`: say which filters were removed
    rates: Sequence[Rate],
    criteria: Sequence[Criterion],
    *,
    seed: int = 0,  # of criterion `random`
    saliencies: Saliencies = NOTHING,  # of criteria that read images
) -> dict[str, Array]:
    """By array of the pruned network, in its shape: where in the full array its numbers come from.

    As positions in the flat array. What was removed whole is not there.
    """
    evidence = gather_evidence(network, teacher, saliencies, seed=seed)
    return {
        f"{segment}/{path}/{array.name}": at if cut is None else sliced(array, at, cut, path)
        for segment, body, whole, cut in cuts(network, teacher, rates, criteria, evidence)
        for path, layer in walk(body)
        for array in layer.arrays()
        for at in [_positions(whole[f"{path}/{array.name}"].shape)]
    }


def _positions(shape: Shape) -> Array:
    size = int(np.prod(shape))
    return np.arange(size, dtype=np.min_scalar_type(size)).reshape(shape)


def _widened(array: layers.Array, value: Array, shape: Shape, cut: Cut, path: str) -> Array:
    """One array scattered to its places: those that slicing takes from an array of positions."""
    wide = np.full(shape, array.removed, value.dtype)
    wide.flat[sliced(array, _positions(shape), cut, path)] = value
    return wide
