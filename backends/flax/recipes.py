"""Recipe → optax. Names and options are those of the tables in `ir.recipe`."""

import inspect
from collections.abc import Mapping
from functools import cache
from typing import Any

import optax

from wootzc.ir.recipe import SCHEDULES, Optimizer, Recipe

Tree = Mapping[str, Any]
FLAGS = {"nesterov", "centered"}  # options that are yes or no
COUNTS = {"warmup_steps", "transition_steps"}  # options that are whole steps


@cache
def transformation(recipe: Recipe) -> optax.GradientTransformation:
    """Decay, then the optimiser. Clipping is not here: it needs the gradient of all segments."""
    parts = []
    if recipe.weight_decay:
        parts.append(optax.add_decayed_weights(recipe.weight_decay, mask=kernels))
    return optax.chain(*parts, _optimizer(recipe.optimizer, schedule(recipe)))


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
