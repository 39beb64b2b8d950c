"""Convolutions, each computed in the way that costs a CPU least.

XLA gives a convolution to fast kernels only where its window fits into the image, and never a
depthwise one; a product of matrices it always does. All forms are the same sum, and agree up to its
rounding. Accelerators have kernels for every shape: there a convolution stays one. Measured in
docs/decisions/019-formulations.md.
"""

from functools import partial
from itertools import product
from math import prod
from typing import Any, Literal, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from numpy.typing import NDArray

from wootzc.ir.layers import Conv, DepthwiseConv
from wootzc.ir.layers.shapes import Shape, padding_of, shape_after

Form: TypeAlias = Literal["convolution", "dense", "pixels", "taps"]

NARROW = 144  # numbers in an image, at most, for which a dense product pays under any window
LARGE = 256  # pixels from which the gradient by a 1×1 kernel is made image by image
TAPS = 25  # of a depthwise kernel, at most, that are summed one by one


def form_of(layer: Conv | DepthwiseConv, shape: Shape, platform: str) -> Form:
    """How a convolution of images of this shape is computed; it asks for nothing else.

    convolution: as such. dense: one product with a matrix from all that enters to all that leaves,
    where most of a window lies beside the image. pixels: the same product at every pixel. taps: a
    sum of shifted images, one for each weight of a channel.
    """
    height, width, channels = shape
    if platform != "cpu":
        return "convolution"
    if isinstance(layer, DepthwiseConv) or layer.groups == layer.width == channels > 1:
        return "taps" if prod(layer.kernel) <= TAPS else "convolution"
    if layer.groups > 1:
        return "convolution"
    if layer.kernel == (1, 1) and not np.any(padding_of(layer, (height, width))):
        return "pixels"
    small = height * width < prod(layer.kernel) or prod(shape) <= NARROW
    return "dense" if small else "convolution"


def convolved(
    layer: Conv | DepthwiseConv,
    x: jax.Array,  # [batch, height, width, channels]
    kernel: jax.Array,  # [kernel height, kernel width, channels // groups, filters]
    form: Form,
) -> jax.Array:  # [batch, height, width, filters], without bias
    """One convolution, computed in this form; forms differ in speed, and in rounding."""
    match form:
        case "convolution":
            return lax.conv_general_dilated(
                x,
                kernel,
                layer.stride,
                padding_of(layer, (x.shape[1], x.shape[2])),
                rhs_dilation=layer.dilation,
                dimension_numbers=("NHWC", "HWIO", "NHWC"),
                feature_group_count=x.shape[-1] // kernel.shape[2],
            )
        case "dense":
            return _dense(layer, x, kernel)
        case "pixels":
            down, right = layer.stride
            seen = x[:, ::down, ::right]
            large = seen.shape[1] * seen.shape[2] >= LARGE
            return _product(seen, kernel[0, 0]) if large else seen @ kernel[0, 0]
        case "taps":
            return _taps(layer, x, kernel)


# Dense


def _dense(layer: Conv | DepthwiseConv, x: jax.Array, kernel: jax.Array) -> jax.Array:
    batch, shape = x.shape[0], x.shape[1:]
    height, width, filters = shape_after(layer, shape)
    taps = kernel.reshape(-1, *kernel.shape[2:])  # [taps, channels, filters]
    none = jnp.zeros_like(taps[:1])
    # [height, width, height out, width out, channels, filters]
    weights = jnp.concatenate([taps, none])[_tap_between(layer, shape)]
    matrix = weights.transpose(0, 1, 4, 2, 3, 5).reshape(prod(shape), height * width * filters)
    return (x.reshape(batch, prod(shape)) @ matrix).reshape(batch, height, width, filters)


