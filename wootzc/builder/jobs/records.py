"""Records of finished jobs: a file or an object each, that is written once.

    store/jobs/ab/….json   by the job's key: kind, name, figures, seconds, when it was finished, its
                           artifact, and a SHA-256 over all that matters of it and of the artifact

A record is whole or not there at all, and the first that is written stays: machines that share a
store need nothing else to agree.
"""

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import PurePath
from typing import Any, Generic

from wootzc.builder.jobs import places
from wootzc.builder.jobs.places import P, below, create, read
from wootzc.files import MOST_JSON, damage

AT_ONCE = 16  # records that are read side by side: objects are far away


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
    sha256: str | None  # None: not `sealed` yet

    def check(self, content: bytes) -> None:
        """Raises `Damaged` where this is not its artifact, or a figure has changed."""
        if self.sha256 != self._digest(content):
            raise Damaged("its bytes are not those that were written")

    def sealed(self, content: bytes) -> "Record":
        """With its hash; `content`: its artifact, b"" where there is none."""
        return replace(self, sha256=self._digest(content))

    def _digest(self, content: bytes) -> str:
        """Of record and artifact together: neither is good for anything without the other."""
        fields = {**asdict(self), "seconds": float(self.seconds), "sha256": None}
        own = hashlib.sha256(f"{json.dumps(fields)}\n".encode())
        own.update(content)
        return own.hexdigest()

    @property
    def _text(self) -> str:
        return json.dumps(asdict(self), indent=1) + "\n"


@dataclass(frozen=True, slots=True)
class Records(Generic[P]):
    """The records of a store."""

    root: P

    def path(self, key: str) -> P:
        return self.root / key[:2] / f"{key}.json"

    def read(self, key: str) -> Record:
        """Raises `Damaged`, and `FileNotFoundError` where there is none."""
        record = self._read(self.path(key))
        if record.key != key:
            raise Damaged("its record is that of another job")
        return record

    def write(self, record: Record) -> bool:
        """Whether it was written: where there is one already, that one stays."""
        return create(self.path(record.key), record._text.encode())

    def replace(self, record: Record) -> None:
        """Write it whatever is there: for what `read` found to be damaged."""
        places.replace(self.path(record.key), record._text.encode())

    def paths(self) -> Iterator[P]:
        return below(self.root, "*/*.json")

    def keys(self) -> list[str]:
        return sorted(PurePath(str(path)).stem for path in self.paths())

    def sound(self) -> list[Record]:
        """All that can be read, oldest first. What became of their artifacts is not looked at."""
        with ThreadPoolExecutor(AT_ONCE) as threads:
            found = [one for one in threads.map(self._sound, self.paths()) if one is not None]
        return sorted(found, key=lambda one: (one.finished, one.key))

    def _sound(self, path: P) -> Record | None:
        try:
            return self._read(path)
        except (Damaged, OSError):
            return None

    def _read(self, path: P) -> Record:
        with damage(Damaged):
            return _record(json.loads(read(path, MOST_JSON)))


def _record(fields: Any) -> Record:
    """Raises nearly anything where these are no fields of a record."""
    if not isinstance(fields["result"], dict):
        raise Damaged("its record holds no figures")
    texts = {name: fields[name] for name in ("key", "kind", "name", "finished")}
    maybe = {name: fields[name] for name in ("artifact", "sha256")}
    if not all(isinstance(text, str) for text in [*texts.values(), *filter(None, maybe.values())]):
        raise Damaged("its record holds other fields")
    return Record(**texts, **maybe, result=fields["result"], seconds=float(fields["seconds"]))
