"""The jobs about single variants, one module at one rate: refitted by least squares, and scored.

A score is the damage of one module at a rate of its own, or that of one trunk at a rate. The latter
stands for the module that the trunk leaves first, so that the scores of a candidate's modules add
up to all damage, and none counts twice.

Refitting gives blocks a good start (`pretrain { reconstruct … }`); scores say how much damage each
variant does by itself, which `explore predicted` goes by. One sweep serves all variants that the
store lacks.
"""

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain
from typing import Any, NamedTuple, TypeAlias, assert_never

import numpy as np
from numpy.typing import NDArray

from wootzc.backends.weights.slicing import Variant
from wootzc.builder.jobs.context import Context
from wootzc.builder.jobs.events import Sweep, SweepFinished, SweepStarted
from wootzc.builder.jobs.gradients import pruner_of
from wootzc.builder.jobs.store import Done, Weights, job_key
from wootzc.ir.net.network import Network
from wootzc.ir.net.rate import Rate, cuts_ends, rate_of, rising, short, triple
from wootzc.ir.net.skip import is_skipped
from wootzc.ir.space.narrow import begins_trunk, one_trunk, trunk_names

Made: TypeAlias = Iterable[tuple[Variant, tuple[dict[str, Any], Weights | None]]]
Make: TypeAlias = Callable[[list[Variant]], Made]

REFITTED = 512  # training images, where the file says no number
SCORED = 512  # validation images, at most


class Damage(NamedTuple):
    """In nats."""

    table: NDArray[np.float64]  # [modules, rates]; 0 for what was not asked for, and at rate 0
    parts: dict[Variant, float]  # what adds up to it

    def by_name(self, network: Network) -> dict[str, dict[Rate, float]]:
        """Of each module, and each trunk that is cut, by its own rates."""
        trunk_of = trunk_names(network)[1]
        found: dict[str, dict[Rate, float]] = {m.name: {} for m in network.modules if not m.outside}
        for (module, rate), nats in self.parts.items():
            inside, _, leaving = triple(rate)
            name = trunk_of[module] if leaving else network.modules[module].name
            found.setdefault(name, {})[leaving or rate_of(inside)] = nats
        return {
            name: {rate: rates[rate] for rate in sorted(rates, key=rising)}
            for name, rates in found.items()
        }


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

    def refitted(self, variants: Collection[Variant], teacher: Weights) -> dict[Variant, Weights]:
        """The weights of each variant, named segment/path/parameter; skipped modules have none."""
        left = [one for one in variants if not is_skipped(one[1])]
        done = self.swept("variant", left, teacher)
        found = {one: job.weights for one, job in done.items() if job.weights is not None}
        return {one: found.get(one, {}) for one in variants}

    def scores(
        self,
        teacher: Weights,
        choices: Sequence[Sequence[int]],  # per module: the rate positions to score
    ) -> Damage:
        """The damage of these variants."""
        rates = self.context.space.rates
        begins = begins_trunk(self.context.space.network)
        parts: dict[tuple[int, int], list[Variant]] = {}
        for m, positions in enumerate(choices):
            for r in map(int, positions):
                inside, _, leaving = triple(rates[r])
                own: list[Variant] = [(m, rate_of(inside))] if inside else []
                parts[m, r] = own + ([(m, (0.0, 0.0, leaving))] if begins[m] and leaving else [])
        wanted = dict.fromkeys(one for several in parts.values() for one in several)
        done = self.swept("score", wanted, teacher)
        found = np.zeros((len(choices), len(rates)))
        for place, several in parts.items():
            found[place] = sum(done[one].result["loss"] for one in several)
        return Damage(found, {one: float(job.result["loss"]) for one, job in done.items()})

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

        train, pruner = self.context.dataset.train, pruner_of(self.context, teacher)
        found = reconstruct(pruner, missing, train, images=self.images)
        return ((variant, ({}, weights)) for variant, weights in found.items())

    def _score(self, missing: list[Variant], teacher: Weights) -> Made:
        from wootzc.backends.flax.train.scores import score_networks, score_variants

        space = self.context.space
        validation = self.context.dataset.validation
        count = min(SCORED, len(validation))
        rows = np.random.default_rng(space.seed).permutation(len(validation))[:count]
        images = validation.batch(np.sort(rows))
        pruner = pruner_of(self.context, teacher)
        single = [one for one in missing if not cuts_ends(one[1])]
        alone = score_variants(pruner, self.refitted(single, teacher), images)
        whole = {one: one_trunk(space.network, one[0], triple(one[1])[2]) for one in missing
                 if one not in single}  # fmt: skip
        cut = {(m, rate) for rates in whole.values() for m, rate in enumerate(rates) if rate}
        refitted = self.refitted(sorted(cut), teacher) if cut else {}
        networks = {
            one: (rates, teacher | {
                name: value
                for m, rate in enumerate(rates) if rate
                for name, value in refitted[m, rate].items()
            })
            for one, rates in whole.items()
        }  # fmt: skip
        together = score_networks(pruner, networks, images)
        return ((one, (asdict(score), None)) for one, score in chain(alone, together))

    def _done(self, kind: Sweep, keys: dict[Variant, str], make: Make) -> dict[Variant, Done]:
        """Each variant's finished job; those that the store lacks are made together.

        One lock holds all of a module: a lock is an open file, and there may be a thousand
        variants.
        """
        teacher = self.context.keys.teacher
        modules = {module for module, _ in keys}
        locks = [job_key("sweep", of=kind, teacher=teacher, module=one) for one in modules]
        with self.context.store.locked(locks, self.context.waiting):
            found = self.context.store.all_found(keys)
            missing = [variant for variant in keys if variant not in found]
            if not missing:
                return found
            self.context.events.emit(SweepStarted(of=kind, variants=len(missing)))
            started = time.perf_counter()
            since = started
            for variant, (result, weights) in make(missing):  # what is ready is safe from a kill
                name = f"{self.context.space.network.modules[variant[0]].name}({short(variant[1])})"
                now = time.perf_counter()
                found[variant] = self.context.store.finish(
                    keys[variant], kind, name, result, now - since, weights
                )
                since = now
            seconds = time.perf_counter() - started
            self.context.events.emit(SweepFinished(of=kind, variants=len(missing), seconds=seconds))
        return found
