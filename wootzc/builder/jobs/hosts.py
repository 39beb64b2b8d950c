"""One build over the devices of several hosts: every host runs the same programs.

Host 0 builds as ever: the store, the screen and the result are its own, and so is every decision.
The others follow. They are told each job that host 0 begins, and within it what host 0 finds in its
store, in the order in which it asks; so all come to the same steps, whatever clocks and disks say.

A connection that ends tells each side that the other is gone. What that leaves waiting within a
program over all devices is given a moment to notice, and else ended with its process.
"""

import atexit
import json
import os
import secrets
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Listener
from pathlib import Path
from types import FrameType
from typing import Any, Concatenate

import jax

import wootzc
from wootzc.backends.flax.device.parallel import (
    free_memory,
    join,
    leave,
    together,
    told_by_first,
)
from wootzc.builder.jobs.announced import Announced, Followed
from wootzc.builder.jobs.at_once import Call, Given, Result, Workers
from wootzc.builder.jobs.capacity import DISK_SHARE
from wootzc.builder.jobs.context import Context
from wootzc.builder.jobs.events import Noted
from wootzc.builder.jobs.jobs import Jobs
from wootzc.builder.jobs.lines import (
    Failed,
    Leaving,
    Line,
    Order,
    Present,
    Ready,
    Word,
    lost,
    out_of_step,
)
from wootzc.builder.jobs.listeners import Events
from wootzc.builder.jobs.store import Store, default_root, user_cache
from wootzc.builder.jobs.worker import GRACE, Assignment, jobs_of
from wootzc.diagnostics import WootzError, fail

MOMENT = 20.0  # seconds in which a program over all devices is to notice that a host is gone


@dataclass(slots=True, kw_only=True)
class Group:
    """The hosts that this process was joined with, as it knows them."""

    number: int  # of this host; 0 decides
    count: int
    lines: list[Line] = field(default_factory=list)  # of host 0 to the others; or to host 0
    # Whether this process is in no program over all devices, and what it says where it is ended.
    idle: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.idle.set()

    @contextmanager
    def working(self) -> Generator[None]:
        """Within, programs run over the devices of all hosts."""
        self.idle.clear()
        try:
            with together():
                yield
        finally:
            self.idle.set()

    def say(self, word: Word) -> None:
        for line in self.lines:
            line.say(word)

    def missing(self, within: float = 0.0) -> WootzError | None:
        """What to say if another host is gone, or goes within so many seconds."""
        until = time.monotonic() + within
        while not (gone := [line for line in self.lines if line.gone]):
            if time.monotonic() >= until:
                return None
            time.sleep(0.05)
        return lost(gone[0])

    def ended(self, line: Line) -> None:
        """Called by a thread: a program over all devices may wait for ever for a host that is gone.

        Where this process does not come out of it by itself, it ends here.
        """
        if not self.idle.wait(MOMENT):
            sys.stderr.write(f"{lost(line)}\n")
            sys.stderr.flush()
            os._exit(1)

    def close(self) -> None:
        """All is over: every host says so, and waits for the others."""
        if self.number == 0:
            self.say(None)
        leave()
        for line in self.lines:
            line.close()

    def part(self) -> None:
        """Leave the others as they stand. JAX would wait for them when this process ends."""
        for line in self.lines:
            line.close()
        atexit.register(_end)


def _end() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)


def join_hosts(address: str | None, host: tuple[int, int] | None) -> Group:
    """Bring this process together with those on the other hosts, which call this too.

    `address`: a port of host 0, as "name:port"; `host`: this one's number, and how many there are.
    None: as Slurm and the like say. Before anything else of JAX is used. Raises `WootzError`.
    """
    try:
        number, count = join(address, *(reversed(host) if host else (None, None)))
        group = Group(number=number, count=count)
        if number == 0:
            _receive(group, address)
        else:
            _reach(group)
    except (ValueError, RuntimeError, OSError, EOFError, AuthenticationError) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise fail(
            "WZ290",
            f"the hosts did not come together: {reason[0]}",
            "give all of them the same `--hosts NAME:PORT`, a free port of host 0 that the others "
            "reach, and each its own `--host NUMBER/COUNT`",
        ) from None
    return group


def _receive(group: Group, address: str | None) -> None:
    """On host 0: the others call, where a broadcast over their devices told them to."""
    name = address.rpartition(":")[0] if address else socket.gethostname()
    key = secrets.token_hex(32)
    with Listener(("", 0), backlog=group.count, authkey=key.encode()) as listener:
        told_by_first(json.dumps({"name": name, "port": listener.address[1], "key": key}).encode())
        while len(group.lines) < group.count - 1:
            with suppress(AuthenticationError, EOFError):  # a stranger
                wire = listener.accept()
                number = len(group.lines) + 1
                group.lines.append(Line(wire, f"another host ({number})", group.ended, _pass_on))


def _reach(group: Group) -> None:
    told = json.loads(told_by_first(b""))
    wire = Client((told["name"], told["port"]), authkey=told["key"].encode())
    group.lines.append(Line(wire, "host 0", group.ended))


def _pass_on(number: int) -> None:
    """A host that follows was told to go: so is the build."""
    os.kill(os.getpid(), number)


