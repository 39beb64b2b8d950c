"""Time per training step and time to compile, for each way to run steps on this machine.

python benchmarks/strategies.py [--side 8] [--steps 8] [strategy ...]
"""

import argparse
import time
from itertools import islice

import jax
import numpy as np

from wootzc.backends.data import Split
from wootzc.backends.data.images import Stored
from wootzc.backends.flax.batches import training_batches
from wootzc.backends.flax.model import structures
from wootzc.backends.flax.parallel import training_devices
from wootzc.backends.flax.runners import runner
from wootzc.backends.flax.step import initial_state
from wootzc.backends.flax.weights import initial_weights, split
from wootzc.ir.cost import network_cost
from wootzc.ir.layers import Activation, Body, Branch, Conv, Dense, GlobalPool, Norm
from wootzc.ir.network import Module, Network, Plain, Segment
from wootzc.ir.recipe import Augment, Optimizer, Recipe


def residual(width: int, stride: int) -> Body:
    strides = (stride, stride)
    through = (Conv(width=width, stride=strides), Norm(), Activation(), Conv(width=width), Norm())
    shortcut = (Conv(width=width, kernel=(1, 1), stride=strides), Norm()) if stride > 1 else ()
    return (Branch(join="add", arms=(through, shortcut)), Activation())


def network(side: int) -> Network:
    """Nine residual modules of 16, 32 and 64 channels."""
    segments: list[Segment] = [Plain(name="plain1", body=(Conv(width=16), Norm(), Activation()))]
    for width in (16, 32, 64):
        for i in range(3):
            stride = 2 if width > 16 and i == 0 else 1
            segments.append(Module(name=f"m{width}_{i}", body=residual(width, stride)))
    segments.append(Plain(name="plain2", body=(GlobalPool(), Dense(width=10))))
    return Network(name="nine", input=(side, side, 3), segments=tuple(segments))


def noise(side: int) -> Split:
    rng = np.random.default_rng(0)
    return Split(
        images=Stored(rng.normal(size=(1000, side, side, 3)).astype(np.float32)),
        rows=np.arange(1000),
        labels=rng.integers(0, 10, 1000).astype(np.int32),
        mean=np.zeros(3, np.float32),
        std=np.ones(3, np.float32),
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--side", type=int, default=8, help="pixels")
    parser.add_argument("--steps", type=int, default=32, help="to time, after as many to warm up")
    parser.add_argument("strategies", nargs="*", default=["segments", "loop", "scan"])
    options = parser.parse_args()
    net, images = network(options.side), noise(options.side)
    print(f"{jax.devices()[0].device_kind}, {network_cost(net)}, batch 64, side {options.side}")
    sgd = Optimizer(learning_rate=0.05, options=(("momentum", 0.9),))
    recipe = Recipe(steps=2 * options.steps, batch=64, optimizer=sgd)
    devices = training_devices(recipe.batch)
    for strategy in options.strategies:
        graphs = structures(net, devices.axis_name)
        run = runner(graphs, recipe, Augment(), devices, strategy)
        parts = split(net, initial_weights(net, seed=0))
        state = devices.replicate(initial_state(parts, recipe, seed=0))
        batches = training_batches(images, recipe.batch, recipe.steps, seed=0)
        seconds = []
        for _ in range(2):
            started = time.perf_counter()
            state, losses = run(state, islice(batches, options.steps))
            seconds.append(time.perf_counter() - started)
        step = seconds[1] / options.steps
        print(
            f"{strategy:9} {1000 * step:8.1f} ms/step, "
            f"{seconds[0] - seconds[1]:5.1f} s to compile, loss {losses[-1]:.4f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
