"""Exact costs of layers: trainable parameters and multiply-accumulates (1 MAC = 2 FLOPs).

Parameters are kernels, biases, and the scale and shift of norms; running statistics do not count.
MACs are those of convolutions and dense layers on one image, as in He et al. (2016, table 1);
norms, activations, pools and additions count nothing.
"""

from typing import NamedTuple, assert_never

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


class Cost(NamedTuple):
    """Trainable parameters, and multiply-accumulates for one image."""

    params: int
    macs: int

    def plus(self, other: "Cost") -> "Cost":
        return Cost(self.params + other.params, self.macs + other.macs)


def layer_cost(layer: Layer, shape: Shape) -> Cost:
    """Cost of one layer when `shape` enters."""
    match layer:
        case Conv(width=width, kernel=(kh, kw), groups=groups, bias=bias):
            kernel = kh * kw * (shape[-1] // groups) * width
            out = shape_after(layer, shape)
            return Cost(kernel + width * bias, kernel * out[0] * out[1])
        case DepthwiseConv(kernel=(kh, kw), bias=bias):
            kernel = kh * kw * shape[-1]
            out = shape_after(layer, shape)
            return Cost(kernel + shape[-1] * bias, kernel * out[0] * out[1])
        case Dense(width=width, bias=bias):
            kernel = shape[-1] * width
            return Cost(kernel + width * bias, kernel)
        case Norm():
            return Cost(2 * shape[-1], 0)
        case LocalNorm() | Activation() | Pool() | GlobalPool() | Dropout() | Flatten():
            return Cost(0, 0)
        case Branch(arms=arms):
            return Cost(*map(sum, zip(*(body_cost(arm, shape) for arm in arms), strict=True)))
        case _:
            assert_never(layer)


def body_cost(body: Body, shape: Shape) -> Cost:
    """Cost of layers one after the other."""
    total = Cost(0, 0)
    for layer in body:
        total = total.plus(layer_cost(layer, shape))
        shape = shape_after(layer, shape)
    return total


def network_cost(network: Network) -> Cost:
    """Cost of a whole network on one image, without its auxiliary heads."""
    total = Cost(0, 0)
    for segment, shape in zip(network.segments, segment_shapes(network), strict=False):
        total = total.plus(body_cost(segment.body, shape))
    return total
