"""Workers on Ray: jobs run in processes of their own, on this machine or on many.

The only file that knows Ray, which is loaded when a build asks for it. A worker that is lost with
its machine costs the time since its last checkpoint: what it worked on goes to another, and a new
worker starts as soon as the cluster has room.
"""

import importlib.util
import logging
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import wootzc
from wootzc.backends.flax.device.parallel import leave_accelerators
from wootzc.builder.jobs.at_once import Call, Lost, Stopped, Workers
from wootzc.builder.jobs.context import Context
from wootzc.builder.jobs.events import (
    BlocksStarted,
    JobStarted,
    Progressed,
    RunsOn,
    SweepStarted,
    WorkerIdle,
    WorkerJoined,
    WorkerLost,
    log_name,
)
from wootzc.builder.jobs.listeners import Events
from wootzc.builder.jobs.store import Done, Outcome, Store
from wootzc.builder.jobs.worker import GRACE, About, Assignment, Ended, Ticket, Worker
from wootzc.diagnostics import fail

LOCAL = "ray"  # as an address: a cluster on this machine, or the one that $RAY_ADDRESS names
NOTHING = "nothing yet"  # what a worker does between two jobs
MOST_LOSSES = 3  # workers that one job may lose
MOST_STARTS = 3  # attempts at a worker, and at a cluster on this machine
LATE = 30.0  # seconds after which a shared folder shows what another machine wrote
OBJECTS = 10**8  # bytes of memory for what is sent: texts


@dataclass(slots=True, kw_only=True)
class Seat:
    """A worker as this machine knows it."""

    number: int
    actor: Any = None  # the process on Ray that was asked for
    about: About | None = None  # once it has answered
    doing: str = NOTHING


