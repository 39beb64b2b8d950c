"""nnx models handed over in Python: the network is the same function, and can be pruned."""

# mypy: disallow-untyped-calls=False

from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from numpy.typing import NDArray

import wootzc
from wootzc.backends.flax.net.model import structures
from wootzc.backends.flax.write.source import model_source
from wootzc.backends.weights.parameters import Weights
from wootzc.backends.weights.slicing import prune_weights
from wootzc.backends.weights.stored import check_fits, initial_weights, split, to_bytes
from wootzc.diagnostics import WootzError
from wootzc.grammar import analyze
from wootzc.grammar.text.print_network import print_network
from wootzc.ir.layers import (
    Activation,
    DepthwiseConv,
    Dropout,
    GlobalPool,
    Layer,
    Norm,
    Pool,
    PRelu,
    walk,
)  # fmt: skip
from wootzc.ir.net.network import Network
from wootzc.ir.net.prune import prune_network

EXAMPLE = jnp.zeros((2, 16, 16, 3))
RATE = 0.5


class Unit(nnx.Module):
    """Convolution, norm with statistics of its own, activation."""

    def __init__(
        self,
        entering: int,
        width: int,
        rngs: nnx.Rngs,
        act: Callable[[jax.Array], jax.Array] | None = nnx.relu,
        kernel: int | tuple[int, int] = 3,
        **options: Any,
    ):
        kernel = (kernel, kernel) if isinstance(kernel, int) else kernel
        self.conv = nnx.Conv(entering, width, kernel, use_bias=False, rngs=rngs, **options)
        self.norm = nnx.BatchNorm(width, epsilon=1e-3, momentum=0.9, rngs=rngs)
        self.act = act

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.norm(self.conv(x))
        return x if self.act is None else self.act(x)


