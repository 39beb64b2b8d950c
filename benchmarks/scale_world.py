"""Builds on workers that only take time: for `scale.py` and tests/benchmarks/test_scale.py.

The search is that of a build, over the plan, data and scores of one that was recorded. Its jobs do
nothing but end: after as many seconds as one of the recorded took, with the accuracies of that one.
Which one stands for a candidate goes by rank: the less a candidate is damaged by its scores, the
more accurate the recorded one was before fine-tuning. What the search computes is timed as it is,
since all workers wait for it.
"""

import heapq
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from wootzc.backends.data import load
from wootzc.builder.jobs.compiling import compiled
from wootzc.builder.jobs.jobs import Jobs
from wootzc.builder.jobs.listeners import Events
from wootzc.builder.jobs.records import Record, Records
from wootzc.builder.jobs.store import Done, Outcome, Store, Weights
from wootzc.builder.search.explore import explore
from wootzc.builder.search.proposing import with_proposals
from wootzc.builder.search.search import Search
from wootzc.builder.search.tried import SearchResult
from wootzc.ir.plan.lengths import resolved


@dataclass(slots=True, kw_only=True)
class Crew:
    """Workers that are free at some times, and the clock of the one who gives them jobs."""

    count: int
    now: float = 0.0  # seconds
    searching: float = 0.0  # of these, that the search computed
    worked: float = 0.0  # seconds of all workers
    free: list[float] = field(init=False)  # when each is, as a heap
    since: float = field(default_factory=time.thread_time)

    def __post_init__(self) -> None:
        self.free = [0.0] * self.count

    def does(self, seconds: float) -> float:
        """Give the next free worker such a job: when it ends."""
        self._count_search()
        end = max(self.now, heapq.heappop(self.free)) + seconds
        heapq.heappush(self.free, end)
        self.worked += seconds
        return end

    def wait(self, until: float) -> None:
        self._count_search()
        self.now = max(self.now, until)

    def _count_search(self) -> None:
        computed, self.since = time.thread_time() - self.since, time.thread_time()
        self.now += computed
        self.searching += computed


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """Jobs of a store. Seconds are `times` those that they took."""

    candidates: list[Record]  # the most accurate before fine-tuning first
    polished: list[Record]
    blocks: float  # seconds of one, on average
    look: float  # seconds of assembling a candidate and looking at it
    times: float

    @classmethod
    def of(cls, store: Path, times: float) -> "Recorded":
        sound = Records(store / "jobs").sound()
        tuned = [one for one in sound if one.kind == "candidate" and _is_whole(one)]
        if not tuned:
            raise SystemExit(f"no candidates are recorded in {store}")
        tuned.sort(key=lambda one: -float(one.result["start_accuracy"]))
        looks = [one for one in sound if one.kind == "candidate" and not one.result["steps"]]
        made = [one.seconds for one in sound if one.kind in ("block", "variant")]
        return cls(
            candidates=tuned,
            polished=[one for one in sound if one.kind == "polish"],
            blocks=times * float(np.mean(made)) if made else 0.0,
            look=times * float(np.median([one.seconds for one in looks or tuned[:1]])),
            times=times,
        )


