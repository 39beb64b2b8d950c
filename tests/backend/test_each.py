"""Groups of a module at rates of their own: what stays of each is what it would be at one rate."""

from collections.abc import Callable

import numpy as np
import pytest

from wootzc.backends.data import Dataset
from wootzc.backends.flax.train.evaluation import predict
from wootzc.backends.flax.train.reconstruct import reconstruct
from wootzc.backends.flax.train.scores import score_variants
from wootzc.backends.weights.parameters import Weights
from wootzc.backends.weights.slicing import Pruner, prune_weights
from wootzc.backends.weights.widen import widen_weights
from wootzc.ir.net.network import Network
from wootzc.ir.net.prune import prune_network
from wootzc.ir.net.rate import Rate

Random = Callable[[Network], Weights]
FIRST: Rate = ((0.5, 0.0), 0.0, 0.0)
BOTH: Rate = ((0.25, 0.5), 0.0, 0.0)


@pytest.fixture
def bottle(random_weights: Random) -> tuple[Network, Weights]:
    """One module of three convolutions, so of two groups."""
    from tests.backend.conftest import around, conv_norm

    network = around((*conv_norm(8), *conv_norm(4), *conv_norm(6)))
    return network, random_weights(network)


def sliced(network: Network, weights: Weights, rate: Rate) -> Weights:
    return prune_weights(network, weights, [rate], ["l1"])


def test_each_group_keeps_what_it_would_keep_at_one_rate(bottle: tuple[Network, Weights]) -> None:
    network, weights = bottle
    half, quarter = sliced(network, weights, 0.5), sliced(network, weights, 0.25)
    first, both = sliced(network, weights, FIRST), sliced(network, weights, BOTH)
    np.testing.assert_array_equal(first["m1/0/kernel"], half["m1/0/kernel"])
    np.testing.assert_array_equal(first["m1/6/kernel"], weights["m1/6/kernel"])
    assert first["m1/3/kernel"].shape == (3, 3, 4, 4)
    np.testing.assert_array_equal(both["m1/0/kernel"], quarter["m1/0/kernel"])
    np.testing.assert_array_equal(both["m1/6/kernel"], half["m1/6/kernel"])


@pytest.mark.parametrize("rate", [FIRST, BOTH])
def test_zeros_in_their_places_come_to_the_same(
    bottle: tuple[Network, Weights], dataset: Dataset, rate: Rate
) -> None:
    network, weights = bottle
    small, wide = sliced(network, weights, rate), None
    wide = widen_weights(Pruner(network, weights, ["l1"]), small, [rate])
    images = dataset.train.batch(np.arange(16)).images
    expected = predict(prune_network(network, (rate,)), small, images)
    np.testing.assert_allclose(predict(network, wide, images), expected, rtol=1e-4, atol=1e-4)


def test_variants_are_refitted_and_scored(
    bottle: tuple[Network, Weights], dataset: Dataset
) -> None:
    """Of equal rates as the one rate that they are; what loses less is damaged less."""
    network, weights = bottle
    variants: list[tuple[int, Rate]] = [(0, FIRST), (0, 0.5)]
    pruner = Pruner(network, weights, ["l1"])
    found = reconstruct(pruner, variants, dataset.train, images=64)
    images = dataset.validation.batch(np.arange(32))
    scores = dict(score_variants(pruner, found, images))
    assert 0 < scores[0, FIRST].loss < scores[0, 0.5].loss
