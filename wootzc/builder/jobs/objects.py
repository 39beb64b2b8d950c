"""Objects of a bucket: s3://, gs://, az://, and memory:// for as long as a process lives.

obstore speaks to them; it is imported for such an address alone. What it needs to know of a service
(keys, region, endpoint) it takes from the environment, by the names that the service's own tools
have: AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL, GOOGLE_APPLICATION_CREDENTIALS and so on.
"""

import contextlib
import errno
import functools
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Any

from wootzc.diagnostics import fail

IN_MEMORY = "memory"  # of this process: for tests
SCHEMES = ("s3", "gs", "az", IN_MEMORY)
RETRIES: Any = {"max_retries": 8, "retry_timeout": timedelta(seconds=60)}  # half a minute in all
TOLD = 300  # characters of what a service says


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket, or what begins with one prefix in it."""

    address: str
    client: Any  # of obstore
    library: Any  # obstore itself


@dataclass(frozen=True, slots=True)
class Object:
    """The place of an object, which need not be there. Errors are those of files, with its name."""

    bucket: Bucket
    name: str = ""

    def __truediv__(self, name: str) -> "Object":
        return Object(self.bucket, f"{self.name}/{name}" if self.name else name)

    def __str__(self) -> str:
        return f"{self.bucket.address}/{self.name}".rstrip("/")

    def read(self, most: int) -> bytes:
        """Raises `FileNotFoundError` and `OSError`."""
        with self._errors():
            found = self.bucket.library.get(self.bucket.client, self.name)
            if found.meta["size"] > most:
                raise OSError(errno.EFBIG, f"it has {found.meta['size']:,} bytes", str(self))
            return bytes(found.bytes())

    def create(self, content: bytes) -> bool:
        """Whether it was written: where there is one already, that one stays."""
        return self._put(content, "create")

    def replace(self, content: bytes) -> None:
        with self._errors():
            self.bucket.library.put(self.bucket.client, self.name, content)

    def swap(self, content: bytes, tag: str) -> bool:
        """Whether it was written in the place of the version that had this tag."""
        return self._put(content, {"e_tag": tag})

    def drop(self) -> None:
        with self._errors(), contextlib.suppress(FileNotFoundError):
            self.bucket.library.delete(self.bucket.client, self.name)

    def exists(self) -> bool:
        try:
            self.version()
        except FileNotFoundError:
            return False
        return True

    def version(self) -> tuple[str, datetime]:
        """Its tag, and when it was written by the clock of the service."""
        with self._errors():
            meta = self.bucket.library.head(self.bucket.client, self.name)
        return str(meta["e_tag"]), meta["last_modified"]

    def below(self, pattern: str) -> Iterator[tuple["Object", int]]:
        """Objects under this name, and their bytes. `pattern`: as "*/*.json"; "**" for all."""
        prefix = f"{self.name}/" if self.name else ""
        with self._errors():
            for chunk in self.bucket.library.list(self.bucket.client, self.name or None):
                for meta in chunk:
                    path = PurePosixPath(meta["path"].removeprefix(prefix))
                    depth = len(path.parts) == len(PurePosixPath(pattern).parts)
                    if pattern == "**" or (depth and path.match(pattern)):
                        yield Object(self.bucket, meta["path"]), int(meta["size"])

    def _put(self, content: bytes, mode: Any) -> bool:
        errors = self.bucket.library.exceptions
        with self._errors():
            try:
                self.bucket.library.put(
                    self.bucket.client, self.name, content, mode=mode, use_multipart=False
                )
            except (errors.AlreadyExistsError, errors.PreconditionError, FileExistsError):
                return False
            return True

    @contextlib.contextmanager
    def _errors(self) -> Generator[None]:
        try:
            yield
        except FileNotFoundError:
            raise FileNotFoundError(errno.ENOENT, "there is no such object", str(self)) from None
        except self.bucket.library.exceptions.BaseError as error:
            raise OSError(errno.EIO, _first_line(error), str(self)) from error


@functools.cache  # what is kept in memory is shared by all that name it
def bucket(address: str) -> Bucket:
    """Raises `WootzError` where obstore is missing, or can make nothing of the address."""
    scheme = address.partition("://")[0]
    if scheme not in SCHEMES:
        raise fail(
            "WZ288",
            f"a store can't be at {address}: there is no way to read {scheme}://",
            "name a folder, or one of " + ", ".join(f"{known}://…" for known in SCHEMES),
        )
    try:
        import obstore
        import obstore.store
    except ImportError:
        raise fail(
            "WZ287", f"{address} is read by obstore, which is not installed",
            "pip install 'wootzc[objects]'",
        ) from None  # fmt: skip
    if scheme == IN_MEMORY:
        return Bucket(address, obstore.store.MemoryStore(), obstore)
    try:
        client = obstore.store.from_url(address, retry_config=RETRIES)
    except (obstore.exceptions.BaseError, ValueError) as error:
        raise fail("WZ288", f"a store can't be at {address}: {_first_line(error)}") from None
    return Bucket(address, client, obstore)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:TOLD]
