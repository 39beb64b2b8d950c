"""The jobs of a build: teacher → blocks → candidates → test. Each is found in the store or run.

`keys.py` says what each of them depends on, so that editing a space retrains only what the edit
touches.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from wootzc.backends.data import Dataset
from wootzc.backends.flax.parallel import Devices, Parallel, candidate_groups
from wootzc.backends.flax.train import BlockJob, Progress, evaluate, train, train_blocks
from wootzc.backends.flax.weights import initial_weights
from wootzc.backends.slicing import prune_weights
from wootzc.build.at_once import at_once
from wootzc.build.events import Events
from wootzc.build.futility import Floors
from wootzc.build.keys import Keys
from wootzc.build.measured import candidate_work, flight_work
from wootzc.build.store import Done, Store, Weights
from wootzc.build.teacher import read_teacher
from wootzc.build.variants import Variants
from wootzc.diagnostics import fail
from wootzc.ir.network import Network, module_positions
from wootzc.ir.plan import Block, Plan
from wootzc.ir.prune import prune_network
from wootzc.ir.recipe import Recipe
from wootzc.ir.space import Space


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A job's result, and whether the store had it already."""

    done: Done
    reused: bool

    @property
    def weights(self) -> Weights:
        assert self.done.weights is not None, "this job makes weights"
        return self.done.weights


