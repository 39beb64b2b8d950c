"""Files that are whole or not there at all, and reading what a user names.

What a user names may be anything: a pipe that never says a word, a device that never ends, a file
that unpacks to a million times its size. All of it is opened here, and what a library raises on
its content becomes a diagnostic at one place for each kind of file, with `damage`.
"""

import contextlib
import errno
import hashlib
import io
import json
import math
import os
import stat
import tempfile
from collections.abc import Callable, Generator, Iterable, Mapping
from pathlib import Path
from typing import Any

from wootzc.diagnostics import WootzError, fail

KINDS = {
    stat.S_IFDIR: "it is a folder",
    stat.S_IFIFO: "it is a pipe",
    stat.S_IFSOCK: "it is a socket",
    stat.S_IFCHR: "it is a device",
    stat.S_IFBLK: "it is a device",
}
SYSTEM = ("/proc", "/sys")  # what lies there says it is a file, and may never end
SEAL = "sealed"  # the key of a JSON file under which it says what it should hash to
NO_HASH = "0" * 64
UNPACKED = 1 << 26  # bytes that any file may unpack to
MOST_JSON = 1 << 28  # bytes of figures
RATIO = 200  # and beyond that as many times its size: no images become that small


class Unfit(OSError):
    """A file that is not read, whatever is in it; `strerror` says why."""


