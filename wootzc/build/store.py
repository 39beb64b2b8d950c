"""The store: every finished job, by the hash of what it depends on.

    store/
      results.sqlite       one row a job, written after its artifact is safe on disk
      artifacts/ab/….safetensors
      xla/                 XLA's own compilation cache
      locks/               one file a running job: two builds share work instead of doing it twice

An artifact is written under a temporary name, synced, renamed, and only then entered into the
table: whatever moment the power fails at, a row means that its artifact is whole.
"""

import contextlib
import hashlib
import json
import os
import sqlite3
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
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from wootzc.diagnostics import fail
from wootzc.files import write_atomically

Weights = dict[str, NDArray[Any]]
SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
  key TEXT PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, result TEXT NOT NULL,
  artifact INTEGER NOT NULL, seconds REAL NOT NULL, finished TEXT NOT NULL)
"""


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
    """Content-addressed results on disk. Safe for several processes at once."""

    def __init__(self, root: Path):
        self.root = root
        try:
            for folder in ("artifacts", "locks", "xla"):
                (root / folder).mkdir(parents=True, exist_ok=True)
            with self._connect() as db:
                db.execute(SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise fail(
                "WZ140",
                f"can't use the store {root}: {error}",
                "choose another with --store DIR or $WOOTZC_STORE",
            ) from None

    @contextlib.contextmanager
    def _connect(self) -> Generator[sqlite3.Connection]:
        db = sqlite3.connect(self.root / "results.sqlite", timeout=60)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            with db:
                yield db
        finally:
            db.close()

    def _artifact(self, key: str) -> Path:
        return self.root / "artifacts" / key[:2] / f"{key}.safetensors"

    def find(self, key: str) -> Done | None:
        """The finished job, or None if it never finished or its artifact is gone or damaged."""
        with self._connect() as db:
            row = db.execute(
                "SELECT result, artifact, seconds FROM jobs WHERE key = ?", (key,)
            ).fetchone()
        if row is None:
            return None
        weights: Weights | None = None
        if row[1]:
            try:
                weights = load_file(self._artifact(key))
            except (OSError, SafetensorError):
                return None
        return Done(key=key, result=json.loads(row[0]), seconds=row[2], weights=weights)

    def finished(self, keys: Iterable[str]) -> set[str]:
        """Those of the jobs that finished. What became of their artifacts, `find` tells."""
        with self._connect() as db:
            query = "SELECT 1 FROM jobs WHERE key = ?"
            return {key for key in keys if db.execute(query, (key,)).fetchone() is not None}

    def finish(
        self,
        key: str,
        kind: str,
        name: str,
        result: dict[str, Any],
        seconds: float,
        weights: Weights | None = None,
    ) -> Done:
        """Record a finished job; its artifact is on disk before the row is."""
        if weights is not None:
            write_atomically(self._artifact(key), save(contiguous(weights), {"job": key}))
        finished = datetime.now(UTC).isoformat(timespec="seconds")
        row = (key, kind, name, json.dumps(result), weights is not None, seconds, finished)
        with self._connect() as db:
            db.execute("INSERT OR REPLACE INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?)", row)
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
                lock = FileLock(self.root / "locks" / f"{key}.lock")
                try:
                    stack.enter_context(lock.acquire(timeout=0))
                except Timeout:
                    waiting()
                    stack.enter_context(_acquired(lock, check))
            yield

    @contextlib.contextmanager
    def in_use(self) -> Generator[None]:
        """Hold the store against `clear` for as long as a build runs."""
        path = self.root / "locks" / f"build-{uuid.uuid4().hex}.lock"
        with FileLock(path):
            yield
        path.unlink(missing_ok=True)

    def jobs(self) -> list[tuple[str, dict[str, Any], float]]:
        """Kind, result and seconds of every recorded job, oldest first."""
        with self._connect() as db:
            rows = db.execute("SELECT kind, result, seconds FROM jobs ORDER BY finished, key")
            return [(kind, json.loads(result), seconds) for kind, result, seconds in rows]

    def size(self) -> tuple[int, int]:
        """Jobs recorded, bytes on disk."""
        with self._connect() as db:
            jobs = db.execute("SELECT count(*) FROM jobs").fetchone()[0]
        return jobs, sum(f.stat().st_size for f in self.root.rglob("*") if f.is_file())

    def clear(self) -> None:
        """Forget every job and delete every artifact, unless a build is running on this store.

        Only files of the names that a store writes are deleted.
        """
        for lock in (self.root / "locks").glob("*.lock"):
            try:
                with FileLock(lock, timeout=0):
                    pass
            except Timeout:
                raise fail("WZ141", "a build is using this store", "wait until it ends") from None
        with self._connect() as db:
            db.execute("DELETE FROM jobs")
        ours = [*self.root.glob("locks/*.lock"), *self.root.glob("artifacts/??/*.safetensors*")]
        ours += self.root.glob("artifacts/??/.*.safetensors.*")  # left by a kill while writing
        for pattern in ("*-cache", "*-atime", "xla_gpu_*/*"):
            ours += (file for file in (self.root / "xla").rglob(pattern) if file.is_file())
        for file in ours:
            file.unlink(missing_ok=True)


def _acquired(lock: FileLock, check: Callable[[], None]) -> AbstractContextManager[Any]:
    """The lock, as soon as it is free."""
    while True:
        check()
        with contextlib.suppress(Timeout):
            return lock.acquire(timeout=1)


def is_store(root: Path) -> bool:
    """Whether a build has made a store here."""
    return (root / "results.sqlite").is_file()


def contiguous(weights: Weights) -> Weights:
    """Row-major copies where needed: safetensors writes the memory as it lies.

    A single number stays one: NumPy would make a vector of it.
    """
    return {
        name: np.ascontiguousarray(array).reshape(np.shape(array))
        for name, array in weights.items()
    }
