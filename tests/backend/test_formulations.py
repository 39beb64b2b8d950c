"""Each form of a convolution, and the batch norm by hand, against the plain ones.

Sums of a few hundred float32 numbers agree to 1e-5 of their size; a wrong one misses by all of it.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from wootzc.backends.flax.net.batch_norm import normalized
from wootzc.backends.flax.net.convolution import Form, convolved, form_of
from wootzc.backends.flax.net.model import structure
from wootzc.ir.layers import Activation, Conv, DepthwiseConv, Norm
from wootzc.ir.layers.shapes import Shape, shape_after

BATCH = 3
CASES: dict[str, tuple[Form, Conv | DepthwiseConv, Shape]] = {
    "image of one pixel": ("dense", Conv(width=5), (1, 1, 4)),
    "image in the window": ("dense", Conv(width=5), (2, 2, 4)),
    "narrow": ("dense", Conv(width=5), (5, 4, 3)),
    "by two": ("dense", Conv(width=5, stride=(2, 1)), (4, 3, 4)),
    "padded on one side": ("dense", Conv(width=2, padding=((0, 2), (1, 0))), (3, 2, 4)),
    "with holes": ("dense", Conv(width=3, dilation=(2, 1), padding=((2, 2), (1, 1))), (3, 4, 2)),
    "flat window": ("dense", Conv(width=3, kernel=(5, 1)), (3, 2, 4)),
    "pixels": ("pixels", Conv(width=5, kernel=(1, 1)), (4, 3, 20)),
    "pixels by two": ("pixels", Conv(width=5, kernel=(1, 1), stride=(2, 2)), (5, 4, 20)),
    "pixels of large images": ("pixels", Conv(width=5, kernel=(1, 1)), (16, 17, 4)),
    "depthwise": ("taps", DepthwiseConv(), (5, 4, 3)),
    "depthwise by two": ("taps", DepthwiseConv(stride=(2, 2), padding=((1, 1), (1, 1))), (6, 5, 3)),
    "depthwise with holes": ("taps", DepthwiseConv(kernel=(3, 2), dilation=(1, 2)), (4, 6, 3)),
    "as many groups": ("taps", Conv(width=3, groups=3), (4, 4, 3)),
}


def random(*shape: int) -> jax.Array:
    return jnp.asarray(np.random.default_rng(len(shape)).normal(size=shape), jnp.float32)


def with_gradients(function: Callable[..., Any], *given: jax.Array) -> Any:
    """What it gives, and the gradients of a sum of all that, each number with its own weight."""

    def run(*given: jax.Array) -> Any:
        leaving, back = jax.vjp(function, *given)
        return leaving, back(jnp.cos(jnp.arange(leaving.size)).reshape(leaving.shape))

    return jax.jit(run)(*given)


def close(found: Any, expected: Any) -> None:
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5 * np.abs(other).max())


@pytest.mark.parametrize(("form", "layer", "shape"), CASES.values(), ids=CASES)
def test_forms_of_a_convolution(form: Form, layer: Conv | DepthwiseConv, shape: Shape) -> None:
    assert form_of(layer, shape, "cpu") == form
    assert form_of(layer, shape, "gpu") == "convolution"
    filters = shape_after(layer, shape)[2]
    of_each = 1 if form == "taps" else shape[2]
    x, kernel = random(BATCH, *shape), random(*layer.kernel, of_each, filters)
    found, expected = (
        with_gradients(lambda x, kernel, way=way: convolved(layer, x, kernel, way), x, kernel)
        for way in (form, "convolution")
    )
    close(found, expected)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (Conv(width=16), (8, 8, 16)),
        (Conv(width=32), (4, 4, 32)),
        (Conv(width=8, groups=2), (2, 2, 8)),
        (Conv(width=8, kernel=(1, 1), padding=((1, 1), (1, 1))), (8, 8, 8)),
        (DepthwiseConv(kernel=(7, 7)), (8, 8, 16)),
    ],
    ids=str,
)
def test_what_stays_a_convolution(layer: Conv | DepthwiseConv, shape: Shape) -> None:
    assert form_of(layer, shape, "cpu") == "convolution"


@pytest.mark.parametrize("shape", [(4, 3, 2), (6,)], ids=str)
@pytest.mark.parametrize("rectified", [True, False])
def test_batch_norm_by_hand(shape: Shape, rectified: bool) -> None:
    own = nnx.BatchNorm(shape[-1], epsilon=0.01, rngs=nnx.Rngs(0))

    def plain(x: jax.Array, scale: jax.Array, bias: jax.Array) -> jax.Array:
        module: Any = nnx.clone(own)
        module.scale[...], module.bias[...] = scale, bias
        y = module(x, use_running_average=False)
        return jax.nn.relu(y) if rectified else y

    def by_hand(x: jax.Array, scale: jax.Array, bias: jax.Array) -> jax.Array:
        return normalized(x, scale, bias, 0.01, rectified, None)[0]

    x = 2 + 3 * random(BATCH, *shape)
    given = x, random(shape[-1]), random(shape[-1])[::-1]
    close(with_gradients(by_hand, *given), with_gradients(plain, *given))
    _, mean, variance = normalized(*given, 0.01, rectified, None)
    axes = tuple(range(x.ndim - 1))
    close((mean, variance), (x.mean(axes), x.var(axes)))


def test_a_relu_behind_a_norm_is_applied_once_and_another_activation_too() -> None:
    for kind in ("relu", "elu"):
        body = (Norm(), Activation(kind=kind), Activation(kind="tanh"))
        x = random(BATCH, 2, 2, 3)
        graph = structure(body, (2, 2, 3))
        values = {"0/scale": jnp.full(3, 2.0), "0/bias": jnp.full(3, 0.1)}
        values |= {"0/mean": jnp.zeros(3), "0/var": jnp.ones(3)}
        found, moved = graph.train(values, x, jax.random.split(jax.random.key(0), BATCH))
        y = 2 * (x - x.mean((0, 1, 2))) / jnp.sqrt(x.var((0, 1, 2)) + Norm().epsilon) + 0.1
        close(found, jnp.tanh({"relu": jax.nn.relu, "elu": jax.nn.elu}[kind](y)))
        momentum = Norm().momentum
        close(moved["0/mean"], (1 - momentum) * x.mean((0, 1, 2)))
        close(moved["0/var"], momentum + (1 - momentum) * x.var((0, 1, 2)))


def test_what_is_compiled_for_other_machines_is_plain() -> None:
    body, shape = (Conv(width=5),), (2, 2, 4)
    values = {"0/kernel": random(3, 3, 4, 5)}

    def text(plain: bool) -> str:
        graph = structure(body, shape, plain=plain)
        return jax.jit(graph.evaluate).lower(values, random(BATCH, *shape)).as_text()

    assert "convolution" in text(True) and "convolution" not in text(False)
