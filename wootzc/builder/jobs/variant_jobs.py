"""The jobs about single variants, one module at one rate: refitted by least squares, and scored.

Refitting gives blocks a good start (`pretrain { reconstruct … }`); scores say how much damage each
variant does by itself, which `explore predicted` goes by. One sweep serves all variants that the
store lacks.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, TypeAlias, assert_never

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
        done = self.swept("variant", variants, teacher)
        return {one: job.weights for one, job in done.items() if job.weights is not None}

    def scores(
        self,
        teacher: Weights,
        choices: Sequence[Sequence[int]],  # per module: the rate positions to score
    ) -> NDArray[np.float64]:  # [modules, rates], in nats
        """The damage of these variants; 0 for others, and at rate 0."""
        rates = self.context.space.rates
        wanted = [(m, int(r)) for m, positions in enumerate(choices) for r in positions if rates[r]]
        done = self.swept("score", ((m, rates[r]) for m, r in wanted), teacher)
        found = np.zeros((len(choices), len(rates)))
        for module, rate in wanted:
            found[module, rate] = done[module, rates[rate]].result["loss"]
        return found

    def swept(
        self, kind: Sweep, variants: Iterable[Variant], teacher: Weights
    ) -> dict[Variant, Done]:
        """Each variant's finished job, refitted or scored."""
        make: Make
        match kind:
            case "variant":
                make = partial(self._refit, teacher=teacher)
            case "score":
                make = partial(self._score, teacher=teacher)
            case _:
                assert_never(kind)
        return self._done(kind, {one: self.key(kind, one) for one in variants}, make)

    def key(self, kind: Sweep, variant: Variant) -> str:
        """Of a variant's job."""
        match kind:
            case "variant":
                return self.context.keys.variant(*variant, self.images)
            case "score":
                return self.context.keys.score(*variant, self.images, SCORED)
            case _:
                assert_never(kind)

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

        One lock holds all of a module: a lock is an open file, and there may be a thousand
        variants.
        """
        found: dict[Variant, Done] = {}
        teacher = self.context.keys.teacher
        modules = {module for module, _ in keys}
        locks = [job_key("sweep", of=kind, teacher=teacher, module=one) for one in modules]
        with self.context.store.locked(locks, self.context.waiting):
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
