"""Moments are those of the patches that layers see; refitted modules resemble the full ones."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from numpy.typing import NDArray

from wootzc.backends.data import Dataset
from wootzc.backends.flax.train import moments as sweep
from wootzc.backends.flax.train.evaluation import evaluate, predict
from wootzc.backends.flax.train.moments import drawn_positions, input_moments, sampled_patches
from wootzc.backends.flax.train.reconstruct import reconstruct
from wootzc.backends.flax.train.train import train
from wootzc.backends.weights import refit
from wootzc.backends.weights.parameters import Weights
from wootzc.backends.weights.refit import Moments
from wootzc.backends.weights.slicing import Pruner, prune_weights
from wootzc.backends.weights.stored import check_fits, initial_weights
from wootzc.ir.layers import Activation, Body, Conv, Dense, Norm, walk
from wootzc.ir.layers.shapes import padding_of
from wootzc.ir.net.network import Module, Network, Plain, module_positions
from wootzc.ir.net.prune import prune_network
from wootzc.ir.space import Criterion
from wootzc.ir.space.recipe import Optimizer, Recipe

Random = Callable[[Network], Weights]
EVERY = 10**9  # samples per feature: all positions of all images

CONVOLUTIONS = {
    "plain": Conv(width=6),
    "stride": Conv(width=6, kernel=(3, 2), stride=(2, 3)),
    "valid": Conv(width=6, kernel=(2, 4), padding="valid"),
    "uneven": Conv(width=6, padding=((2, 0), (1, 3))),
    "dilated": Conv(width=6, dilation=(2, 1), stride=(1, 2)),
    "grouped": Conv(width=6, groups=2, dilation=(2, 1)),
}


def all_patches(layer: Conv, x: NDArray[Any]) -> NDArray[Any]:
    """[positions of all images, groups, features], as XLA cuts them out."""
    patches = lax.conv_general_dilated_patches(
        jnp.asarray(x),
        layer.kernel,
        layer.stride,
        padding_of(layer, x.shape[1:3]),
        rhs_dilation=layer.dilation,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    taps, groups = layer.kernel[0] * layer.kernel[1], layer.groups
    cut = np.asarray(patches).reshape(-1, groups, x.shape[-1] // groups, taps)
    return cut.swapaxes(2, 3).reshape(len(cut), groups, -1)  # XLA has the channels first


@pytest.mark.parametrize("layer", CONVOLUTIONS.values(), ids=CONVOLUTIONS)
def test_all_positions_give_the_patches_of_xla(layer: Conv) -> None:
    x = np.random.default_rng(0).normal(size=(3, 9, 8, 4)).astype(np.float32)
    drawn = drawn_positions(layer, x.shape[1:], 3, EVERY, [0])
    found = sampled_patches(layer, jnp.asarray(x), jnp.asarray(drawn))
    expected = all_patches(layer, x)
    np.testing.assert_array_equal(np.asarray(found).reshape(expected.shape), expected)


def test_no_position_is_drawn_twice_and_all_can_be() -> None:
    drawn = drawn_positions(Conv(width=1, kernel=(1, 1)), (9, 7, 1), 200, 20.0, [0])
    assert drawn.shape == (200, 20)
    assert all(len(set(row)) == 20 for row in drawn.tolist())
    times = np.bincount(drawn.ravel(), minlength=63)
    assert times.min() > 0.6 * times.mean() and times.max() < 1.6 * times.mean()


def test_a_vector_is_one_position() -> None:
    x = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    for given in (x, x[:, None, None]):
        drawn = drawn_positions(Dense(width=2), given.shape[1:], 3, 0.1, [0])
        found = sampled_patches(Dense(width=2), jnp.asarray(given), jnp.asarray(drawn))
        np.testing.assert_array_equal(found, x[:, None, None])


def entering(network: Network, weights: Weights, path: str, images: NDArray[Any]) -> NDArray[Any]:
    """What enters the layer at the top of module m1: what leaves the layers before it."""
    stem, module = network.segments[:2]
    cut = replace(module, body=module.body[: int(path)])
    names = {f"m1/{p}" for p, _ in walk(cut.body)} | {f"plain1/{p}" for p, _ in walk(stem.body)}
    own = {name: value for name, value in weights.items() if name.rpartition("/")[0] in names}
    return predict(replace(network, segments=(stem, cut)), own, images)


@pytest.mark.parametrize("kind, path", [("grouped", "3"), ("depthwise", "6"), ("flatten", "5")])
def test_moments_are_those_of_all_patches(
    zoo: dict[str, Network],
    random_weights: Random,
    dataset: Dataset,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    path: str,
) -> None:
    """Over several batches, the last one filled up."""
    monkeypatch.setattr(sweep, "BATCH", 16)
    network, weights = zoo[kind], random_weights(zoo[kind])
    split = replace(dataset.train, rows=dataset.train.rows[:45], labels=dataset.train.labels[:45])
    found = input_moments(network, weights, {1: (path,)}, split, 1000, EVERY, seed=0)
    x = entering(network, weights, path, split.batch(np.arange(45)).images)
    layer = dict(walk(network.segments[1].body))[path]
    patches = all_patches(layer, x) if isinstance(layer, Conv) else x[:, None]
    rows = np.pad(patches.astype(np.float64), ((0, 0), (0, 0), (0, 1)), constant_values=1)
    expected = np.einsum("ngf,ngh->gfh", rows, rows)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found[1][path], expected, rtol=0, atol=1e-5 * scale)
    assert found[1][path][0, -1, -1] == len(patches)


def test_images_and_positions_go_by_the_seed(
    zoo: dict[str, Network], random_weights: Random, dataset: Dataset
) -> None:
    network, weights = zoo["residual"], random_weights(zoo["residual"])
    layers = {1: ("0.0.3",)}

    def moments(count: int, samples: int, seed: int) -> Moments:
        found = input_moments(network, weights, layers, dataset.train, count, samples, seed=seed)
        return found[1]["0.0.3"]

    first = moments(50, 10, 0)
    assert first[0, -1, -1] == 50 * 11  # 10 samples of 54 features over 50 images, rounded up
    np.testing.assert_array_equal(first, moments(50, 10, 0))
    assert not np.allclose(first, moments(50, 10, 1))
    assert moments(50, EVERY, 0)[0, -1, -1] == 50 * 36
    everything = moments(1000, EVERY, 0)
    np.testing.assert_allclose(everything, moments(1000, EVERY, 1), rtol=1e-4)


def test_layers_of_too_many_features_are_left_alone(
    zoo: dict[str, Network],
    random_weights: Random,
    dataset: Dataset,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network, weights = zoo["flatten"], random_weights(zoo["flatten"])
    monkeypatch.setattr(sweep, "MOST", 44)
    sweep._compiled.cache_clear()
    found = input_moments(network, weights, {1: ("3", "5")}, dataset.train, 20, seed=0)
    sweep._compiled.cache_clear()
    assert found[1].keys() == {"5"}  # 10 features; 45 reach the other
    sliced = prune_weights(network, weights, [0.5], ["l1"])
    monkeypatch.setattr(sweep, "MOST", 5)
    whole = reconstruct(Pruner(network, weights, ["l1"]), [(0, 0.5)], dataset.train, images=20)
    sweep._compiled.cache_clear()
    for name, value in whole[0, 0.5].items():
        np.testing.assert_array_equal(value, sliced[name])


def test_a_layer_equals_least_squares_on_explicit_patches(
    zoo: dict[str, Network],
    random_weights: Random,
    dataset: Dataset,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(refit, "RIDGE", 1e-9)
    network, weights = zoo["depthwise"], random_weights(zoo["depthwise"])
    sliced = prune_weights(network, weights, [0.5], ["l1"])
    (found,) = reconstruct(
        Pruner(network, weights, ["l1"]),
        [(0, 0.5)],
        dataset.train,
        images=200,
        samples=EVERY,
    ).values()
    x = entering(network, weights, "6", dataset.train.batch(np.arange(200)).images)
    samples = x.reshape(-1, 8).astype(np.float64)
    kernel = weights["m1/6/kernel"][0, 0]
    kept = [i for i in range(8) if (kernel[i] == sliced["m1/6/kernel"][0, 0]).all(axis=1).any()]
    inputs = np.column_stack([samples[:, kept], np.ones(len(samples))])
    expected = np.linalg.lstsq(inputs, samples @ kernel, rcond=None)[0]
    np.testing.assert_allclose(found["m1/6/kernel"][0, 0], expected[:-1], atol=1e-4)
    np.testing.assert_allclose(found["m1/7/mean"], weights["m1/7/mean"] - expected[-1], atol=1e-4)
    assert found.keys() == {name for name in sliced if name.startswith("m1/")}
    moved = {name for name in found if not np.array_equal(found[name], sliced[name])}
    assert moved == {"m1/6/kernel", "m1/7/mean"}


def test_at_rate_zero_nothing_changes_bit_for_bit(
    any_network: Network, random_weights: Random, dataset: Dataset
) -> None:
    weights = random_weights(any_network)
    count = len(any_network.modules)
    variants = [(number, 0.0) for number in range(count)]
    criteria: list[Criterion] = ["l1"] * count
    found = reconstruct(
        Pruner(any_network, weights, criteria),
        variants,
        dataset.train,
        images=9,
    )
    assert list(found) == variants
    for own in found.values():
        for name, value in own.items():
            np.testing.assert_array_equal(value, weights[name])


def test_every_kind_of_layer_comes_closer(
    any_network: Network, random_weights: Random, dataset: Dataset
) -> None:
    """What leaves the first module, over the images that were looked at."""
    weights = random_weights(any_network)
    count = len(any_network.modules)
    found = reconstruct(
        Pruner(any_network, weights, ["l1"] * count),
        [(0, 0.5), (0, 0.3)],
        dataset.train,
        images=200,
    )
    images = dataset.train.batch(np.arange(200)).images
    head = any_network.segments[: module_positions(any_network)[0] + 1]
    network = replace(any_network, segments=head)
    own = {n: v for n, v in weights.items() if n.split("/")[0] in {s.name for s in head}}
    expected = predict(network, own, images)
    for rate in (0.3, 0.5):
        small = prune_network(network, (rate,))
        sliced = prune_weights(network, own, [rate], ["l1"])
        check_fits(small, sliced | found[0, rate])
        before = np.mean((predict(small, sliced, images) - expected) ** 2)
        after = np.mean((predict(small, sliced | found[0, rate], images) - expected) ** 2)
        assert after < 0.9 * before


def twins(behind: Body) -> Network:
    """The second half of the first layer's filters repeats the first half."""
    body: Body = (Conv(width=8), Activation(), Conv(width=6, bias=not behind), *behind)
    segments = (
        Plain(name="plain1", body=(Conv(width=6), Norm(), Activation())),
        Module(name="m1", body=body),
    )
    return Network(name="twins", input=(6, 6, 2), segments=segments)


