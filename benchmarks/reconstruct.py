"""Starts of pruned networks at equal time: inherited, least squares, SGD block training, both.

    python benchmarks/reconstruct.py [cifar10-train.zip] [--seeds 0 1 2]

All modules at one rate. Without an argument on the digits; with CIFAR-10 on 4,000 of its images,
the small network of cifar10_small.wz, and a teacher of 1,000 steps. Seconds are without compiling.
CPU seconds are those of all cores: they depend little on what else the machine does.
"""

import argparse
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np

from wootzc.backends.data import Dataset, load
from wootzc.backends.flax.train.blocks import BlockJob, train_blocks
from wootzc.backends.flax.train.reconstruct import reconstruct
from wootzc.backends.flax.train.train import train
from wootzc.backends.weights.parameters import Weights
from wootzc.backends.weights.slicing import Pruner, prune_weights
from wootzc.backends.weights.stored import initial_weights
from wootzc.driver import compile
from wootzc.ir.net.prune import prune_network
from wootzc.ir.space import Space
from wootzc.ir.space.recipe import Recipe

CIFAR = {"data.limit": "4000", "teacher.steps": "1000"}
FINETUNE = (0, 50, 100)  # steps after which accuracy is seen
GENTLE = 0.2  # of the learning rate, for SGD that goes on from a good start


@dataclass(frozen=True, slots=True)
class Start:
    """How one start came about, on one seed."""

    weights: Weights
    compiling: float  # CPU seconds that the first time takes longer
    cpu: float  # seconds of all cores
    wall: float
    steps: int = 0


