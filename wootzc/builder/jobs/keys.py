"""The key of every job: a hash of everything its outcome depends on, and of nothing else.

What is left out on purpose: names that mean nothing (the network's, the space's, a module's
definition), settings that only pace reports, and where the job ran. Results of another machine or
another version of JAX are reused, though they may differ in the last bits.

Raise a number in `VERSIONS` when the code of a job changes what comes out of it.
"""

from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import assert_never

from wootzc.builder.jobs.store import job_key
from wootzc.builder.jobs.teacher import teacher_hash
from wootzc.ir.layers.shapes import Shape
from wootzc.ir.net.coupling import couple, couple_module
from wootzc.ir.net.network import Module, Network, module_positions, segment_shapes
from wootzc.ir.net.prune import kept_widths
from wootzc.ir.plan import Complete
from wootzc.ir.space import Space
from wootzc.ir.space.recipe import FromFile, Recipe
from wootzc.ir.text import print_network

VERSIONS = {
    "teacher": 3,  # 2: gelu is the exact one; 3: its looks say which images were right
    "variant": 1,
    "score": 1,
    "block": 3,  # 3: without augmentation every epoch visits the same batches
    "candidate": 3,  # 3: looks say which images were labelled right; runs are paused
    "polish": 1,
    "test": 1,
}


@dataclass(frozen=True)
class Keys:
    """Keys of the jobs of one plan over one data set."""

    plan: Complete
    fingerprint: str  # of the data

    @property
    def space(self) -> Space:
        return self.plan.space

    def rates(self, candidate: int) -> tuple[float, ...]:
        """The rates of a candidate, one per module."""
        return tuple(self.space.rates[i] for i in self.plan.candidates.values[candidate])

    def block_rates(self, number: int) -> tuple[float, ...]:
        """The rates of a block, one for each of its modules."""
        return tuple(self.space.rates[i] for i in self.plan.blocks[number].rates)

    def blocks_of(self, candidate: int) -> tuple[int, ...]:
        """The tuning blocks a candidate is assembled from, first to last."""
        row = self.plan.composition.values[candidate]
        return tuple(int(b) for b in dict.fromkeys(row) if b >= 0)

    @cached_property
    def common(self) -> dict[str, object]:
        """What every training job depends on."""
        network = nameless(self.space.network)
        if isinstance(self.space.teacher, FromFile) and self.space.teacher.recipe is None:
            network = replace(network, auxiliaries=())  # they only serve training
        return {
            "network": print_network(network),
            "data": self.fingerprint,
            "augment": asdict(self.space.augment),
            "seed": self.space.seed,
        }

    @cached_property
    def teacher(self) -> str:
        source = self.space.teacher
        match source:
            case FromFile(path=path, recipe=trained):
                recipe: dict[str, object] = {"file": teacher_hash(Path(path))}
                if trained is not None:
                    recipe["recipe"] = asdict(trained)
            case Recipe() as trained:
                recipe = asdict(trained)
            case _:
                assert_never(source)
        return job_key("teacher", version=VERSIONS["teacher"], recipe=recipe, **self.common)

    def variant(self, module: int, rate: float, images: int) -> str:
        """A module at a rate, refitted by least squares on some training images."""
        return job_key(
            "variant",
            version=VERSIONS["variant"],
            teacher=self.teacher,
            module=module,
            rate=rate,
            criterion=self.space.criteria[module],
            images=images,
            **self._rules(module, (rate,)),
            **self.common,
        )

    def score(self, module: int, rate: float, images: int, scored: int) -> str:
        """A variant in its counterpart's place, on some validation images."""
        variant = self.variant(module, rate, images)
        return job_key("score", version=VERSIONS["score"], variant=variant, images=scored)

    def block(self, number: int) -> str:
        block = self.plan.blocks[number]
        rates = self.block_rates(number)
        refitted = {"variant": VERSIONS["variant"]} if self.space.pretrain.reconstruct else {}
        return job_key(
            "block",
            version=VERSIONS["block"],
            teacher=self.teacher,
            start=block.start,
            rates=rates,
            criteria=_that_matter(self.space.criteria[block.start : block.stop], rates),
            recipe=asdict(replace(self.space.pretrain, every=0)),  # blocks only report by it
            **refitted,
            **self._rules(block.start, rates),
            **self.common,
        )

    def candidate(
        self,
        candidate: int,
        target: float | None,
        stop: int | None = None,
        passed: int | None = None,
    ) -> str:
        """`stop`: the step at which its fine-tuning is paused; None: it runs to its end. `passed`:
        `pauses.passed`, of a run that goes on.
        """
        rates = self.rates(candidate)
        recipe = self.space.finetune
        if not recipe.distill:
            recipe = replace(recipe, temperature=1.0)
        return job_key(
            "candidate",
            version=VERSIONS["candidate"],
            teacher=self.teacher,
            rates=rates,
            criteria=_that_matter(self.space.criteria, rates),
            blocks=[self.block(number) for number in self.blocks_of(candidate)],
            recipe=asdict(recipe),
            target=target,
            **({} if stop is None else {"stop": stop}),
            **({} if passed is None else {"passed": passed}),
            **self._rules(0, rates),
            **self.common,
        )

    def polish(self, of: str) -> str:
        """`of`: the key of the candidate's job."""
        assert self.space.polish is not None
        recipe = asdict(self.space.polish)
        return job_key("polish", version=VERSIONS["polish"], of=of, recipe=recipe, **self.common)

    def _rules(self, start: int, rates: tuple[float, ...]) -> dict[str, object]:
        """The widths that `keep` and `multiple of` change; nothing where they change none."""
        rules = [self._ruled_widths(start + m, rate) for m, rate in enumerate(rates)]
        return {"rules": rules} if any(rules) else {}

    def _ruled_widths(self, module: int, rate: float) -> tuple[int, ...] | None:
        one = self.space.network.modules[module]
        if rate == 0 or (not one.kept and one.multiple == 1):
            return None
        if (module, rate) not in self._widths:
            shape = self._shapes[module]
            ruled = kept_widths(couple_module(one, shape), rate)
            plain = kept_widths(couple(one.body, shape), rate)
            self._widths[module, rate] = None if ruled == plain else ruled
        return self._widths[module, rate]

    @cached_property
    def _widths(self) -> dict[tuple[int, float], tuple[int, ...] | None]:
        return {}

    @cached_property
    def _shapes(self) -> list[Shape]:
        shapes = segment_shapes(self.space.network)
        return [shapes[position] for position in module_positions(self.space.network)]

    def test(self, of: str) -> str:
        """`of`: the key of the job that made the network."""
        return job_key("test", version=VERSIONS["test"], of=of, data=self.fingerprint)


def nameless(network: Network) -> Network:
    """The network that is trained: without names, and rules that only pruning follows."""
    segments = tuple(
        replace(segment, definition="", kept=(), multiple=1, multiple_from=0)
        if isinstance(segment, Module)
        else segment
        for segment in network.segments
    )
    return replace(network, name="", segments=segments)


def _that_matter(criteria: tuple[str, ...], rates: tuple[float, ...]) -> list[str | None]:
    """At rate 0 no filter goes, whatever the criterion."""
    return [name if rate else None for name, rate in zip(criteria, rates, strict=True)]
