"""Steps of several candidates: one program with filters masked, against pruned networks in turn.

python benchmarks/masked.py [benchmarks/digits.wz] [--candidates 4] [--steps 20] [--rounds 3]

masked: full widths, one `vmap` over the candidates, removed filters held at zero, so that every
network computes what its pruned one does. In turn: a step of each pruned network, one after the
other, as `wootzc build` runs them (loop, segments; on an accelerator loop, scan). Weights are
random: time is all that counts, and that the losses agree.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from wootzc.backends.data import Batch, Split
from wootzc.backends.data.images import Stored
from wootzc.backends.flax.device.parallel import Devices, Strategy
from wootzc.backends.flax.net.model import structures
from wootzc.backends.flax.train.batches import training_batches
from wootzc.backends.flax.train.recipes import told
from wootzc.backends.flax.train.runners import runner
from wootzc.backends.flax.train.step import Images, initial_state, network_step
from wootzc.backends.weights.slicing import Pruner, prune_weights
from wootzc.backends.weights.stored import initial_weights, split
from wootzc.backends.weights.widen import widen_weights
from wootzc.driver import compile
from wootzc.ir.net.prune import prune_network
from wootzc.ir.plan import Plan
from wootzc.ir.space.recipe import Augment, Recipe

ONE = Devices(1)
EARLY = 3  # steps whose losses are compared: from random weights rounding soon grows
Steps = Callable[[Iterator[Batch]], np.ndarray]  # batches → losses [steps, candidates]


def masked(plan: Plan, rates: Sequence[tuple[float, ...]], recipe: Recipe) -> Steps:
    network, criteria = plan.space.network, plan.space.criteria
    teacher = initial_weights(network, seed=0)
    states, masks = [], []
    for own in rates:
        pruned = prune_weights(network, teacher, own, criteria)
        ones = {name: np.ones_like(value) for name, value in pruned.items()}
        wide, mask = (
            split(network, widen_weights(Pruner(network, teacher, criteria), values, own))
            for values in (pruned, ones)
        )
        states.append(initial_state(wide, recipe, seed=0))
        masks.append(initial_state(mask, recipe, seed=0).params)
    learn, asked = network_step(structures(network), recipe.optimizer), told(recipe, 0)

    def step(state: Any, mask: Any, batch: Images) -> Any:
        return learn(state, asked, batch, mask)

    compiled = jax.jit(jax.vmap(step, in_axes=(0, 0, None)), donate_argnums=0)
    held = [jax.tree.map(lambda *each: jnp.stack(each), *states)]
    fixed = jax.tree.map(lambda *each: jnp.stack(each), *masks)

    def run(batches: Iterator[Batch]) -> np.ndarray:
        losses = []
        for batch in batches:
            held[0], loss = compiled(held[0], fixed, Images(batch.images, batch.labels))
            losses.append(loss)
        return np.array(losses)

    return run


def in_turn(
    plan: Plan, rates: Sequence[tuple[float, ...]], recipe: Recipe, strategy: Strategy
) -> Steps:
    network = plan.space.network
    teacher = initial_weights(network, seed=0)
    held, runs = [], []
    for own in rates:
        pruned = prune_network(network, own)
        weights = prune_weights(network, teacher, own, plan.space.criteria)
        held.append(ONE.replicate(initial_state(split(pruned, weights), recipe, seed=0)))
        runs.append(runner(structures(pruned), recipe, Augment(), ONE, strategy))

    def run(batches: Iterator[Batch]) -> np.ndarray:
        given, losses = list(batches), []
        for number, one in enumerate(runs):
            held[number], own = one(held[number], given)
            losses.append(own)
        return np.stack(losses, axis=1)

    return run


def noise(plan: Plan) -> Split:
    height, width, channels = plan.space.network.input
    rng = np.random.default_rng(0)
    return Split(
        images=Stored(rng.normal(size=(1000, height, width, channels)).astype(np.float32)),
        rows=np.arange(1000),
        labels=rng.integers(0, 10, 1000).astype(np.int32),
        mean=np.zeros(channels, np.float32),
        std=np.ones(channels, np.float32),
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path, nargs="?", default=Path("benchmarks/digits.wz"))
    parser.add_argument("--candidates", type=int, default=4, help="spread over the space")
    parser.add_argument("--steps", type=int, default=20, help="in a round")
    parser.add_argument("--rounds", type=int, default=3, help="after one that compiles")
    options = parser.parse_args()
    plan = compile(options.file)
    assert plan.candidates is not None and plan.costs is not None
    assert plan.exploration_order is not None
    order = plan.exploration_order.values
    chosen = order[np.linspace(0, len(order) - 1, options.candidates).astype(int)]
    rates = [tuple(plan.space.rates[i] for i in plan.candidates.values[row]) for row in chosen]
    recipe = replace(
        plan.space.finetune, steps=options.steps * (options.rounds + 1), every=options.steps
    )
    macs = plan.costs["macs"].candidates.values[chosen] / plan.costs["macs"].full
    print(
        f"jax {jax.__version__}, {jax.devices()[0].device_kind}, "
        f"{plan.space.network.name}, batch {recipe.batch}, "
        f"{len(chosen)} candidates with {', '.join(f'{share:.0%}' for share in macs)} of the MACs"
    )
    on_cpu = jax.default_backend() == "cpu"
    strategies: tuple[Strategy, ...] = ("loop", "segments") if on_cpu else ("loop", "scan")
    ways = {"masked": masked(plan, rates, recipe)} | {
        f"in turn, {strategy}": in_turn(plan, rates, recipe, strategy) for strategy in strategies
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    batches = {
        name: training_batches(noise(plan), recipe.batch, recipe.steps, seed=0) for name in ways
    }
    losses: dict[str, np.ndarray] = {}
    for number in range(options.rounds + 1):
        for name, run in ways.items():
            started = time.perf_counter()
            said = run(islice(batches[name], options.steps))
            seconds[name].append(time.perf_counter() - started)
            if number == 0:
                losses[name] = said
    steady = {name: median(spent[1:]) / options.steps for name, spent in seconds.items()}
    for name, step in steady.items():
        first = seconds[name][0] - step * options.steps
        apart = np.abs(losses[name] - losses["masked"])[:EARLY].max()
        print(
            f"{name:18} {1000 * step:8.1f} ms for a step of all, {first:6.1f} s to compile, "
            f"{step / steady['masked']:5.2f} of masked, first losses at most {apart:.1e} apart"
        )


if __name__ == "__main__":
    main()
