"""Workers of a cluster, without Ray: what is told of those that are lost, or differ."""

import importlib.util
import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import wootzc
from wootzc.backends.data import load
from wootzc.builder import Options, build
from wootzc.builder.jobs import cluster as clusters
from wootzc.builder.jobs.cluster import Cluster
from wootzc.builder.jobs.context import Context
from wootzc.builder.jobs.events import (
    Event,
    JobStarted,
    Progressed,
    RunsOn,
    WorkerIdle,
    WorkerJoined,
    WorkerLost,
)
from wootzc.builder.jobs.listeners import Events
from wootzc.builder.jobs.on_cluster import ClusterJobs
from wootzc.builder.jobs.records import Record, Records
from wootzc.builder.jobs.store import Store
from wootzc.builder.jobs.worker import Assignment, Worker
from wootzc.diagnostics import WootzError
from wootzc.driver import compile

Change = Callable[[int, Any], Any]


class Lost(Exception):
    """What Ray raises where a process is gone."""


class Fake:
    """As much of Ray as a cluster uses; its actors are objects of this process."""

    exceptions = SimpleNamespace(RayError=Lost, RayActorError=Lost)

    def __init__(self, change: Change, processors: int = 4):
        self.change = change  # an actor, by its number
        self.numbers = itertools.count(1)
        self.processors = processors

    def init(self, **_: Any) -> None: ...
    def shutdown(self) -> None: ...
    def kill(self, actor: Any) -> None: ...

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": float(self.processors)}

    def nodes(self) -> list[dict[str, Any]]:
        has = {"CPU": float(self.processors)}
        dead = {"Alive": False, "Resources": {}}
        return [{"Alive": True, "Resources": one} for one in ({}, has, has)] + [dead]

    def remote(self, kind: Any) -> Any:
        def start(alone: bool) -> Any:
            return Actor(self.change(next(self.numbers), kind()))

        return SimpleNamespace(options=lambda **_: SimpleNamespace(remote=start))

    def put(self, value: Any) -> Any:
        return value

    def get(self, call: Callable[[], Any]) -> Any:
        return call()

    def wait(self, calls: list[Any], timeout: float) -> tuple[list[Any], list[Any]]:
        return calls, []


class Actor:
    def __init__(self, worker: Any):
        self.worker = worker

    def __getattr__(self, name: str) -> Any:
        return SimpleNamespace(remote=lambda *given: lambda: getattr(self.worker, name)(*given))


class Dying(Worker):
    """It is lost with the first job that it begins."""

    def poll(self) -> Any:
        raise Lost("gone")


Make = Callable[..., tuple[Cluster, list[Event]]]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    made: list[Cluster] = []

    def cluster(
        change: Change, workers: int | None = 2, **more: Any
    ) -> tuple[Cluster, list[Event]]:
        monkeypatch.setattr(clusters, "_ray", lambda: Fake(change, **more))
        monkeypatch.setattr(clusters, "LATE", 0.0)
        said: list[Event] = []
        made.append(Cluster("ray", workers, Events(listeners=[said.append])))
        return made[-1], said

    yield cluster
    for one in made:
        one.stop()
        one.close()


@pytest.fixture
def context(make_space: Any, tmp_path: Path) -> Context:
    plan = compile(make_space())
    dataset = load(plan.space.data, seed=0)
    return Context(plan, dataset, Store(tmp_path / "store"), Events())


def as_it_is(_number: int, worker: Any) -> Any:
    return worker


def names(jobs: Any, count: int) -> list[str]:
    return [module.name for module in jobs.space.network.modules][:count]


def given(cluster: Cluster, context: Context) -> Cluster:
    cluster.assign(context)
    return cluster


def test_a_worker_has_the_same_plan_data_and_store(make: Make, context: Context) -> None:
    cluster, said = make(as_it_is)
    futures = [given(cluster, context).submit(names, count) for count in (1, 3, 2)]
    assert cluster.results(futures) == [["a1"], ["a1", "a2", "b1"], ["a1", "a2"]]
    joined = [event.worker for event in said if isinstance(event, WorkerJoined)]
    assert set(joined) <= {1, 2} and len(joined) == len(set(joined))


def test_keys_are_the_same_on_a_worker(make: Make, context: Context) -> None:
    def keys(jobs: Any) -> list[str]:
        return [jobs.keys.teacher, jobs.keys.block(1), jobs.keys.candidate(3, 0.9, 5)]

    cluster, _ = make(as_it_is)
    [found] = cluster.results([given(cluster, context).submit(keys)])
    assert found == keys(context)


def test_what_a_lost_worker_did_goes_to_another(make: Make, context: Context) -> None:
    cluster, said = make(lambda number, worker: Dying() if number == 1 else worker)
    futures = [given(cluster, context).submit(names, count) for count in (1, 2, 3)]
    assert [len(found) for found in cluster.results(futures)] == [1, 2, 3]
    assert [event.worker for event in said if isinstance(event, WorkerLost)] == [1]


def test_a_job_that_loses_every_worker_ends_the_build(make: Make, context: Context) -> None:
    cluster, said = make(lambda number, worker: Dying())
    with pytest.raises(WootzError, match="WZ280"):
        cluster.results([given(cluster, context).submit(names, 1)])
    assert len([event for event in said if isinstance(event, WorkerLost)]) == 3


def test_other_images_on_a_machine_are_told(make: Make, context: Context) -> None:
    cluster, _ = make(as_it_is)
    cluster.assign(replace(context, dataset=replace(context.dataset, fingerprint="other")))
    with pytest.raises(WootzError, match="WZ279"):
        cluster.results([cluster.submit(names, 1)])


