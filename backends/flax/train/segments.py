"""The same step as `step.network_step`, compiled segment by segment. It knows no auxiliary heads.

`jax.vjp` may leave one compiled function and enter another: its closure is a pytree. So forward and
backward are compiled once per distinct segment, and a candidate made of known module variants
compiles nothing at all. It costs some milliseconds of dispatch a step.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial, PyTreeDef

from wootzc.backends.flax.device.parallel import Devices, Function
from wootzc.backends.flax.net.model import Structure, Values
from wootzc.backends.flax.train.recipes import Told, without_rate
from wootzc.backends.flax.train.step import (
    Images,
    Loss,
    State,
    Trees,
    classification_loss,
    clip_scale,
    fold,
    prepare,
    prepared_keys,
    scaled,
    sum_of_squares,
    update,
)  # fmt: skip
from wootzc.ir.space.recipe import Augment, Optimizer, Recipe

ONE = Devices(1)  # steps in segments are for one device, whichever


@cache
def compiled(function: Function, devices: Devices = ONE) -> Function:
    """A function that stands by itself: one program for all who call it on these devices."""
    return devices.compile(function)


@cache
def compiled_evaluate(structure: Structure, devices: Devices) -> Function:
    """(values, x) → what leaves the segment in evaluation mode."""
    return devices.compile(structure.evaluate)


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
def _forward(structure: Structure, first: bool) -> Callable[..., Any]:
    """→ (what leaves, vjp, new statistics). The first segment needs no gradient of the images."""

    def run(
        params: Values, stats: Values, x: jax.Array, keys: jax.Array | None, number: jax.Array
    ) -> Any:
        def apply(p: Values, x: jax.Array = x) -> Any:
            return structure.train({**p, **stats}, x, fold(keys, number))

        y, vjp, moved = jax.vjp(apply, *((params,) if first else (params, x)), has_aux=True)
        return y, _without(vjp, (params, x)), moved

    compiled = ONE.compile(run)

    def forward(params: Values, stats: Values, x: Any, keys: Any, number: Any) -> Any:
        y, incomplete, moved = compiled(params, stats, x, keys, number)
        return y, incomplete((params, x)), moved

    return forward


def _without(vjp: Any, given: Any) -> Partial:
    """(what was given) → vjp, which it completes: what a compiled function gives back unchanged,
    it copies.
    """
    arguments = jax.tree.leaves(given)
    leaves, tree = jax.tree.flatten(vjp)
    places = [next((n for n, one in enumerate(arguments) if one is leaf), None) for leaf in leaves]
    own = [leaf for leaf, place in zip(leaves, places, strict=True) if place is None]
    return Partial(partial(_completed, tree, tuple(places)), own)


def _completed(tree: PyTreeDef, places: tuple[int | None, ...], own: list[Any], given: Any) -> Any:
    arguments, others = jax.tree.leaves(given), iter(own)
    return tree.unflatten(next(others) if n is None else arguments[n] for n in places)


def _loss(logits: jax.Array, batch: Images, told: Told, step: jax.Array) -> Any:
    """→ (loss, gradient of the logits, number of the next step)."""
    loss, gradient = jax.value_and_grad(classification_loss)(logits, batch, told)
    return loss, gradient, step + 1


def segmented_step(
    structures: tuple[Structure, ...], recipe: Recipe
) -> Callable[[State, Told, Images], tuple[State, Loss]]:
    """Not to be jitted: it calls functions that are.

    These know of a recipe the optimiser, and whether it clips: other runs share all programs.
    """
    loss_of = compiled(_loss)
    forwards = [_forward(s, first=number == 0) for number, s in enumerate(structures)]

    def step(state: State, told: Told, batch: Images) -> tuple[State, Loss]:
        x, vjps, stats = batch.images, [], []
        for number, forward in enumerate(forwards):
            x, vjp, moved = forward(
                state.params[number], state.stats[number], x, batch.keys, np.uint32(number)
            )
            vjps.append(vjp)
            stats.append(moved)
        loss, gradient, done = loss_of(x, batch, told, state.step)
        params, moments = _moved(recipe, told, vjps, gradient, state)
        return State(params, tuple(stats), moments, done, state.seed), loss

    return step


def _moved(
    recipe: Recipe, told: Told, vjps: list[Any], gradient: Any, state: State
) -> tuple[Trees, tuple[Any, ...]]:
    """Parameters and moments after the step. With clipping nothing moves before the norm of all
    gradients is known.
    """
    found = []
    while vjps:
        one, squares, *entering = compiled(_gradients)(vjps.pop(), gradient)
        found.append((one, squares))
        gradient = entering[0] if entering else None
    gradients, norms = zip(*reversed(found), strict=True)
    scale = None if recipe.clip is None else compiled(_scale)(norms, told.clip)
    move = partial(_update(without_rate(recipe.optimizer)), told, scale)
    moved = map(move, state.params, state.moments, gradients)
    params, moments = zip(*moved, strict=True)
    return params, moments


def _gradients(vjp: Any, gradient: jax.Array) -> Any:
    """→ (gradients, their sum of squares, and where asked for the gradient of what entered)."""
    gradients, *entering = vjp(gradient)
    return gradients, sum_of_squares(gradients), *entering


def _scale(squares: tuple[jax.Array, ...], limit: jax.Array) -> jax.Array:
    """Sums of squares, and the limit → the factor of all gradients."""
    return clip_scale(jnp.sum(jnp.stack(squares)), limit)


@cache
def _update(optimizer: Optimizer) -> Function:
    def run(
        told: Told,
        scale: jax.Array | None,
        params: Values,
        moments: Any,
        gradients: Values,
    ) -> Any:
        if scale is not None:
            gradients = scaled(gradients, scale)
        return update(optimizer, told, params, moments, gradients)

    return ONE.compile(run, donate=(2, 3))
