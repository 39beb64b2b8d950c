"""Records of finished jobs: a file each, that is written once.

    store/jobs/ab/….json   by the job's key: kind, name, figures, seconds, when it was finished, its
                           artifact, and a SHA-256 over all that matters of it and of the artifact

A record is whole or not there at all, and the first that is written stays: machines that share a
store need nothing else to agree.
"""

import contextlib
import hashlib
import json
import os
import sqlite3
import tempfile
from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from wootzc.files import MOST_JSON, damage, read_file, write_atomically

TABLE = "results.sqlite"  # where earlier versions kept records: a row each


class Damaged(Exception):
    """A record, or its artifact, that is not what was recorded; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    key: str
    kind: str
    name: str
    result: dict[str, Any]
    seconds: float
    finished: str  # ISO 8601
    artifact: str | None  # what its file's name ends in; None: the job made no weights
    sha256: str | None  # None: made by a version that wrote none

    def check(self, content: bytes) -> None:
        """Raises `Damaged` where this is not its artifact, or a figure has changed."""
        if self.sha256 is None and not self.result:
            raise Damaged("its record holds no figures")
        if self.sha256 not in (None, digest(self.key, self.result, self.seconds, content)):
            raise Damaged("its bytes are not those that were written")

    @property
    def _text(self) -> str:
        return json.dumps(asdict(self), indent=1) + "\n"


def digest(key: str, result: dict[str, Any], seconds: float, artifact: bytes) -> str:
    """Of a record and its artifact together: neither is good for anything without the other."""
    own = hashlib.sha256(f"{key}\n{json.dumps(result)}\n{float(seconds)!r}\n".encode())
    own.update(artifact)
    return own.hexdigest()


@dataclass(frozen=True, slots=True)
class Records:
    """The records of a store."""

    root: Path

    def path(self, key: str) -> Path:
        return self.root / key[:2] / f"{key}.json"

    def read(self, key: str) -> Record:
        """Raises `Damaged`, and `FileNotFoundError` where there is none."""
        record = self._read(self.path(key))
        if record.key != key:
            raise Damaged("its record is that of another job")
        return record

    def write(self, record: Record) -> bool:
        """Whether it was written: where there is one already, that one stays."""
        path, text = self.path(record.key), record._text.encode()
        path.parent.mkdir(parents=True, exist_ok=True)
        with _temporary(path, text) as new:
            try:
                os.link(new, path)
            except FileExistsError:
                return False
            except OSError:  # a file system without links
                if path.exists():
                    return False
                os.replace(new, path)
        return True

    def replace(self, record: Record) -> None:
        """Write it whatever is there: for what `read` found to be damaged."""
        write_atomically(self.path(record.key), record._text)

    def paths(self) -> Iterator[Path]:
        return self.root.glob("*/*.json")

    def sound(self) -> list[Record]:
        """All that can be read, oldest first. What became of their artifacts is not looked at."""
        found = []
        for path in self.paths():
            with contextlib.suppress(Damaged, OSError):
                found.append(self._read(path))
        return sorted(found, key=lambda one: (one.finished, one.key))

    def adopt(self, table: Path, tell: Callable[[str], object]) -> None:
        """Write the rows of an earlier version's table as records, and put the table aside."""
        try:
            for row in _rows(table):
                try:
                    with damage(Damaged):
                        record = _record(row)
                except Damaged as error:
                    tell(f"a job of the store is damaged, so it is made again: {error}")
                else:
                    self.write(record)
        except sqlite3.Error as error:
            tell(f"{table} is damaged, so what it held is made again: {error}")
        with contextlib.suppress(FileNotFoundError):  # another process was faster
            table.rename(table.with_suffix(".adopted"))

    def _read(self, path: Path) -> Record:
        with damage(Damaged):
            return _record(json.loads(read_file(path, MOST_JSON)))


def _record(fields: Any) -> Record:
    """Raises nearly anything where these are no fields of a record."""
    if not isinstance(fields["result"], dict):
        raise Damaged("its record holds no figures")
    texts = {name: fields[name] for name in ("key", "kind", "name", "finished")}
    maybe = {name: fields[name] for name in ("artifact", "sha256")}
    if not all(isinstance(text, str) for text in [*texts.values(), *filter(None, maybe.values())]):
        raise Damaged("its record holds other fields")
    return Record(**texts, **maybe, result=fields["result"], seconds=float(fields["seconds"]))


def _rows(table: Path) -> list[dict[str, Any]]:
    with contextlib.closing(sqlite3.connect(table, timeout=60)) as db:
        db.row_factory = sqlite3.Row
        return [_fields(dict(row)) for row in db.execute("SELECT * FROM jobs")]


def _fields(row: dict[str, Any]) -> dict[str, Any]:
    """Those of a record; a row's figures are a text, whose artifact is named by the key alone."""
    artifact = "" if row["artifact"] else None
    try:
        result = json.loads(row["result"])
    except (TypeError, ValueError, RecursionError):
        result = None
    return {"sha256": None, **row, "result": result, "artifact": artifact}


@contextlib.contextmanager
def _temporary(path: Path, content: bytes) -> Generator[str]:
    """A file beside `path` with this content, safe on disk; it is gone afterwards."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        yield name
    finally:
        Path(name).unlink(missing_ok=True)
