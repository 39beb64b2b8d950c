"""A training step of ours against one of PyTorch's: the same network, weights, batch and recipe.

    python benchmarks/step.py [--rounds 5] [--layers] [network ...]

Both sides run in this process, in turn, round after round; the least of the rounds counts. PyTorch
computes channels last, on one and on two threads. Milliseconds of the processor, all threads, stand
beside those of the clock: on a machine that others use only the first hold, and best as ratios.
`--layers`: also what a step is made of, layer by layer, forward and backward by weights and input.
"""

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import version
from itertools import repeat
from typing import Any, get_args

import jax
import numpy as np
import step_torch
from numpy.typing import NDArray

import wootzc
from wootzc.backends.data import Batch
from wootzc.backends.flax.device.parallel import Devices, Strategy
from wootzc.backends.flax.net.model import structure, structures
from wootzc.backends.flax.train.runners import runner
from wootzc.backends.flax.train.step import initial_state
from wootzc.backends.torch import model_source, state_dict
from wootzc.backends.weights.stored import initial_weights, split
from wootzc.ir.layers import Activation, Body, Branch, Conv, Dense, DepthwiseConv, GlobalPool, Norm
from wootzc.ir.layers.shapes import Shape, shape_after
from wootzc.ir.net.network import Module, Network, Plain, Segment
from wootzc.ir.net.prune import prune_network
from wootzc.ir.space.recipe import Augment, Optimizer, Recipe

LEARNING_RATE, MOMENTUM = 0.01, 0.9
CLASSES = 10
ONE = Devices(1)

# Networks


def through(*layers: Any) -> Body:
    return (*layers, Norm(), Activation())


def residual(width: int, stride: int) -> Body:
    strides = (stride, stride)
    inner = (*through(Conv(width=width, stride=strides)), Conv(width=width), Norm())
    shortcut = (Conv(width=width, kernel=(1, 1), stride=strides), Norm()) if stride > 1 else ()
    return (Branch(join="add", arms=(inner, shortcut)), Activation())


def separable(width: int, stride: int) -> Body:
    depthwise = DepthwiseConv(stride=(stride, stride))
    return (*through(depthwise), *through(Conv(width=width, kernel=(1, 1))))


def staged(name: str, shape: Shape, block: Callable[[int, int], Body]) -> Network:
    """Nine modules of 16, 32 and 64 channels."""
    segments: list[Segment] = [Plain(name="stem", body=through(Conv(width=16)))]
    for width in (16, 32, 64):
        for number in range(3):
            stride = 2 if width > 16 and number == 0 else 1
            segments.append(Module(name=f"m{width}_{number}", body=block(width, stride)))
    segments.append(Plain(name="head", body=(GlobalPool(), Dense(width=CLASSES))))
    return Network(name=name, input=shape, segments=tuple(segments))


