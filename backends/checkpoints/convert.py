"""One array of PyTorch's in our layout: channels last, and `in` before `out`."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wootzc.backends.python_source.classes import Learned
from wootzc.backends.weights.channels_first import TORCH_NAMES, Order
from wootzc.ir.layers import Shape

Array = NDArray[Any]


def torch_names(learned: Learned) -> Iterator[tuple[str, str]]:
    """Our parameter of a layer, and PyTorch's name of it: ("kernel", "weight")."""
    for parameter in learned.shapes:
        yield parameter, TORCH_NAMES[parameter]


def torch_shape(learned: Learned, parameter: str) -> Shape:
    """The shape PyTorch keeps it in; dense layers may be 1x1 convolutions as well."""
    shape = learned.shapes[parameter]
    return shape if parameter != "kernel" else (*shape[:-3:-1], *shape[:-2])


def converted(learned: Learned, parameter: str, value: Array) -> Array | None:
    """The array as float32 in our layout, or None where its shape does not fit."""
    array = _own_layout(learned, parameter, value)
    if array is None or array.shape != learned.shapes[parameter]:
        return None
    return np.ascontiguousarray(array, dtype=np.float32)


def _own_layout(learned: Learned, parameter: str, value: Array) -> Array | None:
    (axes,) = (array.axes for array in learned.layer.arrays() if array.name == parameter)
    if len(axes) == 1:
        return _channels_last(value, learned.order) if axes == ("in",) else value
    if len(axes) == 4:
        if value.ndim == 2:  # a dense layer that stands for a 1x1 convolution
            value = value[:, :, None, None]
        return value.transpose(2, 3, 1, 0) if value.ndim == 4 else None
    if value.ndim == 4:  # a convolution over the whole image
        fits = _covers(value, learned.order)
        return value.transpose(2, 3, 1, 0).reshape(-1, len(value)) if fits else None
    return _channels_last(value.T, learned.order) if value.ndim == 2 else None


def _covers(
    kernel: Array,  # [out, in, kh, kw]
    order: Order,
) -> bool:
    _, channels, *size = kernel.shape
    return tuple(size) == (1, 1) if order is None else (*size, channels) == order


def _channels_last(value: Array, order: Order) -> Array:
    """The first axis in our order, where it runs over a flattened image."""
    if order is None or len(value) != np.prod(order):
        return value
    height, width, channels = order
    moved = value.reshape(channels, height, width, *value.shape[1:])
    return np.moveaxis(moved, 0, 2).reshape(value.shape)
