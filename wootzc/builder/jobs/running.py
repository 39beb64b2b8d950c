"""How one job runs: found in the store, or made under its lock and kept with its checkpoints."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from wootzc.backends.flax.train.batches import Progress
from wootzc.backends.flax.train.full_width import FullWidth
from wootzc.backends.flax.train.paused import Paused
from wootzc.backends.flax.train.train import Trained, train
from wootzc.builder.jobs.at_once import Share
from wootzc.builder.jobs.checkpoints import Checkpoint, Keeper
from wootzc.builder.jobs.context import Context
from wootzc.builder.jobs.events import JobStarted, Progressed, Resumed, Training, finished
from wootzc.builder.jobs.pauses import checkpoint, paused
from wootzc.builder.jobs.store import Outcome, Weights
from wootzc.diagnostics import fail
from wootzc.ir.net.network import Network
from wootzc.ir.space.recipe import Recipe


@dataclass(frozen=True)
class Running(Context):
    """Runs the jobs of one build."""

    def run(
        self,
        job: Training | Literal["test"],
        name: str,
        key: str,
        # From its checkpoint on, if it has one.
        make: Callable[[Checkpoint | None], tuple[dict[str, Any], Weights | None]],
        check: Callable[[], None] = lambda: None,  # while another build does this job
        candidate: int | None = None,  # that the job is about
    ) -> Outcome:
        """What the store has of a job, or else what `make` gives: a result, and weights if any."""
        with self.store.locked([key], self.waiting, check):
            if done := self.store.find(key):
                self.events.emit(finished(job, name, candidate, done.result, None))
                return Outcome(done=done, reused=True)
            self.events.emit(JobStarted(job=job, name=name, candidate=candidate))
            before = self.store.checkpoints.find(key)
            started = time.perf_counter() - (0.0 if before is None else before.seconds)
            result, weights = make(before)
            seconds = time.perf_counter() - started
            done = self.store.finish(key, job, name, result, seconds, weights)
            self.events.emit(finished(job, name, candidate, result, seconds))
            return Outcome(done=done, reused=False)

    def recalled(self, outcome: Outcome) -> Outcome:
        """With its weights again, if it is light."""
        if outcome.done.weights is not None:
            return outcome
        done = self.store.find(outcome.done.key)
        if done is None:
            raise fail(
                "WZ294",
                f"what a candidate had come to is not in the store {self.store.place} any more",
                "run the same command again: it is made anew",
            )
        return replace(outcome, done=replace(outcome.done, weights=done.weights))

    def train(
        self,
        stage: Training,
        key: str,  # of the job
        network: Network,
        weights: Weights,
        recipe: Recipe,
        before: Checkpoint | None,  # where an earlier process stood
        *,
        candidate: int | None = None,
        target: float | None = None,
        stop: int | None = None,
        earlier: Paused | None = None,  # where the job before this one left it
        teacher: Weights | None = None,  # of what was pruned from it; to distil from, where asked
        share: Share | None = None,
        within: FullWidth | None = None,  # where it is trained at the width of what it is cut from
    ) -> Trained:
        """Train by a recipe, told of and kept as it goes; from its checkpoint on, if it has one."""
        if before is not None:
            step = int(before.result["steps"])
            told = Resumed(stage=stage, candidate=candidate, step=step, steps=recipe.steps)
            self.events.emit(told)

        def report(progress: Progress) -> None:
            self.events.emit(Progressed(stage=stage, candidate=candidate, **asdict(progress)))

        def write(run: Paused, seconds: float) -> None:
            self.store.checkpoints.write(key, checkpoint(run, seconds))

        with Keeper(write=write, before=0.0 if before is None else before.seconds) as keep:
            return train(
                network,
                weights,
                self.dataset if share is None else share.dataset,
                recipe,
                self.space.augment,
                seed=self.space.seed,
                target=target,
                stop=stop,
                paused=earlier if before is None else paused(before.result, before.arrays),
                teacher=(self.space.network, teacher) if teacher and recipe.distill else None,
                progress=report,
                keep=keep,
                shared=teacher is not None,  # the variants of its modules are compiled but once
                within=within,
                devices=None if share is None else share.devices,
            )


def measurements(trained: Trained) -> dict[str, Any]:
    """What a job's record says of a training."""
    return {
        "accuracy": trained.accuracy,
        "steps": trained.steps,
        "reason": trained.reason,
        "history": [asdict(look) for look in trained.history],
    }
