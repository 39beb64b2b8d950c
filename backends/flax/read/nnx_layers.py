"""flax.nnx layers → layers of ours, with their weights."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from flax import nnx
from numpy.typing import NDArray

from wootzc.ir.graph import Refused
from wootzc.ir.layers import (
    Conv,
    Dense,
    DepthwiseConv,
    Dropout,
    GroupNorm,
    Layer,
    Norm,
    Padding,
    Pair,
    PRelu,
)
from wootzc.ir.layers.shapes import Shape

LAYERS = (
    nnx.Conv, nnx.Linear, nnx.BatchNorm, nnx.GroupNorm, nnx.LayerNorm, nnx.PReLU, nnx.Dropout,
)  # fmt: skip
Arrays = dict[str, NDArray[np.float32]]


def layer_of(module: Any, name: str, image: Shape) -> tuple[Layer, Arrays]:
    """The layer that a module is on an image of this shape. Raises `Refused`."""
    match module:
        case nnx.Conv():
            return _convolution(module, name), _with_bias(module, _array(module.kernel))
        case nnx.Linear():
            kernel = _array(module.kernel)
            if len(image) == 3 and image[:2] != (1, 1):  # a dense layer over each pixel
                pixels = Conv(width=kernel.shape[1], kernel=(1, 1), bias=module.bias is not None)
                return pixels, _with_bias(module, kernel[None, None])
            return Dense(width=kernel.shape[1], bias=module.bias is not None), _with_bias(
                module, kernel
            )
        case nnx.BatchNorm():
            return _norm(module, name)
        case nnx.GroupNorm():
            if module.reduction_axes is not None:
                raise Refused(f"`{name}` normalises axes of its own, not all of an image's group")
            norm = GroupNorm(groups=module.num_groups, epsilon=float(module.epsilon))
            return norm, _scaled(module, image)
        case nnx.LayerNorm():
            if {*_axes(module.reduction_axes), *_axes(module.feature_axes)} != {-1}:
                raise Refused(f"`{name}` normalises more than the channels of each pixel")
            norm = GroupNorm(groups=1, epsilon=float(module.epsilon), pixelwise=True)
            return norm, _scaled(module, image)
        case nnx.PReLU():
            slope = np.broadcast_to(_array(module.negative_slope), image[-1:])
            return PRelu(), {"slope": slope.copy()}
        case nnx.Dropout():
            return Dropout(rate=float(module.rate)), {}
        case _:
            raise AssertionError(f"{type(module).__name__} is none of {LAYERS}")


def _convolution(conv: nnx.Conv, name: str) -> Conv | DepthwiseConv:
    if len(conv.kernel_size) != 2:
        raise Refused(f"`{name}` is a convolution over {len(conv.kernel_size)} axes, not over two")
    if _pair(conv.input_dilation) != (1, 1):
        raise Refused(f"`{name}` dilates its input, as transposed convolutions do")
    if conv.mask is not None:
        raise Refused(f"`{name}` masks its kernel")
    height, width = conv.kernel_size
    window: dict[str, Any] = {
        "kernel": (height, width),
        "stride": _pair(conv.strides),
        "padding": _padding(conv.padding, name),
        "dilation": _pair(conv.kernel_dilation),
        "bias": conv.bias is not None,
    }
    if conv.feature_group_count == conv.in_features == conv.out_features > 1:
        return DepthwiseConv(**window)
    return Conv(width=conv.out_features, groups=conv.feature_group_count, **window)


def _norm(norm: nnx.BatchNorm, name: str) -> tuple[Norm, Arrays]:
    if norm.axis != -1:
        raise Refused(f"`{name}` normalises axis {norm.axis}, not the last")
    mean = _array(norm.mean)
    weights = {**_scaled(norm, mean.shape), "mean": mean, "var": _array(norm.var)}
    return Norm(epsilon=float(norm.epsilon), momentum=float(norm.momentum)), weights


def _scaled(norm: Any, image: Shape) -> Arrays:
    """Its factor and offset, those that change nothing where it has none."""
    shape = image[-1:]
    return {
        "scale": np.ones(shape, np.float32) if norm.scale is None else _array(norm.scale),
        "bias": np.zeros(shape, np.float32) if norm.bias is None else _array(norm.bias),
    }


def _axes(axes: Any) -> tuple[int, ...]:
    return (axes,) if isinstance(axes, int) else tuple(axes)


def _padding(padding: Any, name: str) -> Padding:
    """Flax's ways to say padding: a word, pixels, pixels an axis, or (before, after) an axis."""
    if isinstance(padding, str):
        match padding.upper():
            case "SAME":
                return "same"
            case "VALID":
                return "valid"
            case other:
                raise Refused(f"`{name}` pads {other.lower()}, not with zeros")
    if isinstance(padding, int):
        return ((padding, padding), (padding, padding))
    height, width = (side if isinstance(side, Sequence) else (side, side) for side in padding)
    return ((int(height[0]), int(height[1])), (int(width[0]), int(width[1])))


def _pair(value: Any) -> Pair:
    if value is None or isinstance(value, int):
        return (value or 1, value or 1)
    height, width = value
    return int(height), int(width)


def _with_bias(module: Any, kernel: NDArray[np.float32]) -> Arrays:
    arrays = {"kernel": kernel}
    return arrays if module.bias is None else arrays | {"bias": _array(module.bias)}


def _array(variable: Any) -> NDArray[np.float32]:
    return np.asarray(variable[...], np.float32)