class Hosts(Workers[None, Jobs]):
    """Calls get `Jobs` over the devices of all hosts for their place. Served by the thread that
    submits them, here and on all other hosts at once.
    """

    def __init__(self, group: Group, events: Events):
        super().__init__([None], events)
        self.group = group
        self._apart = False  # the others stand elsewhere: what is left is done by this host alone
        present = [self._answer(line, Present) for line in group.lines]
        for line, one in zip(group.lines, present, strict=True):
            line.who = f"host {one.number} ({one.name})"
            if one.version != wootzc.__version__:
                raise fail(
                    "WZ278",
                    f"{line.who} has wootzc {one.version}, and this one {wootzc.__version__}",
                    "every host needs the same versions of Python, JAX and wootzc",
                )
        self._present: list[Present] = present
        total = jax.local_device_count() + sum(one.devices for one in present)
        events.emit(Noted(message=f"{group.count} hosts with {total} devices build together"))

    def assign(self, context: Context) -> None:
        """What is submitted from now on are jobs of this plan and data."""
        memory, disk = context.memory, context.disk
        if memory is None:
            memory = min([free_memory(), *(one.memory for one in self._present)]) // 2
        if disk is None:
            free = [
                shutil.disk_usage(context.store.root).free,
                *(one.disk for one in self._present),
            ]
            disk = min(free) // DISK_SHARE
        own = Context(
            plan=context.plan,
            dataset=context.dataset,
            store=context.store,
            events=context.events,
            parallel="data",
            memory=memory,
            disk=disk,
            teacher_file=context.teacher_file,
        )
        self._alone = _jobs(own, context.store)
        self._all = _jobs(own, Announced(context.store, self.group.say))
        self.group.say(Assignment.of(own, workers=1, machines=1))
        for line in self.group.lines:
            self._answer(line, Ready)

    def submit(
        self,
        work: Callable[Concatenate[Jobs, Given], Result],
        /,
        *given: Given.args,
        **options: Given.kwargs,
    ) -> Future[Result]:
        future: Future[Result] = Future()
        future.set_result(self.serve(None, Call(work, given, options)))  # it raises here
        return future

    def serve(self, seat: None, call: Call) -> Any:
        """What comes of a call. Raises `WootzError` where another host is gone."""
        if self._apart:
            return call.work(self._alone, *call.given, **call.options)
        if gone := self.group.missing():
            self._apart = True
            raise gone
        self.group.say(Order(call.work, call.given))
        try:
            with self.group.working():
                return call.work(self._all, *call.given, **call.options)
        except BaseException as error:
            self._apart = True
            if isinstance(error, Exception) and (gone := self.group.missing(within=2.0)):
                raise gone from error
            raise

    def close(self) -> None:
        """Let the others go. They wait for what never comes, where a job was broken off."""
        if self._apart or self.group.missing():
            self.group.part()
        else:
            self.group.close()

    def _answer(self, line: Line, kind: type[Any]) -> Any:
        try:
            word = line.hear()
        except EOFError:
            raise lost(line) from None
        assert isinstance(word, kind), "hosts answer what they were asked"
        return word


def follow(group: Group) -> None:
    """Do what host 0 does, until it says that all is over. Raises `WootzError`."""
    (line,) = group.lines
    _leave_with(line)
    folder = default_root()
    store = Followed(folder if isinstance(folder, Path) else user_cache(), line.hear)
    line.say(
        Present(
            number=group.number,
            name=socket.gethostname(),
            version=wootzc.__version__,
            devices=jax.local_device_count(),
            memory=free_memory(),
            disk=shutil.disk_usage(store.root).free,
        )
    )
    jobs: Jobs | None = None
    try:
        while (word := line.hear()) is not None:
            match word:
                case Assignment():
                    jobs = jobs_of(word, store, Events(), before=jobs)
                    line.say(Ready())
                case Order(work=work, given=given):
                    assert jobs is not None, "orders come after an assignment"
                    with group.working():
                        work(jobs, *given)
                case _:
                    raise out_of_step(word)
    except EOFError:
        group.part()
        raise lost(line) from None
    except WootzError as error:
        line.say(Failed(error))
        group.part()
        raise
    except Exception as error:  # JAX says of one that is gone what the network says
        gone = group.missing(within=2.0)
        group.part()
        raise (gone or error) from error
    group.close()


def _leave_with(line: Line) -> None:
    """At Ctrl-C and SIGTERM host 0 is told, which writes where it stands; this one ends with it."""

    def told(number: int, _frame: FrameType | None) -> None:
        line.say(Leaving(number))
        clock = threading.Timer(GRACE, os._exit, [128 + number])
        clock.daemon = True
        clock.start()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, told)


def _jobs(context: Context, store: Store) -> Jobs:
    return Jobs(
        plan=context.plan,
        dataset=context.dataset,
        store=store,
        events=context.events,
        parallel=context.parallel,
        memory=context.memory,
        disk=context.disk,
        teacher_file=context.teacher_file,
    )


@contextmanager
def hosts_in(group: Group | None, events: Events) -> Generator[Hosts | None]:
    """Those that a build is done by, if several; they are let go when it ends."""
    if group is None:
        yield None
        return
    try:
        hosts = Hosts(group, events)
        yield hosts
    except BaseException:
        group.part()
        raise
    hosts.close()
