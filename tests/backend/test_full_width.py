"""Pruned networks trained at the width they were cut from: the same numbers, no new program."""

from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from wootzc.backends.data import Dataset
from wootzc.backends.flax.device.compiles import compilations
from wootzc.backends.flax.device.parallel import Devices
from wootzc.backends.flax.train.full_width import FullWidth
from wootzc.backends.flax.train.paused import Paused
from wootzc.backends.flax.train.recipes import told
from wootzc.backends.flax.train.step import initial_state, learn
from wootzc.backends.flax.train.strategy import full_width_pays
from wootzc.backends.flax.train.train import Trained, train
from wootzc.backends.weights.parameters import Weights, network_parameters
from wootzc.backends.weights.slicing import Pruner, prune_weights
from wootzc.backends.weights.stored import initial_weights
from wootzc.backends.weights.widen import places, widen_weights
from wootzc.ir.layers import Activation, Branch, Conv, Dense, GlobalPool, Norm
from wootzc.ir.net.network import Module, Network, Plain
from wootzc.ir.net.prune import prune_network
from wootzc.ir.net.rate import Rate
from wootzc.ir.net.skip import SKIP
from wootzc.ir.space import Criterion
from wootzc.ir.space.recipe import OPTIMIZERS, Augment, Optimizer, Recipe

SLOW = Optimizer(learning_rate=0.01, options=(("momentum", 0.9),))
RECIPE = Recipe(steps=4, batch=8, every=2, optimizer=SLOW, weight_decay=1e-2, clip=0.5)


@pytest.fixture
def network(zoo: dict[str, Network]) -> Network:
    return zoo["residual"]


@pytest.fixture
def teacher(network: Network) -> Weights:
    return initial_weights(network, seed=0)


def cut(
    network: Network, teacher: Weights, rates: tuple[Rate, ...]
) -> tuple[Network, Weights, FullWidth]:
    """The pruned network, its weights, and what it was cut from."""
    criteria: list[Criterion] = ["l1"] * len(rates)
    full = FullWidth(pruner=Pruner(network, teacher, criteria), rates=rates)
    return prune_network(network, rates), prune_weights(network, teacher, rates, criteria), full


def close(one: Weights, other: Weights, tolerance: float) -> None:
    assert list(one) == list(other)
    for name in one:
        np.testing.assert_allclose(
            one[name], other[name], rtol=tolerance, atol=tolerance, err_msg=name
        )


def agree(one: Trained, other: Trained) -> None:
    losses = [look.loss for look in other.history[1:]]
    assert [look.loss for look in one.history[1:]] == pytest.approx(losses, rel=1e-4)
    close(one.weights, other.weights, 1e-3)
    assert one.state is not None and other.state is not None
    close(one.state, other.state, 1e-3)


@pytest.mark.parametrize("last", [0.5, SKIP])
def test_it_learns_what_the_pruned_network_learns(
    network: Network, teacher: Weights, dataset: Dataset, last: Rate
) -> None:
    rates = (*[0.5] * (len(network.modules) - 1), last)
    small, start, full = cut(network, teacher, rates)
    recipe = replace(RECIPE, distill=0.5, temperature=2.0, label_smoothing=0.1)

    def run(within: FullWidth | None, paused: Paused | None = None, stop: int | None = 2) -> Any:
        return train(
            small, start, dataset, recipe, seed=3, stop=stop, paused=paused,
            teacher=(network, teacher), within=within, strategy="loop",
        )  # fmt: skip

    narrow, wide = run(None), run(full)
    agree(wide, narrow)
    for before in (narrow, wide):  # either goes on where the other stood
        stands = Paused(step=2, state=before.state, weights=before.weights, history=before.history)
        ends = [run(within, stands, stop=None) for within in (None, full)]
        losses = [[look.loss for look in end.history[1:]] for end in ends]
        assert losses[0] == pytest.approx(losses[1], rel=1e-4)
        assert losses[0][0] == before.history[1].loss


