"""A pruned network must compute what the full one computes with those filters silenced."""

import subprocess
import sys
from collections.abc import Callable
from itertools import cycle, islice

import numpy as np
import pytest

from wootzc.backends.flax.train.evaluation import predict
from wootzc.backends.weights.parameters import Weights, count_parameters
from wootzc.backends.weights.slicing import prune_weights
from wootzc.backends.weights.stored import check_fits
from wootzc.ir.layers import Conv, has_filters
from wootzc.ir.net.cost import network_cost
from wootzc.ir.net.network import Module, Network
from wootzc.ir.net.prune import prune_network
from wootzc.ir.space import Criterion

Random = Callable[[Network], Weights]
Silencer = Callable[[Network, Weights, list[float], Criterion], Weights]


@pytest.mark.parametrize("rate", [0.3, 0.5, 0.75])
def test_pruned_equals_masked(
    any_network: Network, random_weights: Random, silenced: Silencer, rate: float
) -> None:
    weights = random_weights(any_network)
    count = len(any_network.modules)
    rates = list(islice(cycle([rate, 0.5]), count))
    small = prune_network(any_network, tuple(rates))
    sliced = prune_weights(any_network, weights, rates, ["l1"] * count)
    check_fits(small, sliced)
    assert count_parameters(sliced) == network_cost(small).params
    assert network_cost(small).params < network_cost(any_network).params
    images = np.random.default_rng(3).normal(size=(4, 6, 6, 2)).astype(np.float32)
    masked = silenced(any_network, weights, rates, "l1")
    expected = predict(any_network, masked, images, batch=4)
    assert not np.allclose(expected, predict(any_network, weights, images, batch=4), atol=1e-2)
    np.testing.assert_allclose(
        predict(small, sliced, images, batch=4), expected, rtol=1e-4, atol=1e-4
    )


def test_layers_say_whether_they_sum_channels(
    any_learned: Network, random_weights: Random, silenced: Silencer
) -> None:
    """Zeros in the place of removed channels change what the others become, or they do not."""
    body = any_learned.segments[0].body
    layer = next(one for one in body if one.arrays())
    if has_filters(layer):
        return
    conv = Conv(width=8, kernel=(1, 1))
    module = Module(name="m1", body=(conv, layer, Conv(width=5, kernel=(1, 1))))
    network = Network(name="n", input=(6, 6, 2), segments=(module,))
    weights = random_weights(network)
    sliced = prune_weights(network, weights, [0.5], ["l1"])
    kept = np.flatnonzero(
        np.isin(weights["m1/0/kernel"], sliced["m1/0/kernel"]).all(axis=(0, 1, 2))
    )
    for array in layer.arrays():
        name = f"m1/1/{array.name}"
        np.testing.assert_array_equal(sliced[name], weights[name][..., kept])
    images = np.random.default_rng(3).normal(size=(4, 6, 6, 2)).astype(np.float32)
    masked = predict(network, silenced(network, weights, [0.5], "l1"), images, batch=4)
    found = predict(prune_network(network, (0.5,)), sliced, images, batch=4)
    assert np.allclose(found, masked, rtol=1e-4, atol=1e-4) != layer.sums_channels


def test_at_rate_zero_nothing_changes_bit_for_bit(
    any_network: Network, random_weights: Random
) -> None:
    weights = random_weights(any_network)
    count = len(any_network.modules)
    assembled = prune_weights(any_network, weights, [0.0] * count, ["l1"] * count)
    assert prune_network(any_network, (0.0,) * count) == any_network
    images = np.random.default_rng(3).normal(size=(4, 6, 6, 2)).astype(np.float32)
    np.testing.assert_array_equal(
        predict(any_network, assembled, images, batch=4),
        predict(any_network, weights, images, batch=4),
    )


@pytest.mark.parametrize("criterion", ["l1", "l2", "bn_scale", "geometric_median", "random"])
def test_every_criterion_fits(
    zoo: dict[str, Network], random_weights: Random, criterion: Criterion
) -> None:
    network = zoo["residual"]
    rates = [0.5, 0.25, 0.7]
    sliced = prune_weights(network, random_weights(network), rates, [criterion] * 3)
    check_fits(prune_network(network, tuple(rates)), sliced)


def test_a_modules_slice_does_not_depend_on_the_others(
    zoo: dict[str, Network], random_weights: Random
) -> None:
    network, weights = zoo["residual"], random_weights(zoo["residual"])
    one = prune_weights(network, weights, [0.5, 0, 0], ["l1"] * 3)
    all_ = prune_weights(network, weights, [0.5, 0.5, 0.5], ["l1"] * 3)
    for name in one:
        if name.startswith("m1/"):
            np.testing.assert_array_equal(one[name], all_[name])


def test_only_random_goes_by_the_seed(zoo: dict[str, Network], random_weights: Random) -> None:
    network, weights = zoo["residual"], random_weights(zoo["residual"])

    def differ(criterion: Criterion) -> bool:
        zero, seven = (
            prune_weights(network, weights, [0.5] * 3, [criterion] * 3, seed=seed)
            for seed in (0, 7)
        )
        return any(not np.array_equal(zero[name], seven[name]) for name in zero)

    assert differ("random")
    assert not differ("l1")


def test_choosing_and_slicing_need_no_jax() -> None:
    code = (
        "import sys, wootzc.backends.weights.slicing, wootzc.backends.weights.importance, "
        "wootzc.backends.weights.stored; assert 'jax' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
