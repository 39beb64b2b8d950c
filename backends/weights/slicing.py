"""Cut the removed filters out of a network's weights. NumPy only.

A rate chooses channels per group (`importance`); every array of a module is then indexed by
what enters and what leaves its layer, both sequences of groups (`ir.coupling`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wootzc.backends.weights.importance import (
    NOTHING,
    Indices,
    Saliencies,
    Scores,
    kept_filters,
    seam_scores,
)
from wootzc.backends.weights.parameters import Weights, network_parameters
from wootzc.ir import layers
from wootzc.ir.layers import Shape, walk
from wootzc.ir.net.coupling import Channels, Coupling, couple_module
from wootzc.ir.net.network import Module, Network, Segment, module_shapes
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


@dataclass(frozen=True)
class Pruner:
    """Cuts a network's weights at any rates: by whose weights and which criteria filters go.

    Raises `WootzError` where a criterion cannot judge them.
    """

    network: Network
    weights: Weights  # of `network`
    criteria: Sequence[Criterion]  # by module
    seed: int = 0  # of criterion `random`
    saliencies: Saliencies = field(default_factory=dict)  # of criteria that read images

    @cached_property
    def seams(self) -> Mapping[int, Scores]:
        """How much channels between modules matter."""
        return seam_scores(self.network, self.weights, self.saliencies, seed=self.seed)

    @cached_property
    def modules(self) -> list[tuple[Module, Shape]]:
        """With the shapes that enter them."""
        return module_shapes(self.network)

    @cached_property
    def parts(self) -> list[Weights]:
        """The weights of each module, named path/parameter."""
        parts: dict[str, Weights] = {module.name: {} for module in self.network.modules}
        for name, value in self.weights.items():
            segment, _, own = name.partition("/")
            if segment in parts:
                parts[segment][own] = value
        return list(parts.values())

    def cut(self, number: int, rate: Rate) -> Cut:
        """What a rate leaves of a module."""
        module, shape = self.modules[number]
        coupling = couple_module(module, shape)
        kept = kept_filters(
            module.body,
            coupling,
            self.parts[number],
            rate,
            self.criteria[number],
            module.name,
            seams=self.seams,
            saliencies=self.saliencies,
            seed=self.seed,
        )
        return Cut(coupling, kept)

    def cuts(self, rates: Sequence[Rate]) -> Iterator[tuple[Segment, Cut | None]]:
        """Each segment that is left, and what stays of it; None where all does."""
        numbered = iter(enumerate(rates))
        for segment in self.network.segments:
            number, rate = next(numbered) if isinstance(segment, Module) else (0, 0.0)
            if not is_skipped(rate):
                yield segment, self.cut(number, rate) if rate else None

    def prune_module(self, number: int, rate: Rate) -> Weights:
        """A module's surviving weights at a rate, named path/parameter."""
        if is_skipped(rate):
            return {}
        if not rate:
            return dict(self.parts[number])
        whole, cut = self.parts[number], self.cut(number, rate)
        return {
            name: np.ascontiguousarray(sliced(array, whole[name], cut, path))
            for path, layer in walk(self.modules[number][0].body)
            for array in layer.arrays()
            for name in [f"{path}/{array.name}"]
        }

    def prune_run(self, start: int, rates: Sequence[Rate]) -> Weights:
        """Those of the modules from number `start` on: segment/path/parameter."""
        return {
            f"{self.modules[number][0].name}/{name}": value
            for number, rate in enumerate(rates, start)
            for name, value in self.prune_module(number, rate).items()
        }

    def prune(self, rates: Sequence[Rate]) -> Weights:
        """The surviving weights of `prune_network(network, rates)`."""
        cut, small = self.prune_run(0, rates), prune_network(self.network, tuple(rates))
        expected = network_parameters(small)
        pruned = {name: cut[name] if name in cut else self.weights[name] for name in expected}
        misfits = [name for name, shape in expected.items() if pruned[name].shape != shape]
        assert not misfits, f"the IR predicts other shapes: {misfits}"
        return pruned

    def kept_channels(self, rates: Sequence[Rate]) -> dict[str, dict[str, list[int] | None]]:
        """By array that is cut: which channels that enter and leave its layer are left.

        "in": along the last axis but one, "out": along the last; an axis that stays whole is not
        there. None where it can't be said in one list: each part of a grouped convolution has its
        own.
        """
        return {
            name: axes
            for segment, cut in self.cuts(rates)
            if cut is not None
            for path, layer in walk(segment.body)
            for array in layer.arrays()
            for name in [f"{segment.name}/{path}/{array.name}"]
            if (axes := _kept_axes(array, self.weights[name], cut, path))
        }


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
    return Pruner(network, weights, criteria, seed, saliencies).prune(rates)


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