def test_a_module_that_leaves_nothing_behind_shifts_no_other(dataset: Dataset) -> None:
    """Nothing stands behind the sum: left out, the segment is gone, and those behind move up."""
    body = Branch(join="add", arms=((Norm(), Activation(), Conv(width=4)), ()))
    network = Network(
        name="pre",
        input=(6, 6, 2),
        segments=(
            Plain(name="plain1", body=(Conv(width=4),)),
            Module(name="a1", body=(body,)),
            Module(name="a2", body=(body,)),
            Plain(name="plain2", body=(GlobalPool(), Dense(width=3))),
        ),
    )
    small, start, full = cut(network, initial_weights(network, seed=0), (SKIP, 0.0))
    assert [segment.name for segment in small.segments] == ["plain1", "a2", "plain2"]

    def run(within: FullWidth | None, **more: Any) -> Trained:
        return train(small, start, dataset, RECIPE, seed=3, within=within, strategy="loop", **more)

    narrow, wide = run(None, stop=2), run(full, stop=2)
    agree(wide, narrow)
    assert narrow.state is not None
    stands = Paused(step=2, state=narrow.state, weights=narrow.weights, history=narrow.history)
    ends = [run(within, paused=stands).history[-1].loss for within in (None, full)]
    assert ends[0] == pytest.approx(ends[1], rel=1e-4)


def test_nothing_is_compiled_for_candidates(
    network: Network, teacher: Weights, dataset: Dataset
) -> None:
    """Other rates, other recipes, with and without distillation: all run the teacher's program."""
    recipe = replace(RECIPE, optimizer=replace(SLOW, learning_rate=0.1), clip=None, steps=6)
    train(network, teacher, dataset, recipe, seed=0, strategy="loop")
    before = compilations()
    for rate, distill in ((0.25, 0.0), (0.5, 0.5)):
        small, start, full = cut(network, teacher, (rate,) * len(network.modules))
        recipe = replace(RECIPE, distill=distill)
        train(small, start, dataset, recipe, seed=0, teacher=(network, teacher), within=full)
    after = compilations().since(before)
    assert after.count + after.from_cache == 0


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_no_optimizer_moves_a_removed_weight(name: str) -> None:
    params = {"0/kernel": np.array([[0.0, 1.0], [0.0, -2.0]], np.float32)}
    optimizer = Optimizer(name=name)
    recipe = replace(RECIPE, optimizer=optimizer)
    state = initial_state((params,), recipe, seed=0)
    masks = ({"0/kernel": np.array([[0, 1], [0, 1]], np.float32)},)

    def loss(params: Any, stats: Any) -> Any:
        return jnp.sum(jnp.sin(params[0]["0/kernel"])), stats

    for step in range(2):
        state, _ = learn(state, loss, told(recipe, step), optimizer, None, masks)
    after = np.asarray(state.params[0]["0/kernel"])
    np.testing.assert_array_equal(after[:, 0], 0)
    assert np.all(after[:, 1] != params["0/kernel"][:, 1])


def test_places_are_where_widening_puts_things(zoo: dict[str, Network]) -> None:
    for network in zoo.values():
        teacher = initial_weights(network, seed=1)
        rates = (0.5,) * len(network.modules)
        criteria: list[Criterion] = ["l1"] * len(rates)
        pruned = prune_weights(network, teacher, rates, criteria)
        pruner = Pruner(network, teacher, criteria)
        wide, found = widen_weights(pruner, pruned, rates), places(pruner, rates)
        assert found.keys() == network_parameters(prune_network(network, rates)).keys()
        for name, at in found.items():
            np.testing.assert_array_equal(wide[name].flat[at], pruned[name])


def test_it_pays_where_steps_are_few_and_small(zoo: dict[str, Network]) -> None:
    def pays(name: str, recipe: Recipe, candidates: int = 8, platform: str = "cpu") -> bool:
        return full_width_pays(zoo[name], recipe, candidates, 4, Devices(1), platform)

    assert pays("residual", RECIPE)
    assert not pays("residual", RECIPE, platform="gpu")
    assert not pays("residual", replace(RECIPE, steps=1_000_000))
    assert not pays("residual", RECIPE, candidates=10_000_000)
    assert not pays("dropout", RECIPE)  # would draw other numbers
    assert not full_width_pays(zoo["residual"], RECIPE, 8, 4, Devices(2), "cpu")


def test_with_augmentation_the_teacher_sees_what_the_student_sees(
    network: Network, teacher: Weights, dataset: Dataset
) -> None:
    recipe = replace(RECIPE, distill=1.0)
    one, other = (
        train(network, teacher, dataset, recipe, augment, seed=0, teacher=(network, teacher))
        for augment in (Augment(), Augment(crop=2))
    )
    assert one.history[1].loss != pytest.approx(other.history[1].loss, rel=1e-3)
