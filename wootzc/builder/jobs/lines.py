"""What hosts that build together say to each other, and the connections that carry it.

host 0 → others    plan, data and bounds (`Assignment`); a job (`Order`); what the store
                   answered (`Found`); that all is over (None)
others → host 0    who they are (`Present`); that they are ready; why they can't go on
"""

import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any, TypeAlias

from wootzc.builder.jobs.worker import Assignment
from wootzc.diagnostics import WootzError, fail

SILENCE = 30  # seconds after which one that vanished without a word is given up


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """A host that follows, and what it has left."""

    number: int
    name: str
    version: str  # of wootzc
    devices: int
    memory: int  # bytes
    disk: int  # bytes


@dataclass(frozen=True, slots=True)
class Order:
    """A job that all hosts do together: `work(jobs, *given)`."""

    work: Callable[..., Any]
    given: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What the store of host 0 answered to a question."""

    asked: tuple[str, ...]
    answer: Any


@dataclass(frozen=True, slots=True)
class Ready:
    """A host has the plan and the data."""


@dataclass(frozen=True, slots=True)
class Leaving:
    """A host that follows was told to go."""

    number: int  # of the signal


@dataclass(frozen=True, slots=True)
class Failed:
    error: WootzError


Word: TypeAlias = Present | Assignment | Order | Found | Ready | Leaving | Failed | None


@dataclass(slots=True)
class Line:
    """A connection to another host, read by a thread of its own."""

    wire: Connection
    who: str
    ended: Callable[["Line"], None]  # called by that thread once the other is gone
    leaving: Callable[[int], None] = lambda number: None
    failure: WootzError | None = None
    gone: bool = False
    closed: bool = False  # by this side
    heard: SimpleQueue[Word | EOFError] = field(default_factory=SimpleQueue)

    def __post_init__(self) -> None:
        _keep_alive(self.wire)
        threading.Thread(target=self._listen, daemon=True).start()

    def say(self, word: Word) -> None:
        with suppress(OSError):  # that it is gone, the thread that listens tells
            self.wire.send(word)

    def hear(self) -> Word:
        """The next word. Raises `EOFError` where none will come."""
        word = self.heard.get()
        if isinstance(word, EOFError):
            self.heard.put(word)  # for whoever asks again
            raise word
        return word

    def close(self) -> None:
        """Nothing more is said; the thread that listens closes the connection itself."""
        self.closed = True
        with suppress(OSError), _socket_of(self.wire) as own:
            own.shutdown(socket.SHUT_RDWR)

    def _listen(self) -> None:
        with suppress(EOFError, OSError):
            while True:
                match self.wire.recv():
                    case Failed(error=error):
                        self.failure = error
                        break
                    case Leaving(number=number):
                        self.leaving(number)
                    case word:
                        self.heard.put(word)
        self.gone = True
        self.heard.put(EOFError())
        self.wire.close()
        if not self.closed:
            self.ended(self)


def lost(line: Line) -> WootzError:
    """Why nothing more comes from there."""
    if line.failure is not None:
        return line.failure
    return fail(
        "WZ291",
        f"{line.who} is gone, and with it what all hosts worked on",
        "what it printed says why; start all of them again, and the build goes on where it was",
    )


def out_of_step(word: Word) -> WootzError:
    """Hosts that follow one program never come to this."""
    return fail(
        "WZ292",
        f"host 0 does something else than this one ({type(word).__name__})",
        "every host needs the same versions of Python, JAX and wootzc; else please report it",
    )


def _keep_alive(wire: Connection) -> None:
    """A machine that loses its power says nothing: the system asks, and ends the connection."""
    with _socket_of(wire) as own:
        if own.family not in (socket.AF_INET, socket.AF_INET6):  # on this machine
            return
        own.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL"):
            if hasattr(socket, name):
                own.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), SILENCE // 3)
        if hasattr(socket, "TCP_KEEPCNT"):
            own.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 2)


def _socket_of(wire: Connection) -> socket.socket:
    return socket.socket(fileno=os.dup(wire.fileno()))
