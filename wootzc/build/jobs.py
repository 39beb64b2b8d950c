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
from wootzc.backends.flax.train import BlockJob, Progress, evaluate, train, train_blocks
from wootzc.backends.flax.weights import initial_weights
from wootzc.backends.slicing import prune_weights
from wootzc.build.events import Events
from wootzc.build.keys import Keys
from wootzc.build.measured import candidate_work, flight_work
from wootzc.build.store import Done, Store, Weights
from wootzc.build.teacher import read_teacher
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

    @property
    def space(self) -> Space:
        return self.plan.space

    @cached_property
    def keys(self) -> Keys:
        return Keys(self.plan, self.dataset.fingerprint)

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

    def blocks(self, numbers: Sequence[int], teacher: Weights) -> dict[int, Outcome]:
        """These tuning blocks; those the store lacks are trained in one flight."""
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

    def _train_blocks(
        self, numbers: Sequence[int], keys: dict[int, str], teacher: Weights
    ) -> dict[int, Outcome]:
        launched = [
            BlockJob(
                start=self._block(number).start,
                rates=self.keys.block_rates(number),
                weights=self._sliced_block(number, teacher),
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

    def _sliced_block(self, number: int, teacher: Weights) -> Weights:
        block = self._block(number)
        rates = [0.0] * len(self.space.network.modules)
        rates[block.start : block.stop] = self.keys.block_rates(number)
        sliced = prune_weights(
            self.space.network, teacher, tuple(rates), self.space.criteria, seed=self.space.seed
        )
        return weights_of_modules(self.space.network, sliced, block.start, block.stop)

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
    ) -> Outcome:
        """Assemble a candidate and fine-tune it until `target` or the end of its recipe."""

        def make() -> tuple[dict[str, Any], Weights]:
            network, weights = self.assemble(candidate, teacher, blocks)
            start = evaluate(network, weights, self.dataset.validation)
            trained = train(
                network,
                weights,
                self.dataset,
                self.space.finetune,
                self.space.augment,
                seed=self.space.seed,
                target=target,
                teacher=(self.space.network, teacher) if self.space.finetune.distill else None,
                progress=self._progress("candidate"),
            )
            work = list(candidate_work(self.plan, candidate, trained.steps))
            result = {"start_accuracy": start, "work": work, **_measurements(trained)}
            return result, trained.weights

        name = " ".join(f"{rate:.4g}" for rate in self.keys.rates(candidate))
        return self._run("candidate", name, self.keys.candidate(candidate, target), make)

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
    ) -> Outcome:
        with self.store.locked([key], self._waiting):
            if done := self.store.find(key):
                self.events.emit(f"{kind}_reused", name=name, **_short(done.result))
                return Outcome(done=done, reused=True)
            self.events.emit(f"{kind}_started", name=name)
            started = time.perf_counter()
            result, weights = make()
            seconds = time.perf_counter() - started
            done = self.store.finish(key, kind, name, result, seconds, weights)
            self.events.emit(f"{kind}_finished", name=name, seconds=seconds, **_short(result))
            return Outcome(done=done, reused=False)

    def _progress(self, stage: str) -> Callable[[Progress], None]:
        def report(progress: Progress) -> None:
            self.events.emit("progress", stage=stage, **asdict(progress))

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
