"""Time per training step and time to compile, for each way to run steps on this machine.

python benchmarks/strategies.py [--side 8] [--each 3] [--steps 8] [--rounds 5] [strategy ...]

Seconds of the processor, all threads, stand beside those of the clock: they hold on a machine that
others use too. The last lines are what `backends/flax/train/strategy.py` decides by.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import jax
import numpy as np

from wootzc.backends.data import Split
from wootzc.backends.data.images import Stored
from wootzc.backends.flax.device.compiles import Compilations, compilations
from wootzc.backends.flax.device.parallel import training_devices
from wootzc.backends.flax.net.model import structures
from wootzc.backends.flax.train.batches import training_batches
from wootzc.backends.flax.train.runners import runner
from wootzc.backends.flax.train.step import initial_state
from wootzc.backends.weights.stored import initial_weights, split
from wootzc.ir.layers import Activation, Body, Branch, Conv, Dense, GlobalPool, Norm
from wootzc.ir.net.cost import network_cost
from wootzc.ir.net.network import Module, Network, Plain, Segment
from wootzc.ir.space.recipe import Augment, Optimizer, Recipe

SGD = Optimizer(learning_rate=0.05, options=(("momentum", 0.9),))


@dataclass(slots=True)
class Runner:
    """One strategy with the network that it trains."""

    advance: Callable[[int], float]  # takes so many steps and gives the last loss
    compiling: tuple[float, float]  # seconds of the clock and of the processor
    compiled: Compilations
    steps: list[tuple[float, float]] = field(default_factory=list)  # likewise, per step
    loss: float = 0.0


def residual(width: int, stride: int) -> Body:
    strides = (stride, stride)
    through = (Conv(width=width, stride=strides), Norm(), Activation(), Conv(width=width), Norm())
    shortcut = (Conv(width=width, kernel=(1, 1), stride=strides), Norm()) if stride > 1 else ()
    return (Branch(join="add", arms=(through, shortcut)), Activation())


def network(side: int, each: int = 3) -> Network:
    """Residual modules of 16, 32 and 64 channels, so many of each width."""
    segments: list[Segment] = [Plain(name="plain1", body=(Conv(width=16), Norm(), Activation()))]
    for width in (16, 32, 64):
        for i in range(each):
            stride = 2 if width > 16 and i == 0 else 1
            segments.append(Module(name=f"m{width}_{i}", body=residual(width, stride)))
    segments.append(Plain(name="plain2", body=(GlobalPool(), Dense(width=10))))
    return Network(name="residual", input=(side, side, 3), segments=tuple(segments))


def noise(side: int) -> Split:
    rng = np.random.default_rng(0)
    return Split(
        images=Stored(rng.normal(size=(1000, side, side, 3)).astype(np.float32)),
        rows=np.arange(1000),
        labels=rng.integers(0, 10, 1000).astype(np.int32),
        mean=np.zeros(3, np.float32),
        std=np.ones(3, np.float32),
    )


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    """Seconds of the clock and of the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - processor


def start(net: Network, images: Split, strategy: Any, options: argparse.Namespace) -> Runner:
    recipe = Recipe(steps=(options.rounds + 2) * options.steps, batch=64, optimizer=SGD)
    recipe = Recipe(steps=recipe.steps, batch=64, optimizer=SGD, every=options.steps)
    devices = training_devices(recipe.batch)
    run = runner(structures(net, devices.axis_name), recipe, Augment(), devices, strategy)
    state = devices.replicate(initial_state(split(net, initial_weights(net, 0)), recipe, seed=0))
    batches = training_batches(images, recipe.batch, recipe.steps, seed=0)

    def advance(steps: int) -> float:
        nonlocal state
        state, losses = run(state, islice(batches, steps))
        return float(losses[-1])

    before = compilations()
    clock, processor = timed(lambda: advance(options.steps))
    compiled = compilations().since(before)
    warm = timed(lambda: advance(options.steps))
    return Runner(advance, (clock - warm[0], processor - warm[1]), compiled)


def measured(net: Network, images: Split, options: argparse.Namespace) -> Iterator[tuple[str, Any]]:
    """Strategies in turn, round after round, so that what slows the machine slows all of them."""
    runners = {name: start(net, images, name, options) for name in options.strategies}
    for _ in range(options.rounds):
        for one in runners.values():
            clock, processor = timed(
                lambda one=one: setattr(one, "loss", one.advance(options.steps))
            )
            one.steps.append((clock / options.steps, processor / options.steps))
    yield from runners.items()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--side", type=int, default=8, help="pixels")
    parser.add_argument("--each", type=int, default=3, help="modules of each width")
    parser.add_argument("--steps", type=int, default=32, help="of a round")
    parser.add_argument("--rounds", type=int, default=5, help="the fastest counts")
    parser.add_argument("strategies", nargs="*", default=["segments", "loop", "scan"])
    options = parser.parse_args()
    net, images = network(options.side, options.each), noise(options.side)
    graphs = structures(net)
    count, distinct = len(graphs), len(set(graphs))
    print(f"{jax.devices()[0].device_kind}, jax {jax.__version__}, {network_cost(net)}, batch 64")
    print(f"side {options.side}, {count} segments, {distinct} of them distinct")
    print("           ms per step        to compile                    last")
    print("strategy  clock processor  clock s processor s programs   loss")
    found = dict(measured(net, images, options))
    for name, one in found.items():
        clock, processor = (1000 * min(column) for column in zip(*one.steps, strict=True))
        print(
            f"{name:9} {clock:5.1f} {processor:8.1f} {one.compiling[0]:9.1f} "
            f"{one.compiling[1]:9.1f} {one.compiled.count:9} {one.loss:9.4f}",
            flush=True,
        )
    if {"segments", "loop"} <= found.keys():
        loop, parts = found["loop"], found["segments"]
        more = min(p for _, p in parts.steps) - min(p for _, p in loop.steps)
        print(
            f"processor seconds: {loop.compiling[1] / count:.3f} to compile a whole step, per "
            f"segment; {parts.compiling[1] / distinct:.3f} per distinct segment alone; "
            f"{more / count:.6f} more per segment and step"
        )


if __name__ == "__main__":
    main()
