"""Recipe → optax. Names and options are those of the tables in `ir.recipe`."""

import inspect
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import jax
import numpy as np
import optax
from numpy.typing import NDArray

from wootzc.ir.space.recipe import SCHEDULES, Optimizer, Recipe

Tree = Mapping[str, Any]
FLAGS = {"nesterov", "centered"}  # options that are yes or no
DECAYED = 0.1  # of the peak: a rate at which little is learned any more
COUNTS = {"warmup_steps", "transition_steps"}  # options that are whole steps


@cache
def transformation(recipe: Recipe) -> optax.GradientTransformation:
    """Decay, then the optimiser. Clipping is not here: it needs the gradient of all segments."""
    return at_rate(recipe, schedule(recipe))


def at_rate(recipe: Recipe, rate: optax.Schedule) -> optax.GradientTransformation:
    """As `transformation`, with another learning rate by step than the recipe's."""
    parts = []
    if recipe.weight_decay:
        parts.append(optax.add_decayed_weights(recipe.weight_decay, mask=kernels))
    return optax.chain(*parts, _optimizer(recipe.optimizer, rate))


def without_rate(recipe: Recipe) -> Recipe:
    """A recipe of equal updates, but for their learning rate: equal ones share programs."""
    optimizer = replace(recipe.optimizer, learning_rate=1.0)
    return Recipe(steps=1, optimizer=optimizer, weight_decay=recipe.weight_decay)


def initial_moments(recipe: Recipe, params: Mapping[str, NDArray[Any]]) -> Any:
    """The optimiser's state before the first step: NumPy arrays that nobody may write to."""
    return _moments(recipe, tuple((name, value.shape) for name, value in params.items()))


@cache
def _moments(recipe: Recipe, shapes: tuple[tuple[str, tuple[int, ...]], ...]) -> Any:
    """optax fills every array with one number, whatever its shape.

    So only numbers are computed, and spread on the host: filling the arrays on the device would
    compile a program for each of their shapes, of which every module variant has new ones.
    """
    init = transformation(recipe).init
    start = init({name: np.zeros((), np.float32) for name, _ in shapes})
    full = jax.eval_shape(init, {n: jax.ShapeDtypeStruct(s, np.float32) for n, s in shapes})
    return jax.tree.map(lambda x, like: np.broadcast_to(np.asarray(x), like.shape), start, full)


def schedule(recipe: Recipe) -> optax.Schedule:
    """The learning rate by step; it ends with the recipe's last step."""
    peak, steps = recipe.optimizer.learning_rate, recipe.steps
    options = _typed(recipe.schedule.options)
    make = getattr(optax, SCHEDULES[recipe.schedule.name][0])
    match recipe.schedule.name:
        case "constant":
            filled = {"value": peak}
        case "cosine":
            filled = {"init_value": peak, "decay_steps": steps}
        case "warmup_cosine":
            filled = {"init_value": 0.0, "peak_value": peak, "decay_steps": steps}
            filled |= {"warmup_steps": min(max(1, steps // 20), steps - 1)}
        case "linear":
            filled = {"init_value": peak, "end_value": 0.0, "transition_steps": steps}
        case "polynomial":
            filled = {"init_value": peak, "end_value": 0.0, "power": 1.0, "transition_steps": steps}
        case "exponential":
            filled = {"init_value": peak, "transition_steps": steps, "decay_rate": 0.01}
        case name:
            raise AssertionError(f"schedule {name} is in ir.recipe but not here")
    return make(**(filled | options))


def decayed(recipe: Recipe, step: int) -> bool:
    """Whether the learning rate is past its peak, and at a tenth of it or as low as it gets.

    A constant rate is so at once.
    """
    rate = schedule(recipe)
    now, next_one, last = (float(rate(at)) for at in (step, step + 1, recipe.steps))
    lowest = max(DECAYED * recipe.optimizer.learning_rate, last)
    return next_one <= now <= lowest * (1 + 1e-5)  # float32 rounds


def kernels(tree: Tree) -> dict[str, bool]:
    """Which arrays decay: kernels, not biases and norms."""
    return {name: name.endswith("kernel") for name in tree}


def _optimizer(optimizer: Optimizer, rate: optax.Schedule) -> optax.GradientTransformation:
    make = getattr(optax, optimizer.name)
    options = _typed(optimizer.options)
    for mask in ("mask", "weight_decay_mask"):  # whichever this optimiser's own decay has
        if mask in inspect.signature(make).parameters:
            options[mask] = kernels
    return make(rate, **options)


def _typed(options: tuple[tuple[str, float], ...]) -> dict[str, Any]:
    return {
        name: bool(value) if name in FLAGS else int(value) if name in COUNTS else value
        for name, value in options
    }
