"""Exact costs of layers: trainable parameters and multiply-accumulates (1 MAC = 2 FLOPs).

Parameters are kernels, biases, and the scale and shift of norms; running statistics do not count.
MACs are those of convolutions and dense layers on one image, as in He et al. (2016, table 1);
norms, activations, pools and additions count nothing.
"""

from functools import lru_cache
from math import prod
from typing import NamedTuple

from wootzc.ir.layers import Body, Layer, Shape, walk_shapes
from wootzc.ir.net.network import Network, segment_shapes


class Cost(NamedTuple):
    """Trainable parameters, and multiply-accumulates for one image."""

    params: int
    macs: int

    def plus(self, other: "Cost") -> "Cost":
        return Cost(self.params + other.params, self.macs + other.macs)


def layer_cost(layer: Layer, shape: Shape) -> Cost:
    """Cost of one layer when `shape` enters, with all that is inside of a branch."""
    return body_cost((layer,), shape)


@lru_cache(maxsize=8_192)
def body_cost(body: Body, shape: Shape) -> Cost:
    """Cost of layers one after the other. Raises `ShapeError`."""
    params = macs = 0
    for _, layer, entering in walk_shapes(body, shape):
        macs += layer.macs(entering)
        params += own_params(layer, entering)
    return Cost(params, macs)


def own_params(layer: Layer, shape: Shape) -> int:
    """Trainable parameters of a layer when `shape` enters, without those inside of a branch."""
    trained = [array for array in layer.arrays() if array.trained]
    leaving = layer.after(shape)[-1] if trained else 0
    return sum(prod(array.sizes(shape[-1], leaving)) for array in trained)


def network_cost(network: Network) -> Cost:
    """Cost of a whole network on one image, without its auxiliary heads."""
    total = Cost(0, 0)
    for segment, shape in zip(network.segments, segment_shapes(network), strict=False):
        total = total.plus(body_cost(segment.body, shape))
    return total
