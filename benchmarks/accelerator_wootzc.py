"""wootzc's side of accelerator.py: its own runners, blocks and teacher, on one device."""

from itertools import cycle, islice
from typing import Any, cast

import jax
import numpy as np
from accelerator_job import LEARNING_RATE, MOMENTUM, Job, introduce, read_job, tell, timed

import wootzc
from wootzc.backends.data import Batch
from wootzc.backends.flax.device.parallel import Devices, Function, Strategy
from wootzc.backends.flax.net.model import Structure, structure, structures
from wootzc.backends.flax.train.blocks import block_parts
from wootzc.backends.flax.train.boundary_activations import Teacher
from wootzc.backends.flax.train.recipes import told
from wootzc.backends.flax.train.runners import runner
from wootzc.backends.flax.train.segments import compiled_prepare
from wootzc.backends.flax.train.step import Images, State, block_step, initial_state
from wootzc.backends.flax.train.strategy import choose_strategy
from wootzc.backends.weights.parameters import segment_weights
from wootzc.backends.weights.stored import initial_weights, split
from wootzc.ir.net.network import Network
from wootzc.ir.net.prune import prune_network
from wootzc.ir.space.recipe import Augment, Optimizer, Recipe

LONG, SHORT = 10_000, 400  # steps of a usual teacher and of a usual fine-tuning


def main() -> None:
    job = read_job()
    introduce(jax.devices()[0].device_kind, "jax", "flax", "optax", "numpy")
    full = wootzc.zoo("resnet50", classes=job.classes, input=(job.side, job.side, 3))
    small = prune_network(full, (job.rate,) * len(full.modules))
    for kind in job.kinds:
        match kind:
            case "teacher":
                train(job, full, kind, LONG)
            case "finetune":
                train(job, small, kind, SHORT)
            case "blocks":
                blocks(job, full, small)


def recipe_of(job: Job, steps: int) -> Recipe:
    return Recipe(
        steps=steps,
        batch=job.batch,
        every=steps,
        optimizer=Optimizer(learning_rate=LEARNING_RATE, options=(("momentum", MOMENTUM),)),
        precision=job.precision,
    )


def train(job: Job, network: Network, kind: Any, usual: int) -> None:
    """The whole network against labels, as `train` runs it; it chooses by the usual steps."""
    devices, recipe = Devices(1), recipe_of(job, job.steps)
    shared = kind == "finetune"
    chosen = choose_strategy(network, recipe_of(job, usual), devices, shared=shared)
    strategy = chosen if job.strategy is None else cast(Strategy, job.strategy)
    run = runner(structures(network, None, job.precision), recipe, Augment(), devices, strategy)
    parts = split(network, initial_weights(network, seed=0))
    state = devices.replicate(initial_state(parts, recipe, seed=0))
    batches = cycle(Batch(images=images, labels=labels) for images, labels in job.batches())

    def round_of_steps() -> float:
        nonlocal state
        state, losses = run(state, islice(batches, job.steps))
        return float(losses[-1])

    tell(kind, timed(job, round_of_steps), learning(state), strategy)


def blocks(job: Job, full: Network, small: Network) -> None:
    """Every module a block, all in flight, one teacher pass a step, as `train_blocks` runs them."""
    devices, recipe = Devices(1), recipe_of(job, job.steps)
    graphs = structures(full, precision=job.precision)
    teacher = Teacher(
        graphs=graphs, parts=split(full, initial_weights(full, seed=0)), devices=devices
    )
    prepare = compiled_prepare(Augment(), devices)
    steps, ends, states = cohorts(job, full, small, recipe, devices)
    boundaries = {end for pair in ends for end in pair}
    batches = cycle(job.batches())

    def round_of_steps() -> float:
        losses: list[Any] = []
        for images, labels in islice(batches, job.steps):
            ready = prepare(Images(images, labels), states[0].step, states[0].seed)
            found = teacher.activations(boundaries, (), lambda _, ready=ready: ready.images)
            losses = []
            for number, (enter, leave) in enumerate(ends):
                states[number], loss = steps[number](
                    states[number], told(recipe, 0), (), found[enter], found[leave], ready.keys
                )
                losses.append(loss)
        return float(np.sum(jax.device_get(losses)))

    tell("blocks", timed(job, round_of_steps), sum(map(learning, states)), "segments")


def cohorts(
    job: Job, full: Network, small: Network, recipe: Recipe, devices: Devices
) -> tuple[list[Function], list[tuple[int, int]], list[State]]:
    """For each block its compiled step, the boundaries before and behind it, and its state."""
    weights = initial_weights(small, seed=1)
    compiled: dict[Structure, Function] = {}
    steps, ends, states = [], [], []
    for number, module in enumerate(full.modules):
        (part,) = block_parts(full, number, (job.rate,))
        graph = structure(part.segment.body, part.shape, None, job.precision)
        if graph not in compiled:
            step = block_step((graph,), (True,), recipe.optimizer)
            compiled[graph] = devices.compile(step, donate=(0,))
        steps.append(compiled[graph])
        ends.append((part.position, part.position + 1))
        own = segment_weights(weights, module.name)
        states.append(devices.replicate(initial_state((own,), recipe, seed=0)))
    return steps, ends, states


def learning(state: State) -> int:
    return sum(value.size for part in state.params for value in part.values())


if __name__ == "__main__":
    main()
