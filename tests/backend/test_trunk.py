"""A network with cut trunks computes what the full one does with these channels held at zero."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.special import rel_entr, softmax

from wootzc.backends.data import Dataset
from wootzc.backends.flax.device.parallel import Devices
from wootzc.backends.flax.train.block_parts import end_cuts
from wootzc.backends.flax.train.blocks import BlockJob, train_blocks
from wootzc.backends.flax.train.evaluation import predict
from wootzc.backends.flax.train.reconstruct import reconstruct
from wootzc.backends.flax.train.scores import score_networks
from wootzc.backends.weights.importance import seam_scores
from wootzc.backends.weights.parameters import Weights, count_parameters
from wootzc.backends.weights.slicing import Pruner, Variant, prune_weights
from wootzc.backends.weights.stored import check_fits
from wootzc.backends.weights.widen import widen_weights
from wootzc.ir.net.cost import network_cost
from wootzc.ir.net.coupling import couple_network
from wootzc.ir.net.network import Network
from wootzc.ir.net.prune import prune_network
from wootzc.ir.net.rate import Rate, rate_of, triple
from wootzc.ir.net.trunk import even_rates, trunks, with_seams
from wootzc.ir.space import Criterion
from wootzc.ir.space.narrow import one_trunk
from wootzc.ir.space.recipe import Optimizer, Recipe

Random = Callable[[Network], Weights]
Silencer = Callable[[Network, Weights, float], Weights]


def test_pruned_equals_masked(
    any_network: Network, random_weights: Random, throughout: Silencer
) -> None:
    network = with_seams(any_network, {trunk.name for trunk in trunks(any_network)})
    weights = random_weights(network)
    rates = even_rates(network, 0.5)
    small = prune_network(network, rates)
    sliced = prune_weights(network, weights, rates, ["l1"] * len(rates))
    check_fits(small, sliced)
    assert count_parameters(sliced) == network_cost(small).params
    assert network_cost(small).params < network_cost(prune_network(network, own(rates))).params
    images = np.random.default_rng(3).normal(size=(4, 6, 6, 2)).astype(np.float32)
    expected = predict(network, throughout(network, weights, 0.5), images, batch=4)
    assert not np.allclose(expected, predict(network, weights, images, batch=4), atol=1e-2)
    found = predict(small, sliced, images, batch=4)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    wide = widen_weights(Pruner(network, weights, ["l1"] * len(rates)), sliced, rates)
    np.testing.assert_allclose(
        predict(network, wide, images, batch=4), expected, rtol=1e-4, atol=1e-4
    )


def test_kept_channels_are_nested(zoo: dict[str, Network], random_weights: Random) -> None:
    """What a higher rate keeps, a lower one keeps too."""
    network = with_seams(zoo["residual"], {"t1", "t2"})
    weights = random_weights(network)
    kernels = []
    for rate in (0.2, 0.5, 0.7):
        rates = even_rates(network, rate)
        sliced = prune_weights(network, weights, rates, ["l1"] * len(rates))
        kernels.append({tuple(k) for k in sliced["m1/0.0.3/kernel"][0, 0].T.round(5).tolist()})
    assert [len(k) for k in kernels] == [5, 3, 2]


def own_whole(network: Network, rate: float) -> tuple[Rate, ...]:
    """Only what runs between modules goes."""
    return tuple(
        rate_of(0.0, rate * bool(m.entering), rate * bool(m.leaving)) for m in network.modules
    )


def own(rates: tuple[Rate, ...]) -> tuple[Rate, ...]:
    return tuple(rate_of(triple(rate)[0]) for rate in rates)


@pytest.mark.parametrize("criterion", ["l2", "bn_scale"])
def test_trunks_are_judged_by_a_criterion_of_their_own(
    zoo: dict[str, Network], random_weights: Random, criterion: Criterion
) -> None:
    """Summed over all layers that make one, wherever they stand."""
    network = with_seams(zoo["residual"], {"t1", "t2"}, criteria={"t1": criterion})
    weights = random_weights(network)
    coupling, (first, second) = couple_network(network), trunks(network)[:2]
    (group,) = first.groups
    makers, width = coupling.groups[group].makers, coupling.groups[group].width
    expected: Any = 0.0
    for maker in makers:
        norm = f"{maker[:-1]}{int(maker[-1]) + 1}"  # it follows at once
        expected += (
            np.linalg.norm(weights[f"{maker}/kernel"].reshape(-1, width), axis=0)
            if criterion == "l2"
            else np.abs(weights[f"{norm}/scale"])
        )
    found = seam_scores(network, weights)
    assert len(makers) > 1
    np.testing.assert_allclose(found[group], expected, rtol=1e-5)
    plain = seam_scores(with_seams(zoo["residual"], {"t1", "t2"}), weights)
    np.testing.assert_array_equal(found[second.groups[0]], plain[second.groups[0]])
    assert not np.allclose(found[group], plain[group])


def test_chance_between_modules_goes_by_the_seed(
    zoo: dict[str, Network], random_weights: Random
) -> None:
    network = with_seams(zoo["residual"], {"t1"}, criteria={"t1": "random"})
    weights = random_weights(network)
    first, again, other = (seam_scores(network, weights, seed=s) for s in (0, 0, 1))
    for group, found in first.items():
        np.testing.assert_array_equal(found, again[group])
        assert not np.array_equal(found, other[group])


RECIPE = Recipe(steps=12, batch=32, every=12, optimizer=Optimizer(learning_rate=0.02))


@pytest.mark.parametrize("kind", ["residual", "concat", "flatten"])
def test_blocks_see_and_learn_the_channels_that_are_left(
    zoo: dict[str, Network], random_weights: Random, dataset: Dataset, kind: str
) -> None:
    """What the pruned stem makes is what its block shall learn, and what the next block is fed."""
    network = with_seams(zoo[kind], {"t1"})
    weights = random_weights(network)
    rates = own_whole(network, 0.5)
    criteria: list[Criterion] = ["l1"] * len(rates)
    pruner = Pruner(network, weights, criteria)
    images = dataset.train.batch(np.arange(32)).images
    small = prune_network(network, rates)
    sliced = prune_weights(network, weights, rates, criteria)
    whole, stem = (
        predict(
            replace(one, segments=one.segments[:1]),
            {name: value for name, value in own.items() if name.startswith("plain1/")},
            images,
        )
        for one, own in ((network, weights), (small, sliced))
    )
    leave = end_cuts(network, 0, rates[:1], pruner.seams, Devices(1))[1]
    np.testing.assert_allclose(stem, leave(whole), rtol=1e-5, atol=1e-5)
    enter = end_cuts(network, 1, rates[1:2], pruner.seams, Devices(1))[0]
    np.testing.assert_array_equal(enter(whole), leave(whole))
    jobs = [
        BlockJob(
            start=start,
            rates=rates[start : start + 2],
            weights=pruner.prune_run(start, rates[start : start + 2]),
        )
        for start in range(len(rates) - 1)
    ]
    for one in train_blocks(network, weights, jobs, dataset, RECIPE, seed=1):
        assert one.finite and one.loss_last < one.loss_first


def test_a_trunks_score_is_that_of_the_network_without_its_channels(
    zoo: dict[str, Network], random_weights: Random, dataset: Dataset
) -> None:
    for kind in ("residual", "grouped"):
        network = with_seams(zoo[kind], {"t1"})
        weights = random_weights(network)
        rates = one_trunk(network, 0, 0.5)
        sliced = prune_weights(network, weights, rates, ["l1"] * len(rates))
        images = dataset.validation.batch(np.arange(75))
        pruned: dict[Variant, tuple[tuple[Rate, ...], Weights]] = {
            (0, (0.0, 0.0, 0.5)): (rates, sliced)
        }
        ((_, score),) = score_networks(
            Pruner(network, weights, ["l1"] * len(rates)), pruned, images
        )
        expected = predict(network, weights, images.images).astype(np.float64)
        logits = predict(prune_network(network, rates), sliced, images.images).astype(np.float64)
        losses = rel_entr(softmax(expected, axis=1), softmax(logits, axis=1)).sum(axis=1)
        assert score.loss == pytest.approx(losses.mean(), rel=1e-3)
        assert score.accuracy == pytest.approx((logits.argmax(axis=1) == images.labels).mean())


def test_least_squares_makes_up_for_channels_between_modules(
    zoo: dict[str, Network], random_weights: Random, dataset: Dataset
) -> None:
    """Refitted readers of a cut trunk give closer to what they gave than sliced ones do."""
    network = with_seams(zoo["bare"], {"t1"})
    weights = random_weights(network)
    rates = one_trunk(network, 0, 0.5)
    criteria: list[Criterion] = ["l1"] * len(rates)
    variants: list[Variant] = [(m, rate) for m, rate in enumerate(rates) if rate]
    found = reconstruct(Pruner(network, weights, criteria), variants, dataset.train, images=200)
    sliced = prune_weights(network, weights, rates, criteria)
    refitted = sliced | {n: v for own in found.values() for n, v in own.items()}
    small, images = prune_network(network, rates), dataset.test.batch(np.arange(75)).images
    expected = predict(network, weights, images)
    errors = [np.square(predict(small, w, images) - expected).mean() for w in (sliced, refitted)]
    assert errors[1] < 0.7 * errors[0]
