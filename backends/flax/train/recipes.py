"""Recipe → optax. Names and options are those of the tables in `ir.recipe`.

Of a recipe only the optimiser is part of programs. What else it asks of a step is told to them as
numbers, so that teacher, candidates and polishing run the same ones.
"""

import inspect
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from numpy.typing import NDArray

from wootzc.ir.space.recipe import SCHEDULES, Optimizer, Recipe

Tree = Mapping[str, Any]
FLAGS = {"nesterov", "centered"}  # options that are yes or no
DECAYED = 0.1  # of the peak: a rate at which little is learned any more
COUNTS = {"warmup_steps", "transition_steps"}  # options that are whole steps


class Told(NamedTuple):
    """What a recipe asks of one step: numbers of float32; arrays of them, of many steps."""

    rate: Any  # of learning
    weight_decay: Any
    clip: Any  # greatest norm of all gradients; infinite where there is no limit
    label_smoothing: Any
    distill: Any
    temperature: Any


def told(recipe: Recipe, step: int) -> Told:
    """What is asked of the step after so many; past the recipe's end, what its last one asks."""
    rates = learning_rates(recipe)
    clip = np.inf if recipe.clip is None else recipe.clip
    asked = (recipe.weight_decay, clip, recipe.label_smoothing, recipe.distill, recipe.temperature)
    return Told(rates[min(step, recipe.steps)], *map(np.float32, asked))


def learning_rates(recipe: Recipe) -> NDArray[np.float32]:  # [steps + 1]
    rate = Optimizer(learning_rate=recipe.optimizer.learning_rate)
    return _rates(Recipe(steps=recipe.steps, optimizer=rate, schedule=recipe.schedule))


@cache
def _rates(recipe: Recipe) -> NDArray[np.float32]:
    steps = np.arange(recipe.steps + 1, dtype=np.int32)
    if recipe.schedule.name == "constant":  # no program for a number
        return np.full(len(steps), recipe.optimizer.learning_rate, np.float32)
    return np.asarray(jax.jit(jax.vmap(schedule(recipe)))(steps), np.float32)


def transformation(optimizer: Optimizer, rate: Any) -> optax.GradientTransformation:
    """The optimiser at a learning rate, which need not be known yet. Clipping is not here: it needs
    the gradient of all segments; nor is the recipe's own decay.
    """
    make = getattr(optax, optimizer.name)
    options = _typed(optimizer.options)
    for mask in ("mask", "weight_decay_mask"):  # whichever this optimiser's own decay has
        if mask in inspect.signature(make).parameters:
            options[mask] = kernels
    return make(lambda _: rate, **options)


def without_rate(optimizer: Optimizer) -> Optimizer:
    """What updates are compiled for: equal ones share programs."""
    return replace(optimizer, learning_rate=1.0)


def initial_moments(optimizer: Optimizer, params: Mapping[str, NDArray[Any]]) -> Any:
    """The optimiser's state before the first step: NumPy arrays that nobody may write to."""
    shapes = tuple((name, value.shape) for name, value in params.items())
    return _moments(without_rate(optimizer), shapes)


@cache
def _moments(optimizer: Optimizer, shapes: tuple[tuple[str, tuple[int, ...]], ...]) -> Any:
    """optax fills every array with one number, whatever its shape.

    So only numbers are computed, and spread on the host: filling the arrays on the device would
    compile a program for each of their shapes, of which every module variant has new ones.
    """
    init = transformation(optimizer, 1.0).init
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
    rates = learning_rates(recipe)
    now, next_one, last = (
        float(rates[min(at, recipe.steps)]) for at in (step, step + 1, recipe.steps)
    )
    lowest = max(DECAYED * recipe.optimizer.learning_rate, last)
    return next_one <= now <= lowest * (1 + 1e-5)  # float32 rounds


def kernels(tree: Tree) -> dict[str, bool]:
    """Which arrays decay: kernels, not biases and norms."""
    return {name: name.endswith("kernel") for name in tree}


def _typed(options: tuple[tuple[str, float], ...]) -> dict[str, Any]:
    return {
        name: bool(value) if name in FLAGS else int(value) if name in COUNTS else value
        for name, value in options
    }
