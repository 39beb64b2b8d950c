"""Train a network, evaluate it, predict with it. Loops own time and reports; steps are pure."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Literal

import jax
import numpy as np

from wootzc.backends.bits import packed
from wootzc.backends.flax.device.parallel import Devices, Strategy, training_devices
from wootzc.backends.flax.net.model import structure, structures
from wootzc.backends.flax.train.batches import Progress, Report, looks, training_batches
from wootzc.backends.flax.train.distilling import (
    batches_with_logits,
    batches_without,
    guide,
    learns_of_logits,
)  # fmt: skip
from wootzc.backends.flax.train.evaluation import right_of
from wootzc.backends.flax.train.full_width import FullWidth
from wootzc.backends.flax.train.paused import Keep, Look, Paused, leaves, resized, restored
from wootzc.backends.flax.train.recipes import decayed
from wootzc.backends.flax.train.runners import runner, stride
from wootzc.backends.flax.train.step import Head, State, initial_state, merged
from wootzc.backends.flax.train.strategy import choose_strategy
from wootzc.backends.weights.parameters import Weights
from wootzc.backends.weights.stored import check_fits, initial_heads, join, split
from wootzc.ir.net.network import Network, head_shapes, segment_shapes
from wootzc.ir.space.recipe import Augment, Precision, Recipe

if TYPE_CHECKING:
    from wootzc.backends.data import Dataset

DIVERGED = 1e6  # a mean loss that no network which learns comes near

Reason = Literal["steps", "target", "patience", "paused", "diverged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """The best weights by validation accuracy; of equal looks the later one."""

    weights: Weights
    accuracy: float  # of these weights, on the validation images
    step: int  # after which they were seen
    steps: int  # run in all
    reason: Reason
    history: tuple[Look, ...]
    seconds: float
    state: Weights | None = None  # where steps are left: what goes on from there


def train(
    network: Network,
    weights: Weights,
    dataset: "Dataset",
    recipe: Recipe,
    augment: Augment = Augment(),
    *,
    seed: int,
    target: float | None = None,
    stop: int | None = None,
    paused: Paused | None = None,
    teacher: tuple[Network, Weights] | None = None,
    progress: Report | None = None,
    keep: Keep | None = None,
    shared: bool = False,
    within: FullWidth | None = None,
    strategy: Strategy | None = None,
    devices: Devices | None = None,
) -> Trained:
    """Run `recipe` and look at the validation images before the first step and every so often.

    Stops after the first look with accuracy ≥ `target`, at a loss beyond all measure, or at the
    recipe's end; after `recipe.patience` looks without a better accuracy, once the learning rate
    has decayed (the look before the first step is no part of it). At the look after step
    `stop` it is paused; given back as `paused`, with the same arguments, it goes on as if it had
    never stopped. So it does from what `keep` was given, bit for bit on the same kind of devices.
    `teacher`: whose outputs to distil from, if the recipe says so. Auxiliary heads
    are made here, trained along and dropped: they count in the loss alone. `shared`: other networks
    of the same module variants are trained too, so that compiling one of them serves many.
    `within`: the network that this one was cut from, at whose width it is trained and looked at.
    `devices`: all local ones, if none are named.
    """
    check_fits(network, weights)
    started = time.perf_counter()
    devices = training_devices(recipe.batch, devices)
    pruned = initial_state(split(network, weights) + initial_heads(network, seed), recipe, seed)
    run_on, start = network, pruned
    if within is not None:
        run_on, strategy = within.network, strategy or "loop"
        start = initial_state(split(run_on, within.widened(weights)), recipe, seed)
    strategy = strategy or choose_strategy(network, recipe, devices, shared=shared)
    if recipe.distill and teacher is None:
        raise ValueError("the recipe distils, but no teacher was given")
    taught = teacher if recipe.distill else None
    by_logits = learns_of_logits(recipe, augment, dataset)
    masks = None if within is None else within.masks
    if masks is None and strategy == "loop" and devices.count == 1:
        masks = jax.tree.map(np.ones_like, start.params)  # what is cut from it runs its program
    run = runner(
        structures(run_on, devices.axis_name, recipe.precision),
        recipe,
        augment,
        devices,
        strategy,
        guide(taught, recipe, devices) if taught and not by_logits else None,
        _heads(network, devices.axis_name, recipe.precision),
        None if masks is None else devices.replicate(masks),
    )
    evaluated = structures(run_on)
    history: list[Look] = []
    losses: list[float] = []  # since the last look
    best: tuple[Look, Weights] | None = None
    done = 0
    if paused is not None:
        pruned, done = restored(pruned, paused.state), paused.step
        start = pruned if within is None else within.widened_state(pruned, start)
        history, losses = [*paused.history], [*paused.losses]
        best = _best(history), paused.weights
        if progress:
            now = history[-1].accuracy
            progress(Progress(step=done, steps=recipe.steps, accuracy=now))
    state = devices.replicate(start)
    if taught and by_logits:
        batches = batches_with_logits(taught, dataset, recipe, seed, done, devices)
    else:
        batches = training_batches(dataset.train, recipe.batch, recipe.steps, seed, done)
        if masks is not None:
            batches = batches_without(batches, segment_shapes(network)[-1][-1])
    most = whole = stride(recipe, strategy)

    def cut(state: State) -> State:
        """As it is of the network that is trained, on the host."""
        held = devices.first(state)
        return held if within is None else within.narrowed(held, pruned)

    def standing() -> Paused:
        assert best is not None, "the look before the first step always counts"
        return Paused(
            step=done,
            state=leaves(cut(state)),
            weights=best[1],
            history=tuple(history),
            losses=tuple(losses),
        )

    reason: Reason = "steps"
    for step in (0, *looks(recipe.steps, recipe.every)):
        if history and step <= history[-1].step:
            continue
        while done < step:
            began, steps = time.perf_counter(), min(most, step - done) if keep else step - done
            state, some = run(state, islice(batches, steps), done)
            losses += some.tolist()
            done += steps
            if keep and steps == most:
                most = resized(most, time.perf_counter() - began, whole)
            if keep and done < step:
                keep(standing)
        loss = float(np.mean(np.array(losses, np.float32))) if step else None
        losses = []
        if loss is not None and not loss < DIVERGED:  # nor is it, where it is no number
            reason = "diverged"
            break
        values = merged(state)[: len(evaluated)]
        right = right_of(evaluated, values, dataset.validation, devices)
        accuracy = float(right.mean())
        history.append(Look(step=step, loss=loss, accuracy=accuracy, right=packed(right)))
        if best is None or accuracy >= best[0].accuracy:
            best = history[-1], join(network, merged(cut(state))[: len(network.segments)])
        if progress:
            progress(Progress(step=step, steps=recipe.steps, loss=loss, accuracy=accuracy))
        if target is not None and accuracy >= target:
            reason = "target"
            break
        if _out_of_patience(history, recipe):
            reason = "patience"
            break
        if step == stop and step < recipe.steps:
            reason = "paused"
            break
        if keep and step < recipe.steps:
            keep(standing)
    assert best is not None, "the look before the first step always counts"
    return Trained(
        weights=best[1],
        accuracy=best[0].accuracy,
        step=best[0].step,
        steps=done,
        reason=reason,
        history=tuple(history),
        seconds=time.perf_counter() - started,
        state=leaves(cut(state)) if reason in ("paused", "target") else None,
    )


def _best(history: Sequence[Look]) -> Look:
    """Of equal looks the later one."""
    return max(reversed(history), key=lambda look: look.accuracy)


def _heads(network: Network, axis_name: str | None, precision: Precision) -> tuple[Head, ...]:
    return tuple(
        Head(structure(head.body, shape, axis_name, precision), head.after, head.weight)
        for head, shape in zip(network.auxiliaries, head_shapes(network), strict=True)
    )


def _out_of_patience(history: Sequence[Look], recipe: Recipe) -> bool:
    """Whether the looks since the best accuracy was first reached are too many, and none helps."""
    accuracies = [look.accuracy for look in history if look.step]
    if recipe.patience is None or not accuracies:
        return False
    stale = len(accuracies) - 1 - accuracies.index(max(accuracies))
    return stale >= recipe.patience and decayed(recipe, history[-1].step)
