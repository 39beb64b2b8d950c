"""Train a network, evaluate it, predict with it. Loops own time and reports; steps are pure."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from wootzc.backends.bits import packed
from wootzc.backends.flax.device.parallel import Devices, Strategy, training_devices
from wootzc.backends.flax.net.model import structure, structures
from wootzc.backends.flax.train.batches import Progress, Report, looks, training_batches
from wootzc.backends.flax.train.blocks import BlockJob, TrainedBlock, train_blocks
from wootzc.backends.flax.train.evaluation import evaluate, predict, right_of
from wootzc.backends.flax.train.paused import leaves, resized, restored
from wootzc.backends.flax.train.recipes import decayed
from wootzc.backends.flax.train.runners import Guide, runner, stride
from wootzc.backends.flax.train.step import Head, initial_state, merged
from wootzc.backends.flax.train.strategy import choose_strategy
from wootzc.backends.weights.parameters import Weights
from wootzc.backends.weights.stored import check_fits, initial_heads, join, split
from wootzc.ir.net.network import Network, head_shapes
from wootzc.ir.space.recipe import Augment, Precision, Recipe

if TYPE_CHECKING:
    from wootzc.backends.data import Dataset

__all__ = [
    "BlockJob",
    "Look",
    "Paused",
    "Progress",
    "Trained",
    "TrainedBlock",
    "evaluate",
    "predict",
    "train",
    "train_blocks",
]

DIVERGED = 1e6  # a mean loss that no network which learns comes near

Reason = Literal["steps", "target", "patience", "paused", "diverged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at the validation images."""

    step: int
    loss: float | None  # mean training loss since the last look; none before the first step
    accuracy: float
    right: str  # which images were labelled right: `backends/bits.py`


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused:
    """A run that stands at a step before its last."""

    step: int
    state: Weights  # parameters, statistics, moments: what a step moves
    weights: Weights  # the best so far
    history: tuple[Look, ...]
    losses: tuple[float, ...] = ()  # of the steps since the last look


# Told of a run between two steps, every few seconds: calls what it is given for where that stands.
Keep: TypeAlias = Callable[[Callable[[], Paused]], None]


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
    `devices`: all local ones, if none are named.
    """
    check_fits(network, weights)
    started = time.perf_counter()
    devices = training_devices(recipe.batch, devices)
    strategy = strategy or choose_strategy(network, recipe, devices, shared=shared)
    run = runner(
        structures(network, devices.axis_name, recipe.precision),
        recipe,
        augment,
        devices,
        strategy,
        _guide(recipe, teacher, devices),
        _heads(network, devices.axis_name, recipe.precision),
    )
    evaluated = structures(network)
    parts = split(network, weights) + initial_heads(network, seed)
    start = initial_state(parts, recipe, seed)
    history: list[Look] = []
    losses: list[float] = []  # since the last look
    best: tuple[Look, Weights] | None = None
    done = 0
    if paused is not None:
        start, done = restored(start, paused.state), paused.step
        history, losses = [*paused.history], [*paused.losses]
        best = _best(history), paused.weights
        if progress:
            now = history[-1].accuracy
            progress(Progress(step=done, steps=recipe.steps, accuracy=now))
    state = devices.replicate(start)
    batches = training_batches(dataset.train, recipe.batch, recipe.steps, seed, done)
    most = whole = stride(recipe, strategy)

    def standing() -> Paused:
        assert best is not None, "the look before the first step always counts"
        return Paused(
            step=done,
            state=leaves(devices.first(state)),
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
            state, some = run(state, islice(batches, steps))
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
            best = history[-1], join(network, devices.first(values))
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
        state=leaves(devices.first(state)) if reason in ("paused", "target") else None,
    )


def _best(history: Sequence[Look]) -> Look:
    """Of equal looks the later one."""
    return max(reversed(history), key=lambda look: look.accuracy)


def _heads(network: Network, axis_name: str | None, precision: Precision) -> tuple[Head, ...]:
    return tuple(
        Head(structure(head.body, shape, axis_name, precision), head.after, head.weight)
        for head, shape in zip(network.auxiliaries, head_shapes(network), strict=True)
    )


def _guide(
    recipe: Recipe, teacher: tuple[Network, Weights] | None, devices: Devices
) -> Guide | None:
    if not recipe.distill:
        return None
    if teacher is None:
        raise ValueError("the recipe distils, but no teacher was given")
    check_fits(*teacher)
    graphs = structures(teacher[0], precision=recipe.precision)
    return Guide(graphs, devices.replicate(split(*teacher)))


def _out_of_patience(history: Sequence[Look], recipe: Recipe) -> bool:
    """Whether the looks since the best accuracy was first reached are too many, and none helps."""
    accuracies = [look.accuracy for look in history if look.step]
    if recipe.patience is None or not accuracies:
        return False
    stale = len(accuracies) - 1 - accuracies.index(max(accuracies))
    return stale >= recipe.patience and decayed(recipe, history[-1].step)
