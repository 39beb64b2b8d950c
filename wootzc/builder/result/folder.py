"""A result folder that is switched as a whole: no kill leaves a new `best/` beside old figures."""

import contextlib
import ctypes
import glob
import os
import shutil
import uuid
from collections.abc import Generator
from pathlib import Path

from filelock import FileLock

from wootzc.diagnostics import fail

PARTS = ("best", "plan.wzir", "report.html", "result.json")  # what a build writes; the rest stays
_EXCHANGE = 2  # of renameat2: both names stay, what they stand for changes places
_HERE = -100  # paths are relative to where the process runs


def folder_of(space: str, baseline: bool) -> Path:
    """Where the result of a space goes unless told otherwise."""
    return Path("build") / (space + "-baseline" * baseline)


def check_result(out: Path) -> None:
    """Raises `WootzError` where no result stands that a candidate could be taken from."""
    recover(out)
    if not (out / "result.json").is_file():
        raise fail(
            "WZ145", f"there is no result in {out} to take a candidate from", "build it first"
        )


@contextlib.contextmanager
def switched(out: Path) -> Generator[Path]:
    """A folder to write `PARTS` into, which then takes the place of `out`.

    All else that stands in `out` is there too. Where an error is raised `out` stays as it was.
    Where the system has no exchange of two folders, a kill may leave `out` under the name that
    `recover` looks for.
    """
    out = out.resolve()
    new = _beside(out, f"new-{uuid.uuid4().hex}")  # of two builds each has its own
    writing = FileLock(_lock_of(new))
    try:
        if Path.cwd().is_relative_to(out):
            raise OSError("a folder that a process runs in is not taken away from it")
        writing.acquire()
        new.mkdir()
        for entry in out.iterdir():
            if entry.name not in PARTS and not _left_over(entry.name):
                _linked(entry, new / entry.name)
    except OSError:  # likewise one that cannot be written beside, or a disk without links
        _removed(new, writing)
        (out / "result.json").unlink(missing_ok=True)  # it stands for a whole folder
        yield out
        return
    try:
        yield new
        _exchange(new, out)
    finally:
        _removed(new, writing)


def recover(out: Path) -> None:
    """Put back what a kill left beside `out` while it was switched; remove what it left over."""
    out = out.resolve()
    old = _beside(out, "old")
    if old.is_dir() and not out.exists():
        old.rename(out)
    shutil.rmtree(old, ignore_errors=True)
    written = out.parent.glob(f"{glob.escape(_beside(out, 'new').name)}*")
    for new in {path.with_name(path.name.removesuffix(".lock")) for path in written}:
        lock = FileLock(_lock_of(new))
        with contextlib.suppress(OSError):  # what another build is writing to stays
            lock.acquire(blocking=False)
            _removed(new, lock)
    if out.is_dir():
        for entry in out.iterdir():
            if _left_over(entry.name) and entry.is_file():
                entry.unlink()


def _lock_of(new: Path) -> Path:
    return new.with_name(f"{new.name}.lock")


def _removed(new: Path, lock: FileLock) -> None:
    """A folder that was written to, with the lock that says that it is."""
    shutil.rmtree(new, ignore_errors=True)
    with contextlib.suppress(OSError):
        _lock_of(new).unlink(missing_ok=True)
    lock.release()


def _beside(out: Path, what: str) -> Path:
    return out.with_name(f".{out.name}.wootzc-{what}")


def _left_over(name: str) -> bool:
    """The temporary file of a write that was killed."""
    return any(name.startswith(f".{part}.") for part in PARTS)


def _linked(source: Path, target: Path) -> None:
    """The same files under another name: the log is being written to."""
    if source.is_dir() and not source.is_symlink():
        shutil.copytree(source, target, symlinks=True, copy_function=_link)
    else:
        _link(source, target)


def _link(source: "str | os.PathLike[str]", target: "str | os.PathLike[str]") -> None:
    os.link(source, target, follow_symlinks=False)


def _exchange(new: Path, out: Path) -> None:
    """`out` becomes what `new` was, and is never missing where the system can do so."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is not None:
        names = os.fsencode(new), os.fsencode(out)
        if renameat2(_HERE, names[0], _HERE, names[1], _EXCHANGE) == 0:
            return
    old = _beside(out, "old")
    out.rename(old)
    new.rename(out)
    shutil.rmtree(old, ignore_errors=True)
