"""The jobs of a build: teacher → blocks → candidates → test. Each is found in the store or run.

`keys.py` says what each of them depends on, so that editing a space retrains only what the edit
touches.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from wootzc.backends.bits import packed
from wootzc.backends.flax.device.parallel import Devices, candidate_groups, training_devices
from wootzc.backends.flax.train.evaluation import batch_for, labelled_right, predict, tested
from wootzc.backends.flax.train.norm_statistics import with_measured_norms
from wootzc.backends.flax.train.paused import Look
from wootzc.backends.weights.slicing import Pruner
from wootzc.backends.weights.stored import initial_weights
from wootzc.builder.jobs.at_once import Here, Local, Share, Workers
from wootzc.builder.jobs.checkpoints import Checkpoint
from wootzc.builder.jobs.gradients import pruner_of
from wootzc.builder.jobs.measured import candidate_work
from wootzc.builder.jobs.pauses import kept, passed, paused
from wootzc.builder.jobs.running import Running, measurements
from wootzc.builder.jobs.store import Outcome, Weights
from wootzc.builder.jobs.teacher import read_teacher, teacher_hash
from wootzc.builder.jobs.tuning import Tuning
from wootzc.builder.jobs.variant_jobs import Variants
from wootzc.builder.jobs.within import within
from wootzc.diagnostics import fail
from wootzc.ir.net.network import Network
from wootzc.ir.net.prune import prune_network
from wootzc.ir.net.rate import short
from wootzc.ir.space.recipe import Recipe


class Begun(NamedTuple):
    """What `Jobs.candidate` is told of one that is begun beside others."""

    number: int
    teacher: Weights
    blocks: dict[int, Outcome]
    target: float | None
    stop: int | None
    earlier: Outcome | None


@dataclass(frozen=True)
class Jobs(Running):
    """The jobs of one build."""

    @cached_property
    def groups(self) -> tuple[Devices, ...]:
        """The devices of each candidate that is fine-tuned beside others."""
        order = self.plan.exploration_order
        candidates = 1 if order is None else len(order)
        return candidate_groups(self.parallel, self.space.finetune.batch, candidates)

    @cached_property
    def variants(self) -> Variants:
        return Variants(self)

    @cached_property
    def tuning(self) -> Tuning:
        return Tuning(self, self.variants)

    def close(self) -> None:
        """Let go of the memory and the files that training blocks takes."""
        self.tuning.capacity.close()

    # Teacher

    def teacher(self) -> Outcome:
        """The full network, trained by its recipe or read from its file."""

        def make(before: Checkpoint | None) -> tuple[dict[str, Any], Weights]:
            source = self.space.teacher
            if isinstance(source, Recipe):
                return self._train_teacher(self._initial(), source, before)
            path = Path(source.path)
            given = read_teacher(path, self.space.network, new_head=source.recipe is not None)
            if teacher_hash(path) != self.keys.file:
                raise fail(
                    "WZ299",
                    f"the teacher's weights {path} have changed since the build began",
                    "run the same command again",
                )
            weights = with_measured_norms(
                self.space.network,
                self._initial() | given,
                self.dataset.train,
                seed=self.space.seed,
            )
            if source.recipe is None:
                self._check_outputs(weights)
                right = labelled_right(self.space.network, weights, self.dataset.validation)
                accuracy = float(right.mean())
                look = Look(step=0, loss=None, accuracy=accuracy, right=packed(right))
                result = {"accuracy": accuracy, "steps": 0, "reason": "file"}
                return {**result, "history": [asdict(look)]}, weights
            return self._train_teacher(weights, source.recipe, before)

        outcome = self.run("teacher", "teacher", self.keys.teacher, make)
        if outcome.done.result["reason"] == "diverged":
            raise fail(
                "WZ148",
                "the teacher's training diverged: its loss is no number any more",
                "lower its learning rate, or add `clip 1.0` to its recipe",
                self.space.at("teacher"),
            )
        return outcome

    def _initial(self) -> Weights:
        return initial_weights(self.space.network, self.space.seed)

    def _check_outputs(self, weights: Weights) -> None:
        """Nothing is searched with a network that gives no numbers. Compiles nothing more."""
        part = self.dataset.validation
        size = batch_for(len(part))
        first = part.batch(np.arange(min(size, len(part))))
        if not np.isfinite(predict(self.space.network, weights, first.images, size)).all():
            raise fail(
                "WZ260",
                f"network {self.space.network.name} gives NaN or infinite scores for the first "
                "validation images",
                "its weights, or the way in which `data` normalises images, are not those it was "
                "trained with",
                self.space.at("data"),
            )

    def _train_teacher(
        self, weights: Weights, recipe: Recipe, before: Checkpoint | None
    ) -> tuple[dict[str, Any], Weights]:
        self._check_outputs(weights)
        trained = self.train(
            "teacher", self.keys.teacher, self.space.network, weights, recipe, before
        )
        return measurements(trained), trained.weights

    # Blocks

    def blocks(self, numbers: Sequence[int], teacher: Weights) -> dict[int, Outcome]:
        """These tuning blocks."""
        return self.tuning.blocks(numbers, teacher)

    # Candidates

    def assemble(
        self, candidate: int, pruner: Pruner, blocks: dict[int, Outcome]
    ) -> tuple[Network, Weights]:
        """The pruned network: teacher weights, sliced, with its blocks' weights put in."""
        rates = self.keys.rates(candidate)
        weights = pruner.prune(rates)
        for number in self.keys.blocks_of(candidate):
            weights |= blocks[number].weights
        return prune_network(self.space.network, rates), weights

    def candidate(
        self,
        candidate: int,
        teacher: Weights,
        blocks: dict[int, Outcome],
        target: float | None,
        stop: int | None = None,
        earlier: Outcome | None = None,
        share: Share | None = None,
    ) -> Outcome:
        """Assemble a candidate and fine-tune it until `target` or the end of its recipe.

        `stop`: the step at which it is paused; `earlier`: where it was paused before, and goes on.
        At step 0 it is only looked at: nothing is kept, and it begins as if it had not been.
        `share`: what it works with beside other candidates.
        """
        own = share or Share(devices=self.groups[0], dataset=self.dataset)
        key = self.keys.candidate(candidate, target, stop, passed(earlier, target))

        def make(before: Checkpoint | None) -> tuple[dict[str, Any], Weights | None]:
            pruner = pruner_of(self, teacher)
            network, weights = self.assemble(candidate, pruner, blocks)
            rung = None
            if earlier is not None:
                rung = paused(earlier.done.result, self.recalled(earlier).weights)
            rates = self.keys.rates(candidate)
            full = within(self.plan, rates, pruner, own.devices)
            trained = self.train(
                "candidate",
                key,
                network,
                weights,
                self.space.finetune,
                before,
                candidate=candidate,
                target=target,
                stop=stop,
                earlier=rung,
                teacher=teacher,
                share=own,
                within=full,
            )
            begun = 0 if earlier is None else int(earlier.done.result["steps"])
            steps, wide = trained.steps - begun, full is not None
            work = list(candidate_work(self.plan, candidate, steps, full_width=wide))
            start = trained.history[0].accuracy  # the look before the first step
            result = {"start_accuracy": start, "begun": begun, "asked": target, "work": work}
            result |= measurements(trained)
            if stop == 0 and trained.reason == "paused":  # was looked at; it begins anew
                return result, None
            return result, kept(trained.weights, trained.state)

        name = " ".join(map(short, self.keys.rates(candidate)))
        return self.run("candidate", name, key, make, own.check, candidate=candidate)

    def look_at(
        self, candidates: Sequence[int], teacher: Weights, blocks: dict[int, Outcome]
    ) -> list[Outcome]:
        """Assemble candidates and evaluate them: nothing is kept but how accurate each is."""
        looks = self.begin(candidates, teacher, blocks, None, dict.fromkeys(candidates, 0))
        return self.workers.results(looks)

    @cached_property
    def workers(self) -> Workers[Any, Any]:
        """Where candidates are fine-tuned."""
        several = len(self.groups) > 1
        return (Local if several else Here)(self.groups, self.dataset, self.events)

    @property
    def width(self) -> int:
        """How many candidates are fine-tuned side by side."""
        return self.workers.width

    @property
    def apart(self) -> bool:
        """Whether other jobs, and other candidates, run on other devices than a candidate."""
        return False

    def begin(
        self,
        numbers: Sequence[int],
        teacher: Weights,
        blocks: dict[int, Outcome],
        target: float | None,
        stops: Mapping[int, int] = MappingProxyType({}),  # of those that are to be paused
        earlier: Mapping[int, Outcome] = MappingProxyType({}),  # of those that were
    ) -> list[Future[Outcome]]:
        """Several candidates, in the order they were asked for; `width` of them at once.

        What comes of a candidate does not depend on those beside it.
        """
        return [
            self._begun(
                Begun(number, teacher, blocks, target, stops.get(number), earlier.get(number))
            )
            for number in numbers
        ]

    def _begun(self, one: Begun) -> Future[Outcome]:
        return self.workers.submit(lambda share: self.candidate(*one, share))

    def outcome(self, candidate: Future[Outcome]) -> Outcome:
        """What comes of one that was begun, as soon as it is there."""
        return self.workers.results([candidate])[0]

    def stop(self) -> None:
        """Drop the candidates that were begun."""
        self.workers.stop()

    # Polishing

    def begin_polish(
        self, of: str, candidate: int, weights: Weights, teacher: Weights
    ) -> Future[Outcome]:
        """As `polish`, beside other jobs where there are workers for it; here before it returns."""
        future: Future[Outcome] = Future()
        future.set_result(self.polish(of, candidate, weights, teacher))  # it raises here
        return future

    def polish(self, of: str, candidate: int, weights: Weights, teacher: Weights) -> Outcome:
        """Train a candidate on, as the space says. `of`: the key of the job that made it."""
        recipe = self.space.polish
        assert recipe is not None
        rates = self.keys.rates(candidate)
        network = prune_network(self.space.network, rates)
        own = Share(devices=training_devices(recipe.batch), dataset=self.dataset)
        key = self.keys.polish(of)

        def make(before: Checkpoint | None) -> tuple[dict[str, Any], Weights]:
            trained = self.train(
                "polish",
                key,
                network,
                weights,
                recipe,
                before,
                candidate=candidate,
                teacher=teacher,
                share=own,
                within=within(self.plan, rates, pruner_of(self, teacher), own.devices),
            )
            return measurements(trained), trained.weights

        return self.run("polish", network.name, key, make, candidate=candidate)

    # Test

    def test(self, of: str, network: Network, weights: Weights) -> float:
        """Accuracy on the test split: read once per final network, never by the search."""

        def make(_: Checkpoint | None) -> tuple[dict[str, Any], None]:
            return {"accuracy": tested(network, weights, self.dataset)}, None

        name = "teacher" if of == self.keys.teacher else "best"
        outcome = self.run("test", name, self.keys.test(of), make)
        return float(outcome.done.result["accuracy"])
