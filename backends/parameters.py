"""Which arrays a body carries, by name and shape. Arrays live in one flat dict per network."""

from collections.abc import Iterator
from typing import Any, TypeAlias, assert_never

import numpy as np
from numpy.typing import NDArray

from wootzc.ir.layers import (
    Activation,
    Body,
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
)  # fmt: skip
from wootzc.ir.network import Network, segment_shapes
from wootzc.ir.shapes import Shape, shape_after

Weights: TypeAlias = dict[str, NDArray[Any]]  # "segment/path/parameter" → float32

NORM_PARAMETERS = ("scale", "bias", "mean", "var")


def is_statistic(name: str) -> bool:
    """Whether a weight of this name is a running statistic: training moves it, gradients do not."""
    return name.rpartition("/")[2] in {"mean", "var"}


def layer_parameters(layer: Layer, shape: Shape) -> dict[str, Shape]:
    """The layer's own arrays when `shape` enters; a branch has none, its arms do."""
    match layer:
        case Conv(width=width, kernel=kernel, groups=groups, bias=bias):
            return {"kernel": (*kernel, shape[-1] // groups, width)} | _bias(width, bias)
        case DepthwiseConv(kernel=kernel, bias=bias):
            return {"kernel": (*kernel, 1, shape[-1])} | _bias(shape[-1], bias)
        case Dense(width=width, bias=bias):
            return {"kernel": (shape[-1], width)} | _bias(width, bias)
        case Norm():
            return dict.fromkeys(NORM_PARAMETERS, (shape[-1],))
        case LocalNorm() | Activation() | Pool() | GlobalPool() | Dropout() | Flatten() | Branch():
            return {}
        case _:
            assert_never(layer)


def parameters(body: Body, shape: Shape) -> dict[str, Shape]:
    """Shapes of all arrays of a body that `shape` enters, named path/parameter, in order."""
    return dict(_parameters(body, shape, ""))


def network_parameters(network: Network) -> dict[str, Shape]:
    """Shapes of all arrays of a network, named segment/path/parameter, in order."""
    return {
        f"{segment.name}/{name}": size
        for segment, shape in zip(network.segments, segment_shapes(network), strict=False)
        for name, size in parameters(segment.body, shape).items()
    }


def segment_weights(weights: Weights, segment: str) -> Weights:
    """The arrays of one segment, named path/parameter."""
    prefix = f"{segment}/"
    return {
        name.removeprefix(prefix): value
        for name, value in weights.items()
        if name.startswith(prefix)
    }


def _parameters(body: Body, shape: Shape, prefix: str) -> Iterator[tuple[str, Shape]]:
    for index, layer in enumerate(body):
        path = f"{prefix}{index}"
        for name, size in layer_parameters(layer, shape).items():
            yield f"{path}/{name}", size
        if isinstance(layer, Branch):
            for i, arm in enumerate(layer.arms):
                yield from _parameters(arm, shape, f"{path}.{i}.")
        shape = shape_after(layer, shape)


def _bias(width: int, bias: bool) -> dict[str, Shape]:
    return {"bias": (width,)} if bias else {}


def count_parameters(weights: Weights) -> int:
    """Trainable numbers: running statistics do not count, as in `ir.cost`."""
    return int(sum(np.size(value) for name, value in weights.items() if not is_statistic(name)))