class Block(nnx.Module):
    def __init__(self, entering: int, width: int, stride: int, rngs: nnx.Rngs):
        self.first = Unit(entering, width, rngs, strides=stride, padding=1)
        self.second = Unit(width, width, rngs, act=None, padding=((1, 1), (1, 1)))
        changes = stride != 1 or entering != width
        self.short = (
            Unit(entering, width, rngs, act=None, kernel=1, strides=stride) if changes else None
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        y = self.second(self.first(x))
        return nnx.relu(y + (x if self.short is None else self.short(x)))


class SmallResNet(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.stem = Unit(3, 8, rngs, kernel=3, strides=(2, 2))
        self.stages = nnx.List([Block(8, 8, 1, rngs), Block(8, 12, 2, rngs)])
        self.head = nnx.Linear(12, 5, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = nnx.max_pool(self.stem(x), (3, 3), (2, 2), "SAME")
        for block in self.stages:
            x = block(x)
        return self.head(jnp.mean(x, axis=(1, 2)))


class Inception(nnx.Module):
    def __init__(self, entering: int, rngs: nnx.Rngs):
        self.one = Unit(entering, 4, rngs, kernel=1)
        self.three = nnx.Sequential(Unit(entering, 4, rngs, kernel=1), Unit(4, 6, rngs))
        self.stem = Unit(entering, 5, rngs, kernel=1)
        self.left = Unit(5, 3, rngs, kernel=(1, 3))
        self.right = Unit(5, 3, rngs, kernel=(3, 1))
        self.pooled = Unit(entering, 4, rngs, kernel=1)

    def __call__(self, x: jax.Array) -> jax.Array:
        stem = self.stem(x)
        average = nnx.avg_pool(x, (3, 3), (1, 1), "SAME", count_include_pad=False)
        arms = [self.one(x), self.three(x), self.left(stem), self.right(stem)]
        return jnp.concatenate([*arms, self.pooled(average)], axis=-1)


class InceptionNet(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.stem = Unit(3, 8, rngs, strides=2)
        self.mixed1 = Inception(8, rngs)
        self.mixed2 = Inception(20, rngs)
        self.head = nnx.Linear(20, 5, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.mixed2(nnx.avg_pool(self.mixed1(self.stem(x)), (2, 2), (2, 2), ((1, 1), (0, 1))))
        return nnx.log_softmax(self.head(x.mean((1, 2))))


class Excited(nnx.Module):
    """An inverted residual with squeeze and excite on vectors."""

    def __init__(self, width: int, rngs: nnx.Rngs):
        self.expand = Unit(width, 16, rngs, act=nnx.swish, kernel=1)
        self.depthwise = Unit(16, 16, rngs, act=nnx.swish, feature_group_count=16)
        self.squeeze = nnx.Linear(16, 4, rngs=rngs)
        self.excite = nnx.Linear(4, 16, rngs=rngs)
        self.project = Unit(16, width, rngs, act=None, kernel=1)
        self.drop = nnx.Dropout(0.1, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        y = self.depthwise(self.expand(x))
        gate = jax.nn.sigmoid(self.excite(nnx.silu(self.squeeze(y.mean((1, 2))))))
        y = self.project(y * gate[:, None, None, :])
        return x + self.drop(y)


class ExcitedNet(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.stem = Unit(3, 8, rngs, act=jax.nn.hard_swish, strides=2)
        self.blocks = nnx.Sequential(Excited(8, rngs), Excited(8, rngs))
        self.head = nnx.Linear(8, 5, rngs=rngs)

    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        assert not train
        x = (x - jnp.array([0.5, 0.4, 0.3])) / 0.25
        return self.head(self.blocks(self.stem(x)).max((1, 2)))


class SmallVGG(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        widths = [3, 8, 8, 12, 12]
        self.convs = nnx.List([nnx.Conv(a, b, (3, 3), rngs=rngs) for a, b in pairwise(widths)])
        self.dense = nnx.Linear(12 * 16, 16, rngs=rngs)
        self.drop = nnx.Dropout(0.5, rngs=rngs)
        self.head = nnx.Linear(16, 5, use_bias=False, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        for i, conv in enumerate(self.convs):
            x = jnp.maximum(conv(x), 0)
            if i % 2:
                x = nnx.max_pool(x, (2, 2), (2, 2))
        x = self.drop(jax.nn.relu6(self.dense(x.reshape(x.shape[0], -1))))
        return nnx.softmax(self.head(x))


MODELS: list[Callable[[nnx.Rngs], nnx.Module]] = [SmallResNet, InceptionNet, ExcitedNet, SmallVGG]


def network_result(network: Network, weights: dict[str, NDArray[Any]], x: Any) -> NDArray[Any]:
    parts = list(zip(structures(network), split(network, weights), strict=True))

    def run(x: jax.Array) -> jax.Array:
        for structure, values in parts:
            x = structure.evaluate(values, x)
        return x

    return np.asarray(jax.jit(run)(x))


def layers_of(network: Network) -> Iterator[Layer]:
    for segment in network.segments:
        yield from (layer for _, layer in walk(segment.body))


def model_result(model: nnx.Module, x: Any, **given: Any) -> NDArray[Any]:
    model = nnx.clone(model)
    model.eval()
    return np.asarray(jax.jit(lambda x: model(x, **given))(x))


def images(count: int = 3) -> jax.Array:
    return jax.random.normal(jax.random.key(5), (count, 16, 16, 3))


def filled(make: Callable[[], Any]) -> Any:
    """A model with arrays of NumPy's: JAX would compile each of its initialisers."""
    model = nnx.eval_shape(make)
    draw = np.random.default_rng(0)
    for path, variable in nnx.to_flat_state(nnx.state(model, (nnx.Param, nnx.BatchStat))):
        values = draw.standard_normal(variable.shape).astype(np.float32)
        match path[-1]:
            case "kernel":
                values *= np.sqrt(2 / np.prod(variable.shape[:-1]))
            case "var" | "scale":
                values = 0.5 + np.abs(values)
            case _:
                values *= 0.1
        variable.set_value(jnp.asarray(values))
    return model


@cache
def imported(make: Callable[[nnx.Rngs], nnx.Module]) -> tuple[nnx.Module, Any]:
    model = filled(lambda: make(nnx.Rngs(0)))
    return model, wootzc.from_nnx(model, EXAMPLE)


@pytest.mark.parametrize("make", MODELS)
def test_the_network_is_the_model(make: Callable[[nnx.Rngs], nnx.Module]) -> None:
    model, found = imported(make)
    check_fits(found.network, found.weights)
    x = images()
    given = {"train": False} if isinstance(model, ExcitedNet) else {}
    expected, logits = model_result(model, x, **given), network_result(*_both(found), x)
    if found.notes:
        assert found.notes == ("the final softmax is left out: the network ends in logits",)
        squash = jax.nn.softmax if isinstance(model, SmallVGG) else jax.nn.log_softmax
        logits = np.asarray(squash(logits))
    np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-5)
    assert bool(found.notes) == isinstance(model, SmallVGG | InceptionNet)


def test_every_layer_with_weights_comes_back(
    any_learned: Network, random_weights: Callable[[Network], Weights], tmp_path: Path
) -> None:
    """Of the Flax source that wootzc writes of it."""
    weights = random_weights(any_learned)
    (tmp_path / "weights.safetensors").write_bytes(to_bytes(weights))
    names: dict[str, Any] = {"__name__": "model", "__file__": str(tmp_path / "model.py")}
    exec(model_source(any_learned, "abc", *np.ones((2, any_learned.input[-1]))), names)
    example = np.zeros((2, *any_learned.input), np.float32)
    if any(isinstance(layer, PRelu) for layer in layers_of(any_learned)):
        with pytest.raises(WootzError, match="WZ151"):  # its class is no nnx.PReLU
            wootzc.from_nnx(names["load"](), example)
        return
    found = wootzc.from_nnx(names["load"](), example)
    assert list(layers_of(found.network)) == list(layers_of(any_learned))
    for got, given in zip(found.weights.values(), weights.values(), strict=True):
        np.testing.assert_array_equal(got, given)


@pytest.mark.parametrize("make", MODELS)
def test_it_can_be_pruned(make: Callable[[nnx.Rngs], nnx.Module]) -> None:
    model, found = imported(make)
    modules = len(found.network.modules)
    assert modules == (3 if isinstance(model, SmallVGG) else 2)
    pruned = prune_network(found.network, (RATE,) * modules)
    weights = prune_weights(found.network, found.weights, (RATE,) * modules, ["l1"] * modules)
    check_fits(pruned, weights)
    size = sum(v.size for v in weights.values())
    assert size < 0.8 * sum(v.size for v in found.weights.values())
    assert network_result(pruned, weights, images()).shape == (3, 5)


@pytest.mark.parametrize("make", MODELS)
def test_it_can_be_written_down(make: Callable[[nnx.Rngs], nnx.Module]) -> None:
    _, found = imported(make)
    analysis = analyze(print_network(found.network))
    assert not [d for d in analysis.diagnostics if d.severity == "error"]
    (network,) = analysis.networks
    assert network == found.network


def _both(found: Any) -> tuple[Network, dict[str, NDArray[Any]]]:
    return found.network, found.weights


def test_modules_and_origins_have_the_models_names() -> None:
    _, found = imported(SmallResNet)
    assert found.network.name == "small_res_net"
    assert [m.name for m in found.network.modules] == ["stages_0", "stages_1"]
    names = [name for _, piece in found.origins for name in piece.names]
    assert "stages.1.short.conv" in names and "stages.1.add" in names
    _, found = imported(InceptionNet)
    assert [m.name for m in found.network.modules] == ["mixed1", "mixed2"]
    model, _ = imported(InceptionNet)
    by_name = wootzc.from_nnx(model, EXAMPLE, name="mine", modules="names")
    assert by_name.network.name == "mine"
    assert [m.name for m in by_name.network.modules] == ["mixed1", "mixed2"]


def test_norms_keep_their_settings() -> None:
    _, found = imported(SmallResNet)
    norms = {layer for layer in layers_of(found.network) if isinstance(layer, Norm)}
    assert norms == {Norm(epsilon=0.001, momentum=0.9)}


class Dropped(nnx.Module):
    def __init__(self) -> None:
        self.drop = nnx.Dropout(0.5, rngs=nnx.Rngs(0))

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.drop(x).mean((1, 2))


def test_the_model_stays_as_it_was() -> None:
    model = Dropped()
    before = nnx.Dropout.__call__, Dropped.__call__
    found = wootzc.from_nnx(model, EXAMPLE)
    assert (nnx.Dropout.__call__, Dropped.__call__) == before
    assert [*layers_of(found.network)] == [Dropout(rate=0.5), GlobalPool()]
    assert not np.allclose(model(images()), model(images()))  # it still trains


# Nothing is left out unsaid


def unsaid(model: nnx.Module, found: Any) -> set[str]:
    """Places of modules that left no layer in the network, and of which no note speaks."""
    said = {name for _, piece in found.origins for name in piece.names}
    said |= {note.split("`")[1] for note in found.notes if "`" in note}
    places = {".".join(map(str, path)) for path, _ in nnx.iter_modules(model) if path}
    return {
        place
        for place in places
        if not any(one == place or one.startswith(f"{place}.") for one in said)
        and not any(place.startswith(f"{one}.") for one in said)
    }


@pytest.mark.parametrize("make", MODELS)
def test_every_module_is_in_the_network(make: Callable[[nnx.Rngs], nnx.Module]) -> None:
    model, found = imported(make)
    assert unsaid(model, found) == set()
    assert not [note for note in found.notes if "`" in note]
    dropped = [layer.rate for layer in layers_of(found.network) if isinstance(layer, Dropout)]
    assert dropped == {ExcitedNet: [0.1, 0.1], SmallVGG: [0.5]}.get(type(model), [])


class Hidden(nnx.Module):
    """Modules of which evaluation shows nothing, and dropout in every place."""

    def __init__(self) -> None:
        rngs = nnx.Rngs(0)
        self.stem = Unit(3, 8, rngs, strides=4)
        self.spatial = nnx.Dropout(0.3, broadcast_dims=(1, 2), rngs=rngs)
        self.depth = nnx.Dropout(0.2, broadcast_dims=(1, 2, 3), rngs=rngs)
        self.all = nnx.Dropout(1.0, rngs=rngs)
        self.none = nnx.Dropout(0.0, rngs=rngs)
        self.twice = nnx.Dropout(0.25, rngs=rngs)
        self.end = nnx.Dropout(0.5, rngs=rngs)
        self.only_training = nnx.Dropout(0.4, rngs=rngs)
        self.auxiliary = nnx.Sequential(Unit(8, 8, rngs), nnx.Linear(8, 2, rngs=rngs))
        self.parts = nnx.List([nnx.Conv(8, 8, (1, 1), rngs=rngs), nnx.Linear(8, 2, rngs=rngs)])

    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        x = self.twice(self.stem(x))
        if train:
            x = self.only_training(x)
        x = self.all(self.none(self.depth(self.spatial(x))))
        return self.end(nnx.softmax(self.parts[1](self.twice(x.mean((1, 2))))))


def test_what_is_left_out_is_said() -> None:
    model = filled(Hidden)
    found = wootzc.from_nnx(model, EXAMPLE)
    assert [x.rate for x in layers_of(found.network) if isinstance(x, Dropout)] == [0.25, 0.25]
    assert found.notes == (
        "`auxiliary` is left out: the model does not call it in evaluation mode",
        "`only_training` is left out: the model does not call it in evaluation mode",
        "`parts.0` is left out: the model does not call it in evaluation mode",
        "the dropout `spatial` is left out: it drops whole rows, channels or images; "
        "wootzc drops single numbers",
        "the dropout `depth` is left out: it drops whole rows, channels or images; "
        "wootzc drops single numbers",
        "the dropout `all` is left out: it drops a fraction of 1; wootzc takes 0 to below 1",
        "the dropout `end` is left out: what it reads is no image of the network",
        "the final softmax is left out: the network ends in logits",
    )
    assert unsaid(model, found) == {"none"}  # which does nothing


def test_weights_come_of_a_model_with_dropout() -> None:
    model, found = imported(SmallVGG)
    weights = wootzc.weights_from_nnx(found.network, model, EXAMPLE)
    assert weights.keys() == found.weights.keys()


def test_weights_come_of_layers_whose_arrays_do_not_tell_the_channels() -> None:
    """One slope for all channels, norms without factors or offsets, dense layers over pixels."""
    rngs = nnx.Rngs(0)
    model = nnx.Sequential(
        nnx.Conv(3, 4, (3, 3), rngs=rngs),
        nnx.PReLU(0.2),
        nnx.GroupNorm(4, 2, use_bias=False, rngs=rngs),
        nnx.Linear(4, 6, rngs=rngs),
        nnx.LayerNorm(6, use_scale=False, rngs=rngs),
        lambda x: jnp.mean(x, axis=(1, 2)),
        nnx.Linear(6, 5, rngs=rngs),
    )
    example = jnp.zeros((1, 4, 4, 3))
    found = wootzc.from_nnx(model, example)
    weights = wootzc.weights_from_nnx(found.network, model, example)
    assert weights.keys() == found.weights.keys()
    for got, given in zip(weights.values(), found.weights.values(), strict=True):
        np.testing.assert_array_equal(got, given)


# Activations, however they are spelled


class Spelled(nnx.Module):
    def __init__(self, function: Callable[[jax.Array], jax.Array]):
        self.conv = nnx.Conv(3, 4, (3, 3), rngs=nnx.Rngs(0))
        self.head = nnx.Linear(4, 2, rngs=nnx.Rngs(1))
        self.function = function

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.head(self.function(self.conv(x)).mean((1, 2)))


SPELLINGS: dict[str, tuple[Callable[[jax.Array], jax.Array], Activation]] = {
    "where": (lambda x: jnp.where(x > 0, x, 0), Activation()),
    "clip": (lambda x: jnp.clip(x, 0, 6), Activation(kind="relu6")),
    "leaky": (lambda x: jnp.maximum(x, 0.2 * x), Activation(kind="leaky_relu", slope=0.2)),
    "leaky-nnx": (lambda x: nnx.leaky_relu(x), Activation(kind="leaky_relu", slope=0.01)),
    "elu": (nnx.elu, Activation(kind="elu")),
    "swish": (lambda x: x / (1 + jnp.exp(-x)), Activation(kind="swish")),
    "sigmoid": (lambda x: 0.5 * (jnp.tanh(x / 2) + 1), Activation(kind="sigmoid")),
    "hard_sigmoid": (lambda x: jnp.clip(x / 6 + 0.5, 0, 1), Activation(kind="hard_sigmoid")),
    "hard_swish": (lambda x: x * nnx.relu6(x + 3) / 6, Activation(kind="hard_swish")),
    "gelu": (lambda x: nnx.gelu(x, approximate=False), Activation(kind="gelu")),
    "gelu_tanh": (nnx.gelu, Activation(kind="gelu_tanh")),
    "tanh": (jnp.tanh, Activation(kind="tanh")),
    "jitted": (jax.jit(lambda x: jnp.tanh(x)), Activation(kind="tanh")),
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_activations_are_told_by_their_values(name: str) -> None:
    function, activation = SPELLINGS[name]
    model = filled(lambda: Spelled(function))
    found = wootzc.from_nnx(model, EXAMPLE)
    layers = list(layers_of(found.network))
    assert layers[1] == activation and len(layers) == 4
    x = images()
    np.testing.assert_allclose(
        network_result(*_both(found), x), model_result(model, x), rtol=1e-5, atol=1e-5
    )


ARITHMETIC: dict[str, Callable[[jax.Array], jax.Array]] = {
    "twice": lambda x: jnp.tanh(jax.nn.silu(jnp.tanh(x))),
    "added to itself": lambda x: x + nnx.relu(x),
    "gated by itself": lambda x: x * jax.nn.sigmoid(1.5 * x),
    "a line": lambda x: 2 * x - 0.5,
    "channels": lambda x: x * jnp.array([1.0, 2.0, 3.0, 4.0]) + jnp.arange(4.0),
    "from numbers": lambda x: jnp.arange(4.0) - x / jnp.array([1.0, 2.0, 4.0, 8.0]),
    "kept axes": lambda x: x * jax.nn.sigmoid(x.mean((1, 2), keepdims=True)),
    "repeated": lambda x: x * jnp.broadcast_to(x.max((1, 2), keepdims=True), x.shape),
    "a sum of pixels": lambda x: x * x.sum((1, 2), keepdims=True),
    "a sum of windows": lambda x: jax.lax.reduce_window(
        x, 0.0, jax.lax.add, (1, 3, 3, 1), (1, 2, 2, 1), "SAME"
    ),
    "average with padding": lambda x: nnx.avg_pool(x, (3, 3), (2, 2), "SAME"),
    "turned there and back": lambda x: jnp.tanh(x.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1),
    "axes added and dropped": lambda x: x[:, None].squeeze(1),
    "remembered less": lambda x: jax.checkpoint(jnp.tanh)(x),
}


@pytest.mark.parametrize("name", ARITHMETIC)
def test_arithmetic_is_kept(name: str) -> None:
    model = filled(lambda: Spelled(ARITHMETIC[name]))
    found = wootzc.from_nnx(model, EXAMPLE)
    x = images()
    np.testing.assert_allclose(
        network_result(*_both(found), x), model_result(model, x), rtol=1e-5, atol=1e-5
    )


def test_arithmetic_costs_no_layers_that_others_do() -> None:
    """A padded average is one pool, a scaled tensor one depthwise layer of single pixels."""
    found = wootzc.from_nnx(filled(lambda: Spelled(ARITHMETIC["average with padding"])), EXAMPLE)
    pools = [layer for layer in layers_of(found.network) if isinstance(layer, Pool)]
    assert [pool.count_padding for pool in pools] == [True]
    assert not [x for x in layers_of(found.network) if isinstance(x, DepthwiseConv)]
    found = wootzc.from_nnx(filled(lambda: Spelled(ARITHMETIC["a line"])), EXAMPLE)
    linear = [x for x in layers_of(found.network) if isinstance(x, DepthwiseConv)]
    assert linear == [DepthwiseConv(kernel=(1, 1), bias=True)]


def test_dense_layers_over_pixels_are_convolutions() -> None:
    model = filled(lambda: Spelled(nnx.Linear(4, 4, rngs=nnx.Rngs(2))))
    found = wootzc.from_nnx(model, EXAMPLE)
    x = images()
    np.testing.assert_allclose(
        network_result(*_both(found), x), model_result(model, x), rtol=1e-5, atol=1e-5
    )


# What is refused


class Shared(nnx.Module):
    def __init__(self) -> None:
        self.conv = nnx.Conv(3, 3, (3, 3), rngs=nnx.Rngs(0))

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.conv(self.conv(x)).mean((1, 2))


class Crossed(nnx.Module):
    """b is needed in both arms."""

    def __init__(self) -> None:
        self.a, self.b, self.c = (nnx.Conv(3, 3, (1, 1), rngs=nnx.Rngs(i)) for i in range(3))

    def __call__(self, x: jax.Array) -> jax.Array:
        b = self.b(x)
        return jnp.concatenate([nnx.relu(self.a(x) + b), self.c(b)], -1).mean((1, 2))


class Odd(nnx.Module):
    def __init__(self, layer: Any):
        self.layer = layer

    def __call__(self, x: jax.Array) -> Any:
        return self.layer(x)


def refused(model: nnx.Module, example: Any = EXAMPLE) -> tuple[str, str]:
    with pytest.raises(WootzError) as caught:
        wootzc.from_nnx(model, example)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.help
    return diagnostic.code, diagnostic.message


RNGS = nnx.Rngs(0)
KEY = jax.random.key(0)


@pytest.mark.parametrize(
    ("layer", "code", "message"),
    [
        (nnx.InstanceNorm(3, rngs=RNGS), "WZ151", "at test_from_nnx.py:"),
        (
            nnx.LayerNorm(3, reduction_axes=(1, 2, 3), rngs=RNGS),
            "WZ151",
            "`layer` normalises more than the channels of each pixel",
        ),
        (nnx.ConvTranspose(3, 4, (3, 3), rngs=RNGS), "WZ151", "`conv_general_dilated` at test_fr"),
        (nnx.Conv(3, 4, (3, 3), padding="CIRCULAR", rngs=RNGS), "WZ151", "`layer` pads circular"),
        (
            nnx.Conv(3, 4, (3, 3), padding=1, input_dilation=2, rngs=RNGS),
            "WZ151",
            "dilates its input",
        ),
        (nnx.BatchNorm(16, axis=1, rngs=RNGS), "WZ151", "`layer` normalises axis 1"),
        (lambda x: jnp.sort(x).mean((1, 2)), "WZ151", "`sort` at test_from_nnx.py:"),
        (lambda x: jnp.sin(x).mean((1, 2)), "WZ151", "`sin` at test_from_nnx.py:"),
        (lambda x: x[:, :8].mean((1, 2)), "WZ151", "`slice` at"),
        (lambda x: x.mean(1).mean(1), "WZ151", "axes than height and width (H)"),
        (lambda x: x, "WZ151", "the model returns 2x16x16x3; wootzc needs [batch, classes]"),
        (lambda x: (x.mean((1, 2)), x), "WZ151", "the model returns 2 arrays"),
        (lambda x: x + x.transpose(0, 2, 1, 3), "WZ151", "tensors whose axes differ"),
        (lambda x: nnx.softmax(x.mean((1, 2))) * 2, "WZ151", "a softmax that is not the model's"),
        (lambda x: x.reshape(2, 8, 8, 12).mean((1, 2)), "WZ151", "2x16x16x3 reshaped to 2x8x8x12"),
        (lambda x: (x - x.mean((1, 2), keepdims=True)).mean((1, 2)), "WZ151", "`sub` at test_from"),
        (lambda x: (x + x.mean((1, 2), keepdims=True)).mean((1, 2)), "WZ152", "adds 16x16x3 and 1"),
        (lambda x: x.mean((1, 2)) if x.sum() > 0 else x, "WZ150", "cannot be traced: Tracer"),
        (lambda x: 1 / 0, "WZ150", "cannot be traced: ZeroDivisionError: division by zero"),
        (lambda x: jnp.zeros((2, 3)), "WZ151", "the model returns 1 arrays"),
        (
            lambda x: x + jax.random.normal(jax.random.key(0), x.shape),
            "WZ151",
            "`random_seed` at test_from_nnx.py:",
        ),
        (
            lambda x: x + jax.random.uniform(KEY, x.shape),
            "WZ151",
            "has no layer for random numbers",
        ),
    ],
)
def test_what_no_layer_does(layer: Any, code: str, message: str) -> None:
    found, text = refused(Odd(layer))
    assert found == code and message in text and text.startswith("Odd")


class Called(nnx.Module):
    """Layers called with arguments of their own."""

    def __init__(self, norm: dict[str, Any], drop: dict[str, Any]):
        self.conv = nnx.Conv(3, 4, (3, 3), rngs=nnx.Rngs(0))
        self.norm = nnx.BatchNorm(4, rngs=nnx.Rngs(0))
        self.drop = nnx.Dropout(0.5, rngs=nnx.Rngs(0))
        self.of_norm, self.of_drop = norm, drop

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.norm(x=self.conv(inputs=x, out_sharding=None), **self.of_norm)
        return self.drop(x, **self.of_drop).mean((1, 2))


@pytest.mark.parametrize(
    ("norm", "drop", "message"),
    [
        ({"use_running_average": False}, {}, "`norm` is called with use_running_average=False"),
        ({}, {"deterministic": False}, "`drop` is called with deterministic=False"),
    ],
)
def test_layers_called_as_in_training(norm: Any, drop: Any, message: str) -> None:
    code, text = refused(Called(norm, drop))
    assert code == "WZ151" and text.startswith(f"Called: {message}")


def test_layers_called_as_in_evaluation() -> None:
    model = Called({"use_running_average": True, "mask": None}, {"deterministic": True})
    found = wootzc.from_nnx(filled(lambda: model), EXAMPLE)
    layers = ["Conv", "Norm", "Dropout", "GlobalPool"]
    assert [type(x).__name__ for x in layers_of(found.network)] == layers


def test_results_are_compared() -> None:
    """A layer may compute something else in ways that no one looks for."""

    def doubled(*args: Any, **options: Any) -> jax.Array:
        return 2 * jax.lax.dot_general(*args, **options)

    code, text = refused(Spelled(nnx.Linear(4, 4, dot_general=doubled, rngs=nnx.Rngs(2))))
    assert (code, text) == ("WZ152", "network spelled does not compute what Spelled does")


def test_results_of_many_classes_are_compared() -> None:
    """A thousand classes have a softmax of thousandths: a bound must be relative to that."""

    class Many(nnx.Module):
        def __init__(self, factor: float):
            self.factor = factor
            self.head = nnx.Linear(3, 2000, rngs=nnx.Rngs(0))

        def __call__(self, x: jax.Array) -> jax.Array:
            return nnx.softmax(self.factor * self.head(x.mean((1, 2))))

    (network,) = analyze("network n { input(16x16x3); global_pool; dense(2000) }").networks
    wootzc.weights_from_nnx(network, Many(1), EXAMPLE)
    with pytest.raises(WootzError, match="does not compute what Many does"):
        wootzc.weights_from_nnx(network, Many(2), EXAMPLE)


def test_images_may_be_whole_numbers() -> None:
    model = filled(lambda: Spelled(lambda x: nnx.relu(x / 4)))
    pixels = wootzc.from_nnx(model, jnp.zeros((2, 16, 16, 3), jnp.uint8))
    assert pixels.network.input == (16, 16, 3)


def test_half_precision_is_told() -> None:
    half = nnx.Conv(3, 4, (3, 3), dtype=jnp.bfloat16, rngs=nnx.Rngs(0))
    code, text = refused(Odd(lambda x: nnx.relu(half(x)).mean((1, 2))))
    assert code == "WZ151" and "at test_from_nnx.py:" in text


def test_layers_that_read_no_image() -> None:
    class Fixed(nnx.Module):
        def __init__(self) -> None:
            self.layer = nnx.Linear(2, 3, rngs=nnx.Rngs(0))

        def __call__(self, x: jax.Array) -> jax.Array:
            return (x + self.layer(jnp.ones((1, 1, 1, 2)))).mean((1, 2))

    assert refused(Fixed()) == ("WZ151", "Fixed: `layer` reads no image")


def test_weights_are_not_shared() -> None:
    assert refused(Shared()) == (
        "WZ151", "Shared: `conv` is called twice; wootzc's layers have their weights for themselves"
    )  # fmt: skip


def test_models_must_be_series_parallel() -> None:
    code, message = refused(Crossed())
    assert code == "WZ152"
    assert message.startswith("Crossed: `b` is needed in two arms of the concat `concat`")


@pytest.mark.parametrize("example", [None, 3, np.zeros((16, 16, 3)), (2, 16, 16, 3)])
def test_the_example_is_a_batch_of_images(example: Any) -> None:
    code, message = refused(Odd(nnx.relu), example)
    assert (code, message) == ("WZ150", "the example input is no batch of images")


# Weights for a network that describes the model


SHARED_TEXT = """
network by_hand {
  input(16x16x3)
  conv(3x3, 8, stride = 2, bias = false); norm(epsilon = 0.001); relu
  max_pool(3, stride = 2, padding = 0x1x0x1)
  module a {
    add { { conv(3x3, 8, padding = 1); norm(epsilon = 0.001); relu
            conv(3x3, 8, padding = 1); norm(epsilon = 0.001) } { } }
    relu
  }
  module b {
    add { { conv(3x3, 12, stride = 2, padding = 1); norm(epsilon = 0.001); relu
            conv(3x3, 12, padding = 1); norm(epsilon = 0.001) }
          { conv(1x1, 12, stride = 2); norm(epsilon = 0.001) } }
    relu
  }
  global_pool; dense(5)
}
"""


def by_hand(text: str = SHARED_TEXT) -> Network:
    (network,) = analyze(text).networks
    return network


def test_weights_for_a_network_that_describes_the_model() -> None:
    (model, _), network = imported(SmallResNet), by_hand()
    weights = wootzc.weights_from_nnx(network, model, EXAMPLE)
    check_fits(network, weights)
    x = images()
    np.testing.assert_allclose(
        network_result(network, weights, x), model_result(model, x), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("dense(5)", "dense(6)", "calls no layer that could be `plain2/1` (kernel 12x6, bias 6)"),
        ("stride = 2, padding = 1", "stride = 1, padding = 1", ""),
        ("    relu\n  }\n  global", "    tanh\n  }\n  global", "does not compute what SmallResNet"),
    ],
)
def test_a_network_that_is_another(old: str, new: str, message: str) -> None:
    assert old in SHARED_TEXT
    text = SHARED_TEXT.replace(old, new)
    if not message:
        assert not analyze(text).networks
        return
    with pytest.raises(WootzError) as caught:
        wootzc.weights_from_nnx(by_hand(text), imported(SmallResNet)[0], EXAMPLE)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "WZ152" and message in diagnostic.message


def test_layers_that_the_network_lacks() -> None:
    text = SHARED_TEXT.replace("global_pool; dense(5)", "global_pool")
    with pytest.raises(WootzError, match="`head` of SmallResNet is no layer of network by_hand"):
        wootzc.weights_from_nnx(by_hand(text), imported(SmallResNet)[0], EXAMPLE)


def test_paths_walk_in_the_order_of_weights() -> None:
    """What `weights_from_nnx` goes by."""
    network = by_hand()
    paths = [f"{s.name}/{path}" for s in network.segments for path, _ in walk(s.body)]
    named = list(dict.fromkeys(name.rpartition("/")[0] for name in initial_weights(network, 0)))
    assert named == [path for path in paths if path in named]
