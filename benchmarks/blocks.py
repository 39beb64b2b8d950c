"""Block training by how much of the teacher's work is shared: the same blocks, the same weights.

    python benchmarks/blocks.py [benchmarks/digits.wz] [--steps 100] [--times 3]
    python benchmarks/blocks.py benchmarks/cifar10_small.wz --data cifar10-train.zip

naive    every block has a teacher pass of its own at every step
grouped  as in the paper: blocks that do not overlap share passes, groups by first fit
one      one pass at every step for all blocks
kept     as `one`, but the teacher's activations are kept: one pass over the images in all
limit    the blocks' own steps alone, fed with a batch that is always the same

After a run that compiles everything, the methods run in turn in one process, `--times` times; the
least seconds of each are told. CPU seconds are those of all cores: they depend little on what else
the machine does. MACs are counted by `wootzc/builder/jobs/cohorts.py`, a backward pass as two
forward ones. Augmentation is left out, for with it nothing can be kept. The teacher learns for 100
steps.
"""

import argparse
import platform
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from wootzc.backends.data import Dataset, load
from wootzc.backends.flax.train.blocks import BlockJob, TrainedBlock, train_blocks
from wootzc.backends.flax.train.boundary_activations import Activations, Room, Teacher
from wootzc.backends.flax.train.train import train
from wootzc.backends.weights.parameters import Weights
from wootzc.backends.weights.slicing import Pruner
from wootzc.backends.weights.stored import initial_weights
from wootzc.builder.jobs.cohorts import Passes, ends_of, own_work, teacher_passes
from wootzc.driver import compile
from wootzc.ir.plan import Block, Plan
from wootzc.ir.space.recipe import Recipe

PLENTY = 10**11  # bytes
Cohort = Sequence[int]  # numbers of blocks


class Ready(Activations):
    """Hands out the first batch, again and again."""

    def feed(
        self, teacher: Teacher, wanted: Collection[int], order: Iterable[int]
    ) -> Iterator[dict[int, Any]]:
        if not self.held:  # yet to be filled
            yield from super().feed(teacher, wanted, order)
            return
        (found,) = super().feed(teacher, wanted, [0])
        yield from (found for _ in order)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    plan: Plan
    dataset: Dataset
    teacher: Weights
    jobs: tuple[BlockJob, ...]

    def fly(self, cohorts: Sequence[Cohort], kept: Activations | None = None) -> list[TrainedBlock]:
        """All blocks, by number."""
        space = self.plan.space
        found: dict[int, TrainedBlock] = {}
        for cohort in cohorts:
            trained = train_blocks(
                space.network,
                self.teacher,
                [self.jobs[number] for number in cohort],
                self.dataset,
                space.pretrain,
                seed=space.seed,
                activations=kept,
            )
            found |= dict(zip(cohort, trained, strict=True))
        return [found[number] for number in range(len(self.jobs))]

    def room(self, kind: type[Activations] = Activations) -> Activations:
        space = self.plan.space
        room = Room(memory=PLENTY)
        return kind(space.network, self.dataset.train, space.pretrain, space.seed, room)


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    name: str
    run: Callable[[], list[TrainedBlock] | None]
    teacher_macs: float
    passes: float  # of the teacher, beginnings of it counted by their MACs


def first_fit(blocks: Sequence[Block]) -> list[list[int]]:
    """Groups of blocks that do not overlap: each block joins the first group it fits in."""
    groups: list[list[int]] = []
    for number, block in enumerate(blocks):
        for group in groups:
            if all(
                b.stop <= block.start or block.stop <= b.start
                for b in map(blocks.__getitem__, group)
            ):
                group.append(number)
                break
        else:
            groups.append([number])
    return groups


def prepared(options: argparse.Namespace) -> Bench:
    overrides = {"pretrain.steps": str(options.steps)}
    overrides |= dict(setting.split("=", 1) for setting in options.settings)
    if options.data:
        overrides["data"] = options.data
    plan = compile(options.source, overrides=overrides)
    space = plan.space
    assert plan.blocks is not None
    height, width, channels = space.network.input
    dataset = load(space.data, seed=space.seed, shape=(height, width, channels))
    start = initial_weights(space.network, seed=space.seed)
    assert isinstance(space.teacher, Recipe)
    recipe = replace(space.teacher, steps=100, every=100)
    teacher = train(space.network, start, dataset, recipe, seed=space.seed).weights
    jobs = []
    for block in plan.blocks:
        rates = tuple(space.rates[rate] for rate in block.rates)
        own = Pruner(space.network, teacher, space.criteria).prune_run(block.start, rates)
        jobs.append(BlockJob(start=block.start, rates=rates, weights=own))
    return Bench(plan=plan, dataset=dataset, teacher=teacher, jobs=tuple(jobs))


