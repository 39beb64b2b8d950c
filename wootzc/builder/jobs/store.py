"""The store: every finished job, by the hash of what it depends on.

    store/
      jobs/ab/….json       a record a job, written after its artifact is safe on disk: `records.py`
      artifacts/ab/….safetensors
      checkpoints/         of jobs under way: `checkpoints.py`
      xla/                 XLA's own compilation cache
      locks/               one file a running job: two builds share work instead of doing it twice

An artifact is written under a temporary name, synced, renamed, and only then recorded: whatever
moment the power fails at, a record means that its artifact was whole. What happened to either since
then, a flipped bit say, its SHA-256 tells: such a job counts as never made.

Nothing but files that are made, renamed, linked and locked: so a folder that several machines share
is a store for all of them. Locks spare work and no more: of two that do one job the first to record
it wins, and the name of an artifact has a hash of its bytes in it.
"""

import contextlib
import hashlib
import json
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from safetensors.numpy import load, save

from wootzc.builder.jobs.checkpoints import Checkpoints
from wootzc.builder.jobs.records import TABLE, Damaged, Record, Records, digest
from wootzc.diagnostics import fail
from wootzc.files import damage, read_file, write_atomically

Weights = dict[str, NDArray[Any]]
FOLDERS = ("jobs", "artifacts", "locks", "xla")
MOST_BYTES = 1 << 36  # of an artifact
OLD = 3600  # seconds after which a lock that nobody holds was left by a kill


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
        assert self.done.weights is not None, "this job makes weights"
        return self.done.weights