def narrow(network: Network, parts: int) -> Network:
    """The network with a `parts`-th of the channels of every convolution."""

    def narrowed(body: Body) -> Body:
        return tuple(
            replace(layer, width=layer.width // parts)
            if isinstance(layer, Conv)
            else replace(layer, arms=tuple(map(narrowed, layer.arms)))
            if isinstance(layer, Branch)
            else layer
            for layer in body
        )

    segments = tuple(replace(one, body=narrowed(one.body)) for one in network.segments)
    return replace(network, segments=segments)


def pruned(network: Network, rate: float) -> Network:
    return prune_network(network, (rate,) * len(network.modules))


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    network: Network
    batch: int = 64


def cases() -> dict[str, Case]:
    digits, cifar = staged("digits", (8, 8, 1), residual), staged("cifar", (32, 32, 3), residual)
    mobile = staged("mobile", (32, 32, 3), separable)
    resnet = narrow(wootzc.zoo("resnet50", classes=CLASSES, input=(32, 32, 3)), 4)
    return {
        "digits 8×8": Case(network=digits),
        "digits 8×8, 85 % gone": Case(network=pruned(digits, 0.85)),
        "residual 32×32": Case(network=cifar),
        "residual 32×32, 70 % gone": Case(network=pruned(cifar, 0.7)),
        "depthwise 32×32": Case(network=mobile),
        "resnet50 / 4 32×32": Case(network=resnet, batch=8),
    }


# Clocks


@dataclass(slots=True)
class Side:
    """One way to do a piece of work."""

    run: Callable[[int], None]  # so many times
    times: int = 0  # of a round
    clock: float = float("inf")  # ms each, the least of the rounds
    processor: float = float("inf")

    def round(self) -> None:
        clock, processor = time.perf_counter(), time.process_time()
        self.run(self.times)
        self.clock = min(self.clock, 1000 * (time.perf_counter() - clock) / self.times)
        used = 1000 * (time.process_time() - processor) / self.times
        self.processor = min(self.processor, used)


def measured(sides: dict[str, Side], rounds: int, seconds: float) -> dict[str, Side]:
    for side in sides.values():
        side.run(1)
        side.times = 1
        side.round()
        side.times = max(1, int(1000 * seconds / side.clock))
    for _ in range(rounds):
        for side in sides.values():
            side.round()
    return sides


# Steps


def batch_of(case: Case) -> Batch:
    rng = np.random.default_rng(0)
    images = rng.normal(size=(case.batch, *case.network.input)).astype(np.float32)
    return Batch(images=images, labels=rng.integers(0, CLASSES, case.batch).astype(np.int32))


def our_step(case: Case, strategy: Strategy) -> Side:
    optimizer = Optimizer(learning_rate=LEARNING_RATE, options=(("momentum", MOMENTUM),))
    recipe = Recipe(steps=100_000, batch=case.batch, optimizer=optimizer, weight_decay=0.0)
    run = runner(structures(case.network), recipe, Augment(), ONE, strategy)
    parts = split(case.network, initial_weights(case.network, 0))
    state, batch = ONE.replicate(initial_state(parts, recipe, seed=0)), batch_of(case)

    def steps(count: int) -> None:
        nonlocal state
        state, losses = run(state, repeat(batch, count))
        assert np.isfinite(losses).all()

    return Side(steps)


def torch_net(network: Network) -> Any:
    channels = network.input[-1]
    names = tuple(map(str, range(CLASSES)))
    source = model_source(network, names, np.zeros(channels), np.ones(channels))
    return step_torch.network(source, state_dict(network, initial_weights(network, 0)))


def torch_steps(case: Case) -> Iterator[tuple[str, Side]]:
    batch = batch_of(case)
    for threads in step_torch.THREADS:
        run = step_torch.steps(
            torch_net(case.network), batch.images, batch.labels,
            threads=threads, learning_rate=LEARNING_RATE, momentum=MOMENTUM,
        )  # fmt: skip
        yield f"PyTorch, {threads}", Side(run)


def compare_steps(name: str, case: Case, rounds: int) -> str:
    ours = {one: our_step(case, one) for one in get_args(Strategy) if one != "scan"}
    sides = measured({**ours, **dict(torch_steps(case))}, rounds, seconds=0.5)
    best = min(one.processor for name, one in sides.items() if name not in ours)
    cells = [f"{one.processor:.1f} ({one.clock:.1f})" for one in sides.values()]
    ratios = [f"{ours[one].processor / best:.2f}" for one in ours]
    return "| " + " | ".join([name, *cells, *ratios]) + " |"


# Layers


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A few layers, and what enters them."""

    body: Body
    shape: Shape

    @property
    def network(self) -> Network:
        return Network(name="piece", input=self.shape, segments=(Plain(name="p", body=self.body),))


def pieces() -> dict[str, Piece]:
    norm, pixel = (Norm(), Activation()), (1, 1)
    return {
        "conv 3×3, 8×8×16": Piece(body=(Conv(width=16),), shape=(8, 8, 16)),
        "conv 3×3, 4×4×32": Piece(body=(Conv(width=32),), shape=(4, 4, 32)),
        "conv 3×3, 4×4×8": Piece(body=(Conv(width=8),), shape=(4, 4, 8)),
        "conv 3×3, 2×2×64": Piece(body=(Conv(width=64),), shape=(2, 2, 64)),
        "conv 3×3, 2×2×16": Piece(body=(Conv(width=16),), shape=(2, 2, 16)),
        "conv 3×3 by 2, 4×4×32": Piece(body=(Conv(width=64, stride=(2, 2)),), shape=(4, 4, 32)),
        "conv 3×3, 32×32×16": Piece(body=(Conv(width=16),), shape=(32, 32, 16)),
        "conv 3×3, 16×16×32": Piece(body=(Conv(width=32),), shape=(16, 16, 32)),
        "conv 1×1, 32×32×16": Piece(body=(Conv(width=16, kernel=pixel),), shape=(32, 32, 16)),
        "depthwise 3×3, 32×32×16": Piece(body=(DepthwiseConv(),), shape=(32, 32, 16)),
        "depthwise 3×3, 8×8×64": Piece(body=(DepthwiseConv(),), shape=(8, 8, 64)),
        "norm, relu, 32×32×16": Piece(body=norm, shape=(32, 32, 16)),
        "norm, relu, 8×8×16": Piece(body=norm, shape=(8, 8, 16)),
    }


def our_parts(
    piece: Piece, entering: NDArray[np.float32], gradient: NDArray[np.float32]
) -> dict[str, Side]:
    graph = structure(piece.body, piece.shape)
    (own,) = split(piece.network, initial_weights(piece.network, 0))
    state = initial_state((own,), Recipe(steps=1, batch=1), 0)
    given = jax.device_put((state.params[0], entering, gradient))
    stats = jax.device_put(state.stats[0])
    keys = jax.random.split(jax.random.key(0), len(entering))

    def forward(params: Any, x: Any) -> Any:
        return graph.train({**params, **stats}, x, keys)[0]

    def by_weights(params: Any, x: Any, g: Any) -> Any:
        return jax.vjp(lambda params: forward(params, x), params)[1](g)

    def by_input(params: Any, x: Any, g: Any) -> Any:
        return jax.vjp(lambda x: forward(params, x), x)[1](g)

    def by_both(params: Any, x: Any, g: Any) -> Any:
        return jax.vjp(forward, params, x)[1](g)

    def timed(function: Any, *given: Any) -> Side:
        compiled = ONE.compile(function)

        def run(times: int) -> None:
            for _ in range(times):
                jax.block_until_ready(compiled(*given))

        return Side(run)

    return {
        "forward": timed(forward, *given[:2]),
        "by weights": timed(by_weights, *given),
        "by input": timed(by_input, *given),
        "by both": timed(by_both, *given),
    }


def compare_layers(name: str, piece: Piece, rounds: int) -> str:
    rng = np.random.default_rng(0)
    leaving = piece.shape
    for layer in piece.body:
        leaving = shape_after(layer, leaving)
    entering, gradient = (
        rng.normal(size=(64, *shape)).astype(np.float32) for shape in (piece.shape, leaving)
    )
    ours = our_parts(piece, entering, gradient)
    theirs = {
        f"{part} {threads}": Side(run)
        for threads in step_torch.THREADS
        for part, run in step_torch.parts(
            torch_net(piece.network), entering, gradient, threads=threads
        ).items()
    }
    measured({**ours, **theirs}, rounds, seconds=0.05)
    cells = []
    for part, side in ours.items():
        other = min(theirs[f"{part} {threads}"].processor for threads in step_torch.THREADS)
        cells.append(f"{side.processor:.2f} / {other:.2f} = {side.processor / other:.2f}")
    return "| " + " | ".join([name, *cells]) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="the least of them counts")
    parser.add_argument("--layers", action="store_true", help="also the layers of a step")
    parser.add_argument("networks", nargs="*", default=list(cases()), metavar="network")
    options = parser.parse_args()
    packages = ("jax", "flax", "optax", "numpy", "torch")
    print("command:", " ".join(["python", *sys.argv]))
    print(f"machine: {platform.platform()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print("versions:", ", ".join(f"{name} {version(name)}" for name in packages))
    ways = [*(one for one in get_args(Strategy) if one != "scan")]
    columns = [*ways, *(f"PyTorch, {count}" for count in step_torch.THREADS)]
    print("\nms of the processor a step (of the clock); ratio to the better PyTorch\n")
    print("| network | " + " | ".join([*columns, *(f"{way}, ratio" for way in ways)]) + " |")
    print("|" + " --- |" * (1 + len(columns) + len(ways)))
    for name in options.networks:
        print(compare_steps(name, cases()[name], options.rounds), flush=True)
    if options.layers:
        print("\nms of the processor, ours / the better PyTorch = ratio\n")
        print("| layer, batch 64 | forward | by weights | by input | by both |")
        print("|" + " --- |" * 5)
        for name, piece in pieces().items():
            print(compare_layers(name, piece, options.rounds), flush=True)


if __name__ == "__main__":
    main()