def methods(bench: Bench) -> list[Method]:
    blocks = bench.plan.blocks
    assert blocks is not None
    everyone = [list(range(len(blocks)))]
    ready = bench.room(Ready)
    passes = teacher_passes(bench.plan, ready.seen)
    whole = passes.work(frozenset({len(passes.segments)})).macs / passes.steps

    def method(
        name: str, cohorts: Sequence[Cohort], passes: Passes, run: Callable[[], Any]
    ) -> Method:
        macs = sum(
            passes.work(frozenset().union(*(ends_of(bench.plan, n) for n in cohort))).macs
            for cohort in cohorts
        )
        return Method(name=name, run=run, teacher_macs=macs, passes=macs / whole)

    anywhere = frozenset(range(1, len(passes.segments) + 1))
    alone, groups = [[number] for number in everyone[0]], first_fit(blocks)
    return [
        method("naive", alone, passes, lambda: bench.fly(alone)),
        method("grouped", groups, passes, lambda: bench.fly(groups)),
        method("one", everyone, passes, lambda: bench.fly(everyone)),
        method(
            "kept", everyone, replace(passes, fitting=anywhere),
            lambda: bench.fly(everyone, bench.room()),
        ),
        method(
            "limit", everyone, replace(passes, held=anywhere),
            lambda: bench.fly(everyone, ready),
        ),
    ]  # fmt: skip


def equal(some: list[TrainedBlock], others: list[TrainedBlock]) -> bool:
    return all(
        np.array_equal(value, other.weights[name])
        for one, other in zip(some, others, strict=True)
        for name, value in one.weights.items()
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("source", type=Path, nargs="?", default=Path("benchmarks/digits.wz"))
    parser.add_argument("--data", help="in place of the file's")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--set", dest="settings", action="append", default=[])
    options = parser.parse_args()
    bench = prepared(options)
    print("command:", " ".join(["python", *sys.argv]))
    print(f"machine: {platform.machine()}, Python {platform.python_version()}", end="")
    print("".join(f", {name} {version(name)}" for name in ("jax", "flax", "numpy")))
    recipe, train = bench.plan.space.pretrain, bench.dataset.train
    print(
        f"{len(bench.jobs)} blocks of {len(bench.plan.space.network.modules)} modules, "
        f"{recipe.steps} steps of {recipe.batch} images, {len(train):,} images",
        flush=True,
    )
    all_methods = methods(bench)
    expected = all_methods[2].run()  # compiles everything
    all_methods[-1].run()
    assert expected is not None
    seconds: dict[str, list[tuple[float, float]]] = {one.name: [] for one in all_methods}
    same = all(one.finite for one in expected)
    for _ in range(options.times):
        for one in all_methods:
            wall, cpu = time.perf_counter(), time.process_time()
            found = one.run()
            seconds[one.name].append((time.process_time() - cpu, time.perf_counter() - wall))
            if one.name != "limit":
                assert found is not None
                same &= equal(found, expected)
    own = sum(own_work(bench.plan, number).macs for number in range(len(bench.jobs)))
    print(f"all methods trained the same weights: {'yes' if same else 'NO'}\n")
    columns = ["method", "teacher passes", "GMACs", "CPU s", "wall s", "naive / it", "it / limit"]
    print("| " + " | ".join(columns) + " |\n|" + " --- |" * len(columns))
    least = {name: tuple(map(min, zip(*some, strict=True))) for name, some in seconds.items()}
    for one in all_methods:
        cpu, wall = least[one.name]
        cells = [
            one.name,
            f"{one.passes:,.0f}",
            f"{(one.teacher_macs + own) / 1e9:,.0f}",
            f"{cpu:.1f}",
            f"{wall:.1f}",
            f"{least['naive'][0] / cpu:.2f}",
            f"{cpu / least['limit'][0]:.2f}",
        ]
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
