"""Auxiliary heads: they steer the training of a network, and leave nothing else behind."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from wootzc.backends.data import Dataset
from wootzc.backends.flax.device.parallel import Devices, Strategy
from wootzc.backends.flax.net.model import structure, structures
from wootzc.backends.flax.train.recipes import told
from wootzc.backends.flax.train.step import Head, Images, initial_state, network_step
from wootzc.backends.flax.train.strategy import choose_strategy
from wootzc.backends.flax.train.train import Trained, train
from wootzc.backends.flax.write.source import model_source
from wootzc.backends.weights.parameters import Weights, network_parameters
from wootzc.backends.weights.stored import initial_heads, initial_weights, split
from wootzc.ir.layers import Activation, Body, Conv, Dense, Dropout, GlobalPool, Norm
from wootzc.ir.net.cost import network_cost
from wootzc.ir.net.network import Auxiliary, Network, head_shapes
from wootzc.ir.net.prune import prune_network
from wootzc.ir.space.recipe import Augment, Optimizer, Recipe

BODY: Body = (Conv(width=4), Norm(), Activation(), GlobalPool(), Dropout(rate=0.2), Dense(width=3))
SLOW = Optimizer(name="sgd", learning_rate=1e-2)
RECIPE = Recipe(steps=12, batch=32, optimizer=SLOW, every=12, weight_decay=1e-3)


def with_heads(network: Network, *weights: float, body: Body = BODY) -> Network:
    """A head behind segment 1, one behind segment 0, and so on."""
    heads = tuple(
        Auxiliary(name=f"aux{i}", after=(i % 2), weight=weight, body=body)
        for i, weight in enumerate(weights, 1)
    )
    return replace(network, auxiliaries=heads)


@pytest.fixture
def network(zoo: dict[str, Network]) -> Network:
    return zoo["residual"]


def heads_of(network: Network) -> tuple[Head, ...]:
    return tuple(
        Head(structure(head.body, shape), head.after, head.weight)
        for head, shape in zip(network.auxiliaries, head_shapes(network), strict=True)
    )


def _step(network: Network, recipe: Recipe, heads: tuple[Head, ...] = ()) -> Callable[..., Any]:
    step = network_step(structures(network), recipe.optimizer, heads=heads)
    return lambda state, batch: step(state, told(recipe, 0), batch)


def a_batch(network: Network, size: int = 16) -> Images:
    rng = np.random.default_rng(0)
    images = jnp.asarray(rng.normal(size=(size, *network.input)), jnp.float32)
    labels = jnp.asarray(rng.integers(0, 3, size))
    return Images(images, labels, None, jax.random.split(jax.random.key(0), size))


def close(one: Mapping[str, Any], other: Mapping[str, Any], tolerance: float) -> None:
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_allclose(
            one[name], other[name], rtol=tolerance, atol=tolerance, err_msg=name
        )


def test_a_step_goes_down_the_sum_of_all_losses(
    network: Network, random_weights: Callable[[Network], Weights]
) -> None:
    """The gradient of each loss by itself, with nothing of the step under test, added up."""
    still = tuple(
        replace(layer, rate=0.0) if isinstance(layer, Dropout) else layer for layer in BODY
    )
    network = with_heads(network, 0.3, 0.5, body=still)
    recipe = Recipe(steps=1, optimizer=Optimizer(learning_rate=1.0), label_smoothing=0.1)
    parts = split(network, random_weights(network)) + initial_heads(network, seed=0)
    state = initial_state(parts, recipe, seed=0)
    batch = a_batch(network)
    graphs = structures(network)
    moved, loss = _step(network, recipe, heads_of(network))(state, batch)

    def loss_of(params: Any, chain: list[int]) -> Any:
        """Cross entropy of what the parts in `chain` make of the images, one after the other."""
        every = (*graphs, *(head.structure for head in heads_of(network)))
        x = batch.images
        for number in chain:
            x, _ = every[number].train({**params[number], **state.stats[number]}, x, batch.keys)
        wanted = 0.9 * jax.nn.one_hot(batch.labels, 3) + 0.1 / 3
        return -(wanted * jax.nn.log_softmax(x)).sum(axis=-1).mean()

    count = len(graphs)
    chains = [(1.0, list(range(count))), (0.3, [0, 1, count]), (0.5, [0, count + 1])]
    total, gradients = 0.0, jax.tree.map(jnp.zeros_like, state.params)
    for weight, chain in chains:
        value, gradient = jax.value_and_grad(loss_of)(state.params, chain)
        total += weight * value
        gradients = jax.tree.map(lambda a, b, w=weight: a + w * b, gradients, gradient)
    assert loss == pytest.approx(float(total), rel=1e-5)
    expected = jax.tree.map(lambda p, g: p - g, state.params, gradients)
    for got, wanted in zip(moved.params, expected, strict=True):
        close(got, wanted, 1e-5)
    before = state.stats[count]["1/mean"]
    assert not np.array_equal(moved.stats[count]["1/mean"], before)  # of the head's own norm


def test_a_head_of_weight_zero_changes_nothing(network: Network, dataset: Dataset) -> None:
    start = initial_weights(network, seed=0)
    recipe = replace(RECIPE, clip=1.0)
    without = train(network, start, dataset, recipe, seed=3, strategy="loop")
    got = train(with_heads(network, 0.0), start, dataset, recipe, seed=3)
    close(got.weights, without.weights, 1e-5)
    steered = train(with_heads(network, 0.5), start, dataset, recipe, seed=3)
    before, after = (t.weights["plain1/0/kernel"] for t in (without, steered))
    assert np.abs(before - after).max() > 1e-3
    assert steered.weights.keys() == start.keys()


def test_loops_and_scans_agree(network: Network, dataset: Dataset) -> None:
    """With two heads, dropout in them, distillation and augmentation."""
    network = with_heads(network, 0.3, 0.5)
    start = initial_weights(network, seed=0)
    recipe = replace(RECIPE, distill=0.5, temperature=2.0)

    def run(strategy: Strategy | None) -> Trained:
        guide = (network, initial_weights(network, seed=9))
        return train(
            network, start, dataset, recipe, Augment(crop=1), seed=3, teacher=guide,
            strategy=strategy,
        )  # fmt: skip

    loop, scan = run("loop"), run("scan")
    close(loop.weights, scan.weights, 2e-3)
    close(loop.weights, run(None).weights, 0)
    with pytest.raises(ValueError, match="auxiliary"):
        run("segments")


@pytest.mark.parametrize(("platform", "strategy"), [("cpu", "loop"), ("gpu", "scan")])
def test_heads_are_trained_as_a_whole(network: Network, platform: str, strategy: Strategy) -> None:
    headed = with_heads(network, 0.3)
    chosen = choose_strategy(headed, RECIPE, Devices(1), shared=True, platform=platform)
    assert chosen == strategy


@pytest.mark.parametrize(("rate", "alike"), [(0.0, True), (0.5, False)])
def test_heads_have_dropout_and_labels_of_the_network_but_keys_of_their_own(
    zoo: dict[str, Network], rate: float, alike: bool
) -> None:
    """A head that is the network's own end, weights and all: only dropout can tell them apart."""
    body: Body = (GlobalPool(), Dropout(rate=rate), Dense(width=3))
    plain = zoo["residual"]
    end = replace(plain.segments[-1], body=body)
    network = replace(plain, segments=(*plain.segments[:-1], end))
    head = Auxiliary(name="aux1", after=len(network.segments) - 2, weight=0.5, body=body)
    network = replace(network, auxiliaries=(head,))
    recipe = Recipe(steps=1, label_smoothing=0.1, distill=0.0)
    parts = split(network, initial_weights(network, seed=0))
    state = initial_state((*parts, parts[-1]), recipe, seed=0)
    batch = a_batch(network)
    single = initial_state(parts, recipe, seed=0)
    _, alone = _step(network, recipe)(single, batch)
    _, joint = _step(network, recipe, heads_of(network))(state, batch)
    assert (float(joint) == pytest.approx(1.5 * float(alone), rel=1e-5)) is alike


