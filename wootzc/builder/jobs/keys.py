"""The key of every job: a hash of everything its outcome depends on, and of nothing else.

What is left out on purpose: names that mean nothing (the network's, the space's, a module's
definition), settings that only pace reports, where the job ran, and whether it ran at full width.
Results of another machine or another version of JAX are reused, though they may differ in the last
bits.

Raise a number in `VERSIONS` when the code of a job changes what comes out of it.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import assert_never

from wootzc.builder.jobs.checkpoints import made_with
from wootzc.builder.jobs.store import job_key
from wootzc.builder.jobs.teacher import teacher_hash
from wootzc.ir.layers.shapes import Shape
from wootzc.ir.net.coupling import couple, couple_module
from wootzc.ir.net.criteria import Criterion, reads_images
from wootzc.ir.net.network import Module, Network, Plain, module_positions, segment_shapes
from wootzc.ir.net.prune import kept_widths
from wootzc.ir.net.rate import Rate, cuts_ends, removed, triple
from wootzc.ir.net.skip import is_skipped
from wootzc.ir.plan import Complete
from wootzc.ir.space import Space
from wootzc.ir.space.narrow import one_trunk
from wootzc.ir.space.recipe import FromFile, Recipe
from wootzc.ir.text import print_network

VERSIONS = {
    "teacher": 6,  # 3: its looks say which images were right; 4: other forms of its sums
    "gradients": 1,
    "variant": 3,  # 2: other forms of its sums; 3: other emitters of XLA; so every job below
    "score": 3,
    "block": 6,  # 3: without augmentation every epoch visits the same batches
    "candidate": 6,  # 3: looks say which images were labelled right; runs are paused; 6: full width
    "polish": 4,
    "test": 3,
}


@dataclass(frozen=True)
class Keys:
    """Keys of the jobs of one plan over one data set."""

    plan: Complete
    fingerprint: str  # of the data
    teacher_file: str | None = None  # `teacher_hash` of its file; None: read where it is asked for

    @property
    def space(self) -> Space:
        return self.plan.space

    def rates(self, candidate: int) -> tuple[Rate, ...]:
        """The rates of a candidate, one per module."""
        return tuple(self.space.rates[i] for i in self.plan.candidates.values[candidate])

    def block_rates(self, number: int) -> tuple[Rate, ...]:
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
    def file(self) -> str | None:
        """`teacher_hash` of the file that the teacher comes from, or begins with; None: of none."""
        source = self.space.teacher
        return self.teacher_file or (
            teacher_hash(Path(source.path)) if isinstance(source, FromFile) else None
        )

    @cached_property
    def teacher(self) -> str:
        source = self.space.teacher
        match source:
            case FromFile(recipe=trained):
                recipe: dict[str, object] = {"file": self.file}
                if trained is not None:
                    recipe["recipe"] = asdict(trained)
            case Recipe() as trained:
                recipe = asdict(trained)
            case _:
                assert_never(source)
        return _key("teacher", recipe=recipe, **self.common)

    def variant(self, module: int, rate: Rate, images: int) -> str:
        """A module at a rate, refitted by least squares on some training images."""
        own, by = self._numbers[module], self.space.criteria[module]
        depends = self._pruned(module, (rate,))
        return _key("variant", module=own, rate=rate, criterion=by, images=images, **depends)

    def score(self, module: int, rate: Rate, images: int, scored: int) -> str:
        """A variant in its counterpart's place, on some validation images; or a whole trunk, with
        all modules that it runs through.
        """
        of: dict[str, object] = {"variant": self.variant(module, rate, images)}
        if cuts_ends(rate):
            rates = enumerate(one_trunk(self.space.network, module, triple(rate)[2]))
            of = {"variants": [self.variant(m, own, images) for m, own in rates if own]}
        return _key("score", **of, images=scored)

    def block(self, number: int) -> str:
        block = self.plan.blocks[number]
        rates = self.block_rates(number)
        refitted = {"variant": VERSIONS["variant"]} if self.space.pretrain.reconstruct else {}
        return _key(
            "block",
            **self._rates(block.start, rates, start_too=True),
            recipe=asdict(replace(self.space.pretrain, every=0)),  # blocks only report by it
            **refitted,
            **self._pruned(block.start, rates),
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
        return _key(
            "candidate",
            **self._rates(0, rates),
            blocks=[self.block(number) for number in self.blocks_of(candidate)],
            recipe=asdict(recipe),
            target=target,
            **({} if stop is None else {"stop": stop, "made_with": made_with()}),
            **({} if passed is None else {"passed": passed}),
            **self._pruned(0, rates),
        )

    def polish(self, of: str) -> str:
        """`of`: the key of the candidate's job."""
        assert self.space.polish is not None
        recipe = asdict(self.space.polish)
        return _key("polish", of=of, recipe=recipe, **self.common)

    def _pruned(self, start: int, rates: tuple[Rate, ...]) -> dict[str, object]:
        """What each job on modules that are pruned at these rates depends on."""
        chosen = self._seen(start, rates) | self._rules(start, rates)
        return {"teacher": self.teacher, **chosen, **self.common}

    def _rates(
        self, start: int, rates: tuple[Rate, ...], *, start_too: bool = False
    ) -> dict[str, object]:
        """Which modules have which rates. What stays whole outside of modules is not mentioned: so
        spaces that cut trunks share with those that do not whatever leaves the trunks whole.
        """
        modules = [
            (self._numbers[m], rate, self.space.criteria[m])
            for m, rate in enumerate(rates, start)
            if rate or not self.space.network.modules[m].outside
        ]
        numbers, own, criteria = zip(*modules, strict=True)
        named: dict[str, object] = {"rates": own, "criteria": _that_matter(criteria, own)}
        if start_too:
            named["start"] = numbers[0]
        if any(isinstance(number, str) for number in numbers):
            named["modules"] = numbers
        return named

    @cached_property
    def _numbers(self) -> list[int | str]:
        """Modules as a space has them that cuts no trunk; plain layers by their name."""
        modules, found = self.space.network.modules, list[int | str]()
        for module in modules:
            inside = sum(isinstance(number, int) for number in found)
            found.append(module.name if module.outside else inside)
        return found

    def _seen(self, start: int, rates: tuple[Rate, ...]) -> dict[str, object]:
        """How images are read, where a criterion goes by them; nothing where none does."""
        used = {
            criterion for m, rate in enumerate(rates, start) for criterion in self._used(m, rate)
        }
        return {"gradients": VERSIONS["gradients"]} if any(map(reads_images, used)) else {}

    def _used(self, module: int, rate: Rate) -> set[Criterion]:
        """The criteria that say what a module loses at a rate."""
        found: set[Criterion] = {self.space.criteria[module]} if removed(rate, "inside") else set()
        if cuts_ends(rate):
            one = self.space.network.modules[module]
            found |= {seam.criterion for seam in (*one.entering, *one.leaving)}
        return found

    def _rules(self, start: int, rates: tuple[Rate, ...]) -> dict[str, object]:
        """The widths that `keep` and `multiple of` change, and what is not judged by l1 between
        modules; nothing where there is none of it.
        """
        rules = [
            self._ruled_widths(m, rate)
            for m, rate in enumerate(rates, start)
            if rate or not self.space.network.modules[m].outside
        ]
        between = [
            [[seam.criterion for seam in side] for side in (one.entering, one.leaving)]
            for one, rate in zip(self.space.network.modules[start:], rates, strict=False)
            if cuts_ends(rate)
        ]
        plain = all(name == "l1" for one in between for side in one for name in side)
        found: dict[str, object] = {"rules": rules} if any(rules) else {}
        return found | ({} if plain else {"between": between})

    def _ruled_widths(self, module: int, rate: Rate) -> tuple[int, ...] | None:
        one = self.space.network.modules[module]
        if (
            rate == 0
            or is_skipped(rate)
            or (not one.kept and one.multiple == 1 and not cuts_ends(rate))
        ):
            return None
        if (module, rate) not in self._widths:
            shape = self._shapes[module]
            ruled = kept_widths(couple_module(one, shape), rate)
            plain = None
            if not cuts_ends(rate):  # and so nothing that enters or leaves
                whole = replace(one, entering=(), leaving=())
                ruled = kept_widths(couple_module(whole, shape), rate)
                plain = kept_widths(couple(one.body, shape), rate)
            self._widths[module, rate] = None if ruled == plain else ruled
        return self._widths[module, rate]

    @cached_property
    def _widths(self) -> dict[tuple[int, Rate], tuple[int, ...] | None]:
        return {}

    @cached_property
    def _shapes(self) -> list[Shape]:
        shapes = segment_shapes(self.space.network)
        return [shapes[position] for position in module_positions(self.space.network)]

    def test(self, of: str) -> str:
        """`of`: the key of the job that made the network."""
        return _key("test", of=of, data=self.fingerprint)


def _key(kind: str, **depends: object) -> str:
    return job_key(kind, version=VERSIONS[kind], **depends)


def gradients_key(teacher: str, images: int) -> str:
    """The sweep with gradients through the teacher with this key, on so many training images."""
    return _key("gradients", teacher=teacher, images=images)


def nameless(network: Network) -> Network:
    """The network that is trained: without names, and rules that only pruning follows."""
    segments = tuple(
        segment
        if isinstance(segment, Plain)
        else (Plain if segment.outside else Module)(name=segment.name, body=segment.body)
        for segment in network.segments
    )
    return replace(network, name="", segments=segments)


def _that_matter(criteria: Sequence[str], rates: Sequence[Rate]) -> list[str | None]:
    """At rate 0 no filter goes, whatever the criterion."""
    return [name if rate else None for name, rate in zip(criteria, rates, strict=True)]
