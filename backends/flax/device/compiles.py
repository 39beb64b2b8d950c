"""How often XLA compiled and how long it took, and the size of the cache that spares it.

Counted from the events that JAX emits, two for a program, in the thread that needs it: that the
persistent cache has it, if so, and then the seconds that compiling or reading took.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cache
from operator import add, sub
from pathlib import Path
from typing import Any

from jax import monitoring

from wootzc.files import trim

OBTAINED = "/jax/core/compile/backend_compile_duration"
FOUND = "/jax/compilation_cache/cache_hits"
CACHE_BYTES = 1 << 30  # a small build keeps some MB


@dataclass(frozen=True, slots=True, kw_only=True)
class Compilations:
    """Programs obtained in some span of time. Seconds are added up over threads."""

    count: int = 0  # compiled by XLA
    seconds: float = 0.0  # that XLA took
    from_cache: int = 0  # read from the persistent cache instead
    seconds_reading: float = 0.0  # that reading took

    def plus(self, other: "Compilations") -> "Compilations":
        return self._with(other, add)

    def since(self, earlier: "Compilations") -> "Compilations":
        return self._with(earlier, sub)

    def _with(self, other: "Compilations", combine: Callable[[Any, Any], Any]) -> "Compilations":
        names = (field.name for field in fields(self))
        return Compilations(**{n: combine(getattr(self, n), getattr(other, n)) for n in names})


def compilations() -> Compilations:
    """All of this process since the first call, which gives none: take the difference of two."""
    return _counter().total


class _Counter:
    """Listens for as long as the process lives."""

    def __init__(self) -> None:
        self.total = Compilations()
        self.lock = threading.Lock()
        self.thread = threading.local()  # `found`: the program under way is in the cache
        monitoring.register_event_listener(self.on_event)
        monitoring.register_event_duration_secs_listener(self.on_duration)

    def on_event(self, event: str, **_: str | int) -> None:
        if event == FOUND:
            self.thread.found = True

    def on_duration(self, event: str, duration_secs: float, **_: str | int) -> None:
        if event != OBTAINED:
            return
        found, self.thread.found = getattr(self.thread, "found", False), False
        one = (
            Compilations(from_cache=1, seconds_reading=duration_secs)
            if found
            else Compilations(count=1, seconds=duration_secs)
        )
        with self.lock:
            self.total = self.total.plus(one)


@cache
def _counter() -> _Counter:
    return _Counter()


def trim_cache(folder: Path, limit: int = CACHE_BYTES) -> None:
    """Delete the programs under `folder` not used for longest until at most `limit` bytes are left.

    A build beside this one that misses a file compiles again.
    """
    trim((*folder.rglob("*-cache"), *folder.rglob("xla_gpu_*/*")), limit)
