"""Hosts that build together: how they come together, and how each ends when another is gone."""

import atexit
import json
import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Listener

from wootzc.backends.flax.device.parallel import join, leave, together, told_by_first
from wootzc.builder.jobs.lines import Line, Word, lost
from wootzc.diagnostics import WootzError, fail

LATE = 300.0  # seconds that host 0 may come later than others
MEANWHILE = 1.0  # seconds from one host's being told to go to that of all others
MOMENT = 20.0  # seconds in which a program over all devices is to notice that a host is gone


@dataclass(slots=True, kw_only=True)
class Group:
    """The hosts that this process was joined with, as it knows them."""

    number: int  # of this host; 0 decides
    count: int
    lines: list[Line] = field(default_factory=list)  # of host 0 to the others; or to host 0
    # Whether this process is in no program over all devices, and what it says where it is ended.
    idle: threading.Event = field(default_factory=threading.Event)
    apart: bool = False  # the others stand elsewhere: what is left is done by this host alone
    going: bool = False  # another host was told to go, and so is this one

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

    def go(self, number: int) -> None:
        """Another host was told to go, by this signal. Whoever ends all of them tells this one too;
        where nobody does, it is interrupted here.
        """
        time.sleep(MEANWHILE)
        if not (self.apart or self.going):
            self.going = True
            os.kill(os.getpid(), number)

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
        if host is not None and host[0] > 0:
            _await(str(address))
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


def _await(address: str) -> None:
    """Until host 0 is there. Raises `OSError`: JAX would end this process."""
    name, _, port = address.rpartition(":")
    until = time.monotonic() + LATE
    while True:
        try:
            socket.create_connection((name, int(port)), timeout=5).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
        time.sleep(0.5)


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
                group.lines.append(Line(wire, f"another host ({number})", group.ended, group.go))


def _reach(group: Group) -> None:
    told = json.loads(told_by_first(b""))
    wire = Client((told["name"], told["port"]), authkey=told["key"].encode())
    group.lines.append(Line(wire, "host 0", group.ended))