@pytest.mark.parametrize("behind", [(), (Norm(), Activation())], ids=["bias", "norm"])
def test_what_a_twin_did_its_twin_does(
    behind: Body, random_weights: Random, dataset: Dataset
) -> None:
    network = twins(behind)
    weights = random_weights(network)
    filters = weights["m1/0/kernel"]  # changed where it is
    filters /= np.abs(filters).sum(axis=(0, 1, 2))
    filters[..., 4:] = filters[..., :4] * np.array([0.5, 0.25, 0.75, 0.5])
    filters *= 3
    (found,) = reconstruct(
        Pruner(network, weights, ["l1"]), [(0, 0.5)], dataset.train, images=200
    ).values()
    small = prune_network(network, (0.5,))
    sliced = prune_weights(network, weights, [0.5], ["l1"])
    images = dataset.test.batch(np.arange(75)).images
    expected = predict(network, weights, images)
    scale = np.abs(expected).max()
    assert np.abs(predict(small, sliced, images) - expected).max() > 0.1 * scale
    again = predict(small, sliced | found, images)
    np.testing.assert_allclose(again, expected, rtol=0, atol=1e-3 * scale)


def test_equal_modules_compile_once(
    zoo: dict[str, Network], random_weights: Random, dataset: Dataset
) -> None:
    first, m1, m2, m3, last = zoo["residual"].segments
    m4 = replace(m3, name="m4")
    network = replace(zoo["residual"], segments=(first, m1, m2, m3, m4, last))
    sweep._compiled.cache_clear()
    variants = [(number, rate) for number in range(4) for rate in (0.5, 0.25)]
    reconstruct(
        Pruner(network, random_weights(network), ["l1"] * 4),
        variants,
        dataset.train,
        images=60,
    )
    assert sweep._compiled.cache_info().currsize == 3


def test_refitted_modules_beat_inherited_weights(zoo: dict[str, Network], dataset: Dataset) -> None:
    network = zoo["residual"]
    recipe = Recipe(steps=40, batch=32, every=40, optimizer=Optimizer(learning_rate=0.05))
    weights = train(network, initial_weights(network, 0), dataset, recipe, seed=0).weights
    rates = (0.7, 0.7, 0.7)
    small = prune_network(network, rates)
    inherited = prune_weights(network, weights, rates, ["l1"] * 3)
    found = reconstruct(
        Pruner(network, weights, ["l1"] * 3),
        list(enumerate(rates)),
        dataset.train,
        images=200,
    )
    refitted = dict(inherited)
    for own in found.values():
        refitted |= own
    plain = evaluate(small, inherited, dataset.validation)
    assert evaluate(small, refitted, dataset.validation) > plain + 0.1


def test_no_variants_no_work(
    zoo: dict[str, Network], random_weights: Random, dataset: Dataset
) -> None:
    network = zoo["residual"]
    weights = random_weights(network)
    pruner = Pruner(network, weights, ["l1"] * 3)
    assert reconstruct(pruner, [], dataset.train, images=9) == {}