class Cluster(Workers[Seat, Any]):
    """Calls get the `Jobs` of a worker for their place, and outcomes come back by the store.

    `assign` says whose jobs these are. Raises `WootzError` where Ray or the cluster is missing.
    """

    def __init__(self, address: str, count: int | None, events: Events):
        self.ray = _ray()
        self._connect(address, count)
        resources = self.ray.cluster_resources()
        processors, accelerators = int(resources.get("CPU", 0)), int(resources.get("GPU", 0))
        alive = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        machines = sum(bool(has.get("CPU")) for has in alive)  # a head may have none for workers
        count = count or accelerators or max(machines, 1)
        if count > processors:
            self.ray.shutdown()
            raise fail(
                "WZ277",
                f"the cluster has {processors} processors, so there is no room for {count} workers",
                f"--workers {processors}",
            )
        self._needs = {
            "num_cpus": 1,
            "num_gpus": max(1, accelerators // count) if accelerators else 0,
            "scheduling_strategy": "SPREAD",
        }
        self._machines = machines
        self._losses: Counter[Call] = Counter()
        seats = [Seat(number=number) for number in range(1, count + 1)]
        for seat in seats:
            seat.actor = self._start()
        super().__init__(seats, events)

    def assign(self, context: Context) -> None:
        """What is submitted from now on are jobs of this plan and data."""
        self._store = context.store
        self._assignment = self.ray.put(Assignment.of(context, self.width, self._machines))

    def close(self) -> None:
        self.ray.shutdown()  # workers end with the process that asked for them

    def prepare(self, seat: Seat) -> None:
        """Start this seat's worker, again if its process dies, and wait until it is ready."""
        starts = 0
        while seat.about is None and self._waiting:
            if seat.actor is None:
                seat.actor = self._start()
            asked = seat.actor.about.remote()
            try:
                while self._waiting and not self.ray.wait([asked], timeout=1)[0]:
                    pass  # the cluster may have no room yet
                if self._waiting:
                    self._welcome(seat, self.ray.get(asked))
            except self.ray.exceptions.RayError as error:
                seat.actor, starts = None, starts + 1
                if starts == MOST_STARTS:
                    why = [line.strip() for line in str(error).splitlines() if line.strip()]
                    raise fail(
                        "WZ278",
                        f"a worker can't start: {why[-1] if why else type(error).__name__}",
                        "every machine needs the same versions of Python, wootzc and Ray",
                    ) from None

    def serve(self, seat: Seat, call: Call) -> Any:
        """What the worker of this seat answers to a call.

        Raises `Lost` where its process is gone, and `WootzError` if that call took several along.
        """
        if seat.about is None:
            raise Lost
        try:
            return self._found(self._watched(seat, seat.about, call))
        except self.ray.exceptions.RayActorError:
            self.ray.kill(seat.actor)  # it may live, out of reach
            lost = WorkerLost(worker=seat.number, host=seat.about.host, doing=seat.doing)
            self.events.emit(lost)
            seat.actor = seat.about = None
            seat.doing, doing = NOTHING, seat.doing
            self._losses[call] += 1
            if self._losses[call] == MOST_LOSSES:
                raise fail(
                    "WZ280",
                    f"{MOST_LOSSES} workers were lost with the same job: {doing}",
                    "it may need more memory than there is: fewer --workers, or --memory",
                ) from None
            raise Lost from None

    def _watched(self, seat: Seat, about: About, call: Call) -> Any:
        """What comes of a call, telling meanwhile what its worker says."""
        get, actor = self.ray.get, seat.actor
        get(actor.begin.remote(self._assignment, call.work, call.given))
        stopped: float | None = None
        while True:
            for said in get(actor.poll.remote()):
                match said:
                    case Ended(value=value, error=error, compiled=compiled):
                        self.events.elsewhere(compiled)
                        self.events.emit(WorkerIdle(worker=seat.number))
                        seat.doing = NOTHING
                        if error is not None:
                            raise error
                        return value
                    case _:
                        self._tell(seat, about, said)
            if call.stop.is_set() and stopped is None:
                stopped = time.monotonic()
                get(actor.stop.remote())
            if stopped is not None and time.monotonic() - stopped > GRACE:  # it compiles, say
                self.ray.kill(actor)
                seat.actor = seat.about = None
                raise Stopped

    def _tell(self, seat: Seat, about: About, said: Any) -> None:
        if isinstance(said, Progressed):
            said = replace(said, worker=seat.number)
        self.events.emit(said)
        if isinstance(said, JobStarted | BlocksStarted | SweepStarted):
            what = log_name(said).removesuffix("_started")
            candidate = said.candidate if isinstance(said, JobStarted) else None
            seat.doing = what if candidate is None else f"{what} {candidate}"
            runs = RunsOn(what=what, candidate=candidate, worker=seat.number, host=about.host)
            self.events.emit(runs)

    def _found(self, value: Any) -> Any:
        """With outcomes for tickets."""
        match value:
            case Ticket(key=key, reused=reused):
                return Outcome(done=recorded(self._store, key), reused=reused)
            case dict():
                return {key: self._found(item) for key, item in value.items()}
            case _:
                return value

    def _welcome(self, seat: Seat, about: About) -> None:
        if about.version != wootzc.__version__:
            raise fail(
                "WZ278",
                f"{about.host} has wootzc {about.version}, and this machine {wootzc.__version__}",
                "every machine needs the same versions of Python, wootzc and Ray",
            )
        seat.about = about
        joined = WorkerJoined(
            worker=seat.number, host=about.host, process=about.process, devices=about.devices
        )
        self.events.emit(joined)

    def _start(self) -> Any:
        return self.ray.remote(Worker).options(**self._needs).remote(alone=True)

    def _connect(self, address: str, count: int | None) -> None:
        ours = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            self._init(address, count)
        finally:
            if threading.current_thread() is threading.main_thread():
                for number, handler in ours.items():  # Ray has put its own there
                    signal.signal(number, handler)

    def _init(self, address: str, count: int | None) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent to anybody
        quiet = {"log_to_driver": False, "logging_level": logging.CRITICAL}
        given = os.environ.get("RAY_ADDRESS") if address == LOCAL else address
        own = {
            "num_cpus": max(count or 1, os.cpu_count() or 1),
            "include_dashboard": False,
            "object_store_memory": OBJECTS,
        }
        for left in reversed(range(1 if given else MOST_STARTS)):  # a busy machine takes its time
            try:
                self.ray.init(address=given or "local", **quiet, **({} if given else own))
                return
            except Exception as error:  # Ray has many kinds, some of them built in
                self.ray.shutdown()
                if not left:
                    raise fail(
                        "WZ277",
                        f"can't reach a cluster at {given or 'this machine'}: {error}",
                        "`ray start --head` starts one, `--on ray` one on this machine; where "
                        "it asks for a token, set RAY_AUTH_MODE=token and have the same one here",
                    ) from None


@contextmanager
def workers_on(address: str | None, count: int | None, events: Events) -> Generator[Cluster | None]:
    """The workers that a build is done by, if it asks for any; gone when it ends."""
    if address is None:
        yield None
        return
    leave_accelerators()
    with closing(Cluster(address, count, events)) as cluster:
        yield cluster


def _ray() -> Any:
    if importlib.util.find_spec("ray") is None:
        raise fail("WZ276", "Ray is not installed", "pip install 'wootzc[ray]'")
    import ray

    return ray


def recorded(store: Store, key: str) -> Done:
    """What another machine has just recorded: a shared folder may show it a little later."""
    until = time.monotonic() + LATE
    while True:
        if done := store.find(key):
            return done
        if time.monotonic() > until:
            raise fail(
                "WZ281",
                f"a worker has finished a job, but it is not in the store {store.place}",
                "put the store into a folder that all machines share: --store DIR",
            )
        time.sleep(0.2)
