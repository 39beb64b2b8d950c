"""Who hears of events (the log file, the screen), and how threads speak to them."""

import json
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue

from wootzc.backends.flax.device.compiles import Compilations, compilations
from wootzc.builder.jobs.events import Event, Listener, log_entry
from wootzc.files import finite

Inbox = SimpleQueue[Event | None]  # None: a thread is done with something


@dataclass(slots=True)
class Events:
    """Sends every event to every listener, and adds up what each stage took.

    Listeners are called one at a time, and by the thread that builds: what another thread emits
    waits until that one calls `relay`.
    """

    listeners: list[Listener] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)  # by stage; stages do not overlap
    compiled: dict[str, Compilations] = field(default_factory=dict)  # by stage
    workers: Compilations = field(default_factory=Compilations)  # what those of a cluster compiled
    home: int = field(default_factory=threading.get_ident)
    inbox: Inbox = field(default_factory=SimpleQueue)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def emit(self, event: Event) -> None:
        """Tell the listeners; from another thread, once the one that builds passes it on."""
        if threading.get_ident() != self.home:
            self.inbox.put(event)
            return
        for listener in self.listeners:
            listener(event)

    def wake(self) -> None:
        """Called by a thread that is done with something `relay` may wait for."""
        self.inbox.put(None)

    def relay(self, until: Callable[[], bool]) -> None:
        """Pass on what other threads emit, and what they have emitted when `until` holds.

        It is asked again after every event and whenever a thread calls `wake`.
        """
        while not until():
            self._pass_on(self.inbox.get())
        while not self.inbox.empty():
            self._pass_on(self.inbox.get())

    def forget(self) -> None:
        """Nobody wants to hear what threads have emitted: their work was ended."""
        while not self.inbox.empty():
            self.inbox.get()

    def _pass_on(self, event: Event | None) -> None:
        if event is not None:
            self.emit(event)

    def elsewhere(self, compiled: Compilations) -> None:
        """Count what a worker of a cluster compiled to the stage under way."""
        with self.lock:
            self.workers = self.workers.plus(compiled)

    def _compiled(self) -> Compilations:
        return compilations().plus(self.workers)

    @contextmanager
    def stage(self, name: str) -> Generator[None]:
        """Count the seconds and compilations of what is done inside as those of a stage."""
        started, before = time.perf_counter(), self._compiled()
        try:
            yield
        finally:
            spent = time.perf_counter() - started
            self.seconds[name] = self.seconds.get(name, 0.0) + spent
            compiled = self._compiled().since(before)
            self.compiled[name] = self.compiled.get(name, Compilations()).plus(compiled)


class JsonLog:
    """`log.jsonl`: one line of JSON per event, flushed at once; a resumed build appends."""

    def __init__(self, path: Path):
        self.file = path.open("a", encoding="utf-8")

    def __call__(self, event: Event) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps(finite({"time": now, **log_entry(event)}), allow_nan=False)
        self.file.write(line + "\n")
        self.file.flush()

    def __enter__(self) -> "JsonLog":
        return self

    def __exit__(self, *raised: object) -> None:
        self.file.close()