def test_another_version_on_a_machine_is_told(make: Make, context: Context) -> None:
    def older(_number: int, worker: Any) -> Any:
        about = replace(worker.about(), version="0.0.1")
        worker.about = lambda: about
        return worker

    cluster, _ = make(older)
    with pytest.raises(WootzError, match=f"wootzc 0.0.1, and this machine {wootzc.__version__}"):
        cluster.results([given(cluster, context).submit(names, 1)])


def test_a_machine_without_wootzc_is_told(make: Make, context: Context) -> None:
    def broken(_number: int, worker: Any) -> Any:
        def about() -> Any:
            raise Lost("the actor died\nModuleNotFoundError: No module named 'wootzc'\n\n")

        worker.about = about
        return worker

    cluster, _ = make(broken)
    with pytest.raises(WootzError, match=r"WZ278.*No module named 'wootzc'"):
        cluster.results([given(cluster, context).submit(names, 1)])


def test_mistakes_and_errors_of_a_worker_come_back(make: Make, context: Context) -> None:
    def mistaken(jobs: Any) -> None:
        raise WootzError(WootzError([]).diagnostics, {"file": "text"})

    def broken(jobs: Any) -> None:
        raise ZeroDivisionError("somewhere in there")

    cluster, _ = make(as_it_is)
    with pytest.raises(WootzError) as caught:
        cluster.results([given(cluster, context).submit(mistaken)])
    assert caught.value.sources == {"file": "text"}
    with pytest.raises(RuntimeError, match="somewhere in there"):
        cluster.results([cluster.submit(broken)])


def test_what_is_not_wanted_any_more_ends_at_its_next_batch(make: Make, context: Context) -> None:
    def endless(jobs: Any) -> None:
        jobs.events.emit(JobStarted(job="candidate", name="50%", candidate=7))
        while True:
            jobs.dataset.train.batch(np.arange(2))

    cluster, _ = make(as_it_is)

    def interrupt(event: Event) -> None:
        if isinstance(event, RunsOn):
            raise KeyboardInterrupt

    cluster.events.listeners.append(interrupt)
    with pytest.raises(KeyboardInterrupt):
        cluster.results([given(cluster, context).submit(endless)])
    assert not cluster._running


def test_a_store_that_is_not_shared_is_told(make: Make, context: Context, tmp_path: Path) -> None:
    def elsewhere(_number: int, worker: Any) -> Any:
        begin = worker.begin

        def other(assignment: Assignment, *more: Any) -> None:
            begin(replace(assignment, store=str(tmp_path / "other")), *more)

        worker.begin = other
        return worker

    cluster, _ = make(elsewhere)
    jobs = ClusterJobs(
        context.plan, context.dataset, context.store, context.events, cluster=cluster
    )
    with pytest.raises(WootzError, match="WZ281"):
        jobs.blocks([0], {})


EVERY = ["teacher", "variant", "score", "block", "candidate", "polish", "test"]
QUICK = {"teacher.steps": "20", "finetune.steps": "8", "finetune.every": "2", "polish.steps": "8"}


@pytest.fixture(scope="module")
def alone(make_space: Any) -> tuple[Path, dict[str, Record]]:
    """A space with every kind of job, and the records of its build in one process."""
    file = Path(make_space(target="40%"))
    text = file.read_text().replace("explore ascending", "explore predicted")
    text = text.replace("pretrain { steps", "pretrain { reconstruct 64 images; steps")
    file.write_text(text)
    build(file, Options(out=file.parent / "out", store=file.parent / "store", overrides=QUICK))
    return file, records(file.parent / "store")


def records(store: Path) -> dict[str, Record]:
    return {record.key: record for record in Records(store / "jobs").sound()}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_build_on_workers_is_the_same_bit_for_bit(
    alone: tuple[Path, dict[str, Record]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    workers: int,
) -> None:
    """With one, in all; with two other candidates may be chosen."""
    monkeypatch.setattr(clusters, "_ray", lambda: Fake(as_it_is))
    file, expected = alone
    said: list[Event] = []
    options = Options(
        out=tmp_path / "out", store=tmp_path / "store", overrides=QUICK, on="ray", workers=workers
    )
    build(file, options, [said.append])
    found = records(tmp_path / "store")
    assert {record.kind for record in found.values()} == set(EVERY)
    same = found.keys() & expected.keys()
    for key in same:
        assert found[key].artifact == expected[key].artifact, found[key].kind
    if workers == 1:
        assert found.keys() == expected.keys()
        best = (file.parent / "out", tmp_path / "out")
        one, other = (out / "best" / "weights.safetensors" for out in best)
        assert one.read_bytes() == other.read_bytes()
    ran = {event.what for event in said if isinstance(event, RunsOn)}
    assert ran == {"teacher", "variants", "scores", "blocks", "candidate", "polish", "test"}
    everybody = {*range(1, workers + 1)}
    assert {event.worker for event in said if isinstance(event, RunsOn)} == everybody
    assert {event.worker for event in said if isinstance(event, Progressed)} <= everybody
    doing = [type(event) for event in said if isinstance(event, RunsOn | WorkerIdle)]
    assert doing[-1] is WorkerIdle


def test_there_is_a_worker_for_each_machine_that_has_room(make: Make) -> None:
    """Not for a head without processors."""
    assert make(as_it_is, workers=None)[0].width == 2


def test_more_workers_than_processors_are_refused(make: Make) -> None:
    with pytest.raises(WootzError, match="no room for 5 workers"):
        make(as_it_is, workers=5)


def test_without_ray_a_build_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(WootzError, match="WZ276"):
        Cluster("ray", 1, Events())


def test_nothing_but_a_cluster_loads_ray() -> None:
    code = (
        "import sys, wootzc.builder.run, wootzc.builder.jobs.on_cluster, wootzc.cli;"
        "assert 'ray' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
