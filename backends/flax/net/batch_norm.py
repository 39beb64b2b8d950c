"""Batch norm in training, with its gradient by hand: what autodiff makes of it reads the images
more often, and keeps what can be computed again at once.

Ioffe and Szegedy, ICML 2015, with the gradient of its section 3 in sums of the gradient and of its
product with what entered. A relu right behind it is part of it.
"""

from functools import partial
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


@partial(jax.custom_vjp, nondiff_argnums=(3, 4, 5))
def normalized(
    x: jax.Array,  # [batch, height, width, channels] or [batch, channels]
    scale: jax.Array,  # [channels]
    bias: jax.Array,  # [channels]
    epsilon: float,
    rectified: bool,  # whether a relu follows
    axis_name: str | None,  # the device axis over which statistics are averaged
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """What leaves, as `x` is, and mean and variance of what entered, in float32.

    No gradient flows through the statistics that are given back.
    """
    return _forward(x, scale, bias, epsilon, rectified, axis_name)[0]


def _forward(
    x: jax.Array,
    scale: jax.Array,
    bias: jax.Array,
    epsilon: float,
    rectified: bool,
    axis_name: str | None,
) -> Any:
    axes, wide = tuple(range(x.ndim - 1)), x.astype(np.float32)
    mean, squares = _over_devices((wide.mean(axes), (wide * wide).mean(axes)), axis_name)
    variance = jnp.maximum(0, squares - mean * mean)
    inverse = lax.rsqrt(variance + epsilon)
    y = (wide - mean) * (inverse * scale) + bias
    y = (jnp.maximum(y, 0) if rectified else y).astype(x.dtype)
    return (y, mean, variance), (x, y if rectified else None, scale, mean, inverse)


def _backward(
    epsilon: float, rectified: bool, axis_name: str | None, kept: Any, gradients: Any
) -> tuple[jax.Array, jax.Array, jax.Array]:
    x, y, scale, mean, inverse = kept
    gradient, _, _ = gradients
    g = gradient.astype(np.float32)
    if rectified:
        g = jnp.where(y > 0, g, 0)
    axes, pixels, wide = tuple(range(x.ndim - 1)), prod(x.shape[:-1]), x.astype(np.float32)
    by_bias = g.sum(axes)
    by_scale = ((g * wide).sum(axes) - mean * by_bias) * inverse
    slope = scale * inverse
    shift, along = _over_devices((by_bias / pixels, by_scale / pixels), axis_name)
    along = along * inverse  # of what entered, less its mean
    by_x = slope * (g - along * wide + (along * mean - shift))
    return by_x.astype(x.dtype), by_scale, by_bias


normalized.defvjp(_forward, _backward)


def _over_devices(
    pair: tuple[jax.Array, jax.Array], axis_name: str | None
) -> tuple[jax.Array, jax.Array]:
    if axis_name is None:
        return pair
    first, second = lax.pmean(jnp.stack(pair), axis_name)
    return first, second
