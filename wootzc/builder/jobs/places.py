"""Where a part of a store lies: a file or an object of a bucket, and what is done to either.

Both are whole or not there, and made at most once: a file is linked to its name, which fails where
there is one; an object is put on the condition that there is none.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from wootzc.builder.jobs.objects import Object, bucket
from wootzc.files import read_file, temporary, write_atomically

Place = Path | Object
P = TypeVar("P", Path, Object)


def place_of(address: str | os.PathLike[str]) -> Place:
    """A folder, or what an address with a scheme names. Raises `WootzError`."""
    text = os.fspath(address)
    return Object(bucket(text.rstrip("/"))) if "://" in text else Path(text)


def read(place: Place, most: int) -> bytes:
    """At most so many bytes. Raises `FileNotFoundError` and `OSError`."""
    return place.read(most) if isinstance(place, Object) else read_file(place, most)


def create(place: Place, content: bytes) -> bool:
    """Whether it was written: where there is something already, that stays."""
    return place.create(content) if isinstance(place, Object) else _linked(place, content)


def replace(place: Place, content: bytes) -> None:
    """Write it whatever is there."""
    if isinstance(place, Object):
        place.replace(content)
    else:
        put_aside(place)
        write_atomically(place, content)


def drop(place: Place) -> None:
    """It is not there any more. What is a folder, and no file, stays."""
    if isinstance(place, Object):
        place.drop()
    elif not place.is_dir():
        place.unlink(missing_ok=True)


def exists(place: Place) -> bool:
    return place.exists() if isinstance(place, Object) else place.is_file()


def below(root: Place, pattern: str) -> Iterator[Any]:
    """What lies under `root` at names such as "*/*.json"."""
    if isinstance(root, Path):
        return root.glob(pattern)
    return (place for place, _ in root.below(pattern))


def size(root: Place) -> int:
    """Bytes of all that lies under it."""
    if isinstance(root, Object):
        return sum(bytes for _, bytes in root.below("**"))
    return sum(file.stat().st_size for file in root.rglob("*") if file.is_file())


def put_aside(path: Path) -> None:
    """What stands in the way of a file of the store, or of its folder, is put aside: a folder, a
    pipe, or a link where a file should be, a file where a folder should be.
    """
    fitting = (path.parent, Path.is_dir), (path, _is_own_file)
    for one, fits in fitting:
        # In this order: what another process makes only now is not in the way.
        if os.path.lexists(one) and not fits(one):
            aside = Path(tempfile.mkdtemp(prefix=f"{one.name}.", dir=one.parent), one.name)
            with contextlib.suppress(FileNotFoundError):  # another process was faster
                one.rename(aside)


def _is_own_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _linked(path: Path, content: bytes) -> bool:
    put_aside(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with temporary(path, content) as new:
        try:
            os.link(new, path)
        except FileExistsError:
            return False
        except OSError:  # a file system without links
            if path.exists():
                return False
            os.replace(new, path)
    return True
