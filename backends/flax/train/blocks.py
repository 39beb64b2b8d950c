"""Pre-train tuning blocks against the teacher: one teacher pass feeds all blocks in flight.

A block is fed the activation that enters its unpruned counterpart and learns the one that leaves
it, of both the channels that are left to it. Its modules run in training mode: norms use the
statistics of the batch, and their running ones start from the teacher's (sliced) and follow the
block's own activations. The teacher, and plain segments between a block's modules, run in
evaluation mode and never move.

What comes of a block does not depend on the blocks beside it, nor on which of the teacher's
activations are kept: the teacher is compiled segment by segment, never as one function with
whatever outputs happen to be asked for; and without augmentation every epoch visits the same
batches, for a function may round an image in another way at another place of another batch.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any, TypeAlias

import jax
import numpy as np

from wootzc.backends.flax.device.parallel import Devices, Function, training_devices
from wootzc.backends.flax.net.model import Structure, structure, structures
from wootzc.backends.flax.train.batches import (
    Progress,
    Report,
    batch_order,
    looks,
    training_batches,
)
from wootzc.backends.flax.train.block_parts import block_parts, end_cuts
from wootzc.backends.flax.train.boundary_activations import Activations, Room, Teacher
from wootzc.backends.flax.train.paused import KeepBlocks, Paused, leaves, resized, restored
from wootzc.backends.flax.train.recipes import told, without_rate
from wootzc.backends.flax.train.segments import compiled_keys, compiled_prepare
from wootzc.backends.flax.train.step import Images, State, Trees, block_step, initial_state, merged
from wootzc.backends.weights.importance import NOTHING, Saliencies, Scores, seam_scores
from wootzc.backends.weights.parameters import Weights, segment_weights
from wootzc.backends.weights.stored import check_fits, split
from wootzc.ir.net.network import Module, Network
from wootzc.ir.net.rate import Rate
from wootzc.ir.space.recipe import Augment, Optimizer, Recipe, Schedule

if TYPE_CHECKING:
    from wootzc.backends.data import Batch, Dataset

LAST = 10  # steps that `loss_last` averages over


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockJob:
    """A block to train: modules from number `start` on, one per rate."""

    start: int
    rates: tuple[Rate, ...]  # fraction of filters removed
    weights: Weights  # of these modules, sliced from the teacher's: segment/path/parameter
    paused: Paused | None = None  # where it goes on, if not at its start

    @property
    def done(self) -> int:
        """Steps."""
        return 0 if self.paused is None else self.paused.step


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedBlock:
    weights: Weights  # named as they came in; of a block that diverged those that came in
    finite: bool  # False: it diverged, a last loss or a weight was no finite number
    loss_first: float  # on the first batch, before any learning
    loss_last: float  # mean over the last steps; without steps as `loss_first`
    steps: int
    seconds: float  # this block's even share of the cohort


@dataclass(slots=True)
class _Training:
    """A block under way."""

    names: tuple[str, ...]  # of its modules
    enter: int  # position of its first segment
    leave: int  # one past its last
    step: Function
    state: State
    frozen: Trees  # plain segments between its modules
    cuts: tuple[Function, Function]  # what is left of the channels that enter and leave
    losses: list[Any]  # on the host: the first, and the last of the others
    recent: list[Any]  # on the devices, after those

    def settled(self, devices: Devices) -> list[Any]:
        """Its losses, once all of them are known."""
        self.losses += [devices.first(loss) for loss in self.recent]
        self.recent.clear()
        del self.losses[1:-LAST]
        return self.losses

    def standing(self, step: int, devices: Devices) -> Paused:
        state, losses = devices.first(self.state), self.settled(devices)
        return Paused(step=step, state=leaves(state), losses=tuple(map(float, losses)))


def train_blocks(
    network: Network,
    teacher_weights: Weights,
    blocks: Sequence[BlockJob],
    dataset: "Dataset",
    recipe: Recipe,
    augment: Augment = Augment(),
    *,
    seed: int,
    progress: Report | None = None,
    keep: KeepBlocks | None = None,
    activations: Activations | None = None,
    saliencies: Saliencies = NOTHING,  # of criteria that read images
) -> list[TrainedBlock]:
    """Train all `blocks` side by side for `recipe.steps` steps; for none, measure their losses.

    `activations`: what is kept of this teacher between calls, for this recipe, data and seed; with
    augmentation nothing can be. Blocks that were paused go on as if they had never stopped, all of
    them at the same step.
    """
    if not blocks:
        return []
    done = blocks[0].done
    if any(job.done != done for job in blocks):
        raise ValueError("blocks that fly together are at the same step")
    if activations is not None and augment != Augment():
        raise ValueError("with augmentation every step sees other pixels: nothing can be kept")
    check_fits(network, teacher_weights)
    started = time.perf_counter()
    running = running_recipe(recipe)
    devices = training_devices(recipe.batch)
    parts = split(network, teacher_weights)
    seams = seam_scores(network, teacher_weights, saliencies, seed=seed)
    flying = [_launch(network, parts, seams, job, running, seed, devices) for job in blocks]
    graphs = structures(network, precision=recipe.precision)
    teacher = Teacher(graphs=graphs, parts=parts, devices=devices)
    boundaries = {block.enter for block in flying} | {block.leave for block in flying}
    first = flying[0]  # its state counts the steps
    if augment == Augment():
        kept = activations or Activations(network, dataset.train, running, seed, Room(memory=0))
        feed = _same_every_epoch(kept, teacher, boundaries, running, seed, first, done)
    else:
        batches = training_batches(dataset.train, recipe.batch, running.steps, seed, done)
        feed = _augmented(batches, teacher, boundaries, augment, first)
    stops = set(looks(recipe.steps, recipe.every))
    if progress and done:
        progress(Progress(step=done, steps=recipe.steps))
    left, most, began = done, 1, time.perf_counter()
    for step, (found, keys) in enumerate(feed, done + 1):
        asked = devices.everywhere(told(running, step - 1))
        for block in flying:
            entering, leaving = block.cuts[0](found[block.enter]), block.cuts[1](found[block.leave])
            state, frozen = block.state, block.frozen
            block.state, loss = block.step(state, asked, frozen, entering, leaving, keys)
            block.recent.append(loss)
        if progress and step in stops:
            now = float(np.mean([devices.first(b.recent[-1]) for b in flying]))
            progress(Progress(step=step, steps=recipe.steps, loss=now))
        if keep and step - left == most and step < running.steps:
            jax.block_until_ready([block.state for block in flying])
            left, most = step, resized(most, time.perf_counter() - began, 1)
            keep(partial(_standing, flying, step, devices))
            began = time.perf_counter()
    collected = [_collect(block, devices) for block in flying]
    seconds = (time.perf_counter() - started) / len(blocks)
    return [
        TrainedBlock(
            weights=weights if finite and recipe.steps else dict(job.weights),
            finite=finite,
            loss_first=float(losses[0]),
            loss_last=float(np.mean(losses[-LAST:])),
            steps=recipe.steps,
            seconds=seconds,
        )
        for job, (weights, losses) in zip(blocks, collected, strict=True)
        for finite in [_finite(weights, losses)]
    ]


def _standing(flying: Iterable[_Training], step: int, devices: Devices) -> list[Paused]:
    return [block.standing(step, devices) for block in flying]


def running_recipe(recipe: Recipe) -> Recipe:
    """The recipe; without steps one that only measures: a step that moves no weight."""
    if recipe.steps:
        return recipe
    still = Optimizer(learning_rate=0.0)
    return replace(recipe, steps=1, optimizer=still, schedule=Schedule(), weight_decay=0.0)


def _launch(
    network: Network,
    parts: tuple[Weights, ...],  # the teacher's, by segment
    seams: Mapping[int, Scores],
    job: BlockJob,
    recipe: Recipe,
    seed: int,
    devices: Devices,
) -> _Training:
    graphs, moving, frozen = [], [], []
    own: list[Weights] = []
    names = []
    block = list(block_parts(network, job.start, job.rates))
    for segment, position, shape in block:
        moves = isinstance(segment, Module)
        moving.append(moves)
        axis = devices.axis_name if moves else None
        graphs.append(structure(segment.body, shape, axis, recipe.precision))
        if moves:
            own.append(segment_weights(job.weights, segment.name))
            names.append(segment.name)
        else:
            frozen.append(parts[position])
    start = initial_state(tuple(own), recipe, seed)
    if job.paused is not None:
        start = restored(start, job.paused.state)
    return _Training(
        names=tuple(names),
        enter=block[0].position,
        leave=block[-1].position + 1,
        step=_compiled(tuple(graphs), tuple(moving), without_rate(recipe.optimizer), devices),
        state=devices.replicate(start),
        frozen=devices.replicate(tuple(frozen)),
        cuts=end_cuts(network, job.start, job.rates, seams, devices),
        losses=[np.float32(loss) for loss in job.paused.losses] if job.paused else [],
        recent=[],
    )


@cache
def _compiled(
    graphs: tuple[Structure, ...], moving: tuple[bool, ...], optimizer: Optimizer, devices: Devices
) -> Function:
    """One compiled step for all blocks of equal shape: nothing in it has a name."""
    step = block_step(graphs, moving, optimizer, devices.axis_name)
    return devices.compile(step, donate=(0,), whole=True)


# What a step is fed: what is at each boundary, and one random key per sample; on the devices.
Feed: TypeAlias = Iterator[tuple[dict[int, Any], Any]]


def _same_every_epoch(
    kept: Activations,
    teacher: Teacher,
    boundaries: set[int],
    recipe: Recipe,
    seed: int,
    first: _Training,
    done: int,
) -> Feed:
    """Kept activations, or from the images on: the same batches in another order every epoch."""
    kept.keep(teacher, boundaries)
    draw = compiled_keys(recipe.batch, teacher.devices)
    order = batch_order(len(kept.batches), recipe.steps, seed)
    for found in kept.feed(teacher, boundaries, order[done:].tolist()):
        yield found, draw(first.state.step, first.state.seed)


def _augmented(
    batches: Iterable["Batch"],
    teacher: Teacher,
    boundaries: set[int],
    augment: Augment,
    first: _Training,
) -> Feed:
    """From the images on, which every step sees in another way."""
    devices = teacher.devices
    prepare = compiled_prepare(augment, devices)
    for batch in batches:
        spread = Images(devices.spread(batch.images), devices.spread(batch.labels))
        prepared = prepare(spread, first.state.step, first.state.seed)
        yield teacher.activations(boundaries, (), {0: prepared.images}.__getitem__), prepared.keys


def _collect(block: _Training, devices: Devices) -> tuple[Weights, list[Any]]:
    """The block's weights and its losses, on the host."""
    weights = {
        f"{segment}/{name}": np.asarray(value)
        for segment, part in zip(block.names, devices.first(merged(block.state)), strict=True)
        for name, value in part.items()
    }
    return weights, block.settled(devices)


def _finite(weights: Weights, losses: Sequence[Any]) -> bool:
    """Whether a block can be used: one bad weight would spoil every candidate built of it."""
    return bool(
        all(np.isfinite(value).all() for value in weights.values())
        and np.isfinite(np.array(losses[-LAST:])).all()
    )
