"""A training step of ours against one of PyTorch's: the same network, weights, batch and recipe.

    python benchmarks/step.py [--rounds 9] [--threads 1 2] [--layers] [network ...]

Both sides run in this process, in turn, round after round. PyTorch computes channels last; of the
numbers of threads the better counts. What is compared are milliseconds of the processor, all
threads: the median of the rounds, and the median of each round's ratio, which holds on a machine
that others use where milliseconds do not. (PyTorch's threads wait for each other busily, so that
there two of them show far more than they need.) `--layers`: also what a step is made of, forward
and backward by weights, by input and by both. `--profile`: every layer of a step by itself, and
what is left of the step.
"""

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import repeat
from statistics import median
from typing import Any

import jax
import numpy as np
import step_torch
from numpy.typing import NDArray
from step_networks import CLASSES, Case, Piece, cases, made_of, pieces

from wootzc.backends.data import Batch
from wootzc.backends.flax.device.allocator import keep_freed_memory
from wootzc.backends.flax.device.parallel import Devices, Strategy
from wootzc.backends.flax.net.model import structure, structures
from wootzc.backends.flax.train.runners import runner
from wootzc.backends.flax.train.step import initial_state
from wootzc.backends.torch import model_source, state_dict
from wootzc.backends.weights.stored import initial_weights, split
from wootzc.ir.net.network import Network
from wootzc.ir.space.recipe import Augment, Optimizer, Recipe

LEARNING_RATE, MOMENTUM = 0.01, 0.9
ONE = Devices(1)
WAYS: tuple[Strategy, ...] = ("segments", "loop")  # how a CPU takes steps

# Clocks


@dataclass(slots=True)
class Side:
    """One way to do a piece of work."""

    run: Callable[[int], None]  # so many times
    times: int = 1  # of a round
    clock: list[float] = field(default_factory=list)  # ms each, by round
    processor: list[float] = field(default_factory=list)

    def round(self) -> None:
        clock, processor = time.perf_counter(), time.process_time()
        self.run(self.times)
        self.processor.append(1000 * (time.process_time() - processor) / self.times)
        self.clock.append(1000 * (time.perf_counter() - clock) / self.times)

    def ready(self, seconds: float) -> None:
        """Warm, and with rounds that take the processor about so long."""
        self.run(1)
        self.round()
        self.times = max(1, int(1000 * seconds / self.processor[0]))
        self.clock.clear()
        self.processor.clear()


def measured(sides: dict[str, Side], rounds: int, seconds: float) -> None:
    for side in sides.values():
        side.ready(seconds)
    for _ in range(rounds):
        for side in sides.values():
            side.round()


def better(sides: Iterable[Side]) -> Side:
    return min(sides, key=lambda side: median(side.processor))


def ratio(one: Side, other: Side) -> float:
    return median(a / b for a, b in zip(one.processor, other.processor, strict=True))


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
        jax.block_until_ready(state)  # losses are there before the last step's gradients are

    return Side(steps)


def torch_net(network: Network) -> Any:
    channels = network.input[-1]
    names = tuple(map(str, range(CLASSES)))
    source = model_source(network, names, np.zeros(channels), np.ones(channels))
    return step_torch.network(source, state_dict(network, initial_weights(network, 0)))


def torch_steps(case: Case, threads: int) -> Side:
    batch = batch_of(case)
    run = step_torch.steps(
        torch_net(case.network), batch.images, batch.labels,
        threads=threads, learning_rate=LEARNING_RATE, momentum=MOMENTUM,
    )  # fmt: skip
    return Side(run)


def compare_steps(name: str, case: Case, rounds: int, threads: list[int]) -> str:
    ours = {way: our_step(case, way) for way in WAYS}
    theirs = {f"PyTorch {count}": torch_steps(case, count) for count in threads}
    sides = {**ours, **theirs}
    measured(sides, rounds, seconds=0.2)
    best = better(theirs.values())
    cells = [f"{median(one.processor):.1f} ({median(one.clock):.1f})" for one in sides.values()]
    ratios = [f"{ratio(one, best):.2f}" for one in ours.values()]
    return "| " + " | ".join([name, *cells, *ratios]) + " |"


# Layers


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