def _tap_between(layer: Conv | DepthwiseConv, shape: Shape) -> NDArray[np.intp]:
    """[height, width, height out, width out]: through which tap a pixel enters another; the number
    behind the last, where through none.
    """
    rows, columns = (
        _offset_between(*axis)
        for axis in zip(
            shape[:2],
            shape_after(layer, shape)[:2],
            layer.kernel,
            layer.stride,
            layer.dilation,
            (first for first, _ in padding_of(layer, (shape[0], shape[1]))),
            strict=True,
        )
    )
    rows, columns = rows[:, None, :, None], columns[None, :, None, :]
    seen = (rows >= 0) & (columns >= 0)
    return np.where(seen, rows * layer.kernel[1] + columns, prod(layer.kernel))


def _offset_between(
    size: int, left: int, kernel: int, stride: int, dilation: int, padding: int
) -> NDArray[np.intp]:  # [size, left]
    """At which place of the window that gives one pixel another one lies; −1: not in it."""
    distance = np.arange(size)[:, None] - stride * np.arange(left) + padding
    offset, beside = np.divmod(distance, dilation)
    return np.where((beside == 0) & (offset >= 0) & (offset < kernel), offset, -1)


# Pixels


@jax.custom_vjp
def _product(x: jax.Array, kernel: jax.Array) -> jax.Array:
    return x @ kernel


def _product_forward(x: jax.Array, kernel: jax.Array) -> Any:
    return x @ kernel, (x, kernel)


def _product_backward(kept: Any, gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    """By the kernel image by image: one product over all pixels of a batch takes longer."""
    x, kernel = kept
    each = jnp.einsum("bhwc,bhwf->bcf", x, gradient, preferred_element_type=np.float32)
    return gradient @ kernel.T, each.sum(0).astype(kernel.dtype)


_product.defvjp(_product_forward, _product_backward)


# Taps


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _taps(layer: Conv | DepthwiseConv, x: jax.Array, kernel: jax.Array) -> jax.Array:
    return _summed(layer, x, kernel)


def _summed(layer: Conv | DepthwiseConv, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """In float32, and then as `x` is."""
    weights = kernel.reshape(-1, kernel.shape[-1]).astype(np.float32)  # [taps, channels]
    pairs = zip(_shifted(layer, x), weights, strict=True)
    return sum((one * own for one, own in pairs), jnp.zeros((), np.float32)).astype(x.dtype)


def _taps_forward(layer: Conv | DepthwiseConv, x: jax.Array, kernel: jax.Array) -> Any:
    return _taps(layer, x, kernel), (x, kernel)


def _taps_backward(layer: Conv | DepthwiseConv, kept: Any, gradient: jax.Array) -> Any:
    """By the kernel all sums in one sweep: sums of their own would each read the images anew."""
    x, kernel = kept
    _, by_input = jax.vjp(lambda x: _summed(layer, x, kernel), x)
    shifted = _shifted(layer, x)
    g = gradient.astype(np.float32)
    products = tuple(one.astype(np.float32) * g for one in shifted)
    zeros = (np.float32(0),) * len(products)
    sums = lax.reduce(products, zeros, lambda a, b: tuple(map(jnp.add, a, b)), (0, 1, 2))
    return *by_input(gradient), jnp.stack(sums).reshape(kernel.shape).astype(kernel.dtype)


_taps.defvjp(_taps_forward, _taps_backward)


def _shifted(layer: Conv | DepthwiseConv, x: jax.Array) -> list[jax.Array]:
    """What each tap of the kernel sees, in the kernel's order: [batch, height, width, channels]."""
    height, width, _ = shape_after(layer, x.shape[1:])
    padded = jnp.pad(x, ((0, 0), *padding_of(layer, (x.shape[1], x.shape[2])), (0, 0)))
    (down, right), (lower, further) = layer.stride, layer.dilation
    return [
        padded[
            :,
            lower * i : lower * i + down * (height - 1) + 1 : down,
            further * j : further * j + right * (width - 1) + 1 : right,
        ]
        for i, j in product(*map(range, layer.kernel))
    ]
