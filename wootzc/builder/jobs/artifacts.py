"""The weights that jobs made: files beside their records, or objects.

Of those in a bucket copies are kept on this machine. A copy that has changed is fetched anew.
"""

import contextlib
from dataclasses import dataclass
from pathlib import Path

from wootzc.builder.jobs.places import Place, read, replace
from wootzc.builder.jobs.records import Damaged, Record
from wootzc.files import read_file, trim, write_atomically

MOST_BYTES = 1 << 36  # of an artifact
MOST_COPIES = 1 << 34  # bytes in all


@dataclass(frozen=True, slots=True)
class Artifacts:
    """The artifacts of a store."""

    root: Place
    copies: Path | None = None  # the folder of copies; None: they are here anyway

    def place(self, key: str, ending: str) -> Place:
        return self.root / key[:2] / _name(key, ending)

    def read(self, record: Record) -> bytes:
        """That of a record. Raises `Damaged` where it is not what was recorded, and `OSError`."""
        if record.artifact is None:
            record.check(b"")
            return b""
        with contextlib.suppress(OSError, Damaged):
            if copy := self._copy(record.key, record.artifact):
                content = read_file(copy, MOST_BYTES)
                record.check(content)
                return content
        content = read(self.place(record.key, record.artifact), MOST_BYTES)
        record.check(content)
        self._keep(record.key, record.artifact, content)
        return content

    def write(self, key: str, ending: str, content: bytes) -> None:
        replace(self.place(key, ending), content)
        self._keep(key, ending, content)

    def trim(self) -> None:
        """Delete the copies not used for longest until `MOST_COPIES` bytes are left."""
        if self.copies is not None:
            trim(self.copies.glob("??/*"), MOST_COPIES)

    def _copy(self, key: str, ending: str) -> Path | None:
        return self.copies and self.copies / key[:2] / _name(key, ending)

    def _keep(self, key: str, ending: str, content: bytes) -> None:
        """Where there is no room for a copy, there is none."""
        if copy := self._copy(key, ending):
            with contextlib.suppress(OSError):
                write_atomically(copy, content)


def _name(key: str, ending: str) -> str:
    return f"{key}.{ending}.safetensors"
