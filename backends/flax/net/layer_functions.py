"""What single layers compute in JAX, of arrays [batch, …, channels]."""

from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import Any, assert_never
from zlib import crc32

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from wootzc.ir.layers import ActivationKind, Branch, LocalNorm, Pool
from wootzc.ir.layers.shapes import overhang, padding_of, resolved_padding


@jax.custom_vjp
def relu(x: jax.Array) -> jax.Array:
    """The greater of x and 0. Backward reads what left, which the next layer keeps anyway: autodiff
    keeps a mask, that a CPU makes in a sweep of its own, and as many zeros.
    """
    return jnp.maximum(x, 0)


def _relu_forward(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    y = relu(x)
    return y, y


def _relu_backward(y: jax.Array, gradient: jax.Array) -> tuple[jax.Array]:
    return (jnp.where(y > 0, gradient, 0),)


relu.defvjp(_relu_forward, _relu_backward)

ACTIVATIONS: dict[ActivationKind, Any] = {
    "relu": relu,
    "relu6": jax.nn.relu6,
    "leaky_relu": jax.nn.leaky_relu,
    "elu": jax.nn.elu,
    "gelu": partial(jax.nn.gelu, approximate=False),
    "gelu_tanh": jax.nn.gelu,
    "swish": jax.nn.swish,
    "hard_swish": jax.nn.hard_swish,
    "sigmoid": jax.nn.sigmoid,
    "hard_sigmoid": jax.nn.hard_sigmoid,
    "tanh": jnp.tanh,
}

# The pools of nnx have no types, and pyright takes that of `padding` from its default, a string.
max_pool: Callable[..., jax.Array] = nnx.max_pool
avg_pool: Callable[..., jax.Array] = nnx.avg_pool


def pool(layer: Pool, x: jax.Array) -> jax.Array:
    """One pool over [batch, height, width, channels]; padding counts only if that is said."""
    image = x.shape[1], x.shape[2]
    padding = padding_of(layer, image)
    if layer.kind == "max":
        return max_pool(x, layer.size, layer.stride, padding)
    if layer.count_padding and any(over := overhang(layer, image)):
        counted = resolved_padding(layer.padding, image, layer.size, layer.stride)
        x = jnp.pad(x, ((0, 0), *counted, (0, 0)))
        padding = (0, over[0]), (0, over[1])
        return avg_pool(x, layer.size, layer.stride, padding, count_include_pad=False)
    return avg_pool(x, layer.size, layer.stride, padding, count_include_pad=layer.count_padding)


def local_norm(layer: LocalNorm, x: jax.Array) -> jax.Array:
    """Each channel divided by a power of the squares around it.

    Of an even number of channels one more lies before it than behind, as in PyTorch. The sum is a
    product with a band of ones: a window along the channels takes longer, forward and backward.
    """
    channels = np.arange(x.shape[-1])
    distance = channels[:, None] - channels  # from the channel in the middle
    around = (-(layer.size // 2) <= distance) & (distance <= (layer.size - 1) // 2)
    squares = jnp.matmul(x * x, around.astype(np.float32), precision="highest")
    return x / (layer.k + layer.alpha / layer.size * squares) ** layer.beta


def dropout(x: jax.Array, rate: float, keys: jax.Array | None, path: str) -> jax.Array:
    """Zero a fraction `rate` of the values and scale the rest up, so that the mean stays.

    Every sample has its own key: how a batch is spread over devices changes nothing.
    """
    if keys is None:
        raise ValueError("dropout in training needs one random key per sample")

    def kept(key: jax.Array) -> jax.Array:
        own = jax.random.fold_in(key, crc32(path.encode()) & 0x7FFFFFFF)
        return jax.random.bernoulli(own, 1 - rate, x.shape[1:])

    return jnp.where(jax.vmap(kept)(keys), x / (1 - rate), 0)


def joined(branch: Branch, outputs: Sequence[jax.Array]) -> jax.Array:
    """Arms' outputs [batch, …, channels] added, concatenated, or the first scaled by the second."""
    match branch.join:
        case "add":
            return reduce(jnp.add, outputs)
        case "concat":
            return jnp.concatenate(outputs, axis=-1)
        case "scale":
            return outputs[0] * outputs[1]
        case _:
            assert_never(branch.join)
