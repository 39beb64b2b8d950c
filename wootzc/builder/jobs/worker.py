"""A worker of a cluster: a process that has a build's plan and data, and does jobs of it.

It is told text and addresses, never weights: what a job needs it reads from the store, and what
comes of it is there when it says that it is done. Nothing here knows what carries its words.
"""

import os
import shutil
import signal
import socket
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event as Flag
from threading import Thread, get_ident
from types import FrameType
from typing import Any, TypeAlias

import jax

import wootzc
from wootzc.backends.data import load
from wootzc.backends.flax.device.compiles import Compilations, compilations
from wootzc.backends.flax.device.parallel import configure, free_memory
from wootzc.builder.jobs.at_once import Stopped, checked
from wootzc.builder.jobs.capacity import DISK_SHARE
from wootzc.builder.jobs.context import Context
from wootzc.builder.jobs.events import Event, Warned
from wootzc.builder.jobs.jobs import Jobs
from wootzc.builder.jobs.listeners import Events
from wootzc.builder.jobs.store import Outcome, Store
from wootzc.diagnostics import WootzError, fail
from wootzc.driver import with_paths
from wootzc.ir.passes import complete
from wootzc.ir.text import print_plan
from wootzc.ir.text.sound import sound_plan

GRACE = 25.0  # seconds that a job has to end when it is not wanted
WAIT = 0.5  # seconds for which a worker is silent at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """A build, as a worker is told of it."""

    plan: str  # as in a .wzir file, with paths that hold on every machine
    fingerprint: str  # of the data
    teacher_file: str | None  # as `Keys` has it
    store: str
    memory: int | None  # bytes for training blocks
    disk: int | None  # bytes beside the store
    workers: int
    machines: int

    @classmethod
    def of(cls, context: Context, workers: int, machines: int) -> "Assignment":
        return cls(
            plan=print_plan(with_paths(context.plan, _absolute)),
            fingerprint=context.dataset.fingerprint,
            teacher_file=context.keys.file,
            store=context.store.address,
            memory=context.memory,
            disk=context.disk,
            workers=workers,
            machines=machines,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """Who a worker is."""

    host: str
    process: int
    devices: str
    version: str  # of wootzc


@dataclass(frozen=True, slots=True)
class Ticket:
    """An outcome, by the key under which the store has it."""

    key: str
    reused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A job is over."""

    value: Any = None  # what came of it, with tickets for outcomes
    error: Exception | None = None
    compiled: Compilations


Said: TypeAlias = Event | Ended


class Worker:
    """Does one job at a time, and says meanwhile what its events are."""

    def __init__(self, alone: bool = False):  # in a process of its own
        self._said: SimpleQueue[Said] = SimpleQueue()
        self._stop = Flag()
        self._held: tuple[Assignment, Jobs] | None = None
        self._thread: Thread | None = None
        if alone:
            signal.signal(signal.SIGTERM, self._leave)

    def about(self) -> About:
        devices = jax.local_devices()
        return About(
            host=socket.gethostname(),
            process=os.getpid(),
            devices=f"{len(devices)} × {devices[0].device_kind}",
            version=wootzc.__version__,
        )

    def begin(self, assignment: Assignment, work: Any, given: tuple[Any, ...]) -> None:
        """Start on `work(jobs, *given)`; `poll` tells what comes of it."""
        self._stop.clear()
        self._thread = Thread(target=self._run, args=(assignment, work, given), daemon=True)
        self._thread.start()

    def poll(self) -> list[Said]:
        """What was said since the last call, after waiting for a moment."""
        said: list[Said] = []
        try:
            said.append(self._said.get(timeout=WAIT))
            while True:
                said.append(self._said.get_nowait())
        except Empty:
            return said

    def stop(self) -> None:
        """Let the job end at its next batch of images."""
        self._stop.set()

    def _run(self, assignment: Assignment, work: Any, given: tuple[Any, ...]) -> None:
        before, value = compilations(), None
        error: Exception | None = None
        try:
            jobs = self._jobs(assignment)
            jobs.events.home = get_ident()
            value = _told(work(jobs, *given))
        except (Stopped, WootzError) as known:
            error = known
        except Exception:  # its class may be unknown where it goes
            error = RuntimeError(f"in a worker:\n{traceback.format_exc()}")
        compiled = compilations().since(before)
        self._said.put(Ended(value=value, error=error, compiled=compiled))

    def _jobs(self, assignment: Assignment) -> Jobs:
        """Those of this build: compiled and read once."""
        if self._held is not None and self._held[0] == assignment:
            return self._held[1]
        events = Events(listeners=[self._said.put])
        store = Store(assignment.store, lambda text: events.emit(Warned(message=text)))
        before = None if self._held is None else self._held[1]
        own = replace(
            assignment,
            memory=_memory(assignment),
            disk=_disk(assignment, store.root),
        )
        jobs = jobs_of(own, store, events, self._check, before)
        self._held = assignment, jobs
        return jobs

    def _leave(self, number: int, _frame: FrameType | None) -> None:
        """At SIGTERM, which a machine sends that is to go: the job writes where it stands."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(GRACE)
        os._exit(128 + number)

    def _check(self) -> None:
        if self._stop.is_set():
            raise Stopped


def jobs_of(
    assignment: Assignment,
    store: Store,
    events: Events,
    check: Callable[[], None] = lambda: None,  # before each batch of images
    before: Jobs | None = None,  # of another assignment, which end; their data may serve again
) -> Jobs:
    """The jobs of an assignment, over all devices here. Raises `WootzError`."""
    plan = complete(sound_plan(assignment.plan))
    space = plan.space
    if before is not None:
        before.close()
    if before is not None and (before.space.data, before.space.seed) == (space.data, space.seed):
        dataset = before.dataset
    else:
        dataset = load(space.data, seed=space.seed, shape=space.network.input)
        dataset = checked(dataset, check)
    if dataset.fingerprint != assignment.fingerprint:
        raise fail(
            "WZ279",
            f"worker {socket.gethostname()}: {space.data.path} holds other images there",
            "put the data into a folder that all machines share",
        )
    configure(store.root / "xla")
    return Jobs(
        plan=plan,
        dataset=dataset,
        store=store,
        events=events,
        parallel="data",  # it has one candidate at a time
        memory=assignment.memory,
        disk=assignment.disk,
        teacher_file=assignment.teacher_file,
    )


def _memory(assignment: Assignment) -> int:
    """As much as one process takes, shared with the other workers of the machine."""
    if assignment.memory is not None:
        return assignment.memory
    return free_memory() // (2 * -(-assignment.workers // assignment.machines))


def _disk(assignment: Assignment, folder: Path) -> int:
    """Likewise: all workers share the folder of the store."""
    if assignment.disk is not None:
        return assignment.disk
    return shutil.disk_usage(folder).free // (DISK_SHARE * assignment.workers)


def _told(value: Any) -> Any:
    """Without weights."""
    match value:
        case Outcome(done=done, reused=reused):
            return Ticket(done.key, reused)
        case dict():
            return {key: _told(item) for key, item in value.items()}
        case _:
            return value


def _absolute(path: str) -> str:
    return os.path.abspath(os.path.expanduser(path))
