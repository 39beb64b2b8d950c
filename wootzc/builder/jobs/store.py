"""The store: every finished job, by the hash of what it depends on.

    store/
      jobs/ab/….json       a record a job, written after its artifact is safe on disk: `records.py`
      artifacts/ab/….safetensors
      checkpoints/         of jobs under way: `checkpoints.py`
      xla/                 XLA's own compilation cache
      locks/               one file a running job: two builds share work instead of doing it twice

or the same names in a bucket, but for `xla/`, which stays on this machine.

An artifact is written under a temporary name, synced, renamed, and only then recorded: whatever
moment the power fails at, a record means that its artifact was whole. What happened to either since
then, a flipped bit say, its SHA-256 tells: such a job counts as never made.

Nothing but files that are made, renamed, linked and locked, so a folder that several machines share
is a store for all of them; or objects that are put where there is none. The first of two to record
a job wins, and the name of an artifact has a hash of its bytes in it.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock, Timeout
from numpy.typing import NDArray
from safetensors.numpy import load

from wootzc.backends.weights.stored import to_bytes
from wootzc.builder.jobs.artifacts import Artifacts
from wootzc.builder.jobs.checkpoints import Checkpoints
from wootzc.builder.jobs.locks import Lease, Locks, locks_in
from wootzc.builder.jobs.places import Place, below, drop, exists, place_of, size
from wootzc.builder.jobs.records import Damaged, Record, Records
from wootzc.diagnostics import UNKNOWN, Diagnostic, WootzError, fail
from wootzc.files import damage

Weights = dict[str, NDArray[Any]]
Job = TypeVar("Job")  # what a caller names it by
FOLDERS = ("jobs", "artifacts", "locks", "xla")
OURS = (  # what `clear` deletes; the last of each kind are left by a kill while writing
    *("jobs/*/*.json", "jobs/*/.*.*"),
    *("artifacts/*/*.safetensors*", "artifacts/*/.*.*"),
    *("checkpoints/*/*.checkpoint", "checkpoints/*/.*.*"),
    "locks/*.lock",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A finished job: its measurements, and its weights where it made any."""

    key: str
    result: dict[str, Any]
    seconds: float  # that it took when it ran
    weights: Weights | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A job's result, and whether the store had it already."""

    done: Done
    reused: bool

    @property
    def weights(self) -> Weights:
        assert self.done.weights is not None, "this job makes weights, and they were not let go"
        return self.done.weights

    def light(self) -> "Outcome":
        """Without weights, which the store has: those of all candidates would fill the memory."""
        return replace(self, done=replace(self.done, weights=None))


