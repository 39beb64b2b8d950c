"""The tables of `ir.recipe` against the installed optax, and what a recipe does to arrays."""

import inspect
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from wootzc.backends.flax.train.recipes import (
    decayed,
    initial_moments,
    schedule,
    told,
    transformation,
)
from wootzc.backends.flax.train.step import update
from wootzc.ir.space.recipe import OPTIMIZERS, SCHEDULES, Optimizer, Recipe, Schedule

PARAMS = {"0/kernel": jnp.array([[1.0, -2.0]]), "0/bias": jnp.array([1.0, 3.0])}
ZEROS = {"0/kernel": jnp.zeros((1, 2)), "0/bias": jnp.zeros(2)}
SAMPLE = {
    "nesterov": 1.0,
    "centered": 1.0,
    "warmup_steps": 5.0,
    "transition_steps": 10.0,
    "threshold": 5.0,
}


def options(names: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
    return tuple(sorted((name, SAMPLE.get(name, 0.5)) for name in names))


def change(recipe: Recipe, gradients: dict[str, Any]) -> dict[str, Any]:
    start = initial_moments(recipe.optimizer, {n: np.asarray(v) for n, v in PARAMS.items()})
    after, _ = update(recipe.optimizer, told(recipe, 0), PARAMS, start, gradients)
    return {name: value - PARAMS[name] for name, value in after.items()}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_moves_against_the_gradient_with_all_its_options(name: str) -> None:
    named = set(inspect.signature(getattr(optax, name)).parameters)
    assert set(OPTIMIZERS[name]) <= named
    gradients = {"0/kernel": jnp.array([[0.5, -0.5]]), "0/bias": jnp.array([0.5, -0.5])}
    bare = change(Recipe(steps=10, optimizer=Optimizer(name=name)), gradients)
    np.testing.assert_array_equal(np.sign(bare["0/bias"]), [-1, 1])
    full = Optimizer(name=name, options=options(OPTIMIZERS[name]))
    moved = change(Recipe(steps=10, optimizer=full), gradients)
    assert all(np.isfinite(value).all() for value in moved.values())


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_state_that_is_spread_is_the_one_that_optax_makes(name: str) -> None:
    optimizer = Optimizer(name=name, options=options(OPTIMIZERS[name]))
    expected = transformation(optimizer, 0.1).init(PARAMS)
    got = initial_moments(optimizer, {name: np.asarray(value) for name, value in PARAMS.items()})

    def same(one: Any, other: Any) -> None:
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        np.testing.assert_array_equal(one, other)

    jax.tree.map(same, got, expected)  # or their structures differ


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_takes_its_options(name: str) -> None:
    function, names = SCHEDULES[name]
    assert set(names) <= set(inspect.signature(getattr(optax, function)).parameters)
    full = Schedule(name=name, options=options(names))
    rate = schedule(Recipe(steps=100, schedule=full))
    assert all(np.isfinite(rate(step)) for step in (0, 50, 100))


@pytest.mark.parametrize(
    ("name", "first", "middle", "last"),
    [
        ("constant", 0.1, 0.1, 0.1),
        ("cosine", 0.1, 0.05, 0.0),
        ("linear", 0.1, 0.05, 0.0),
        ("polynomial", 0.1, 0.05, 0.0),
        ("exponential", 0.1, 0.01, 0.001),
        ("warmup_cosine", 0.0, None, 0.0),
    ],
)
def test_schedules_end_with_the_recipe(
    name: str, first: float, middle: float | None, last: float
) -> None:
    recipe = Recipe(steps=100, optimizer=Optimizer(learning_rate=0.1))
    rate = schedule(replace(recipe, schedule=Schedule(name=name)))
    assert rate(0) == pytest.approx(first, abs=1e-6)
    assert rate(100) == pytest.approx(last, abs=1e-6)
    if middle is not None:
        assert rate(50) == pytest.approx(middle, rel=1e-4)
    else:
        assert max(float(rate(step)) for step in range(100)) == pytest.approx(0.1)


def test_only_kernels_decay() -> None:
    recipe = Recipe(steps=10, optimizer=Optimizer(learning_rate=0.1), weight_decay=0.5)
    moved = change(recipe, ZEROS)
    np.testing.assert_allclose(moved["0/kernel"], [[-0.05, 0.1]], rtol=1e-6)
    np.testing.assert_array_equal(moved["0/bias"], 0)


@pytest.mark.parametrize("name", ["adamw", "lamb", "lion", "lars"])
def test_an_optimizers_own_decay_leaves_biases_alone_too(name: str) -> None:
    optimizer = Optimizer(name=name, options=(("weight_decay", 0.5),))
    moved = change(Recipe(steps=10, optimizer=optimizer), ZEROS)
    assert np.all(np.asarray(moved["0/kernel"]) * np.asarray(PARAMS["0/kernel"]) < 0)
    np.testing.assert_array_equal(moved["0/bias"], 0)


def test_options_reach_optax() -> None:
    gradients = {"0/kernel": jnp.ones((1, 2)), "0/bias": jnp.ones(2)}
    plain = Optimizer(learning_rate=1.0, options=(("momentum", 0.5),))
    nesterov = Optimizer(learning_rate=1.0, options=(("momentum", 0.5), ("nesterov", 1.0)))
    np.testing.assert_allclose(change(Recipe(steps=1, optimizer=plain), gradients)["0/bias"], -1)
    np.testing.assert_allclose(
        change(Recipe(steps=1, optimizer=nesterov), gradients)["0/bias"], -1.5
    )


@pytest.mark.parametrize("steps", [2, 3, 30])
def test_the_default_warm_up_leaves_steps_to_train(steps: int) -> None:
    rate = schedule(Recipe(steps=steps, schedule=Schedule(name="warmup_cosine")))
    assert float(rate(1)) == pytest.approx(0.1)
    assert float(rate(steps)) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "options", "first"),
    [
        ("constant", (), 0),
        ("cosine", (), 80),
        ("cosine", (("alpha", 0.5),), 100),  # it never goes lower
        ("warmup_cosine", (("warmup_steps", 50.0),), 90),  # low rates of the warm-up are none
        ("linear", (), 90),
        ("exponential", (), 50),
    ],
)
def test_a_rate_has_decayed_from_a_tenth_of_its_peak_on(
    name: str, options: tuple[tuple[str, float], ...], first: int
) -> None:
    recipe = Recipe(steps=100, schedule=Schedule(name=name, options=options))
    assert [step for step in range(0, 101, 10) if decayed(recipe, step)] == [*range(first, 101, 10)]