@dataclass(slots=True)
class Row:
    """One start over all seeds."""

    starts: list[Start] = field(default_factory=list)
    accuracies: list[list[float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Bench:
    space: Space
    dataset: Dataset
    teacher: Weights
    seed: int
    rate: float
    images: int

    def inherited(self) -> Weights:
        rates = [self.rate] * len(self.space.network.modules)
        return prune_weights(self.space.network, self.teacher, rates, self.space.criteria)

    def refitted(self) -> Weights:
        weights = self.inherited()
        for own in reconstruct(
            Pruner(self.space.network, self.teacher, self.space.criteria, self.seed),
            [(number, self.rate) for number in range(len(self.space.network.modules))],
            self.dataset.train,
            images=self.images,
        ).values():
            weights |= own
        return weights

    def trained(self, start: Weights, recipe: Recipe) -> Weights:
        """Every module a block, from the weights of `start`."""
        jobs = [
            BlockJob(
                start=number,
                rates=(self.rate,),
                weights={n: v for n, v in start.items() if n.startswith(f"{module.name}/")},
            )
            for number, module in enumerate(self.space.network.modules)
        ]
        weights = dict(start)
        for block in train_blocks(
            self.space.network,
            self.teacher,
            jobs,
            self.dataset,
            recipe,
            self.space.augment,
            seed=self.seed,
        ):
            weights |= block.weights
        return weights

    def accuracies(self, start: Weights) -> list[float]:
        """On the validation images, after the steps of `FINETUNE`."""
        network = self.space.network
        small = prune_network(network, (self.rate,) * len(network.modules))
        recipe = replace(
            self.space.finetune, steps=max(FINETUNE), every=FINETUNE[1], patience=None, distill=0.0
        )
        done = train(small, start, self.dataset, recipe, self.space.augment, seed=self.seed)
        return [look.accuracy for look in done.history]


def timed(make: Callable[[], Weights], steps: int = 0) -> Start:
    """Made twice: the first time compiles."""
    before = time.process_time()
    make()
    compiled, began = time.process_time(), time.perf_counter()
    weights = make()
    cpu, wall = time.process_time() - compiled, time.perf_counter() - began
    return Start(weights, max(0.0, compiled - before - cpu), cpu, wall, steps)


def both(one: Start, two: Start, weights: Weights) -> Start:
    """`two` went on from `one`, and came to these weights."""
    return Start(
        weights, one.compiling + two.compiling, one.cpu + two.cpu, one.wall + two.wall, two.steps
    )


def starts(bench: Bench, steps: int) -> dict[str, Start]:
    recipe = replace(bench.space.pretrain, steps=steps)
    optimizer = recipe.optimizer
    gentle = replace(
        recipe, optimizer=replace(optimizer, learning_rate=GENTLE * optimizer.learning_rate)
    )
    inherited = timed(bench.inherited)
    fitted = timed(bench.refitted)
    sgd = timed(partial(bench.trained, inherited.weights, recipe), steps)
    few = max(1, round(steps * fitted.cpu / sgd.cpu))
    short = replace(recipe, steps=few)
    # SGD takes as long from whichever weights, at whichever rate: it is timed once.
    continued = bench.trained(fitted.weights, recipe)
    gently = bench.trained(fitted.weights, gentle)
    return {
        "inherited": inherited,
        "least squares": fitted,
        "SGD, as long": timed(partial(bench.trained, inherited.weights, short), few),
        "SGD": sgd,
        "least squares, SGD": both(fitted, sgd, continued),
        f"least squares, SGD at {GENTLE:g} × the rate": both(fitted, sgd, gently),
    }


def print_rows(rate: float, rows: dict[str, Row]) -> None:
    """Means over the seeds."""
    for name, row in rows.items():
        cells = [f"{rate:.0%}", name, f"{np.mean([s.steps for s in row.starts]):.0f}"]
        for seconds in ("compiling", "cpu", "wall"):
            cells.append(f"{np.mean([getattr(s, seconds) for s in row.starts]):.1f}")
        cells += [f"{accuracy:.1%}" for accuracy in np.mean(row.accuracies, axis=0)]
        print("| " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("cifar", nargs="?", help="a zip of CIFAR-10's training images")
    parser.add_argument("--rates", type=float, nargs="+", default=[0.5, 0.7, 0.85])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--images", type=int, default=512, help="that least squares looks at")
    parser.add_argument("--steps", type=int, default=200, help="of block training")
    parser.add_argument("--set", dest="settings", action="append", default=[])
    options = parser.parse_args()
    overrides = CIFAR | {"data": options.cifar} if options.cifar else {}
    overrides |= dict(setting.split("=", 1) for setting in options.settings)
    root = Path(__file__).parents[1]
    file = "benchmarks/cifar10_small.wz" if options.cifar else "benchmarks/digits.wz"
    space = compile(root / file, overrides=overrides).space
    print("command:", " ".join(["python", *sys.argv]))
    names = ("jax", "flax", "optax", "numpy")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    print(f"machine: {platform.platform()}, Python {platform.python_version()}, {versions}")
    height, width, channels = space.network.input
    found: dict[float, dict[str, Row]] = {rate: {} for rate in options.rates}
    for seed in options.seeds:
        dataset = load(space.data, seed=seed, shape=(height, width, channels))
        assert isinstance(space.teacher, Recipe)
        fresh = initial_weights(space.network, seed)
        teacher = train(space.network, fresh, dataset, space.teacher, space.augment, seed=seed)
        print(f"teacher, seed {seed}: {teacher.accuracy:.1%}", flush=True)
        for rate, rows in found.items():
            bench = Bench(space, dataset, teacher.weights, seed, rate, options.images)
            for name, start in starts(bench, options.steps).items():
                row = rows.setdefault(name, Row())
                row.starts.append(start)
                row.accuracies.append(bench.accuracies(start.weights))
                print(seed, rate, name, row.accuracies[-1], file=sys.stderr, flush=True)
    head = ["rate", "start", "steps", "CPU s to compile", "CPU s", "s"]
    head += [f"after {steps} steps" for steps in FINETUNE]
    print("| " + " | ".join(head) + " |\n|" + " --- |" * len(head))
    for rate, rows in found.items():
        print_rows(rate, rows)


if __name__ == "__main__":
    main()
