"""One build over the devices of several hosts: every host runs the same programs.

Host 0 builds as ever: the store, the screen and the result are its own, and so is every decision.
The others follow. They are told each job that host 0 begins, and within it what host 0 finds in its
store, in the order in which it asks; so all come to the same steps, whatever clocks and disks say.

A connection that ends tells each side that the other is gone. What that leaves waiting within a
program over all devices is given a moment to notice, and else ended with its process.
"""

import os
import shutil
import signal
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import jax

import wootzc
from wootzc.backends.flax.device.parallel import free_memory
from wootzc.builder.jobs.announced import Announced, Followed
from wootzc.builder.jobs.at_once import AtOnce, Call
from wootzc.builder.jobs.capacity import DISK_SHARE
from wootzc.builder.jobs.context import Context
from wootzc.builder.jobs.events import Noted
from wootzc.builder.jobs.jobs import Jobs
from wootzc.builder.jobs.joined import Group
from wootzc.builder.jobs.lines import (
    Failed,
    Leaving,
    Line,
    Order,
    Present,
    Ready,
    lost,
    out_of_step,
)
from wootzc.builder.jobs.listeners import Events
from wootzc.builder.jobs.store import default_root, user_cache
from wootzc.builder.jobs.worker import GRACE, Assignment, jobs_of
from wootzc.diagnostics import WootzError, fail


class Hosts(AtOnce[None, Jobs]):
    """Calls get `Jobs` over the devices of all hosts for their place. Served by the thread that
    submits them, here and on all other hosts at once.
    """

    def __init__(self, group: Group, events: Events):
        super().__init__([None], events)
        self.group = group
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
        self._alone = context.become(Jobs, parallel="data", memory=memory, disk=disk)
        self._all = self._alone.become(Jobs, store=Announced(context.store, self.group.say))
        self.group.say(Assignment.of(self._alone, workers=1, machines=1))
        for line in self.group.lines:
            self._answer(line, Ready)

    def serve(self, seat: None, call: Call) -> Any:
        """What comes of a call. Raises `WootzError` where another host is gone."""
        if self.group.apart:
            return call.work(self._alone, *call.given, **call.options)
        if gone := self.group.missing():
            self.group.apart = True
            raise gone
        self.group.say(Order(call.work, call.given))
        try:
            with self.group.working():
                return call.work(self._all, *call.given, **call.options)
        except BaseException as error:
            self.group.apart = True
            if isinstance(error, Exception) and (gone := self.group.missing(within=2.0)):
                raise gone from error
            raise

    def close(self) -> None:
        """Let the others go. They wait for what never comes, where a job was broken off."""
        if self.group.apart or self.group.missing():
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
