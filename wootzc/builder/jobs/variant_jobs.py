"""The jobs about single variants, one module at one rate: refitted by least squares, and scored.

Refitting gives blocks a good start (`pretrain { reconstruct … }`); scores say how much damage each
variant does by itself, which `explore predicted` goes by. One sweep serves all variants that the
store lacks.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wootzc.backends.weights.slicing import Variant
from wootzc.builder.jobs.context import Context
from wootzc.builder.jobs.events import Sweep, SweepFinished, SweepStarted
from wootzc.builder.jobs.store import Done, Weights, job_key

Made: TypeAlias = Iterable[tuple[Variant, tuple[dict[str, Any], Weights | None]]]
Make: TypeAlias = Callable[[list[Variant]], Made]

REFITTED = 512  # training images, where the file says no number
SCORED = 512  # validation images, at most


@dataclass(frozen=True)
class Variants:
    """The variants of one plan over one data set."""

    context: Context

    @property
    def images(self) -> int:
        """Training images that least squares looks at."""
        return min(
            self.context.space.pretrain.reconstruct or REFITTED, len(self.context.dataset.train)
        )

    def refitted(self, variants: Iterable[Variant], teacher: Weights) -> dict[Variant, Weights]:
        """The weights of each variant, named segment/path/parameter."""
        keys = {one: self.context.keys.variant(*one, self.images) for one in variants}
        done = self._done("variant", keys, lambda missing: self._refit(missing, teacher))
        return {one: job.weights for one, job in done.items() if job.weights is not None}

    def scores(
        self,
        teacher: Weights,
        choices: Sequence[Sequence[int]],  # per module: the rate positions to score
    ) -> NDArray[np.float64]:  # [modules, rates], in nats
        """The damage of these variants; 0 for others, and at rate 0."""
        rates = self.context.space.rates
        wanted = [(m, int(r)) for m, positions in enumerate(choices) for r in positions if rates[r]]
        keys = {
            (m, rates[r]): self.context.keys.score(m, rates[r], self.images, SCORED)
            for m, r in wanted
        }
        done = self._done("score", keys, lambda missing: self._score(missing, teacher))
        found = np.zeros((len(choices), len(rates)))
        for module, rate in wanted:
            found[module, rate] = done[module, rates[rate]].result["loss"]
        return found

    def _refit(self, missing: list[Variant], teacher: Weights) -> Made:
        from wootzc.backends.flax.train.reconstruct import reconstruct

        space = self.context.space
        found = reconstruct(
            space.network,
            teacher,
            missing,
            space.criteria,
            self.context.dataset.train,
            images=self.images,
            seed=space.seed,
        )
        return ((variant, ({}, weights)) for variant, weights in found.items())

    def _score(self, missing: list[Variant], teacher: Weights) -> Made:
        from wootzc.backends.flax.train.scores import score_variants

        space = self.context.space
        validation = self.context.dataset.validation
        count = min(SCORED, len(validation))
        rows = np.random.default_rng(space.seed).permutation(len(validation))[:count]
        images = validation.batch(np.sort(rows))
        found = score_variants(
            space.network,
            teacher,
            self.refitted(missing, teacher),
            space.criteria,
            images,
            seed=space.seed,
        )
        return ((variant, (asdict(score), None)) for variant, score in found)

    def _done(self, kind: Sweep, keys: dict[Variant, str], make: Make) -> dict[Variant, Done]:
        """Each variant's finished job; those that the store lacks are made together.

        One lock holds them all: a lock is an open file, and there may be a thousand variants.
        """
        found: dict[Variant, Done] = {}
        sweep = job_key("sweep", of=kind, teacher=self.context.keys.teacher)
        with self.context.store.locked([sweep], self.context.waiting):
            for variant, key in keys.items():
                if done := self.context.store.find(key):
                    found[variant] = done
            missing = [variant for variant in keys if variant not in found]
            if not missing:
                return found
            self.context.events.emit(SweepStarted(of=kind, variants=len(missing)))
            started = time.perf_counter()
            since = started
            for variant, (result, weights) in make(missing):  # what is ready is safe from a kill
                name = f"{self.context.space.network.modules[variant[0]].name}({variant[1]:.4g})"
                now = time.perf_counter()
                found[variant] = self.context.store.finish(
                    keys[variant], kind, name, result, now - since, weights
                )
                since = now
            seconds = time.perf_counter() - started
            self.context.events.emit(SweepFinished(of=kind, variants=len(missing), seconds=seconds))
        return found
