"""A network that leaves modules out computes what the full one does with nothing made in them."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from wootzc.backends.data import Dataset
from wootzc.backends.flax.train.blocks import BlockJob, train_blocks
from wootzc.backends.flax.train.evaluation import predict
from wootzc.backends.flax.train.scores import score_variants
from wootzc.backends.weights.parameters import Weights
from wootzc.backends.weights.slicing import Pruner, prune_weights
from wootzc.backends.weights.stored import check_fits
from wootzc.backends.weights.widen import widen_weights
from wootzc.ir.layers import Activation, Body, Branch, Conv, Norm
from wootzc.ir.net.cost import network_cost
from wootzc.ir.net.cost_tables import variant_costs
from wootzc.ir.net.network import Module, Network
from wootzc.ir.net.prune import prune_network
from wootzc.ir.net.skip import SKIP, can_be_skipped
from wootzc.ir.space import Criterion
from wootzc.ir.space.recipe import Optimizer, Recipe

Random = Callable[[Network], Weights]
BY: list[Criterion] = ["l1"] * 3


@pytest.fixture(params=[True, False], ids=["with activations", "sums alone"])
def network(request: pytest.FixtureRequest, zoo: dict[str, Network]) -> Network:
    """m1 and m3 have identity shortcuts."""
    found = zoo["residual"]
    if request.param:
        return found
    bare = (replace(s, body=s.body[:1]) if isinstance(s, Module) else s for s in found.segments)
    return replace(found, segments=tuple(bare))


@pytest.mark.parametrize("rates", [(SKIP, 0.5, 0.0), (SKIP, 0.0, SKIP), (0.5, 0.5, SKIP)])
def test_pruned_equals_masked(
    network: Network, random_weights: Random, rates: tuple[float, ...]
) -> None:
    weights = random_weights(network)
    small, sliced = prune_network(network, rates), prune_weights(network, weights, rates, BY)
    check_fits(small, sliced)
    table = variant_costs(network, (0.0, 0.5, SKIP))
    row = np.array([[(0.0, 0.5, SKIP).index(rate) for rate in rates]])
    assert table.total("params", row) == network_cost(small).params
    images = np.random.default_rng(3).normal(size=(4, 6, 6, 2)).astype(np.float32)
    silent = {f"m{number}" for number, rate in enumerate(rates, 1) if rate == SKIP}
    masked = {
        name: value * (name.split("/")[0] not in silent or name.endswith("var"))
        for name, value in weights.items()
    }
    halved = tuple(rate if rate < 1 else 0.0 for rate in rates)
    expected = predict(
        prune_network(network, halved), prune_weights(network, masked, halved, BY), images
    )
    np.testing.assert_allclose(predict(small, sliced, images), expected, rtol=1e-4, atol=1e-4)
    wide = widen_weights(Pruner(network, weights, BY), sliced, rates)
    np.testing.assert_allclose(predict(network, wide, images), expected, rtol=1e-4, atol=1e-4)


def test_what_is_left_out_is_no_segment(network: Network) -> None:
    names = [segment.name for segment in prune_network(network, (SKIP, 0.5, SKIP)).segments]
    kept = len(network.modules[0].body) > 1
    assert names == (["plain1", "m1", "m2", "m3", "plain2"] if kept else ["plain1", "m2", "plain2"])


def test_modules_without_an_identity_are_not_left_out(network: Network) -> None:
    assert [can_be_skipped(module) for module in network.modules] == [True, False, True]
    with pytest.raises(ValueError, match="below 1"):
        prune_network(network, (0.0, SKIP, 0.0))


THROUGH: Body = (Conv(width=4), Norm())
SUM = Branch(join="add", arms=(THROUGH, ()))


@pytest.mark.parametrize(
    ("body", "can"),
    [
        ((SUM,), True),
        ((SUM, Activation()), True),
        ((SUM, Norm(), Activation()), False),  # its weights would move
        ((Conv(width=4), SUM), False),
        ((Branch(join="add", arms=((*THROUGH, Activation(kind="sigmoid")), ())),), False),
        ((Branch(join="add", arms=((*THROUGH, Activation(kind="swish")), ())),), True),
        ((Branch(join="add", arms=((Activation(),), ())),), False),  # nothing in it to leave out
        ((Branch(join="concat", arms=(THROUGH, ())),), False),
        ((Branch(join="add", arms=(THROUGH, THROUGH)),), False),
    ],
)
def test_what_can_be_left_out(body: Body, can: bool) -> None:
    assert can_be_skipped(Module(name="m", body=body)) is can


def test_blocks_hold_modules_that_are_left_out(
    network: Network, random_weights: Random, dataset: Dataset
) -> None:
    """They have nothing to learn; what flies with them learns as it does."""
    weights = random_weights(network)
    recipe = Recipe(steps=8, batch=32, every=8, optimizer=Optimizer(learning_rate=0.02))
    jobs = [
        BlockJob(
            start=0,
            rates=rates,
            weights=Pruner(network, weights, BY).prune_run(0, rates),
        )
        for rates in ((SKIP,), (SKIP, 0.5))
    ]
    alone, run = train_blocks(network, weights, jobs, dataset, recipe, seed=1)
    assert alone.weights == {} and alone.finite and alone.loss_first > 0
    assert {name.split("/")[0] for name in run.weights} == {"m2"} and run.finite
    for name, value in run.weights.items():
        assert not np.array_equal(value, jobs[1].weights[name]), name


def test_leaving_out_has_a_score(
    network: Network, random_weights: Random, dataset: Dataset
) -> None:
    weights, images = random_weights(network), dataset.validation.batch(np.arange(75))
    ((_, score),) = score_variants(Pruner(network, weights, BY), {(0, SKIP): {}}, images)
    rates = (SKIP, 0.0, 0.0)
    small, sliced = prune_network(network, rates), prune_weights(network, weights, rates, BY)
    right = predict(small, sliced, images.images).argmax(axis=1) == images.labels
    assert score.accuracy == pytest.approx(right.mean()) and score.loss > 0
