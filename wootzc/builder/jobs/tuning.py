"""The jobs that train tuning blocks, cohort by cohort."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

from wootzc.backends.flax.train.batches import Progress
from wootzc.backends.flax.train.blocks import BlockJob, train_blocks
from wootzc.backends.flax.train.paused import Paused
from wootzc.backends.weights.slicing import Variant
from wootzc.builder.jobs.capacity import Capacity
from wootzc.builder.jobs.checkpoints import Checkpoint, Keeper
from wootzc.builder.jobs.cohorts import cohort_work
from wootzc.builder.jobs.context import Context
from wootzc.builder.jobs.events import BlocksStarted, BlockTrained, Progressed, Resumed, Warned
from wootzc.builder.jobs.gradients import pruner_of, saliencies
from wootzc.builder.jobs.pauses import checkpoint, paused
from wootzc.builder.jobs.store import Done, Outcome, Weights
from wootzc.builder.jobs.variant_jobs import Variants
from wootzc.ir.net.rate import short
from wootzc.ir.plan import Block
from wootzc.ir.space import Space


@dataclass(frozen=True)
class Tuning:
    """The tuning blocks of one plan over one data set."""

    context: Context
    variants: Variants

    @property
    def space(self) -> Space:
        return self.context.space

    @cached_property
    def capacity(self) -> Capacity:
        return Capacity(self.context)

    def blocks(self, numbers: Sequence[int], teacher: Weights) -> dict[int, Outcome]:
        """These blocks; those the store lacks are trained."""
        if not self.space.pretrain.steps:
            self._refit(numbers, teacher)
            return {number: self._refitted_block(number, teacher) for number in numbers}
        keys = {number: self.context.keys.block(number) for number in numbers}
        with self.context.store.locked(list(keys.values()), self.context.waiting):
            stored = self.context.store.all_found(keys)
            found = {number: Outcome(done=done, reused=True) for number, done in stored.items()}
            if missing := [number for number in keys if number not in found]:
                self._refit(missing, teacher)
                cohorts = self.capacity.cohorts(missing)
                for cohort in (some for one in cohorts for some in self._equally_far(one, keys)):
                    self.context.events.emit(BlocksStarted(blocks=[*cohort]))
                    found |= self._train(cohort, keys, teacher)
        return found

    def _equally_far(
        self, cohort: Sequence[int], keys: dict[int, str]
    ) -> list[dict[int, Checkpoint | None]]:
        """The blocks of a cohort with their checkpoints, those apart that are at other steps.

        Hardly ever several: only a kill between two files of one cohort leaves them so.
        """
        groups: dict[int, dict[int, Checkpoint | None]] = {}
        for number in cohort:
            before = self.context.store.checkpoints.find(keys[number])
            step = 0 if before is None else int(before.result["steps"])
            groups.setdefault(step, {})[number] = before
        return list(groups.values())

    def name(self, number: int) -> str:
        """`a1(50%) a2(30%)`: the modules of a block with their rates."""
        block = self._block(number)
        modules = self.space.network.modules[block.start : block.stop]
        rates = self.context.keys.block_rates(number)
        return " ".join(f"{m.name}({short(r)})" for m, r in zip(modules, rates, strict=True))

    def _train(
        self, cohort: dict[int, Checkpoint | None], keys: dict[int, str], teacher: Weights
    ) -> dict[int, Outcome]:
        """One cohort: blocks, all at their start or at equally far checkpoints."""
        numbers = [*cohort]
        launched = [
            BlockJob(
                start=self._block(number).start,
                rates=self.context.keys.block_rates(number),
                weights=self._initial(number, teacher),
                paused=None if before is None else paused(before.result, before.arrays),
            )
            for number, before in cohort.items()
        ]
        if step := launched[0].done:
            told = Resumed(stage="blocks", step=step, steps=self.space.pretrain.steps)
            self.context.events.emit(told)
        passes = self.capacity.passes
        spent = {n: 0.0 if before is None else before.seconds for n, before in cohort.items()}
        checkpoints = self.context.store.checkpoints

        def write(standing: list[Paused], seconds: float) -> None:
            for number, one in zip(numbers, standing, strict=True):
                there = checkpoint(one, spent[number] + seconds / len(numbers))
                checkpoints.write(keys[number], there)

        with Keeper(write=write) as keep:
            trained = train_blocks(
                self.space.network,
                teacher,
                launched,
                self.context.dataset,
                self.space.pretrain,
                self.space.augment,
                seed=self.space.seed,
                progress=self._progress,
                keep=keep,
                activations=self.capacity.activations,
                saliencies=saliencies(self.context, teacher),
            )
        self.capacity.tell(passes.held)
        passes = replace(passes, fitting=self.capacity.passes.held)
        work = cohort_work(self.context.plan, numbers, passes).times(1 / len(numbers))  # as seconds
        outcomes = {}
        for number, one in zip(numbers, trained, strict=True):
            name, seconds = self.name(number), spent[number] + one.seconds
            figures: dict[str, Any] = {
                "loss_first": one.loss_first,
                "loss_last": one.loss_last,
                "steps": one.steps,
                "finite": one.finite,
            }
            result = figures | {"work": list(work)}
            done = self.context.store.finish(
                keys[number], "block", name, result, seconds, one.weights
            )
            trained_block = BlockTrained(block=number, name=name, seconds=seconds, **figures)
            self.context.events.emit(trained_block)
            if not one.finite:
                message = (
                    f"block {name} diverged; inherited weights stand in for it. "
                    "Lower the learning rate of `pretrain`"
                )
                self.context.events.emit(Warned(message=message))
            outcomes[number] = Outcome(done=done, reused=False)
        return outcomes

    def _refitted_block(self, number: int, teacher: Weights) -> Outcome:
        """A block that takes no steps: its variants as least squares leaves them, kept as those."""
        weights = self._initial(number, teacher)
        result = {"loss_first": None, "loss_last": None, "steps": 0}
        done = Done(
            key=self.context.keys.block(number), result=result, seconds=0.0, weights=weights
        )
        return Outcome(done=done, reused=False)

    def _refit(self, numbers: Sequence[int], teacher: Weights) -> None:
        """Refit all variants of these blocks in one sweep, if the recipe says so."""
        if self.space.pretrain.reconstruct:
            variants = {one for number in numbers for one in self._pruned(number)}
            self.variants.refitted(sorted(variants), teacher)

    def _initial(self, number: int, teacher: Weights) -> Weights:
        """What a block starts from: the surviving weights, refitted if the recipe says so."""
        start, rates = self._block(number).start, self.context.keys.block_rates(number)
        weights = pruner_of(self.context, teacher).prune_run(start, rates)
        if self.space.pretrain.reconstruct:
            for refitted in self.variants.refitted(self._pruned(number), teacher).values():
                weights |= refitted
        return weights

    def _pruned(self, number: int) -> list[Variant]:
        start, rates = self._block(number).start, self.context.keys.block_rates(number)
        return [(module, rate) for module, rate in enumerate(rates, start) if rate]

    def _block(self, number: int) -> Block:
        return self.context.plan.blocks[number]

    def _progress(self, progress: Progress) -> None:
        self.context.events.emit(Progressed(stage="blocks", **asdict(progress)))
