"""Where a job under way stands: written every so often, so that a kill loses seconds of it.

    store/checkpoints/ab/….checkpoint    by the job's key; goes when the job is done

A file is a line with its SHA-256, a line of JSON, and arrays as safetensors. It takes the place of
the one before at once, so that a kill while it is written leaves that one. One that is damaged, or
made with other versions of the libraries whose arrays it holds, counts as never made.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from typing import Any, Generic, TypeVar

from numpy.typing import NDArray
from safetensors.numpy import load

from wootzc.backends.weights.stored import to_bytes
from wootzc.builder.jobs.places import P, drop, read, replace
from wootzc.files import damage

State = TypeVar("State")
Arrays = dict[str, NDArray[Any]]

EVERY = 30.0  # seconds from one checkpoint of a job to the next
FIRST = 10.0  # seconds to the first of a process: kills may come fast
LEAST = 5.0  # seconds from one moment at which a state is taken to the next
DEAREST = 0.01  # share of the time that writing may take, and half of it for taking
MOST_BYTES = 1 << 36
FORMAT = 2  # of what the head and the arrays hold
SECONDS = "WOOTZC_CHECKPOINT_SECONDS"  # stands in for all three


class _Damaged(Exception):
    """A checkpoint that is not what was written; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Where a job stood."""

    result: dict[str, Any]  # its figures so far
    seconds: float  # that it took until there
    arrays: Arrays


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoints(Generic[P]):
    """The checkpoints of a store. `tell` hears once of one that is damaged."""

    root: P
    tell: Callable[[str], object] = lambda message: None
    _failed: list[str] = field(default_factory=list)  # what was said of writes that failed

    def path(self, key: str) -> P:
        return self.root / key[:2] / f"{key}.checkpoint"

    def find(self, key: str) -> Checkpoint | None:
        """Where this job stood, or None: it starts at its beginning."""
        try:
            with damage(_Damaged):
                return _unpacked(key, read(self.path(key), MOST_BYTES))
        except FileNotFoundError:
            return None
        except _Damaged as error:
            self.tell(f"a checkpoint is damaged, so its job starts anew: {error}")
            self.drop(key)
            return None
        except OSError as error:  # it may be sound: what the job writes next takes its place
            reason = error.strerror or error
            self.tell(f"a checkpoint can't be read, so its job starts anew: {reason}")
            return None

    def write(self, key: str, checkpoint: Checkpoint) -> None:
        """Put it in the place of the one before. Where that cannot be, says so once and goes on."""
        try:
            replace(self.path(key), _packed(key, checkpoint))
        except OSError as error:
            if not self._failed:
                self._failed.append(key)
                reason = error.strerror or error
                self.tell(f"can't write a checkpoint, so a kill would cost more: {reason}")

    def drop(self, key: str) -> None:
        """Forget where a job stood: it is done, or what was written is no good."""
        try:
            drop(self.path(key))
        except OSError:  # a disk that takes nothing, say: what is written next tells of it
            return


@dataclass(slots=True, kw_only=True)
class Keeper(Generic[State]):
    """Takes a job's state every few seconds and writes it every so often, at a bounded cost.

    As a context manager it writes the last that was taken when an exception ends the job, as Ctrl-C
    and SIGTERM do. In the middle of a step there is no state to take: its buffers were given away.
    """

    write: Callable[[State, float], None]  # a state, and the seconds that the job took until there
    before: float = 0.0  # seconds that the job took in earlier processes
    clock: Callable[[], float] = time.monotonic
    began: float = field(init=False)
    _taken: tuple[State, float] | None = None  # not written yet, and when
    _next_take: float = field(init=False)
    _next_write: float = field(init=False)

    def __post_init__(self) -> None:
        self.began = self.clock()
        self._next_take = self.began + _seconds(LEAST)
        self._next_write = self.began + _seconds(FIRST)

    def __call__(self, take: Callable[[], State]) -> None:
        """Called between two steps; `take` copies where the job stands."""
        now = self.clock()
        if now < min(self._next_take, self._next_write):
            return
        self._taken = take(), now
        then = self.clock()
        self._next_take = then + max(_seconds(LEAST), 2 * (then - now) / DEAREST)
        if now >= self._next_write:
            self._flush()
            after = self.clock()
            self._next_write = after + max(_seconds(EVERY), (after - then) / DEAREST)

    def _flush(self) -> None:
        if self._taken is not None:
            state, when = self._taken
            self.write(state, self.before + when - self.began)
            self._taken = None

    def __enter__(self) -> "Keeper[State]":
        return self

    def __exit__(self, kind: type[BaseException] | None, *raised: object) -> None:
        if kind is not None:
            self._flush()


def _seconds(usual: float) -> float:
    return float(os.environ.get(SECONDS) or usual)


@cache
def made_with() -> Mapping[str, str]:
    """Arrays of a state have numbers for names: what these mean is for those who made them."""
    return {name: version(name) for name in ("jax", "optax", "flax", "numpy")}


def _packed(key: str, checkpoint: Checkpoint) -> bytes:
    head = {
        "format": FORMAT,
        "result": checkpoint.result,
        "seconds": checkpoint.seconds,
        "made_with": made_with(),
    }
    content = json.dumps(head).encode() + b"\n" + to_bytes(checkpoint.arrays)
    return f"{_digest(key, content)}\n".encode() + content


def _unpacked(key: str, packed: bytes) -> Checkpoint | None:
    digest, _, content = packed.partition(b"\n")
    if digest.decode() != _digest(key, content):
        raise _Damaged("its bytes are not those that were written")
    head, _, arrays = content.partition(b"\n")
    table = json.loads(head)
    if (table.get("format"), table["made_with"]) != (FORMAT, made_with()):
        return None
    return Checkpoint(result=table["result"], seconds=table["seconds"], arrays=load(arrays))


def _digest(key: str, content: bytes) -> str:
    digest = hashlib.sha256(f"{key}\n".encode())
    digest.update(content)
    return digest.hexdigest()
