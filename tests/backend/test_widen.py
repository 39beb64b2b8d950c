"""Widened weights make the full network compute what the pruned one does."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import cycle, islice

import numpy as np
import pytest

from wootzc.backends.flax.train.evaluation import predict
from wootzc.backends.weights.parameters import Weights, segment_weights
from wootzc.backends.weights.slicing import Pruner, prune_weights
from wootzc.backends.weights.stored import check_fits
from wootzc.backends.weights.widen import widen_module_weights, widen_weights
from wootzc.ir.net.network import Module, Network
from wootzc.ir.net.prune import prune_network
from wootzc.ir.space import Criterion

Random = Callable[[Network], Weights]


def other_values(weights: Weights) -> Weights:
    """Weights of equal shapes that have nothing to do with those: as if trained since."""
    rng = np.random.default_rng(11)
    return {
        name: (value + rng.uniform(0, 0.5, value.shape)).astype(np.float32)
        for name, value in weights.items()
    }


def check_same_logits(
    network: Network, weights: Weights, rates: list[float], criterion: Criterion, seed: int = 0
) -> None:
    criteria = [criterion] * len(rates)
    small = prune_network(network, tuple(rates))
    sliced = prune_weights(network, weights, rates, criteria, seed=seed)
    trained = other_values(sliced)
    wide = widen_weights(Pruner(network, weights, criteria, seed), trained, rates)
    check_fits(network, wide)
    assert all(np.isfinite(value).all() for value in wide.values())
    images = np.random.default_rng(3).normal(size=(4, *network.input)).astype(np.float32)
    expected = predict(small, trained, images, batch=4)
    found = predict(network, wide, images, batch=4)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * scale)
    assert np.abs(predict(small, sliced, images, batch=4) - expected).max() > 0.01 * scale


@pytest.mark.parametrize("rate", [0.3, 0.5, 0.75])
def test_the_full_network_computes_what_the_pruned_one_does(
    any_network: Network, random_weights: Random, rate: float
) -> None:
    rates = list(islice(cycle([rate, 0.5]), len(any_network.modules)))
    check_same_logits(any_network, random_weights(any_network), rates, "l1")


@pytest.mark.parametrize("criterion", ["bn_scale", "geometric_median", "random"])
def test_the_criterion_says_where_filters_were(
    zoo: dict[str, Network], random_weights: Random, criterion: Criterion
) -> None:
    network = zoo["residual"]
    check_same_logits(network, random_weights(network), [0.5, 0.7, 0.3], criterion, seed=5)


@pytest.mark.parametrize("rules", [{"kept": ("3",)}, {"multiple": 4}, {"kept": ("0",)}])
@pytest.mark.parametrize("kind", ["depthwise", "grouped", "squeeze", "concat"])
def test_rules_of_a_module_hold(
    zoo: dict[str, Network], random_weights: Random, kind: str, rules: dict[str, object]
) -> None:
    segments = [
        replace(segment, **rules) if isinstance(segment, Module) else segment  # type: ignore[arg-type]
        for segment in zoo[kind].segments
    ]
    network = replace(zoo[kind], segments=tuple(segments))
    check_same_logits(network, random_weights(network), [0.5], "l1")


def test_survivors_are_where_they_were(any_network: Network, random_weights: Random) -> None:
    """What slicing took from the teacher comes back to its place; all else is neutral."""
    weights = random_weights(any_network)
    count = len(any_network.modules)
    rates = [0.5] * count
    sliced = prune_weights(any_network, weights, rates, ["l1"] * count)
    wide = widen_weights(Pruner(any_network, weights, ["l1"] * count), sliced, rates)
    for name, value in wide.items():
        neutral = float(name.endswith("/var"))
        survived = value == weights[name]
        assert (value[~survived] == neutral).all(), name
        assert survived.sum() == sliced[name].size, name


def test_rate_zero_changes_nothing(zoo: dict[str, Network], random_weights: Random) -> None:
    network = zoo["residual"]
    weights = random_weights(network)
    wide = widen_weights(Pruner(network, weights, ["l1"] * 3), weights, [0, 0, 0])
    assert wide.keys() == weights.keys()
    for name in wide:
        assert wide[name] is weights[name]


def test_one_module_alone(zoo: dict[str, Network], random_weights: Random) -> None:
    network = zoo["residual"]
    weights = random_weights(network)
    sliced = prune_weights(network, weights, [0.5, 0.7, 0.3], ["l1"] * 3)
    pruner = Pruner(network, weights, ["l1"] * 3)
    wide = widen_weights(pruner, sliced, [0.5, 0.7, 0.3])
    own = widen_module_weights(pruner, 1, segment_weights(sliced, "m2"), 0.7)
    for name, value in own.items():
        np.testing.assert_array_equal(value, wide[f"m2/{name}"])


def test_widening_needs_no_jax() -> None:
    code = "import sys, wootzc.backends.weights.widen; assert 'jax' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
