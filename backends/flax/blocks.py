"""Pre-train tuning blocks against the teacher: one teacher pass feeds all blocks in flight.

A block is fed the activation that enters its unpruned counterpart and learns the one that leaves
it. Its modules run in training mode: norms use the statistics of the batch, and their running ones
start from the teacher's (sliced) and follow the block's own activations. The teacher, and plain
segments between a block's modules, run in evaluation mode and never move.

What comes of a block does not depend on the blocks beside it: the teacher is compiled segment by
segment, never as one function with whatever outputs happen to be asked for.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from wootzc.backends.flax.batches import Progress, Report, looks, training_batches
from wootzc.backends.flax.model import Structure, structure, structures
from wootzc.backends.flax.parallel import Devices, Function, training_devices
from wootzc.backends.flax.segments import compiled_evaluate, compiled_prepare
from wootzc.backends.flax.step import Images, State, Trees, block_step, initial_state, merged
from wootzc.backends.flax.weights import check_fits, split
from wootzc.backends.parameters import Weights, segment_weights
from wootzc.ir.network import Module, Network, module_positions, segment_shapes
from wootzc.ir.prune import prune_module
from wootzc.ir.recipe import Augment, Recipe

if TYPE_CHECKING:
    from wootzc.backends.data import Dataset

LAST = 10  # steps that `loss_last` averages over


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockJob:
    """A block to train: modules from number `start` on, one per rate."""

    start: int
    rates: tuple[float, ...]  # fraction of filters removed
    weights: Weights  # of these modules, sliced from the teacher's: segment/path/parameter


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedBlock:
    weights: Weights  # named as they came in; of a block that diverged those that came in
    finite: bool  # False: it diverged, a last loss or a weight was no finite number
    loss_first: float  # of the first step, before any learning
    loss_last: float  # mean over the last steps
    steps: int
    seconds: float  # this block's even share of the flight


@dataclass(slots=True)
class _Flying:
    """A block under way."""

    names: tuple[str, ...]  # of its modules
    enter: int  # position of its first segment
    leave: int  # one past its last
    step: Function
    state: State
    frozen: Trees  # plain segments between its modules
    losses: list[Any]


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
) -> list[TrainedBlock]:
    """Train all `blocks` side by side for `recipe.steps` steps."""
    if not blocks:
        return []
    check_fits(network, teacher_weights)
    started = time.perf_counter()
    devices = training_devices(recipe.batch)
    parts = split(network, teacher_weights)
    flying = [_launch(network, parts, job, recipe, seed, devices) for job in blocks]
    teacher = _teacher(network, parts, max(block.leave for block in flying), devices)
    boundaries = {block.enter for block in flying} | {block.leave for block in flying}
    ready = compiled_prepare(augment, devices)
    stops = set(looks(recipe.steps, recipe.every))
    batches = training_batches(dataset.train, recipe.batch, recipe.steps, seed)
    for step, batch in enumerate(batches, 1):
        images = Images(devices.spread(batch.images), devices.spread(batch.labels))
        prepared = ready(images, flying[0].state.step, flying[0].state.seed)
        activations = _activations(teacher, prepared.images, boundaries, devices)
        for block in flying:
            entering, leaving = activations[block.enter], activations[block.leave]
            block.state, loss = block.step(
                block.state, block.frozen, entering, leaving, prepared.keys
            )
            block.losses.append(loss)
        if progress and step in stops:
            now = float(np.mean([devices.first(b.losses[-1]) for b in flying]))
            progress(Progress(step=step, steps=recipe.steps, loss=now))
    landed = [_land(block, devices) for block in flying]
    seconds = (time.perf_counter() - started) / len(blocks)
    return [
        TrainedBlock(
            weights=weights if finite else dict(job.weights),
            finite=finite,
            loss_first=float(losses[0]),
            loss_last=float(np.mean(losses[-LAST:])),
            steps=recipe.steps,
            seconds=seconds,
        )
        for job, (weights, losses) in zip(blocks, landed, strict=True)
        for finite in [_finite(weights, losses)]
    ]


def _launch(
    network: Network,
    parts: tuple[Weights, ...],  # the teacher's, by segment
    job: BlockJob,
    recipe: Recipe,
    seed: int,
    devices: Devices,
) -> _Flying:
    positions = module_positions(network)[job.start : job.start + len(job.rates)]
    shapes = segment_shapes(network)
    rates = iter(job.rates)
    graphs, moving, frozen = [], [], []
    own: list[Weights] = []
    names = []
    for position in range(positions[0], positions[-1] + 1):
        segment, shape = network.segments[position], shapes[position]
        moving.append(isinstance(segment, Module))
        if isinstance(segment, Module):
            pruned = prune_module(segment, shape, next(rates))
            graphs.append(structure(pruned.body, shape, devices.axis_name))
            own.append(segment_weights(job.weights, segment.name))
            names.append(segment.name)
        else:
            graphs.append(structure(segment.body, shape))
            frozen.append(parts[position])
    return _Flying(
        names=tuple(names),
        enter=positions[0],
        leave=positions[-1] + 1,
        step=_compiled(tuple(graphs), tuple(moving), recipe, devices),
        state=devices.replicate(initial_state(tuple(own), recipe, seed)),
        frozen=devices.replicate(tuple(frozen)),
        losses=[],
    )


@cache
def _compiled(
    graphs: tuple[Structure, ...], moving: tuple[bool, ...], recipe: Recipe, devices: Devices
) -> Function:
    """One compiled step for all blocks of equal shape: nothing in it has a name."""
    return devices.compile(block_step(graphs, moving, recipe, devices.axis_name), donate=(0,))


def _teacher(
    network: Network, parts: tuple[Weights, ...], stop: int, devices: Devices
) -> list[tuple[Structure, Any]]:
    """The teacher's segments up to the last that any block learns from, on the devices."""
    graphs = structures(network)[:stop]
    return [(g, devices.replicate(part)) for g, part in zip(graphs, parts, strict=False)]


def _activations(
    teacher: list[tuple[Structure, Any]], x: Any, boundaries: set[int], devices: Devices
) -> dict[int, Any]:
    """What enters segment i, for every i in `boundaries`."""
    found = {0: x}
    for position, (graph, values) in enumerate(teacher, 1):
        x = compiled_evaluate(graph, devices)(values, x)
        if position in boundaries:
            found[position] = x
    return found


def _land(block: _Flying, devices: Devices) -> tuple[Weights, list[Any]]:
    """The block's weights and its losses, on the host."""
    weights = {
        f"{segment}/{name}": np.asarray(value)
        for segment, part in zip(block.names, devices.first(merged(block.state)), strict=True)
        for name, value in part.items()
    }
    return weights, [devices.first(loss) for loss in block.losses]


def _finite(weights: Weights, losses: Sequence[Any]) -> bool:
    """Whether a block can be used: one bad weight would spoil every candidate built of it."""
    return bool(
        all(np.isfinite(value).all() for value in weights.values())
        and np.isfinite(np.array(losses[-LAST:])).all()
    )