def job_key(kind: str, **depends: object) -> str:
    """SHA-256 over everything a job's outcome depends on, in a canonical form."""
    text = json.dumps({"kind": kind, **depends}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def default_root() -> Path:
    """$WOOTZC_STORE, or `wootzc` in the user's cache directory."""
    if chosen := os.environ.get("WOOTZC_STORE"):
        return Path(chosen)
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "wootzc"


class Store:
    """Content-addressed results on disk. Safe for several processes at once.

    `tell` hears once of each record that is damaged.
    """

    def __init__(self, root: Path, tell: Callable[[str], object] = lambda message: None):
        self.root = root
        self.tell = tell
        self.checkpoints = Checkpoints(root=root / "checkpoints", tell=tell)
        self._told: set[str] = set()
        self._records = Records(root / "jobs")
        try:
            for folder in FOLDERS:
                (root / folder).mkdir(parents=True, exist_ok=True)
            if (root / TABLE).is_file():
                self._records.adopt(root / TABLE, tell)
        except OSError as error:
            raise fail(
                "WZ140",
                f"can't use the store {root}: {error}",
                "choose another with --store DIR or $WOOTZC_STORE",
            ) from None

    def _artifact(self, key: str, ending: str) -> Path:
        name = f"{key}.{ending}" if ending else key
        return self.root / "artifacts" / key[:2] / f"{name}.safetensors"

    def find(self, key: str) -> Done | None:
        """The finished job, or None if it never finished, or it or its artifact is damaged."""
        what = "record of a job"
        try:
            record = self._records.read(key)
            what = f"{record.kind} {record.name}"
            content, artifact = b"", record.artifact
            with damage(Damaged):
                if artifact is not None:
                    content = read_file(self._artifact(key, artifact), MOST_BYTES)
                record.check(content)
                return Done(
                    key=key,
                    result=record.result,
                    seconds=record.seconds,
                    weights=None if artifact is None else load(content),
                )
        except (Damaged, OSError) as error:
            if isinstance(error, FileNotFoundError) and not self._records.path(key).exists():
                return None
            if key not in self._told:
                self._told.add(key)
                reason = getattr(error, "strerror", None) or error
                self.tell(f"the store's {what} is damaged, so it is made again: {reason}")
            return None

    def finished(self, keys: Iterable[str]) -> set[str]:
        """Those of the jobs that finished. What became of their artifacts, `find` tells."""
        return {key for key in keys if self._records.path(key).is_file()}

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
            content = save(contiguous(weights), {"job": key})
            ending = hashlib.sha256(content).hexdigest()[:16]
            _free(self._artifact(key, ending))
            write_atomically(self._artifact(key, ending), content)
        record = Record(
            key=key,
            kind=kind,
            name=name,
            result=result,
            seconds=seconds,
            finished=datetime.now(UTC).isoformat(timespec="microseconds"),
            artifact=ending,
            sha256=digest(key, result, seconds, content),
        )
        _free(self._records.path(key))
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
                path = self.root / "locks" / f"{key}.lock"
                _free(path)
                lock = FileLock(path)
                try:
                    stack.enter_context(lock.acquire(timeout=0))
                except Timeout:
                    waiting()
                    stack.enter_context(_acquired(lock, check))
            yield

    @contextlib.contextmanager
    def in_use(self) -> Generator[None]:
        """Hold the store against `clear` for as long as a build runs."""
        self._clear_locks()
        path = self.root / "locks" / f"build-{uuid.uuid4().hex}.lock"
        try:
            with FileLock(path):
                yield
        finally:
            path.unlink(missing_ok=True)

    def _clear_locks(self) -> None:
        """Remove what killed builds left. A lock that was just made may not be held yet."""
        for path in (self.root / "locks").glob("build-*.lock"):
            with contextlib.suppress(OSError, Timeout):
                if time.time() - path.stat().st_mtime > OLD:
                    with FileLock(path, timeout=0):
                        path.unlink()

    def jobs(self) -> list[tuple[str, dict[str, Any], float]]:
        """Kind, result and seconds of every recorded job, oldest first; damaged ones left out."""
        return [(one.kind, one.result, one.seconds) for one in self._records.sound()]

    def size(self) -> tuple[int, int]:
        """Jobs recorded, bytes on disk."""
        jobs = sum(1 for _ in self._records.paths())
        return jobs, sum(f.stat().st_size for f in self.root.rglob("*") if f.is_file())

    def clear(self) -> None:
        """Forget every job and delete every artifact, unless a build is running on this store.

        Only files of the names that a store writes are deleted.
        """
        for lock in (self.root / "locks").glob("*.lock"):
            if lock.is_dir():
                continue
            try:
                with FileLock(lock, timeout=0):
                    pass
            except Timeout:
                raise fail("WZ141", "a build is using this store", "wait until it ends") from None
        ours = [*self._records.paths(), *self.root.glob(Path(TABLE).with_suffix(".adopted").name)]
        ours += [*self.root.glob("locks/*.lock"), *self.root.glob("artifacts/??/*.safetensors*")]
        ours += self.root.glob("checkpoints/??/*.checkpoint")
        for kind in ("artifacts/??/.*.*", "checkpoints/??/.*.*", "jobs/??/.*.*"):
            ours += self.root.glob(kind)  # left by a kill while writing
        for pattern in ("*-cache", "*-atime", "xla_gpu_*/*"):
            ours += (file for file in (self.root / "xla").rglob(pattern) if file.is_file())
        for file in ours:
            if not file.is_dir():
                file.unlink(missing_ok=True)


def _acquired(lock: FileLock, check: Callable[[], None]) -> AbstractContextManager[Any]:
    """The lock, as soon as it is free."""
    while True:
        check()
        with contextlib.suppress(Timeout):
            return lock.acquire(timeout=1)


def _free(path: Path) -> None:
    """Where a folder stands in the way of a file of the store, it is put aside."""
    if path.is_dir() and not path.is_symlink():
        path.rename(Path(tempfile.mkdtemp(prefix=f"{path.name}.", dir=path.parent), path.name))


def is_store(root: Path) -> bool:
    """Whether a build has made a store here."""
    return (root / TABLE).is_file() or all((root / folder).is_dir() for folder in FOLDERS)


def contiguous(weights: Weights) -> Weights:
    """Row-major copies where needed: safetensors writes the memory as it lies.

    A single number stays one: NumPy would make a vector of it.
    """
    return {
        name: np.ascontiguousarray(array).reshape(np.shape(array))
        for name, array in weights.items()
    }
