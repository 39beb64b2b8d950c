"""Cut the removed filters out of a network's weights. NumPy only.

A rate chooses filters per channel group (`importance`); every array of a module is then indexed by
what enters and what leaves its layer, both sequences of groups (`ir.coupling`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, assert_never

import numpy as np
from numpy.typing import NDArray

from wootzc.backends.importance import Indices, kept_filters
from wootzc.backends.parameters import (
    Weights,
    layer_parameters,
    network_parameters,
    segment_weights,
)  # fmt: skip
from wootzc.ir.coupling import Channels, Coupling, couple_module
from wootzc.ir.layers import (
    Activation,
    Branch,
    Conv,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalPool,
    Layer,
    LocalNorm,
    Norm,
    Pool,
    walk,
)  # fmt: skip
from wootzc.ir.network import Module, Network, segment_shapes
from wootzc.ir.prune import prune_network
from wootzc.ir.shapes import Shape
from wootzc.ir.space import Criterion

Array = NDArray[Any]
Variant: TypeAlias = tuple[int, float]  # module number, fraction of filters removed


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
    rates: Sequence[float],
    criteria: Sequence[Criterion],
    *,
    seed: int = 0,  # of criterion `random`
) -> Weights:
    """The surviving weights of `prune_network(network, rates)`; rates and criteria by module."""
    pruned: Weights = {}
    by_module = iter(zip(rates, criteria, strict=True))
    for segment, shape in zip(network.segments, segment_shapes(network), strict=False):
        own = segment_weights(weights, segment.name)
        if isinstance(segment, Module):
            rate, criterion = next(by_module)
            own = prune_module_weights(segment, shape, own, rate, criterion, seed=seed)
        pruned |= {f"{segment.name}/{name}": value for name, value in own.items()}
    _check(prune_network(network, tuple(rates)), pruned)
    return pruned


def prune_module_weights(
    module: Module,
    shape: Shape,
    weights: Weights,
    rate: float,
    criterion: Criterion,
    *,
    seed: int = 0,
) -> Weights:
    """A module's surviving weights at `rate`, named path/parameter as those that come in."""
    if rate == 0:
        return dict(weights)
    cut = cut_module(module, shape, weights, rate, criterion, seed=seed)
    return {
        f"{path}/{parameter}": np.ascontiguousarray(
            slice_parameter(layer, parameter, weights[f"{path}/{parameter}"], cut, path)
        )
        for path, layer in walk(module.body)
        for parameter in layer_parameters(layer, (1, 1, 1))
    }


def cut_module(
    module: Module,
    shape: Shape,
    weights: Weights,  # of the whole module: path/parameter
    rate: float,
    criterion: Criterion,
    *,
    seed: int = 0,
) -> Cut:
    """What `rate` leaves of a module with these weights."""
    coupling = couple_module(module, shape)
    kept = kept_filters(module.body, coupling, weights, rate, criterion, module.name, seed=seed)
    return Cut(coupling, kept)


def slice_parameter(layer: Layer, parameter: str, value: Array, cut: Cut, path: str) -> Array:
    """One array of one layer with the removed channels left out."""
    entering, leaving = cut.coupling.inputs[path], cut.coupling.outputs[path]
    match layer:
        case Conv() | Dense() if parameter == "bias":
            return value[cut.indices(leaving)]
        case Conv(groups=groups) if groups > 1:
            return _slice_grouped(value, cut.indices(entering), cut.indices(leaving), groups)
        case Conv() | Dense():
            return value[..., cut.indices(entering), :][..., cut.indices(leaving)]
        case DepthwiseConv() | Norm():  # channels are the last axis of all they carry
            return value[..., cut.indices(entering)]
        case LocalNorm() | Activation() | Pool() | GlobalPool() | Dropout() | Flatten() | Branch():
            raise AssertionError(f"{type(layer).__name__} carries no weights")
        case _:
            assert_never(layer)


def kept_channels(
    network: Network,
    weights: Weights,
    rates: Sequence[float],
    criteria: Sequence[Criterion],
    *,
    seed: int = 0,
) -> dict[str, dict[str, list[int] | None]]:
    """By array that `prune_weights` cuts: which channels that enter and leave its layer are left.

    "in": along the last axis but one, "out": along the last; an axis that stays whole is not there.
    None where it can't be said in one list: each part of a grouped convolution has its own.
    """
    found: dict[str, dict[str, list[int] | None]] = {}
    by_module = iter(zip(rates, criteria, strict=True))
    for segment, shape in zip(network.segments, segment_shapes(network), strict=False):
        if not isinstance(segment, Module):
            continue
        rate, criterion = next(by_module)
        if rate == 0:
            continue
        own = segment_weights(weights, segment.name)
        cut = cut_module(segment, shape, own, rate, criterion, seed=seed)
        for path, layer in walk(segment.body):
            for parameter in layer_parameters(layer, (1, 1, 1)):
                axes = _kept_axes(layer, parameter, own[f"{path}/{parameter}"], cut, path)
                if axes:
                    found[f"{segment.name}/{path}/{parameter}"] = axes
    return found


def _kept_axes(
    layer: Layer, parameter: str, value: Array, cut: Cut, path: str
) -> dict[str, list[int] | None]:
    entering, leaving = cut.coupling.inputs[path], cut.coupling.outputs[path]
    axes: dict[str, list[int] | None] = {}
    if isinstance(layer, Conv | Dense):
        if len(out := cut.indices(leaving)) < value.shape[-1]:
            axes["out"] = out.tolist()
        if isinstance(layer, Conv) and layer.groups > 1:
            if parameter == "kernel" and axes:
                axes["in"] = None
        elif parameter == "kernel" and len(into := cut.indices(entering)) < value.shape[-2]:
            axes["in"] = into.tolist()
    elif len(own := cut.indices(entering)) < value.shape[-1]:
        axes["out"] = own.tolist()
    return axes


def _slice_grouped(
    kernel: Array,  # [kh, kw, in // groups, out]
    entering: Indices,
    leaving: Indices,
    groups: int,
) -> Array:
    """Each part of the filters sees its own part of the input, and numbers it from zero."""
    inputs, outputs = kernel.shape[2], kernel.shape[3] // groups
    parts = []
    for part in range(groups):
        own_in = entering[entering // inputs == part] - part * inputs
        own_out = leaving[leaving // outputs == part]
        parts.append(kernel[:, :, own_in, :][..., own_out])
    return np.concatenate(parts, axis=-1)


def _check(network: Network, weights: Weights) -> None:
    """What was cut out must be what the IR predicts; anything else is a bug of wootzc."""
    expected = network_parameters(network)
    real = {name: value.shape for name, value in weights.items()}
    if real != expected:
        differing = sorted(
            name for name in expected.keys() | real.keys() if expected.get(name) != real.get(name)
        )
        raise AssertionError(f"sliced weights do not fit the pruned network: {differing}")
