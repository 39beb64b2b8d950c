"""What changes where channels come first, as in ONNX and PyTorch. NumPy only.

Images are [batch, channels, height, width] there. Flattened, such an image lists its values channel
by channel, ours pixel by pixel; so the weights of what reads a flattened image change places, and
the network runs without a transposition. `Order` follows a vector until a dense layer reads it.
"""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wootzc.ir.layers import Pair
from wootzc.ir.layers.shapes import Shape

Array: TypeAlias = NDArray[Any]
Order: TypeAlias = Shape | None  # (h, w, c) of the image whose values stand channels first
Pads: TypeAlias = tuple[Pair, Pair]  # ((top, bottom), (left, right))

TORCH_NAMES = {  # of our arrays, in a `state_dict`
    "kernel": "weight",
    "scale": "weight",
    "slope": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "var": "running_var",
}

NO_PADS: Pads = ((0, 0), (0, 0))


def channels_first(shape: Shape) -> tuple[int, ...]:
    """(height, width, channels) → (channels, height, width); a vector stays."""
    return (*shape[-1:], *shape[:-1])


def order_after_flatten(shape: Shape) -> Order:
    """None where both orders are one."""
    height, width, channels = shape
    return None if height * width == 1 or channels == 1 else shape


def reordered(value: Array, order: Order) -> Array:  # first axis: the values of a vector
    """What we have pixel by pixel, channel by channel."""
    if order is None:
        return value
    positions = np.arange(np.prod(order)).reshape(order).transpose(2, 0, 1).reshape(-1)
    return value[positions]


def conv_kernel(kernel: Array) -> Array:  # [kh, kw, in // groups, out]
    """[out, in // groups, kh, kw]"""
    return kernel.transpose(3, 2, 0, 1)