def job_key(kind: str, **depends: object) -> str:
    """SHA-256 over everything a job's outcome depends on, in a canonical form."""
    text = json.dumps({"kind": kind, **depends}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def default_root() -> Path | str:
    """$WOOTZC_STORE, or `wootzc` in the user's cache directory."""
    chosen = os.environ.get("WOOTZC_STORE")
    return chosen if chosen and "://" in chosen else Path(chosen) if chosen else user_cache()


def user_cache() -> Path:
    """This user's, on this machine."""
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "wootzc"


class Store:
    """Content-addressed results in a folder or a bucket. Safe for several processes at once.

    `address`: a folder, or s3://bucket/prefix and the like. `tell` hears once of each record that
    is damaged. `root` is a folder of this machine: the store itself, or what is kept here of one in
    a bucket. Raises `WootzError` where it cannot be used.
    """

    def __init__(self, address: Path | str, tell: Callable[[str], object] = lambda message: None):
        self.place: Place = place_of(address)
        self.tell = tell
        self._told: set[str] = set()
        try:
            self.root = self._folder()
            for folder in FOLDERS:
                (self.root / folder).mkdir(parents=True, exist_ok=True)
            self.checkpoints: Checkpoints[Any] = Checkpoints(
                root=self.place / "checkpoints", tell=tell
            )
            self._records: Records[Any] = Records(self.place / "jobs")
            self._locks: Locks = locks_in(self.place / "locks")
            if isinstance(self.place, Path):
                self._artifacts = Artifacts(self.place / "artifacts")
            else:
                self._artifacts = Artifacts(self.place / "artifacts", self.root / "artifacts")
                self._artifacts.trim()
                next(below(self.place / "locks", "*"), None)  # can it be reached at all?
        except OSError as error:
            raise fail(
                "WZ140",
                f"can't use the store {address}: {error.strerror or error}",
                "choose another with --store DIR or $WOOTZC_STORE",
            ) from None

    @property
    def address(self) -> str:
        """What names it, from any folder."""
        return str(self.place.resolve() if isinstance(self.place, Path) else self.place)

    def _folder(self) -> Path:
        if isinstance(self.place, Path):
            return self.place
        name = hashlib.sha256(str(self.place).encode()).hexdigest()[:16]
        return user_cache() / "buckets" / name

    def find(self, key: str) -> Done | None:
        """The finished job, or None if it never finished, or it or its artifact is damaged."""
        what = "record of a job"
        try:
            record = self._records.read(key)
            what = f"{record.kind} {record.name}"
            with damage(Damaged):
                content = self._artifacts.read(record)
                return Done(
                    key=key,
                    result=record.result,
                    seconds=record.seconds,
                    weights=None if record.artifact is None else load(content),
                )
        except (Damaged, OSError) as error:
            if isinstance(error, FileNotFoundError) and not exists(self._records.path(key)):
                return None
            if key not in self._told:
                self._told.add(key)
                reason = getattr(error, "strerror", None) or error
                self.tell(f"the store's {what} is damaged, so it is made again: {reason}")
            return None

    def all_found(self, keys: Mapping[Job, str]) -> dict[Job, Done]:
        """Those of these jobs that are finished, by what names them."""
        found = {job: self.find(key) for job, key in keys.items()}
        return {job: done for job, done in found.items() if done is not None}

    def finish(
        self,
        key: str,
        kind: str,
        name: str,
        result: dict[str, Any],
        seconds: float,
        weights: Weights | None = None,
    ) -> Done:
        """Record a finished job; its artifact is on disk before the record is. Its checkpoint goes.

        Returns what is recorded now: where another process was faster, what that one made.
        """
        if before := self.find(key):
            self.checkpoints.drop(key)
            return before
        content, ending = b"", None
        if weights is not None:
            content = to_bytes(weights, {"job": key})
            ending = hashlib.sha256(content).hexdigest()[:16]
            self._artifacts.write(key, ending, content)
        record = Record(
            key=key,
            kind=kind,
            name=name,
            result=result,
            seconds=seconds,
            finished=datetime.now(UTC).isoformat(timespec="microseconds"),
            artifact=ending,
            sha256=None,
        ).sealed(content)
        if not self._records.write(record):
            if before := self.find(key):
                return before
            self._records.replace(record)  # what is there is damaged
        self.checkpoints.drop(key)
        return Done(key=key, result=result, seconds=seconds, weights=weights)

    @contextlib.contextmanager
    def locked(
        self,
        keys: Sequence[str],
        waiting: Callable[[], None],
        check: Callable[[], None] = lambda: None,
    ) -> Generator[None]:
        """Hold these jobs against other builds; `waiting` is called if another one has them.

        `check` is called every second of the wait, and ends it by raising. Locks are taken in
        sorted order, so that two builds never wait for each other.
        """
        with contextlib.ExitStack() as stack:
            for key in sorted(set(keys)):
                lock = self._locks.lock(key)
                try:
                    stack.enter_context(lock.acquire(timeout=0))
                except Timeout:
                    waiting()
                    stack.enter_context(_acquired(lock, check))
            yield

    def in_use(self) -> AbstractContextManager[None]:
        """Hold the store against `clear` for as long as a build runs."""
        return self._locks.in_use()

    def jobs(self) -> list[tuple[str, dict[str, Any], float]]:
        """Kind, result and seconds of every recorded job, oldest first; damaged ones left out."""
        return [(one.kind, one.result, one.seconds) for one in self._records.sound()]

    def verified(self) -> int:
        """How many jobs it holds, of which each has the record and the artifact that were written.

        Raises one `WootzError` that names all that have not.
        """
        told: list[str] = []
        own = Store(self.place if isinstance(self.place, Path) else self.address, told.append)
        keys = self._records.keys()
        for key in keys:
            own.find(key)
        if told:
            raise WootzError([Diagnostic(UNKNOWN, "WZ289", message) for message in told])
        return len(keys)

    def size(self) -> tuple[int, int]:
        """Jobs recorded, bytes on disk."""
        jobs = sum(1 for _ in self._records.paths())
        return jobs, size(self.place)

    def clear(self) -> None:
        """Forget every job and delete every artifact, unless a build is running on this store.

        Only what has the names that a store writes is deleted.
        """
        with self._locks.cleaning():
            if self._locks.held():
                raise fail("WZ141", "a build is using this store", "wait until it ends")
            for pattern in OURS:
                for place in list(below(self.place, pattern)):
                    if not self._locks.lives(place):
                        drop(place)
                for copy in list(self.root.glob(pattern)):
                    drop(copy)
            for pattern in ("*-cache", "*-atime", "xla_gpu_*/*"):
                for file in list((self.root / "xla").rglob(pattern)):
                    drop(file)


def _acquired(lock: FileLock | Lease, check: Callable[[], None]) -> AbstractContextManager[Any]:
    """The lock, as soon as it is free."""
    while True:
        check()
        with contextlib.suppress(Timeout):
            return lock.acquire(timeout=1)


def is_store(address: Path | str) -> bool:
    """Whether a build has made a store here. Raises `WootzError` where that cannot be told."""
    place = place_of(address)
    if isinstance(place, Path):
        return all((place / name).is_dir() for name in FOLDERS)
    try:
        return any(True for pattern in ("jobs/*/*", "locks/*") for _ in below(place, pattern))
    except OSError as error:
        raise fail("WZ140", f"can't read the store {place}: {error.strerror}") from None
