"""The jobs of a build, done by the workers of a cluster, or by several hosts together: what is
sent, and what they do of it.

A worker is told numbers, keys and rates. It reads what it needs from the store, and the store is
where its results are found.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from wootzc.backends.weights.slicing import Variant
from wootzc.builder.jobs.cluster import Cluster, recorded
from wootzc.builder.jobs.events import Sweep
from wootzc.builder.jobs.hosts import Hosts
from wootzc.builder.jobs.jobs import Begun, Jobs
from wootzc.builder.jobs.pauses import trained_weights
from wootzc.builder.jobs.store import Done, Outcome, Weights
from wootzc.builder.jobs.variant_jobs import Variants
from wootzc.diagnostics import fail
from wootzc.ir.net.network import Network

Elsewhere: TypeAlias = Cluster | Hosts


@dataclass(frozen=True, kw_only=True)
class ClusterJobs(Jobs):
    """As `Jobs`, whose methods return the same; this machine trains nothing."""

    cluster: Elsewhere

    def __post_init__(self) -> None:
        self.cluster.assign(self)

    @cached_property
    def workers(self) -> Elsewhere:
        return self.cluster

    @cached_property
    def variants(self) -> Variants:
        return _Variants(context=self, cluster=self.cluster)

    def teacher(self) -> Outcome:
        return self.cluster.results([self.cluster.submit(Jobs.teacher)])[0]

    def blocks(self, numbers: Sequence[int], teacher: Weights) -> dict[int, Outcome]:
        """Those that the store lacks are cut into flights, one for each worker that is idle.

        Blocks of one depth fly together: what feeds them is the beginning of the teacher.
        """
        if not self.space.pretrain.steps:
            return super().blocks(numbers, teacher)  # only solved, by the cluster
        stored = self.store.all_found({number: self.keys.block(number) for number in numbers})
        found = {number: Outcome(done=done, reused=True) for number, done in stored.items()}
        missing = [number for number in numbers if number not in found]
        missing.sort(key=lambda number: self.plan.blocks[number].start)
        size = max(1, -(-len(missing) // self.cluster.idle))
        parts = [missing[first : first + size] for first in range(0, len(missing), size)]
        flights = self.cluster.results([self.cluster.submit(_fly, part) for part in parts])
        return found | {number: one for flight in flights for number, one in flight.items()}

    @property
    def apart(self) -> bool:
        return True

    def _begun(self, one: Begun) -> Future[Outcome]:
        before = None if one.earlier is None else one.earlier.done.key
        return self.cluster.submit(_fine_tune, one.number, one.target, one.stop, before)

    def begin_polish(
        self, of: str, candidate: int, weights: Weights, teacher: Weights
    ) -> Future[Outcome]:
        return self.cluster.submit(_polish, of, candidate)

    def test(self, of: str, network: Network, weights: Weights) -> float:
        """Accuracy on the test images, from 0 to 1, found by a worker; waits for it."""
        return self.cluster.results([self.cluster.submit(_test, of, network)])[0]


@dataclass(frozen=True, kw_only=True)
class _Variants(Variants):
    cluster: Elsewhere

    def swept(
        self, kind: Sweep, variants: Iterable[Variant], teacher: Weights
    ) -> dict[Variant, Done]:
        """Those that the store lacks are made by the workers, some modules by each."""
        keys = {one: self.key(kind, one) for one in variants}
        found = self.context.store.all_found(keys)
        missing = [one for one in keys if one not in found]
        modules, count = sorted({module for module, _ in missing}), self.cluster.idle
        groups = [set(modules[first::count]) for first in range(min(count, len(modules)))]
        parts = [[one for one in missing if one[0] in group] for group in groups]
        self.cluster.results([self.cluster.submit(_sweep, kind, part) for part in parts])
        made = {one: recorded(self.context.store, keys[one]) for one in missing}
        return {one: found[one] if one in found else made[one] for one in keys}


# What a worker does


def _sweep(jobs: Jobs, kind: Sweep, variants: Sequence[Variant]) -> None:
    jobs.variants.swept(kind, variants, _weights(jobs, jobs.keys.teacher))


def _fly(jobs: Jobs, numbers: Sequence[int]) -> dict[int, Outcome]:
    return jobs.blocks(numbers, _weights(jobs, jobs.keys.teacher))


def _fine_tune(
    jobs: Jobs, candidate: int, target: float | None, stop: int | None, before: str | None
) -> Outcome:
    """`before`: the key of the job that paused it."""
    teacher = _weights(jobs, jobs.keys.teacher)
    blocks = _blocks(jobs, candidate, teacher)
    earlier = None if before is None else Outcome(done=_stored(jobs, before), reused=True)
    return jobs.candidate(candidate, teacher, blocks, target, stop, earlier)


def _blocks(jobs: Jobs, candidate: int, teacher: Weights) -> dict[int, Outcome]:
    """Those of a candidate. They are trained by now; those that take no steps are put together."""
    numbers = jobs.keys.blocks_of(candidate)
    if not jobs.space.pretrain.steps:
        return jobs.blocks(numbers, teacher)
    keys = {number: jobs.keys.block(number) for number in numbers}
    return {number: Outcome(done=_stored(jobs, key), reused=True) for number, key in keys.items()}


def _polish(jobs: Jobs, of: str, candidate: int) -> Outcome:
    return jobs.polish(of, candidate, _weights(jobs, of), _weights(jobs, jobs.keys.teacher))


def _test(jobs: Jobs, of: str, network: Network) -> float:
    return jobs.test(of, network, _weights(jobs, of))


def _weights(jobs: Jobs, key: str) -> Weights:
    """The best weights of a job that trained."""
    weights = _stored(jobs, key).weights
    assert weights is not None, "this job makes weights"
    return trained_weights(weights)


def _stored(jobs: Jobs, key: str) -> Done:
    done = jobs.store.find(key)
    if done is None:
        raise fail(
            "WZ281",
            f"a job that is done is not in the store {jobs.store.place}, as a worker sees it",
            "put the store into a folder that all machines share: --store DIR",
        )
    return done
