"""Layers against arithmetic written out in NumPy, and what compiled functions are keyed by."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest
from flax import nnx
from numpy.typing import NDArray

from wootzc.backends.flax.net.layer_functions import ACTIVATIONS
from wootzc.backends.flax.net.model import SegmentNet, structure, structures
from wootzc.backends.flax.train.evaluation import predict
from wootzc.backends.weights.parameters import Weights, parameters
from wootzc.ir import layers as ir
from wootzc.ir.layers.shapes import Shape, padding_of, shape_after
from wootzc.ir.net.network import Network, segment_shapes

Array = NDArray[Any]


def run(layer: ir.Layer, x: Array, values: Weights | None = None) -> Array:
    own = {f"0/{name}": value for name, value in (values or {}).items()}
    return np.asarray(structure((layer,), x.shape[1:]).evaluate(own, x))


def images(*shape: int) -> Array:
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def windows(layer: ir.Conv | ir.DepthwiseConv | ir.Pool, x: Array, fill: float) -> Array:
    """[batch, out height, out width, kh, kw, channels]: the pixels that each output sees."""
    padding = padding_of(layer, x.shape[1:3])
    padded = np.pad(x, ((0, 0), *padding, (0, 0)), constant_values=fill)
    height, width, _ = shape_after(layer, x.shape[1:])
    kh, kw = layer.size if isinstance(layer, ir.Pool) else layer.kernel
    dh, dw = (1, 1) if isinstance(layer, ir.Pool) else layer.dilation
    out = np.empty((len(x), height, width, kh, kw, x.shape[-1]))
    for i, j, a, b in itertools.product(range(height), range(width), range(kh), range(kw)):
        out[:, i, j, a, b] = padded[:, i * layer.stride[0] + a * dh, j * layer.stride[1] + b * dw]
    return out


@pytest.mark.parametrize(
    "layer",
    [
        ir.Conv(width=5),
        ir.Conv(width=5, stride=(2, 2), bias=True),
        ir.Conv(width=4, kernel=(2, 4), stride=(2, 1)),
        ir.Conv(width=4, padding="valid", dilation=(2, 1)),
        ir.Conv(width=4, padding=((0, 1), (2, 0)), stride=(3, 2)),
        ir.Conv(width=6, groups=2, bias=True),
        ir.Conv(width=4, kernel=(1, 7), padding=((0, 0), (3, 3))),
        ir.Conv(
            width=6,
            kernel=(3, 1),
            groups=2,
            stride=(1, 2),
            dilation=(2, 3),
            padding=((2, 1), (0, 3)),
        ),
        ir.Conv(width=8, kernel=(5, 2), groups=4, stride=(2, 2)),
    ],
    ids=repr,
)
def test_convolution_is_a_sum_over_windows(layer: ir.Conv) -> None:
    x = images(2, 7, 6, 4)
    kernel = images(*layer.kernel, 4 // layer.groups, layer.width)
    bias = images(layer.width)
    seen = windows(layer, x, 0)
    parts = zip(
        np.split(seen, layer.groups, axis=-1), np.split(kernel, layer.groups, axis=-1), strict=True
    )
    expected = np.concatenate([np.einsum("nijabc,abco->nijo", s, k) for s, k in parts], axis=-1)
    values = {"kernel": kernel} | ({"bias": bias} if layer.bias else {})
    expected = expected + bias if layer.bias else expected
    np.testing.assert_allclose(run(layer, x, values), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "layer",
    [
        ir.DepthwiseConv(bias=True),
        ir.DepthwiseConv(stride=(2, 2), bias=True),
        ir.DepthwiseConv(kernel=(5, 1), stride=(2, 1), padding=((0, 1), (0, 0)), bias=True),
        ir.DepthwiseConv(kernel=(2, 3), dilation=(2, 1), padding=((1, 2), (2, 0)), bias=True),
    ],
    ids=repr,
)
def test_depthwise_convolution_keeps_channels_apart(layer: ir.DepthwiseConv) -> None:
    x, kernel, bias = images(2, 5, 6, 3), images(*layer.kernel, 1, 3), images(3)
    expected = np.einsum("nijabc,abc->nijc", windows(layer, x, 0), kernel[:, :, 0]) + bias
    got = run(layer, x, {"kernel": kernel, "bias": bias})
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("padding", ["same", "valid", ((1, 0), (0, 1))])
def test_pools_leave_padding_out(padding: Any) -> None:
    x = images(2, 7, 5, 3) - 3  # mostly below zero: a padded zero would win or pull
    for kind, pool in (("max", np.nanmax), ("avg", np.nanmean)):
        layer = ir.Pool(kind=kind, size=(3, 2), stride=(2, 2), padding=padding)  # type: ignore[arg-type]
        expected = pool(windows(layer, x, np.nan), axis=(3, 4))
        np.testing.assert_allclose(run(layer, x), expected, rtol=1e-5)


def test_norm_uses_running_figures_when_evaluated_and_the_batch_when_trained() -> None:
    layer = ir.Norm(epsilon=1e-3, momentum=0.8)
    x = images(4, 3, 3, 2) * 2 + 1
    scale, bias, mean, var = images(4, 2)
    var = np.abs(var)
    values = {"scale": scale, "bias": bias, "mean": mean, "var": var}
    expected = (x - mean) / np.sqrt(var + 1e-3) * scale + bias
    np.testing.assert_allclose(run(layer, x, values), expected, rtol=1e-4, atol=1e-5)

    own = {f"0/{name}": value for name, value in values.items()}
    keys = jax.random.split(jax.random.key(0), 4)
    y, moved = structure((layer,), (3, 3, 2)).train(own, x, keys)
    batch_mean, batch_var = x.mean((0, 1, 2)), x.var((0, 1, 2))
    expected = (x - batch_mean) / np.sqrt(batch_var + 1e-3) * scale + bias
    np.testing.assert_allclose(y, expected, rtol=1e-3, atol=1e-4)
    assert moved.keys() == {"0/mean", "0/var"}
    np.testing.assert_allclose(moved["0/mean"], 0.8 * mean + 0.2 * batch_mean, rtol=1e-4)
    np.testing.assert_allclose(moved["0/var"], 0.8 * var + 0.2 * batch_var, rtol=1e-4)


def test_layers_without_weights() -> None:
    x = images(2, 3, 4, 2)
    np.testing.assert_allclose(run(ir.GlobalPool(), x), x.mean((1, 2)), rtol=1e-5)
    np.testing.assert_allclose(run(ir.GlobalPool(kind="max"), x), x.max((1, 2)))
    assert run(ir.GlobalPool(keep_dims=True), x).shape == (2, 1, 1, 2)
    np.testing.assert_array_equal(run(ir.Flatten(), x), x.reshape(2, -1))
    np.testing.assert_array_equal(run(ir.Dropout(rate=0.5), x), x)
    np.testing.assert_allclose(run(ir.Activation(kind="relu6"), 9 * x), np.clip(9 * x, 0, 6))
    np.testing.assert_allclose(run(ir.Activation(kind="tanh"), x), np.tanh(x), rtol=1e-5)
    for kind, slope in (("leaky_relu", 0.3), ("relu", 0.0)):
        expected = np.where(x < 0, slope * x, x)
        layer = ir.Activation(kind=kind, slope=0.3)  # type: ignore[arg-type]
        np.testing.assert_allclose(run(layer, x), expected, rtol=1e-6)
    exact = [0.5 * v * (1 + math.erf(v / math.sqrt(2))) for v in x.ravel()]
    np.testing.assert_allclose(
        run(ir.Activation(kind="gelu"), x).ravel(), exact, rtol=1e-4, atol=1e-6
    )
    inner = np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)
    approximate = 0.5 * x * (1 + np.tanh(inner))
    got = run(ir.Activation(kind="gelu_tanh"), x)
    np.testing.assert_allclose(got, approximate, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_every_activation_keeps_the_shape(kind: Any) -> None:
    assert run(ir.Activation(kind=kind), images(1, 2, 2, 3)).shape == (1, 2, 2, 3)


def test_joins() -> None:
    x = images(2, 3, 3, 2)
    double = (ir.Branch(join="add", arms=((), ())),)
    for join, expected in (
        ("add", 3 * x),
        ("concat", np.concatenate([2 * x, x], axis=-1)),
        ("scale", 2 * x * x),
    ):
        branch = ir.Branch(join=join, arms=(double, ()))  # type: ignore[arg-type]
        np.testing.assert_allclose(run(branch, x), expected, rtol=1e-6)
    pooled = ir.Branch(join="scale", arms=((), (ir.GlobalPool(keep_dims=True),)))
    np.testing.assert_allclose(run(pooled, x), x * x.mean((1, 2), keepdims=True), rtol=1e-5)


def test_dense() -> None:
    x, kernel, bias = images(4, 5), images(5, 3), images(3)
    got = run(ir.Dense(width=3), x, {"kernel": kernel, "bias": bias})
    np.testing.assert_allclose(got, x @ kernel + bias, rtol=1e-4, atol=1e-5)


def test_dropout_goes_by_the_samples_own_key() -> None:
    x = np.ones((8, 40, 40, 2), np.float32)
    keys = jax.random.split(jax.random.key(0), 8)
    drop = structure((ir.Dropout(rate=0.25),), (40, 40, 2))
    y, _ = drop.train({}, x, keys)
    values, counts = np.unique(np.asarray(y), return_counts=True)
    np.testing.assert_allclose(values, [0, 1 / 0.75])
    assert counts[0] / y.size == pytest.approx(0.25, abs=0.02)
    assert not np.array_equal(y[0], y[1])
    half, _ = drop.train({}, x[4:], keys[4:])
    np.testing.assert_array_equal(half, y[4:])


def test_shapes_are_those_of_the_ir(
    any_network: Network, random_weights: Callable[[Network], Weights]
) -> None:
    weights = random_weights(any_network)
    logits = predict(any_network, weights, images(5, *any_network.input), batch=4)
    assert logits.shape == (5, *segment_shapes(any_network)[-1])
    assert np.isfinite(logits).all()


def test_arrays_of_a_module_object_are_those_of_the_ir(any_network: Network) -> None:
    for segment, shape in zip(any_network.segments, segment_shapes(any_network), strict=False):

        def build(body: ir.Body = segment.body, shape: Shape = shape) -> SegmentNet:
            return SegmentNet(body, shape, axis_name=None)

        state = nnx.to_flat_state(nnx.split(nnx.eval_shape(build))[1])
        found = {f"{path[1]}/{path[2]}": leaf.shape for path, leaf in state}
        assert found == parameters(segment.body, shape)


def test_equal_segments_are_one_structure(zoo: dict[str, Network]) -> None:
    first, second = zoo["residual"], zoo["dropout"]
    assert structures(first)[1] is structures(second)[1]
    assert structures(first)[1] is not structures(first)[3]


def test_nothing_in_a_structure_has_a_name_or_an_identity(zoo: dict[str, Network]) -> None:
    body = zoo["dropout"].segments[1].body
    graph = structure(body, (6, 6, 6)).graph
    structure.cache_clear()
    again = structure(body, (6, 6, 6)).graph
    assert again is not graph
    assert again == graph
    assert hash(again) == hash(graph)
