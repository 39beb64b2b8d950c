"""Criteria that read images: against finite differences of the loss, and NumPy on what is read."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from wootzc.backends.data import Dataset
from wootzc.backends.flax.train.evaluation import predict
from wootzc.backends.flax.train.saliency import channel_saliencies, entropies
from wootzc.backends.weights.importance import scores, seam_scores
from wootzc.backends.weights.parameters import Weights, segment_weights
from wootzc.backends.weights.slicing import prune_weights
from wootzc.diagnostics import WootzError
from wootzc.ir.layers import Activation, Conv, Dense, GlobalPool
from wootzc.ir.net.coupling import couple_module, couple_network
from wootzc.ir.net.network import Network, Plain, segment_shapes
from wootzc.ir.net.trunk import trunks, with_seams

Random = Callable[[Network], Weights]
IMAGES = 40  # two batches, the second of them filled up


def losses(network: Network, weights: Weights, dataset: Dataset) -> NDArray[np.float64]:
    """Cross entropy of each image that is looked at."""
    batch = dataset.train.batch(rows(dataset))
    logits = predict(network, weights, batch.images).astype(np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return np.asarray(-logs[np.arange(len(logs)), batch.labels])


def rows(dataset: Dataset) -> NDArray[np.intp]:
    drawn = np.random.default_rng(3).permutation(len(dataset.train))[:IMAGES]
    return np.sort(drawn)


def measured(network: Network, weights: Weights, dataset: Dataset) -> Weights:
    return channel_saliencies(network, weights, dataset.train, count=IMAGES, seed=3)


@pytest.mark.parametrize(
    ("kind", "reader", "channel"),
    [("residual", "m1/0.0.3", 2), ("residual", "plain2/1", 4), ("concat", "m1/1", 5)],
)
def test_taylor_is_what_the_loss_changes_by_to_first_order(
    zoo: dict[str, Network],
    random_weights: Random,
    dataset: Dataset,
    kind: str,
    reader: str,
    channel: int,
) -> None:
    """Central differences: the weights that read a channel, made a little larger and smaller."""
    network, step = zoo[kind], 0.02
    weights = random_weights(network)
    kernel = weights[f"{reader}/kernel"]

    def at(scale: float) -> NDArray[np.float64]:
        changed = kernel.copy()
        changed[..., channel, :] *= scale
        return losses(network, {**weights, f"{reader}/kernel": changed}, dataset)

    slope = (at(1 + step) - at(1 - step)) / (2 * step)
    expected = float((slope**2).mean())
    assert expected > 1e-6
    found = measured(network, weights, dataset)[f"{reader}/taylor"]
    assert found[channel] == pytest.approx(expected, rel=0.02)


PLAIN = Network(
    name="plain",
    input=(6, 6, 2),
    segments=(
        Plain(name="plain1", body=(Conv(width=5, kernel=(1, 1)), Activation())),
        Plain(name="plain2", body=(GlobalPool(), Dense(width=3))),
    ),
)


def test_activations_and_entropies_are_those_of_what_is_read(
    random_weights: Random, dataset: Dataset
) -> None:
    weights = random_weights(PLAIN)
    images = dataset.train.batch(rows(dataset)).images.astype(np.float64)
    found = measured(PLAIN, weights, dataset)
    np.testing.assert_allclose(
        found["plain1/0/activation"], np.abs(images).mean(axis=(0, 1, 2)), rtol=1e-5
    )
    made = images @ weights["plain1/0/kernel"][0, 0].astype(np.float64)
    made += weights.get("plain1/0/bias", np.zeros(5))
    means = np.maximum(made, 0).mean(axis=(1, 2))
    np.testing.assert_allclose(found["plain2/1/activation"], means.mean(axis=0), rtol=1e-5)
    bounds = np.linspace(means.min(), means.max(), IMAGES // 2 + 1)
    expected = []
    for channel in means.T:
        shares = np.histogram(channel, bounds)[0] / IMAGES
        expected.append(-sum(share * np.log2(share) for share in shares if share))
    np.testing.assert_allclose(found["plain2/1/entropy"], expected, atol=0.2)  # at a bin's edge
    assert np.argsort(found["plain2/1/entropy"])[0] == np.argsort(expected)[0]


def test_what_never_varies_has_no_entropy() -> None:
    means = np.stack([np.full(8, 3.0), np.arange(8.0), 7 * (np.arange(8.0) % 2)], axis=1)
    np.testing.assert_allclose(entropies(means.astype(np.float32)), [0.0, 2.0, 1.0])
    np.testing.assert_array_equal(entropies(np.ones((1, 2), np.float32)), [0.0, 0.0])


@pytest.mark.parametrize("criterion", ["taylor", "activation", "entropy"])
def test_a_channel_that_is_always_zero_goes_first(
    zoo: dict[str, Network], random_weights: Random, dataset: Dataset, criterion: str
) -> None:
    """Though its filter is the largest, which l1 would keep."""
    network, dead = zoo["residual"], 3
    weights = random_weights(network)
    weights["m1/0.0.1/scale"][dead] = 0.0
    weights["m1/0.0.1/bias"][dead] = -1.0
    weights["m1/0.0.0/kernel"][..., dead] = 9.0
    rates = [0.2, *[0.0] * (len(network.modules) - 1)]
    found = measured(network, weights, dataset)
    sliced = prune_weights(network, weights, rates, [criterion] * len(rates), saliencies=found)  # type: ignore[list-item]
    left = weights["m1/0.0.3/kernel"].shape[2] - sliced["m1/0.0.3/kernel"].shape[2]
    assert left == 1
    expected = np.delete(weights["m1/0.0.3/kernel"], dead, axis=2)
    np.testing.assert_array_equal(sliced["m1/0.0.3/kernel"], expected)
    by_l1 = prune_weights(network, weights, rates, ["l1"] * len(rates))
    assert not np.array_equal(by_l1["m1/0.0.3/kernel"], expected)


@pytest.mark.parametrize("averaged", [False, True])
def test_a_trunk_is_judged_by_all_layers_that_read_it(
    zoo: dict[str, Network], random_weights: Random, dataset: Dataset, averaged: bool
) -> None:
    name = "taylor_mean" if averaged else "taylor"
    network = with_seams(zoo["residual"], {"t1"}, criteria={"t1": name})  # type: ignore[dict-item]
    weights = random_weights(network)
    found = measured(network, weights, dataset)
    coupling = couple_network(network)
    (group,) = trunks(network)[0].groups
    read = [found[f"{path}/taylor"] for path, c in coupling.inputs.items()
            if c == (group,) and f"{path}/taylor" in found]  # fmt: skip
    assert len(read) > 2
    expected = sum(one / (one.mean() if averaged else 1.0) for one in read)
    np.testing.assert_allclose(seam_scores(network, weights, found)[group], expected, rtol=1e-6)


def test_without_images_it_is_said(zoo: dict[str, Network], random_weights: Random) -> None:
    network = zoo["residual"]
    module, shape = network.modules[0], segment_shapes(network)[1]
    own = segment_weights(random_weights(network), module.name)
    coupling = couple_module(module, shape)
    number = next(n for n, group in enumerate(coupling.groups) if not group.whole)
    with pytest.raises(WootzError, match="WZ268"):
        scores(module.body, coupling, number, own, "taylor", module.name)
