"""Cut the removed filters out of a network's weights. NumPy only.

A rate chooses channels per group (`importance`); every array of a module is then indexed by
what enters and what leaves its layer, both sequences of groups (`ir.coupling`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wootzc.backends.weights.importance import (
    NO_EVIDENCE,
    NOTHING,
    Evidence,
    Indices,
    Saliencies,
    gather_evidence,
    kept_filters,
)
from wootzc.backends.weights.parameters import Weights, network_parameters, segment_weights
from wootzc.ir import layers
from wootzc.ir.layers import Shape, walk
from wootzc.ir.net.coupling import Channels, Coupling, couple_module
from wootzc.ir.net.network import Module, Network, module_positions, segment_shapes
from wootzc.ir.net.prune import prune_network
from wootzc.ir.net.rate import Rate
from wootzc.ir.net.skip import is_skipped
from wootzc.ir.space import Criterion

Array = NDArray[Any]
Variant: TypeAlias = tuple[int, Rate]  # module number, fraction of filters removed


@dataclass(frozen=True, slots=True)
class Cut:
    """What stays of a module: kept filters per group, and which groups pass which layer."""

    coupling: Coupling
    kept: tuple[Indices, ...]

    def indices(self, channels: Channels) -> Indices:
        """Kept positions along a channel axis that is these groups one after the other."""
        widths = [self.coupling.groups[group].width for group in channels]
        offsets = np.cumsum([0, *widths[:-1]])
        parts = [offset + self.kept[g] for offset, g in zip(offsets, channels, strict=True)]
        return np.concatenate(parts)


def prune_weights(
    network: Network,
    weights: Weights,
    rates: Sequence[Rate],
    criteria: Sequence[Criterion],
    *,
    seed: int = 0,  # of criterion `random`
    saliencies: Saliencies = NOTHING,  # of criteria that read images: `channel_saliencies`
) -> Weights:
    """The surviving weights of `prune_network(network, rates)`; rates and criteria by module.

    Raises `WootzError` where a criterion cannot judge them.
    """
    cut = prune_modules_weights(
        network, weights, 0, rates, criteria, seed=seed, saliencies=saliencies
    )
    small = prune_network(network, tuple(rates))
    pruned = {
        name: cut[name] if name in cut else weights[name] for name in network_parameters(small)
    }
    _check(small, pruned)
    return pruned


def prune_modules_weights(
    network: Network,
    weights: Weights,
    start: int,
    rates: Sequence[Rate],
    criteria: Sequence[Criterion],  # of all modules of the network
    *,
    seed: int = 0,
    saliencies: Saliencies = NOTHING,
) -> Weights:
    """The surviving weights of the modules from number `start` on: segment/path/parameter."""
    pruned: Weights = {}
    evidence = gather_evidence(network, weights, saliencies, seed=seed)
    shapes = segment_shapes(network)
    positions = module_positions(network)
    for number, rate in enumerate(rates, start):
        module, shape = network.modules[number], shapes[positions[number]]
        own = segment_weights(weights, module.name)
        own = prune_module_weights(module, shape, own, rate, criteria[number], evidence)
        pruned |= {f"{module.name}/{name}": value for name, value in own.items()}
    return pruned


def prune_module_weights(
    module: Module,
    shape: Shape,
    weights: Weights,
    rate: Rate,
    criterion: Criterion,
    evidence: Evidence = NO_EVIDENCE,  # of the network
) -> Weights:
    """A module's surviving weights at `rate`, named path/parameter as those that come in."""
    if rate == 0:
        return dict(weights)
    if is_skipped(rate):
        return {}
    cut = cut_module(module, shape, weights, rate, criterion, evidence)
    return {
        f"{path}/{array.name}": np.ascontiguousarray(
            sliced(array, weights[f"{path}/{array.name}"], cut, path)
        )
        for path, layer in walk(module.body)
        for array in layer.arrays()
    }


def cut_module(
    module: Module,
    shape: Shape,
    weights: Weights,  # of the whole module: path/parameter
    rate: Rate,
    criterion: Criterion,
    evidence: Evidence,  # of the network
) -> Cut:
    """What `rate` leaves of a module with these weights."""
    coupling = couple_module(module, shape)
    kept = kept_filters(module.body, coupling, weights, rate, criterion, module.name, evidence)
    return Cut(coupling, kept)