def passing(piece: Piece, batch: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What enters it, and a gradient of what leaves."""
    rng = np.random.default_rng(0)
    entering, gradient = (
        rng.normal(size=(batch, *shape)).astype(np.float32)
        for shape in (piece.shape, piece.leaving)
    )
    return entering, gradient


def compare_layers(name: str, piece: Piece, rounds: int, threads: list[int]) -> str:
    entering, gradient = passing(piece, 64)
    ours = our_parts(piece, entering, gradient)
    theirs = {
        (part, count): Side(run)
        for count in threads
        for part, run in step_torch.parts(
            torch_net(piece.network), entering, gradient, threads=count
        ).items()
    }
    sides = {**ours, **{f"{part}, PyTorch {count}": one for (part, count), one in theirs.items()}}
    measured(sides, rounds, seconds=0.02)
    cells = []
    for part, one in ours.items():
        best = better(theirs[part, count] for count in threads)
        own, other = median(one.processor), median(best.processor)
        cells.append(f"{own:.2f} / {other:.2f} = {ratio(one, best):.2f}")
    return "| " + " | ".join([name, *cells]) + " |"


# Where a step goes


def profile(case: Case, rounds: int, threads: int) -> None:
    """Prints each layer by itself, as often as the network has it, and what that leaves of a step.

    The first layers' gradient of the images is counted, though no step computes it.
    """
    found = made_of(case.network).most_common()
    ours, theirs = our_step(case, "segments"), torch_steps(case, threads)
    rows = []
    for piece, times in found:
        given = passing(piece, case.batch)
        other = step_torch.parts(torch_net(piece.network), *given, threads=threads)
        rows.append((piece, times, our_parts(piece, *given)["by both"], Side(other["by both"])))
    sides = [ours, theirs, *(side for _, _, *both in rows for side in both)]
    measured({str(n): side for n, side in enumerate(sides)}, rounds, seconds=0.05)
    whole = [median(side.processor) for side in (ours, theirs)]
    spent = [
        (f"{piece}", times, *(times * median(side.processor) for side in both))
        for piece, times, *both in rows
    ]
    spent.sort(key=lambda row: -row[2])
    sums = [sum(row[side] for row in spent) for side in (2, 3)]
    lines = [
        *spent,
        ("all of these", sum(times for _, times in found), *sums),
        ("sums, loss, updates, calls", 1, whole[0] - sums[0], whole[1] - sums[1]),
        ("the step", 1, *whole),
    ]
    print(f"| layers | in a step | ms | share | PyTorch {threads} | share | ratio |")
    print("|" + " --- |" * 7)
    for name, times, own, other in lines:
        shares = f"{own:.1f} | {own / whole[0]:.0%} | {other:.1f} | {other / whole[1]:.0%}"
        print(f"| {name} | {times} | {shares} | {own / other:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="of PyTorch")
    parser.add_argument("--layers", action="store_true", help="also the layers of a step")
    parser.add_argument("--profile", action="store_true", help="only where steps go, by layer")
    parser.add_argument("networks", nargs="*", default=list(cases()), metavar="network")
    options = parser.parse_args()
    keep_freed_memory()  # as in a build; PyTorch has it too
    packages = ("jax", "flax", "optax", "numpy", "torch")
    print("command:", " ".join(["python", *sys.argv]))
    print(f"machine: {platform.platform()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print("versions:", ", ".join(f"{name} {version(name)}" for name in packages))
    if options.profile:
        for name in options.networks:
            print(f"\n{name}: ms of the processor, forward and backward\n")
            profile(cases()[name], options.rounds, options.threads[0])
        return
    columns = [*WAYS, *(f"PyTorch {count}" for count in options.threads)]
    print("\nms of the processor a step (of the clock), and ratios to PyTorch\n")
    print("| network | " + " | ".join([*columns, *(f"{way}, ratio" for way in WAYS)]) + " |")
    print("|" + " --- |" * (1 + len(columns) + len(WAYS)))
    for name in options.networks:
        print(compare_steps(name, cases()[name], options.rounds, options.threads), flush=True)
    if options.layers:
        print("\nms of the processor, ours / PyTorch's = ratio\n")
        print("| layer, batch 64 | forward | by weights | by input | by both |")
        print("|" + " --- |" * 5)
        for name, piece in pieces().items():
            print(compare_layers(name, piece, options.rounds, options.threads), flush=True)


if __name__ == "__main__":
    main()