@dataclass(frozen=True)
class Jobs:
    """Everything the jobs of one build share."""

    plan: Plan
    dataset: Dataset
    store: Store
    events: Events
    parallel: Parallel = "auto"

    @property
    def space(self) -> Space:
        return self.plan.space

    @cached_property
    def keys(self) -> Keys:
        return Keys(self.plan, self.dataset.fingerprint)

    @cached_property
    def groups(self) -> tuple[Devices, ...]:
        """The devices of each candidate that is fine-tuned beside others."""
        order = self.plan.exploration_order
        candidates = 1 if order is None else len(order)
        return candidate_groups(self.parallel, self.space.finetune.batch, candidates)

    @cached_property
    def variants(self) -> Variants:
        return Variants(self.plan, self.dataset, self.store, self.events, self.keys, self._waiting)

    # Teacher

    def teacher(self) -> Outcome:
        """The full network, trained by its recipe or read from its file."""

        def make() -> tuple[dict[str, Any], Weights]:
            source = self.space.teacher
            if isinstance(source, Recipe):
                return self._train_teacher(self._initial(), source)
            path = Path(source.path)
            if source.recipe is None:
                weights = read_teacher(path, self.space.network)
                accuracy = evaluate(self.space.network, weights, self.dataset.validation)
                return {"accuracy": accuracy, "steps": 0, "reason": "file"}, weights
            given = read_teacher(path, self.space.network, new_head=True)
            return self._train_teacher(self._initial() | given, source.recipe)

        outcome = self._run("teacher", "teacher", self.keys.teacher, make)
        if outcome.done.result["reason"] == "diverged":
            raise fail(
                "WZ148",
                "the teacher's training diverged: its loss is no number any more",
                "lower its learning rate, or add `clip 1.0` to its recipe",
            )
        chance = 1 / len(self.dataset.classes)
        if outcome.done.result["accuracy"] < 1.5 * chance:
            self.events.emit(
                "warning",
                message=f"the teacher is hardly better than chance ({chance:.1%}); "
                "what is pruned from it means little",
            )
        return outcome

    def _initial(self) -> Weights:
        return initial_weights(self.space.network, self.space.seed)

    def _train_teacher(self, weights: Weights, recipe: Recipe) -> tuple[dict[str, Any], Weights]:
        trained = train(
            self.space.network,
            weights,
            self.dataset,
            recipe,
            self.space.augment,
            seed=self.space.seed,
            progress=self._progress("teacher"),
        )
        return _measurements(trained), trained.weights

    # Blocks

    def blocks(
        self,
        numbers: Sequence[int],
        teacher: Weights,
        likely: Sequence[tuple[int, float]] = (),
    ) -> dict[int, Outcome]:
        """These tuning blocks; those the store lacks are trained in one flight."""
        if not self.space.pretrain.steps:
            return {number: self._refitted_block(number, teacher) for number in numbers}
        found: dict[int, Outcome] = {}
        keys = {number: self.keys.block(number) for number in numbers}
        with self.store.locked(list(keys.values()), self._waiting):
            for number, key in keys.items():
                if done := self.store.find(key):
                    found[number] = Outcome(done=done, reused=True)
            missing = [number for number in numbers if number not in found]
            if missing:
                self.events.emit("blocks_started", blocks=missing)
                found |= self._train_blocks(missing, keys, teacher)
        return found

    def _refitted_block(self, number: int, teacher: Weights) -> Outcome:
        """A block that takes no steps: its variants as least squares leaves them, kept as those."""
        weights = self._initial_block(number, teacher)
        result = {"loss_first": None, "loss_last": None, "steps": 0}
        done = Done(key=self.keys.block(number), result=result, seconds=0.0, weights=weights)
        return Outcome(done=done, reused=False)

    def _train_blocks(
        self, numbers: Sequence[int], keys: dict[int, str], teacher: Weights
    ) -> dict[int, Outcome]:
        launched = [
            BlockJob(
                start=self._block(number).start,
                rates=self.keys.block_rates(number),
                weights=self._initial_block(number, teacher),
            )
            for number in numbers
        ]
        trained = train_blocks(
            self.space.network,
            teacher,
            launched,
            self.dataset,
            self.space.pretrain,
            self.space.augment,
            seed=self.space.seed,
            progress=self._progress("blocks"),
        )
        outcomes = {}
        work = flight_work(self.plan, numbers).times(1 / len(numbers))  # even shares, as seconds
        for number, one in zip(numbers, trained, strict=True):
            result = {
                "loss_first": one.loss_first,
                "loss_last": one.loss_last,
                "steps": one.steps,
                "finite": one.finite,
                "work": list(work),
            }
            name = self.block_name(number)
            done = self.store.finish(keys[number], "block", name, result, one.seconds, one.weights)
            self.events.emit(
                "block_finished", block=number, name=name, seconds=one.seconds, **result
            )
            if not one.finite:
                self.events.emit(
                    "warning",
                    message=f"block {name} diverged; inherited weights stand in for it. "
                    "Lower the learning rate of `pretrain`",
                )
            outcomes[number] = Outcome(done=done, reused=False)
        return outcomes

    def block_name(self, number: int) -> str:
        """`a1(50%) a2(30%)`: the modules of a block with their rates."""
        block = self._block(number)
        modules = self.space.network.modules[block.start : block.stop]
        rates = self.keys.block_rates(number)
        return " ".join(f"{m.name}({r:.4g})" for m, r in zip(modules, rates, strict=True))

    def _block(self, number: int) -> Block:
        assert self.plan.blocks is not None
        return self.plan.blocks[number]

    def _initial_block(self, number: int, teacher: Weights) -> Weights:
        """What a block starts from: the surviving weights, refitted if the recipe says so."""
        block, block_rates = self._block(number), self.keys.block_rates(number)
        rates = [0.0] * len(self.space.network.modules)
        rates[block.start : block.stop] = block_rates
        sliced = prune_weights(
            self.space.network, teacher, tuple(rates), self.space.criteria, seed=self.space.seed
        )
        weights = weights_of_modules(self.space.network, sliced, block.start, block.stop)
        if self.space.pretrain.reconstruct:
            pruned = [(block.start + i, rate) for i, rate in enumerate(block_rates) if rate]
            for refitted in self.variants.refitted(pruned, teacher).values():
                weights |= refitted
        return weights

    # Candidates

    def assemble(
        self, candidate: int, teacher: Weights, blocks: dict[int, Outcome]
    ) -> tuple[Network, Weights]:
        """The pruned network: teacher weights, sliced, with its blocks' weights put in."""
        rates = self.keys.rates(candidate)
        weights = prune_weights(
            self.space.network, teacher, rates, self.space.criteria, seed=self.space.seed
        )
        for number in self.keys.blocks_of(candidate):
            weights |= blocks[number].weights
        return prune_network(self.space.network, rates), weights

    def candidate(
        self,
        candidate: int,
        teacher: Weights,
        blocks: dict[int, Outcome],
        target: float | None,
        floors: Floors = (),
        *,
        devices: Devices | None = None,
        dataset: Dataset | None = None,
    ) -> Outcome:
        """Assemble a candidate and fine-tune it until `target` or the end of its recipe.

        `floors`: (step, accuracy) of looks below which it is given up. `devices`, `dataset`: where
        it runs, and its own view of the images, beside other candidates.
        """
        devices, dataset = devices or self.groups[0], dataset or self.dataset

        def make() -> tuple[dict[str, Any], Weights]:
            network, weights = self.assemble(candidate, teacher, blocks)
            trained = train(
                network,
                weights,
                dataset,
                self.space.finetune,
                self.space.augment,
                seed=self.space.seed,
                target=target,
                floors=floors,
                teacher=(self.space.network, teacher) if self.space.finetune.distill else None,
                progress=self._progress("candidate", candidate=candidate),
                devices=devices,
            )
            work = list(candidate_work(self.plan, candidate, trained.steps))
            start = trained.history[0].accuracy  # the look before the first step
            result = {"start_accuracy": start, "work": work, **_measurements(trained)}
            return result, trained.weights

        name = " ".join(f"{rate:.4g}" for rate in self.keys.rates(candidate))
        key = self.keys.candidate(candidate, target, floors)
        return self._run("candidate", name, key, make, candidate=candidate)

    @property
    def width(self) -> int:
        """How many candidates are fine-tuned side by side."""
        return len(self.groups)

    def candidates(
        self,
        numbers: Sequence[int],
        teacher: Weights,
        blocks: dict[int, Outcome],
        target: float | None,
        floors: Floors = (),
    ) -> list[Outcome]:
        """Several candidates, in the order they were asked for; `width` of them at once.

        What comes of a candidate does not depend on those beside it.
        """
        if min(len(numbers), self.width) < 2:
            return [self.candidate(number, teacher, blocks, target, floors) for number in numbers]

        def fine_tune(number: int, devices: Devices, dataset: Dataset) -> Outcome:
            return self.candidate(
                number, teacher, blocks, target, floors, devices=devices, dataset=dataset
            )

        return at_once(fine_tune, numbers, self.groups, self.dataset, self.events)

    # Test

    def test(self, of: str, network: Network, weights: Weights) -> float:
        """Accuracy on the test split: read once per final network, never by the search."""

        def make() -> tuple[dict[str, Any], None]:
            return {"accuracy": evaluate(network, weights, self.dataset.test)}, None

        name = "teacher" if of == self.keys.teacher else "best"
        outcome = self._run("test", name, self.keys.test(of), make)
        return float(outcome.done.result["accuracy"])

    # Shared

    def _run(
        self,
        kind: str,
        name: str,
        key: str,
        make: Callable[[], tuple[dict[str, Any], Weights | None]],
        **about: Any,  # fields of its events
    ) -> Outcome:
        with self.store.locked([key], self._waiting):
            if done := self.store.find(key):
                self.events.emit(f"{kind}_reused", name=name, **about, **_short(done.result))
                return Outcome(done=done, reused=True)
            self.events.emit(f"{kind}_started", name=name, **about)
            started = time.perf_counter()
            result, weights = make()
            seconds = time.perf_counter() - started
            done = self.store.finish(key, kind, name, result, seconds, weights)
            said = {"name": name, "seconds": seconds, **about, **_short(result)}
            self.events.emit(f"{kind}_finished", **said)
            return Outcome(done=done, reused=False)

    def _progress(self, stage: str, **about: Any) -> Callable[[Progress], None]:
        def report(progress: Progress) -> None:
            self.events.emit("progress", stage=stage, **about, **asdict(progress))

        return report

    def _waiting(self) -> None:
        self.events.emit("waiting", message="another build on this store is doing this job")


def weights_of_modules(network: Network, weights: Weights, start: int, stop: int) -> Weights:
    """The weights of modules [start, stop)."""
    positions = module_positions(network)[start:stop]
    names = {network.segments[position].name for position in positions}
    return {key: value for key, value in weights.items() if key.split("/", 1)[0] in names}


def _measurements(trained: Any) -> dict[str, Any]:
    return {
        "accuracy": trained.accuracy,
        "steps": trained.steps,
        "reason": trained.reason,
        "history": [asdict(look) for look in trained.history],
    }


def _short(result: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in result.items() if key != "history"}