def cuts(
    network: Network,
    weights: Weights,  # of `network`
    rates: Sequence[Rate],
    criteria: Sequence[Criterion],
    evidence: Evidence,
) -> Iterator[tuple[str, layers.Body, Weights, Cut | None]]:
    """Each segment that is left: name, body, weights, and what stays of it; None where all does."""
    by_module = iter(zip(rates, criteria, strict=True))
    for segment, shape in zip(network.segments, segment_shapes(network), strict=False):
        own, cut = segment_weights(weights, segment.name), None
        if isinstance(segment, Module):
            rate, criterion = next(by_module)
            if is_skipped(rate):
                continue
            if rate:
                cut = cut_module(segment, shape, own, rate, criterion, evidence)
        yield segment.name, segment.body, own, cut


def sliced(array: layers.Array, value: Array, cut: Cut, path: str) -> Array:
    """One array of the layer at `path` with the removed channels left out."""
    entering = cut.indices(cut.coupling.inputs[path])
    leaving = cut.indices(cut.coupling.outputs[path])
    if array.groups > 1:
        return _sliced_parts(array, value, entering, leaving)
    return _taken(array, value, entering, leaving)


def _taken(array: layers.Array, value: Array, entering: Indices, leaving: Indices) -> Array:
    for axis, role in enumerate(array.axes):
        if role in ("in", "out"):
            value = value.take(entering if role == "in" else leaving, axis)
    return value


def _sliced_parts(array: layers.Array, value: Array, entering: Indices, leaving: Indices) -> Array:
    """Each part of the filters sees its own part of the input, and numbers it from zero."""
    out = array.axes.index("out")
    inputs = value.shape[array.axes.index("in")]
    outputs = value.shape[out] // array.groups
    parts = []
    for part in range(array.groups):
        own_in = entering[entering // inputs == part] - part * inputs
        own_out = leaving[leaving // outputs == part]
        parts.append(_taken(array, value, own_in, own_out))
    return np.concatenate(parts, axis=out)


def kept_channels(
    network: Network,
    weights: Weights,
    rates: Sequence[Rate],
    criteria: Sequence[Criterion],
    *,
    seed: int = 0,
    saliencies: Saliencies = NOTHING,
) -> dict[str, dict[str, list[int] | None]]:
    """By array that `prune_weights` cuts: which channels that enter and leave its layer are left.

    "in": along the last axis but one, "out": along the last; an axis that stays whole is not there.
    None where it can't be said in one list: each part of a grouped convolution has its own.
    """
    evidence = gather_evidence(network, weights, saliencies, seed=seed)
    return {
        f"{segment}/{path}/{array.name}": axes
        for segment, body, own, cut in cuts(network, weights, rates, criteria, evidence)
        if cut is not None
        for path, layer in walk(body)
        for array in layer.arrays()
        if (axes := _kept_axes(array, own[f"{path}/{array.name}"], cut, path))
    }


def _kept_axes(
    array: layers.Array, value: Array, cut: Cut, path: str
) -> dict[str, list[int] | None]:
    axes: dict[str, list[int] | None] = {}
    for name, axis in (("out", -1), ("in", -2)):
        role = array.axes[axis] if len(array.axes) >= -axis else 0
        if role == "in" and array.groups > 1:
            if axes:  # as many filters go in each part as channels of its input
                axes[name] = None
        elif isinstance(role, str):
            channels = (cut.coupling.inputs if role == "in" else cut.coupling.outputs)[path]
            if len(kept := cut.indices(channels)) < value.shape[axis]:
                axes[name] = kept.tolist()
    return axes


def _check(network: Network, weights: Weights) -> None:
    """What was cut out must be what the IR predicts; anything else is a bug of wootzc."""
    expected = network_parameters(network)
    real = {name: value.shape for name, value in weights.items()}
    if real != expected:
        differing = sorted(
            name for name in expected.keys() | real.keys() if expected.get(name) != real.get(name)
        )
        raise AssertionError(f"sliced weights do not fit the pruned network: {differing}")
