"""The store: every finished job, by the hash of what it depends on.

    store/
      results.sqlite       one row a job, written after its artifact is safe on disk
      artifacts/ab/….safetensors
      checkpoints/         of jobs under way: `checkpoints.py`
      xla/                 XLA's own compilation cache
      locks/               one file a running job: two builds share work instead of doing it twice

An artifact is written under a temporary name, synced, renamed, and only then entered into the
table: whatever moment the power fails at, a row means that its artifact was whole. What happened
to either since then, a flipped bit say, its SHA-256 tells: such a job counts as never made.
"""

import contextlib
import hashlib
import json
import os
import sqlite3
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
from wootzc.diagnostics import fail
from wootzc.files import damage, read_file, write_atomically

Weights = dict[str, NDArray[Any]]
SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
  key TEXT PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, result TEXT NOT NULL,
  artifact INTEGER NOT NULL, seconds REAL NOT NULL, finished TEXT NOT NULL, sha256 TEXT)
"""
DIGESTS = "ALTER TABLE jobs ADD COLUMN sha256 TEXT"  # tables of earlier versions have none
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


class _Damaged(Exception):
    """A record, or its artifact, that is not what was recorded; the text says why."""


class Store:
    """Content-addressed results on disk. Safe for several processes at once.

    `tell` hears once of each record that is damaged.
    """

    def __init__(self, root: Path, tell: Callable[[str], object] = lambda message: None):
        self.root = root
        self.tell = tell
        self.checkpoints = Checkpoints(root=root / "checkpoints", tell=tell)
        self._told: set[str] = set()
        try:
            for folder in ("artifacts", "locks", "xla"):
                (root / folder).mkdir(parents=True, exist_ok=True)
            with self._connect() as db:
                db.execute(SCHEMA)
                if "sha256" not in {row[1] for row in db.execute("PRAGMA table_info(jobs)")}:
                    db.execute(DIGESTS)
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
        """The finished job, or None if it never finished, or it or its artifact is damaged."""
        with self._connect() as db:
            row = db.execute(
                "SELECT kind, name, result, artifact, seconds, sha256 FROM jobs WHERE key = ?",
                (key,),
            ).fetchone()
        if row is None:
            return None
        kind, name, result, artifact, seconds, digest = row
        try:
            with damage(_Damaged):
                content = read_file(self._artifact(key), MOST_BYTES) if artifact else b""
                table = _table(result)
                if digest is None:  # a record of an earlier version
                    if not table:
                        raise _Damaged("its record holds no figures")
                elif digest != _digest(key, result, seconds, content):
                    raise _Damaged("its bytes are not those that were written")
                return Done(
                    key=key,
                    result=table,
                    seconds=float(seconds),
                    weights=load(content) if artifact else None,
                )
        except (_Damaged, OSError) as error:
            if key not in self._told:
                self._told.add(key)
                reason = getattr(error, "strerror", None) or error
                self.tell(f"the store's {kind} {name} is damaged, so it is made again: {reason}")
            return None

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
        """Record a finished job; its artifact is on disk before the row is.

        Its checkpoint goes.
        """
        content = b""
        if weights is not None:
            content = save(contiguous(weights), {"job": key})
            _free(self._artifact(key))
            write_atomically(self._artifact(key), content)
        finished = datetime.now(UTC).isoformat(timespec="seconds")
        text = json.dumps(result)
        digest = _digest(key, text, seconds, content)
        row = (key, kind, name, text, weights is not None, seconds, finished, digest)
        with self._connect() as db:
            db.execute("INSERT OR REPLACE INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
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
        found = []
        with self._connect() as db:
            rows = db.execute("SELECT kind, result, seconds FROM jobs ORDER BY finished, key")
            for kind, result, seconds in rows:
                with contextlib.suppress(_Damaged), damage(_Damaged):
                    found.append((str(kind), _table(result), float(seconds)))
        return found

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
            if lock.is_dir():
                continue
            try:
                with FileLock(lock, timeout=0):
                    pass
            except Timeout:
                raise fail("WZ141", "a build is using this store", "wait until it ends") from None
        with self._connect() as db:
            db.execute("DELETE FROM jobs")
        ours = [*self.root.glob("locks/*.lock"), *self.root.glob("artifacts/??/*.safetensors*")]
        ours += self.root.glob("checkpoints/??/*.checkpoint")
        for kind in ("artifacts/??/.*.safetensors.*", "checkpoints/??/.*.*"):
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


def _digest(key: str, result: str, seconds: float, artifact: bytes) -> str:
    """Of a record and its artifact together: neither is good for anything without the other."""
    digest = hashlib.sha256(f"{key}\n{result}\n{float(seconds)!r}\n".encode())
    digest.update(artifact)
    return digest.hexdigest()


def _table(text: str) -> dict[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise _Damaged("its record holds no figures")
    return found


def _free(path: Path) -> None:
    """Where a folder stands in the way of a file of the store, it is put aside."""
    if path.is_dir() and not path.is_symlink():
        path.rename(Path(tempfile.mkdtemp(prefix=f"{path.name}.", dir=path.parent), path.name))


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
