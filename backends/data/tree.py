"""Class folders of image files, on disk or in a zip, with or without train/val/test above."""

import os
import re
import threading
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePath

import numpy as np

from wootzc.backends.data.formats import Labels, PartName, Source, class_count, encoded_parts
from wootzc.backends.data.images import MOST_BYTES, Blobs, Shape
from wootzc.backends.data.layout import Layout, arrange
from wootzc.diagnostics import WootzError, fail
from wootzc.files import check_file, damage, read_file

ENCRYPTED = 1  # a bit of the flags of an entry of a zip


class TooMany(Exception):
    """More files than were to be looked at."""


@dataclass(frozen=True, slots=True, eq=False)
class _Named:
    shown: str  # the folder or archive as the user wrote it
    names: Sequence[str]  # of image files in it

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, slots=True, eq=False)
class FileBlobs(_Named):
    """Image files below a folder."""

    root: Path

    def name(self, row: int) -> str:
        return str(Path(self.shown, self.names[row]))

    def read(self, row: int) -> bytes:
        """The bytes of an image file. Raises `WootzError` where they can't be read."""
        path = self.root / self.names[row]
        try:
            if path.is_symlink():
                check_inside(path, self.root, self.name(row))
            return read_file(path, MOST_BYTES)
        except OSError as error:
            raise fail("WZ112", f"{self.name(row)}: cannot be read ({error.strerror})") from error


@dataclass(frozen=True, slots=True, eq=False)
class ZipBlobs(_Named):
    """Image files in an open zip archive."""

    archive: zipfile.ZipFile
    lock: threading.Lock  # ZipFile counts its open members without one

    def name(self, row: int) -> str:
        return f"{self.shown}: {self.names[row]}"

    def read(self, row: int) -> bytes:
        """The bytes of an image file. Raises `WootzError` where they can't be read."""
        info = self.archive.getinfo(self.names[row])
        if info.file_size > MOST_BYTES:
            raise fail(
                "WZ255",
                f"{self.name(row)}: unpacks from {info.compress_size:,} to {info.file_size:,} "
                f"bytes; an image file has at most {MOST_BYTES:,}",
                "remove it",
            )

        if info.flag_bits & ENCRYPTED:
            raise fail(
                "WZ112",
                f"{self.name(row)}: cannot be read: it is encrypted",
                "make the archive anew, without a password",
            )

        def damaged(reason: str) -> WootzError:
            unknown = "compression" in reason  # `zipfile` knows four methods
            return fail(
                "WZ112",
                f"{self.name(row)}: cannot be read ({reason})",
                "make the archive anew with `zip`, which compresses so that all can read it"
                if unknown
                else "the archive is damaged: copy or download it again",
            )

        with damage(damaged), self.lock:
            return self.archive.read(info)


def open_folder(path: Path, name: str, shape: Shape | None, most: float = float("inf")) -> Source:
    """A folder of `class/name.jpg`, read file by file. Raises `TooMany` from `most` files on."""
    files: list[str] = []
    folders: list[str] = []
    for here, below, names in _levels(path):
        files += [(here / name).as_posix() for name in names]
        folders += [(here / name).as_posix() for name in below]
        if len(files) >= most:
            raise TooMany
    layout = arrange(files, folders, name)
    content = [entry for names, _ in layout.parts.values() for entry in names]
    return _source(layout, lambda names: FileBlobs(name, names, path), name, shape, content)


def open_zip(path: Path, name: str, shape: Shape | None, most: float = float("inf")) -> Source:
    """Likewise in a ZIP archive. Raises `WootzError` for a damaged one."""
    every = _listed(path, name)
    if len(every) >= most:
        raise TooMany
    folders = [one.filename.rstrip("/") for one in every.archive.infolist() if one.is_dir()]
    layout = arrange(every.names, folders, name)
    return _source(layout, lambda names: replace(every, names=names), name, shape)


def _listed(path: Path, name: str) -> ZipBlobs:
    """All files of an archive, opened; names that lead out of it are refused."""
    found = path.stat()
    return _listed_once(path, name, (found.st_ino, found.st_mtime_ns, found.st_size))


@lru_cache(maxsize=2)  # of 100,000 entries it takes a second, and several ask for it
def _listed_once(path: Path, name: str, version: tuple[int, ...]) -> ZipBlobs:
    def damaged(reason: str) -> WootzError:
        return fail(
            "WZ102",
            f"{name}: this zip cannot be read ({path.stat().st_size:,} bytes; {reason})",
            "it may be cut short: copy or download it again",
        )

    with damage(damaged):
        check_file(path)
        archive = zipfile.ZipFile(path)
        named = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
        files = list(dict.fromkeys(named))  # of several of one name the last is read
    for entry in archive.namelist():
        if entry.startswith("/") or ".." in entry.split("/") or re.match("[A-Za-z]:", entry):
            raise fail(
                "WZ257",
                f"{name}: its entry {entry} leads out of the archive",
                "nobody meant that: make the archive anew, from the folder that holds the classes",
            )
    return ZipBlobs(name, files, archive, threading.Lock())


def _source(
    layout: Layout,
    blobs: Callable[[Sequence[str]], Blobs],  # of files with these names
    name: str,
    shape: Shape | None,
    content: Sequence[str] = (".",),
) -> Source:
    files: dict[PartName, Blobs] = {p: blobs(names) for p, (names, _) in layout.parts.items()}
    labels: dict[PartName, Labels] = {
        part: np.array(numbers, np.int32) for part, (_, numbers) in layout.parts.items()
    }
    class_count(labels, name)
    parts = encoded_parts(files, labels, shape)
    return Source(name=name, parts=parts, classes=layout.classes, content=content)


def _levels(root: Path) -> Iterator[tuple[PurePath, list[str], list[str]]]:
    """Each folder with the folders and files in it; links are followed, circles are not."""
    seen: set[str] = set()
    for folder, below, names in os.walk(root, followlinks=True):
        if os.path.islink(folder) and folder != str(root):
            check_inside(Path(folder), root, folder)
        real = os.path.realpath(folder)
        if real in seen:
            below.clear()
            continue
        seen.add(real)
        for name in (*below, *names):
            _check_text(name, folder)
        yield Path(folder).relative_to(root), below, names


def check_inside(link: Path, root: Path, shown: str) -> None:
    """A link that leads out of the data may lead anywhere: to all of the disk, or in circles."""
    around = os.path.realpath(root)
    leads = os.path.realpath(link)
    if leads != around and not leads.startswith(f"{around.rstrip('/')}/"):
        raise fail(
            "WZ257",
            f"{shown} is a link that leads out of the data, to {leads}",
            "put what it leads to into its place, or name the folder that holds both",
        )


def _check_text(name: str, folder: str) -> None:
    """Names of classes go into files of text."""
    try:
        name.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(name).decode(errors="backslashreplace")
        raise fail(
            "WZ258", f"{folder}: the name {shown} is no text in UTF-8", "rename it"
        ) from None