def test_heads_learn_labels_even_where_the_network_distils(network: Network) -> None:
    recipe = Recipe(steps=1, distill=1.0)
    network = with_heads(network, 1.0, body=(GlobalPool(), Dense(width=3)))
    parts = split(network, initial_weights(network, seed=0)) + initial_heads(network, seed=0)
    batch = a_batch(network)
    batch = batch._replace(soft=jnp.zeros((len(batch.labels), 3)))
    state = initial_state(parts, recipe, seed=0)
    _, joint = _step(network, recipe, heads_of(network))(state, batch)
    single = initial_state(parts[:-1], recipe, seed=0)
    _, alone = _step(network, recipe)(single, batch)
    x = batch.images
    for graph, own in zip(structures(network)[:2], parts, strict=False):
        x, _ = graph.train(own, x, batch.keys)
    logits, _ = heads_of(network)[0].structure.train(parts[-1], x, batch.keys)
    hard = optax.softmax_cross_entropy_with_integer_labels(logits, batch.labels).mean()
    assert joint - alone == pytest.approx(float(hard), rel=1e-4)


def test_heads_count_nowhere(network: Network) -> None:
    headed = with_heads(network, 0.3)
    assert network_cost(headed) == network_cost(network)
    assert network_parameters(headed) == network_parameters(network)
    assert initial_weights(headed, seed=0).keys() == initial_weights(network, seed=0).keys()
    unit = np.ones(2, np.float32)
    sources = [model_source(n, ("a", "b", "c"), unit, unit) for n in (headed, network)]
    assert sources[0] == sources[1]
    rates = (0.5,) * len(network.modules)
    assert prune_network(headed, rates) == prune_network(network, rates)


def test_fresh_heads_go_by_seed_and_name(network: Network) -> None:
    headed = with_heads(network, 0.3, 0.3, 0.3)
    one, _, three = initial_heads(headed, seed=0)
    assert one.keys() == three.keys()
    assert one["0/kernel"].shape == three["0/kernel"].shape
    assert not np.array_equal(one["0/kernel"], three["0/kernel"])
    again, *_ = initial_heads(headed, seed=0)
    close(one, again, 0)
    other, *_ = initial_heads(headed, seed=1)
    assert not np.array_equal(one["0/kernel"], other["0/kernel"])
