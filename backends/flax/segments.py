"""The same step as `step.network_step`, compiled segment by segment. It knows no auxiliary heads.

`jax.vjp` may leave one compiled function and enter another: its closure is a pytree. So forward and
backward are compiled once per distinct segment, and a candidate made of known module variants
compiles nothing at all. It costs some milliseconds of dispatch a step.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import jax
import numpy as np

from wootzc.backends.flax.model import Structure, Values
from wootzc.backends.flax.parallel import Devices, Function
from wootzc.backends.flax.step import (
    Loss,
    Prepared,
    State,
    Trees,
    classification_loss,
    count_correct,
    fold,
    prepare,
    prepared_keys,
    update,
)  # fmt: skip
from wootzc.ir.recipe import Augment, Recipe


@cache
def compiled_evaluate(structure: Structure, devices: Devices) -> Function:
    """(values, x) → what leaves the segment in evaluation mode."""
    return devices.compile(structure.evaluate)


@cache
def compiled_count(devices: Devices) -> Function:
    """(logits, labels, weights) → how many are right."""
    return devices.compile(count_correct)


@cache
def compiled_prepare(augment: Augment, devices: Devices) -> Function:
    """(batch, step, seed) → prepared batch."""
    return devices.compile(partial(prepare, augment=augment, axis_name=devices.axis_name))


@cache
def compiled_keys(size: int, devices: Devices) -> Function:
    """(step, seed) → the keys of a prepared batch of `size` images over all devices."""
    each = size // devices.count
    return devices.compile(partial(prepared_keys, each, axis_name=devices.axis_name))


def evaluate_segments(
    structures: tuple[Structure, ...], values: Trees, x: Any, devices: Devices
) -> Any:
    """Logits of a whole network in evaluation mode, on the devices."""
    for structure, own in zip(structures, values, strict=True):
        x = compiled_evaluate(structure, devices)(own, x)
    return x


@cache
def _forward(structure: Structure, first: bool) -> Function:
    """→ (what leaves, vjp, new statistics). The first segment needs no gradient of the images."""

    def run(params: Values, stats: Values, x: jax.Array, keys: jax.Array, number: jax.Array) -> Any:
        def apply(p: Values, x: jax.Array = x) -> Any:
            return structure.train({**p, **stats}, x, fold(keys, number))

        return jax.vjp(apply, *((params,) if first else (params, x)), has_aux=True)

    return jax.jit(run)


@cache
def _backward(recipe: Recipe) -> Function:
    def run(vjp: Any, gradient: jax.Array, params: Values, moments: Any) -> Any:
        gradients, *entering = vjp(gradient)
        return *update(recipe, params, moments, gradients), *entering

    return jax.jit(run, donate_argnums=(3,))  # the vjp still holds the parameters


@cache
def _loss(recipe: Recipe) -> Function:
    """→ (loss, gradient of the logits, number of the next step)."""

    def run(logits: jax.Array, batch: Prepared, step: jax.Array) -> Any:
        loss, gradient = jax.value_and_grad(classification_loss)(logits, batch, recipe)
        return loss, gradient, step + 1

    return jax.jit(run)


def segmented_step(
    structures: tuple[Structure, ...], recipe: Recipe
) -> Callable[[State, Prepared], tuple[State, Loss]]:
    """Not to be jitted: it calls functions that are."""
    backward, loss_of = _backward(recipe), _loss(recipe)
    forwards = [_forward(s, first=number == 0) for number, s in enumerate(structures)]

    def step(state: State, batch: Prepared) -> tuple[State, Loss]:
        x, vjps, stats = batch.images, [], []
        for number, forward in enumerate(forwards):
            x, vjp, moved = forward(
                state.params[number], state.stats[number], x, batch.keys, np.uint32(number)
            )
            vjps.append(vjp)
            stats.append(moved)
        loss, gradient, done = loss_of(x, batch, state.step)
        params, moments = list(state.params), list(state.moments)
        for number in reversed(range(len(structures))):
            params[number], moments[number], *entering = backward(
                vjps[number], gradient, params[number], moments[number]
            )
            gradient = entering[0] if entering else None
        return State(tuple(params), tuple(stats), tuple(moments), done, state.seed), loss

    return step