@dataclass(frozen=True, kw_only=True)
class Timed(Jobs):
    """As the jobs of a cluster, whose workers only take time."""

    crew: Crew
    recorded: Recorded
    given: tuple[float, ...] | None = None  # ranks, in the place of those by scores
    ended: dict[str, float] = field(default_factory=dict)  # accuracies, by key

    @property
    def width(self) -> int:
        return self.crew.count

    @property
    def apart(self) -> bool:
        return True

    def stop(self) -> None: ...

    def blocks(self, numbers: Sequence[int], teacher: Weights) -> dict[int, Outcome]:
        result = {"loss_first": None, "loss_last": None, "steps": 0}
        self.crew.wait(max((self.crew.does(self.recorded.blocks) for _ in numbers), default=0.0))
        seconds = self.recorded.blocks
        return {number: _outcome(self.keys.block(number), result, seconds) for number in numbers}

    def look_at(
        self, candidates: Sequence[int], teacher: Weights, blocks: dict[int, Outcome]
    ) -> list[Outcome]:
        ends = [self.crew.does(self.recorded.look) for _ in candidates]
        self.crew.wait(max(ends))
        return [self._run(candidate, None, 0, None)[0] for candidate in candidates]

    def begin(
        self,
        numbers: Sequence[int],
        teacher: Weights,
        blocks: dict[int, Outcome],
        target: float | None,
        stops: Mapping[int, int] = MappingProxyType({}),
        earlier: Mapping[int, Outcome] = MappingProxyType({}),
    ) -> list[Future[Outcome]]:
        futures = []
        for number in numbers:
            found, seconds = self._run(number, target, stops.get(number), earlier.get(number))
            future: Future[Any] = Future()
            future.set_result((found, self.crew.does(seconds)))
            futures.append(future)
        return futures

    def recalled(self, outcome: Outcome) -> Outcome:
        return replace(outcome, done=replace(outcome.done, weights={}))

    def outcome(self, candidate: Future[Any]) -> Outcome:
        found, end = candidate.result()
        self.crew.wait(end)
        return found

    def begin_polish(
        self, of: str, candidate: int, weights: Weights, teacher: Weights
    ) -> Future[Outcome]:
        """As that one whose accuracy before it was nearest."""
        now = self.ended[of]
        if not self.recorded.polished:
            raise SystemExit("no polishing is recorded there")
        record = min(
            self.recorded.polished,
            key=lambda one: abs(float(one.result["history"][0]["accuracy"]) - now),
        )
        seconds = record.seconds * self.recorded.times
        future: Future[Any] = Future()
        done = _outcome(self.keys.polish(of), record.result, seconds)
        future.set_result((done, self.crew.does(seconds)))
        return future

    def _run(
        self, candidate: int, target: float | None, stop: int | None, earlier: Outcome | None
    ) -> tuple[Outcome, float]:
        """What comes of it, and after how many seconds of a worker's."""
        record, steps = self.record(candidate), self.space.finetune.steps
        begun = 0 if earlier is None else int(earlier.done.result["steps"])
        looks = [look for look in record.result["history"] if look["step"] <= steps]
        if looks[-1]["step"] < steps:  # it ended early: what more steps bring is not recorded
            looks.append({**looks[-1], "step": steps})
        seen, reason = [], "steps"
        for look in looks:
            seen.append(look)
            if target is not None and look["accuracy"] >= target and look["step"] >= begun:
                reason = "target"
                break
            if stop is not None and look["step"] >= stop:
                reason = "paused"
                break
        done = int(seen[-1]["step"])
        result = {
            "start_accuracy": seen[0]["accuracy"],
            "begun": begun,
            "asked": target,
            "accuracy": max(look["accuracy"] for look in seen),
            "steps": done,
            "reason": reason,
            "history": seen,
        }
        self.ended[f"{candidate}@{done}"] = result["accuracy"]
        seconds = record.seconds * max(done - begun, 0) / record.result["steps"]
        seconds = self.recorded.times * seconds + self.recorded.look
        return _outcome(f"{candidate}@{done}", result, seconds), seconds

    def record(self, candidate: int) -> Record:
        rank, records = self._ranks[candidate], self.recorded.candidates
        return records[min(int(rank * len(records)), len(records) - 1)]

    @cached_property
    def _ranks(self) -> list[float]:
        """Of each candidate, by its damage: from 0 for the least to below 1."""
        if self.given is not None:
            return list(self.given)
        rows = self.plan.candidates.values
        teacher = self.store.find(self.keys.teacher)
        assert teacher is not None and teacher.weights is not None
        table = self.variants.scores(
            teacher.weights, [np.unique(column).tolist() for column in rows.T]
        ).table
        damage = sum(table[module][column] for module, column in enumerate(rows.T))
        ranks = np.argsort(np.argsort(damage, kind="stable"), kind="stable") / len(rows)
        found: list[float] = ranks.tolist()
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    workers: int
    seconds: float  # until the search ended
    searching: float  # of these
    busy: float  # share of the workers' time
    order: tuple[int, ...]  # of what was tried
    cost: int  # of the best, in the objective's measure
    met: bool


def crew_for(
    source: Path, store: Path, workers: int, settings: Mapping[str, str], times: float
) -> tuple[Timed, Outcome]:
    """The jobs of a source as so many workers would take them, and the teacher of a store.

    Ends the script where the store lacks what it takes.
    """
    made = compiled(source, None, overrides=dict(settings))
    space = made.plan.space
    height, width, channels = space.network.input
    dataset = load(space.data, seed=space.seed, shape=(height, width, channels))
    jobs: Jobs = Timed(
        plan=resolved(made.plan, len(dataset.train)),
        dataset=dataset,
        store=Store(store),
        events=Events(),
        crew=Crew(count=workers),
        recorded=Recorded.of(store, times),
    )
    teacher = jobs.store.find(jobs.keys.teacher)
    if teacher is None or teacher.weights is None:
        raise SystemExit(f"{store} has not the teacher of {source}: build that first")
    jobs = with_proposals(jobs, teacher.weights, made.passes)
    assert isinstance(jobs, Timed)
    return jobs, Outcome(done=teacher, reused=True)


def searched(jobs: Timed, teacher: Outcome) -> Found:
    crew, search = jobs.crew, Search(jobs=jobs, teacher=teacher)
    jobs.record(0)  # all ranks are known before the clock starts
    crew.since = time.thread_time()
    result: SearchResult = explore(search)
    crew.wait(0.0)
    return Found(
        workers=crew.count,
        seconds=crew.now,
        searching=crew.searching,
        busy=crew.worked / (crew.count * crew.now),
        order=tuple(one.candidate for one in result.tried),
        cost=result.best.costs[jobs.space.objective.cost],
        met=result.best.met,
    )


def _outcome(key: str, result: dict[str, Any], seconds: float) -> Outcome:
    return Outcome(done=Done(key=key, result=result, seconds=seconds, weights={}), reused=False)


def _is_whole(candidate: Record) -> bool:
    """It was fine-tuned to the end, or to what was asked."""
    return candidate.result["steps"] > 0 and candidate.result["reason"] != "paused"