def open_file(path: str | os.PathLike[str], most: int | None = None) -> io.BufferedReader:
    """A regular file of at most `most` bytes, opened to read.

    Raises `Unfit` for pipes, devices, folders and longer files, without waiting for any of them,
    and `OSError`.
    """
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))  # a pipe would wait
    except ValueError as error:  # a name with a zero in it
        raise Unfit(errno.EINVAL, str(error), os.fspath(path)) from None
    except OSError as error:
        if error.errno == errno.ENXIO:  # a socket cannot be opened
            raise Unfit(errno.EINVAL, KINDS[stat.S_IFSOCK], os.fspath(path)) from None
        raise
    try:
        if why := _unfit(path, os.fstat(handle), most):
            raise Unfit(errno.EINVAL, why, os.fspath(path))
        return open(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def _unfit(path: str | os.PathLike[str], found: os.stat_result, most: int | None) -> str | None:
    if not stat.S_ISREG(found.st_mode):
        return KINDS.get(stat.S_IFMT(found.st_mode), "it is no file")
    real = os.path.realpath(path)
    if any(real.startswith(f"{folder}/") for folder in SYSTEM):
        return "it is a part of the system, not a file on disk"
    if most is not None and found.st_size > most:
        return f"it has {found.st_size:,} bytes, and at most {most:,} are read"
    return None


def check_file(path: str | os.PathLike[str], most: int | None = None) -> None:
    """Raises as `open_file` does: for libraries that open a path themselves."""
    open_file(path, most).close()


def read_file(path: str | os.PathLike[str], most: int) -> bytes:
    """The bytes of a regular file. Raises as `open_file` does."""
    with open_file(path, most) as file:
        size = os.fstat(file.fileno()).st_size  # as much is taken from memory before it is read
        return file.read(size)


def is_bomb(unpacked: int, packed: int) -> bool:
    """Whether so many bytes in so few must be there to fill the memory."""
    return unpacked > UNPACKED and unpacked > RATIO * packed


@contextlib.contextmanager
def damage(told: Callable[[str], Exception]) -> Generator[None]:
    """What a library raises on the content of a file becomes `told(reason)`.

    Libraries raise nearly anything on damaged bytes. Diagnostics pass, and that there is no file.
    """
    try:
        yield
    except (WootzError, FileNotFoundError):
        raise
    except Exception as error:
        raise told(_reason(error)) from error


def _reason(error: Exception) -> str:
    """One line of what a library says: some raise with a place or a name beside the text."""
    match error:
        case OSError(strerror=str(text)):
            reason = text
        case KeyError(args=(str(name),)):
            reason = f"it lacks {name!r}"
        case Exception(args=(str(text), _, *_)) if not isinstance(error, UnicodeError):
            reason = text
        case _:
            reason = str(error)
    return (reason.strip().splitlines() or [type(error).__name__])[0]


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write a temporary file beside `path`, sync it, rename it. An `OSError` names `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        _write(path, content)
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def _write(path: Path, content: bytes | str) -> None:
    data = content.encode() if isinstance(content, str) else content
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    with temporary(path, data, mode) as new:
        os.replace(new, path)


@contextlib.contextmanager
def temporary(path: Path, content: bytes, mode: int = 0o644) -> Generator[Path]:
    """A file beside `path` with this content, safe on disk; gone afterwards unless renamed."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, mode)
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def trim(files: Iterable[Path], most: int) -> None:
    """Delete those not used for longest until the others have at most `most` bytes.

    Another process may do the same at the same time.
    """
    found: list[tuple[float, int, Path]] = []
    for path in files:
        with contextlib.suppress(OSError):
            stat = path.stat()
            found.append((max(stat.st_atime, stat.st_mtime), stat.st_size, path))
    over = sum(size for _, size, _ in found) - most
    for _, size, path in sorted(found):
        if over <= 0:
            return
        with contextlib.suppress(OSError):
            path.unlink()
        over -= size


def finite(value: Any) -> Any:
    """JSON has no NaN, which the loss of a diverged run is: None stands for it."""
    match value:
        case dict():
            return {key: finite(item) for key, item in value.items()}
        case list() | tuple():
            return [finite(item) for item in value]
        case float() if not math.isfinite(value):
            return None
        case _:
            return value


def names_beside(path: Path) -> str | None:
    """What to say where there is no `path`: the files beside it that end as it does."""
    near = sorted(file.name for file in path.parent.glob(f"*{path.suffix}"))
    return f"in {path.parent} there is: {', '.join(near[:8])}" if near else None


def missing_result(path: Path) -> WootzError:
    """What to say where `path`, a part of a result folder, is not there."""
    inside = path.parent.name == "best" and (path.parent.parent / path.name).exists()
    way = f"the folder above: {path.parents[2]}" if inside else "a folder that `build` wrote"
    return fail("WZ145", f"{path} is missing", f"give {way}")


def seal(value: dict[str, Any], files: Mapping[str, str]) -> str:
    """The text of a JSON file that says what it, and the files beside it, should hash to.

    `files`: SHA-256 by path from the folder of the file.
    """
    text = json.dumps({**value, SEAL: {**files, "this": NO_HASH}}, indent=2) + "\n"
    before, _, after = text.rpartition(NO_HASH)
    return before + hashlib.sha256(text.encode()).hexdigest() + after


def check_seal(path: Path, text: str, files: Mapping[str, str]) -> None:
    """Raises `WootzError` where a sealed text, or a file beside it, has changed."""
    if not all(isinstance(hash, str) for hash in files.values()):
        raise changed(path)
    before, hash, after = text.rpartition(files.get("this", NO_HASH) or NO_HASH)
    if hashlib.sha256(f"{before}{NO_HASH}{after}".encode()).hexdigest() != hash:
        raise changed(path)
    for name, expected in files.items():
        if name != "this" and sha256_of(path.parent / name) != expected:
            raise changed(path.parent / name)


def seal_page(page: str) -> str:
    """A page of HTML that ends in its hash."""
    return f"{page}<!-- sha256 {hashlib.sha256(page.encode()).hexdigest()} -->\n"


def check_page(path: Path) -> None:
    """Raises `WootzError` where a page is not what `seal_page` made."""
    with _told(path):
        page = read_file(path, MOST_JSON).decode(errors="replace")
    if seal_page(page.rpartition("<!--")[0]) != page:
        raise changed(path)


def sha256_of(path: Path) -> str:
    """Raises `WootzError` where it cannot be read."""
    with _told(path), open_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def changed(path: Path) -> WootzError:
    """To be raised: a file whose hash is not that of the build."""
    return fail("WZ146", f"{path} is not the file that was built", "build again")


def load_json(path: Path, needs: tuple[str, ...] = ()) -> dict[str, Any]:
    """A JSON file of a result folder that has the keys `needs`, without its seal.

    Raises `WootzError` naming what is missing or damaged: a file that it vouches for, too. Those of
    earlier versions have no seal.
    """
    with _told(path), damage(lambda reason: _unreadable(path, reason)):
        text = read_file(path, MOST_JSON).decode()
        loaded = json.loads(text)
    if not isinstance(loaded, dict):
        raise _unreadable(path, "it is no table")
    files = loaded.pop(SEAL, None)
    if files is not None:
        check_seal(path, text, files if isinstance(files, dict) else {})
    missing = [key for key in needs if key not in loaded]
    if missing:
        raise fail("WZ145", f"{path} lacks {', '.join(missing)}", "build again")
    return loaded


@contextlib.contextmanager
def _told(path: Path) -> Generator[None]:
    """That a part of a result folder is missing, or cannot be opened."""
    try:
        yield
    except FileNotFoundError:
        raise missing_result(path) from None
    except OSError as error:
        raise _unreadable(path, str(error.strerror)) from None


def _unreadable(path: Path, reason: str) -> WootzError:
    return fail("WZ145", f"can't read {path}: {reason}", "build again")
