"""Class folders of image files, on disk or in a zip, with or without train/val/test above."""

import os
import threading
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from wootzc.backends.data.images import Blobs, Encoded, Shape, natural_shape
from wootzc.backends.data.layout import Layout, arrange
from wootzc.backends.data.source import Part, PartName, Source, class_count
from wootzc.diagnostics import fail

BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError)


@dataclass(frozen=True, slots=True, eq=False)
class FileBlobs:
    """Image files below a folder."""

    root: Path
    shown: str  # the folder as the user wrote it
    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.names)

    def name(self, row: int) -> str:
        return str(Path(self.shown, self.names[row]))

    def read(self, row: int) -> bytes:
        try:
            return (self.root / self.names[row]).read_bytes()
        except OSError as error:
            raise fail("WZ112", f"{self.name(row)}: cannot be read ({error.strerror})") from error


@dataclass(frozen=True, slots=True, eq=False)
class ZipBlobs:
    """Image files in an open zip archive."""

    archive: zipfile.ZipFile
    lock: threading.Lock  # ZipFile counts its open members without one
    shown: str
    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.names)

    def name(self, row: int) -> str:
        return f"{self.shown}: {self.names[row]}"

    def read(self, row: int) -> bytes:
        try:
            with self.lock:
                return self.archive.read(self.names[row])
        except BROKEN as error:
            raise fail(
                "WZ112",
                f"{self.name(row)}: cannot be read ({error})",
                "the archive is damaged: copy or download it again",
            ) from error


def open_folder(path: Path, name: str, shape: Shape | None) -> Source:
    files, folders = _walk(path)
    layout = arrange(files, folders, name)
    blobs: dict[PartName, Blobs] = {
        part: FileBlobs(path, name, names) for part, (names, _) in layout.parts.items()
    }
    content = tuple(path / entry for names, _ in layout.parts.values() for entry in names)
    return _source(layout, blobs, name, shape, content)


def open_zip(path: Path, name: str, shape: Shape | None) -> Source:
    try:
        archive = zipfile.ZipFile(path)
    except BROKEN as error:
        raise fail(
            "WZ102",
            f"{name}: this zip cannot be read ({path.stat().st_size:,} bytes; {error})",
            "it may be cut short: copy or download it again",
        ) from error
    entries = archive.infolist()
    files = [entry.filename for entry in entries if not entry.is_dir()]
    folders = [entry.filename.rstrip("/") for entry in entries if entry.is_dir()]
    layout = arrange(files, folders, name)
    lock = threading.Lock()  # one for all parts: they share the file
    blobs: dict[PartName, Blobs] = {
        part: ZipBlobs(archive, lock, name, names) for part, (names, _) in layout.parts.items()
    }
    return _source(layout, blobs, name, shape, (path,))


def _source(
    layout: Layout,
    blobs: Mapping[PartName, Blobs],
    name: str,
    shape: Shape | None,
    content: tuple[Path, ...],
) -> Source:
    labels: dict[PartName, NDArray[np.int32]] = {
        part: np.array(numbers, np.int32) for part, (_, numbers) in layout.parts.items()
    }
    class_count(labels, name)
    if shape is None:  # the first training image decides
        shape = natural_shape(blobs["train"].read(0), blobs["train"].name(0))
    return Source(
        name=name,
        parts={
            part: Part(images=Encoded(blobs[part], shape), labels=labels[part]) for part in labels
        },
        classes=layout.classes,
        content=content,
    )


def _walk(root: Path) -> tuple[list[str], list[str]]:
    """Names of all files and of all folders below `root`."""
    files: list[str] = []
    folders: list[str] = []
    for here, below, names in _levels(root):
        files += [(here / name).as_posix() for name in names]
        folders += [(here / name).as_posix() for name in below]
    return files, folders


def names_below(root: Path) -> Iterator[str]:
    """Names of all files below `root`, as they are found."""
    return ((here / name).as_posix() for here, _, names in _levels(root) for name in names)


def _levels(root: Path) -> Iterator[tuple[PurePath, list[str], list[str]]]:
    """Each folder with the folders and files in it; links are followed, circles are not."""
    seen: set[str] = set()
    for folder, below, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            below.clear()
            continue
        seen.add(real)
        yield Path(folder).relative_to(root), below, names
