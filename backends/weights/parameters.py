"""Which arrays a body carries, by name and shape. Arrays live in one flat dict per network."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wootzc.ir.layers import Array, Body, Layer, Shape, walk_shapes
from wootzc.ir.layers.layer_page import STATISTICS
from wootzc.ir.net.network import Network, walk_network

Weights: TypeAlias = dict[str, NDArray[Any]]  # "segment/path/parameter" → float32


def is_statistic(name: str) -> bool:
    """Whether a weight of this name is a running statistic: training moves it, gradients do not."""
    return name.rpartition("/")[2] in STATISTICS


def named_arrays(
    layers: Iterable[tuple[str, Layer, Shape]],  # with their paths and the shapes that enter them
) -> Iterator[tuple[str, Array, Shape]]:
    """Every array of these layers, named path/parameter, with its own shape, in order."""
    for path, layer, entering in layers:
        own = layer.arrays()
        leaving = layer.after(entering)[-1] if own else 0
        for array in own:
            yield f"{path}/{array.name}", array, array.sizes(entering[-1], leaving)


def parameters(body: Body, shape: Shape) -> dict[str, Shape]:
    """Shapes of all arrays of a body that `shape` enters, named path/parameter, in order."""
    return {name: size for name, _, size in named_arrays(walk_shapes(body, shape))}


def network_parameters(network: Network) -> dict[str, Shape]:
    """Shapes of all arrays of a network, named segment/path/parameter, in order."""
    return {name: size for name, _, size in named_arrays(walk_network(network))}


def segment_weights(weights: Mapping[str, NDArray[Any]], segment: str) -> Weights:
    """The arrays of one segment, named path/parameter."""
    prefix = f"{segment}/"
    return {
        name.removeprefix(prefix): value
        for name, value in weights.items()
        if name.startswith(prefix)
    }


def count_parameters(weights: Weights) -> int:
    """Trainable numbers: running statistics do not count, as in `ir.cost`."""
    return int(sum(np.size(value) for name, value in weights.items() if not is_statistic(name)))
