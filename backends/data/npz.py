"""NumPy archives: `images` and `labels`, or the names that Keras and MedMNIST write."""

import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wootzc.backends.data.images import Shape, Stored, as_pixels, check_finite
from wootzc.backends.data.source import (
    Labels,
    Part,
    PartName,
    Source,
    check_labels,
    class_count,
)  # fmt: skip
from wootzc.diagnostics import WootzError, fail

# Per convention: part → (key of images, key of labels). Parts other than "train" may be absent.
LAYOUTS: tuple[dict[PartName, tuple[str, str]], ...] = (
    {"train": ("images", "labels")},
    {
        "train": ("x_train", "y_train"),
        "validation": ("x_val", "y_val"),
        "test": ("x_test", "y_test"),
    },
    {
        "train": ("train_images", "train_labels"),
        "validation": ("val_images", "val_labels"),
        "test": ("test_images", "test_labels"),
    },
)
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One array in the archive, known from its header alone."""

    key: str
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    fortran: bool
    start: int | None  # byte in the file where the values start; None where they are compressed

    @property
    def nbytes(self) -> int:
        return int(np.prod(self.shape)) * (1 if self.dtype == np.uint8 else 4)


def open_npz(path: Path, name: str, *, stream: bool, budget: int, shape: Shape | None) -> Source:
    """Labels and images of an archive; above `budget` bytes, images stay on disk if they can."""
    entries = entries_of(path, name)
    pairs = pairs_of(entries, name)
    found = [entries[images] for images, _ in pairs.values()]
    for entry in found:
        _check_images(entry, name, found[0], shape)
    size = sum(entry.nbytes for entry in found)
    compressed = [entry.key for entry in found if entry.start is None]
    if stream and compressed:
        raise fail(
            "WZ116",
            f"{name}: {compressed[0]} is compressed, so it cannot be streamed",
            "save it with np.savez instead of np.savez_compressed, or do not ask to stream",
        )
    mapped = stream or (size > budget and not compressed)
    parts: dict[PartName, Part] = {
        part: _read_part(path, name, entries[images], entries[labels], mapped)
        for part, (images, labels) in pairs.items()
    }
    labels: dict[PartName, Labels] = {part: read.labels for part, read in parts.items()}
    count = class_count(labels, name)
    return Source(
        name=name, parts=parts, classes=tuple(str(i) for i in range(count)), content=(path,)
    )


def entries_of(path: Path, name: str) -> dict[str, Entry]:
    """The arrays of an archive, by their headers."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {
                info.filename.removesuffix(".npy"): _entry(archive, info, path, name)
                for info in archive.infolist()
                if info.filename.endswith(".npy")
            }
    except BROKEN as error:
        raise _broken(path, name, error) from error


def _entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path, name: str) -> Entry:
    key = info.filename.removesuffix(".npy")
    try:
        with archive.open(info) as member:
            version = np.lib.format.read_magic(member)
            read = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }[version]
            shape, fortran, dtype = read(member)
            header = member.tell()
    except (ValueError, KeyError) as error:  # KeyError: version 3 is for structured arrays only
        raise fail("WZ105", f"{name}: {key} is no plain NumPy array ({error})") from error
    if dtype.hasobject:
        raise fail(
            "WZ104",
            f"{name}: {key} holds Python objects, which only pickle could read; "
            "wootzc refuses, because reading a pickle can run any program",
            "save plain arrays: np.stack(images) as uint8 or float32, and labels as integers",
        )
    start = None
    if info.compress_type == zipfile.ZIP_STORED:
        start = _data_start(path, info.header_offset) + header
    return Entry(key=key, shape=shape, dtype=dtype, fortran=fortran, start=start)


def _data_start(path: Path, offset: int) -> int:
    """Where the bytes of a zip member start: its local header has two fields of own length."""
    with path.open("rb") as file:
        file.seek(offset + 26)
        name, extra = struct.unpack("<HH", file.read(4))
    return offset + 30 + int(name) + int(extra)


def pairs_of(entries: Mapping[str, Entry], name: str) -> dict[PartName, tuple[str, str]]:
    """The keys that are there, of the first convention that fits."""
    there = ", ".join(entries) or "none"
    for layout in LAYOUTS:
        if not any(key in entries for key in layout["train"]):
            continue
        pairs: dict[PartName, tuple[str, str]] = {
            part: keys for part, keys in layout.items() if entries.keys() & set(keys)
        }
        missing = [key for keys in pairs.values() for key in keys if key not in entries]
        if missing:
            raise fail("WZ103", f"{name}: no {' and no '.join(missing)}; its keys are: {there}")
        return pairs
    wanted = "; or ".join(" and ".join(layout["train"]) for layout in LAYOUTS)
    raise fail("WZ103", f"{name}: no images found; its keys are: {there}", f"expected {wanted}")


def _check_images(entry: Entry, name: str, first: Entry, shape: Shape | None) -> None:
    where = f"{name}: {entry.key}"
    if entry.dtype.kind not in "biuf":
        raise fail("WZ105", f"{where} holds {entry.dtype}; expected uint8 or floats")
    if len(entry.shape) not in (3, 4) or 0 in entry.shape[1:]:
        raise fail(
            "WZ105",
            f"{where} has shape {list(entry.shape)}; expected [n, height, width] or "
            "[n, height, width, channels]",
            "flat images need images.reshape(n, height, width, channels)",
        )
    own, other = _image_shape(entry), _image_shape(first)
    if own != other:
        raise fail("WZ105", f"{where} has images of {_x(own)}, but {first.key} of {_x(other)}")
    if shape is not None and own != shape:
        first_axis = (*own[1:], own[0]) == shape
        raise fail(
            "WZ110",
            f"{name}: images are {_x(own)}, but the network's input is {_x(shape)}",
            "channels come last here: save np.moveaxis(images, 1, -1)"
            if first_axis
            else f"write input({_x(own)}), or save images of {_x(shape)}",
        )


def _image_shape(entry: Entry) -> Shape:
    height, width, channels = (*entry.shape[1:], 1)[:3]
    return height, width, channels


def _x(shape: Shape) -> str:
    return "x".join(map(str, shape))


def _read_part(path: Path, name: str, images: Entry, labels: Entry, mapped: bool) -> Part:
    numbers = check_labels(_read(path, name, labels), f"{name}: {labels.key}")
    if len(numbers) != images.shape[0]:
        raise fail(
            "WZ106",
            f"{name}: {images.shape[0]:,} {images.key}, but {len(numbers):,} {labels.key}",
            "each image needs one label",
        )
    stacked = (images.shape[0], *_image_shape(images))
    if mapped and images.start is not None:
        order: Literal["F", "C"] = "F" if images.fortran else "C"
        array = np.memmap(path, images.dtype, "r", images.start, images.shape, order)
        return Part(images=Stored(array.reshape(stacked), f"{name}: {images.key}"), labels=numbers)
    pixels = as_pixels(_read(path, name, images)).reshape(stacked)
    check_finite(pixels, f"{name}: {images.key}")
    return Part(images=Stored(pixels), labels=numbers)


def _read(path: Path, name: str, entry: Entry) -> NDArray[np.generic]:
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{entry.key}.npy") as member:
            array: NDArray[np.generic] = np.lib.format.read_array(member, allow_pickle=False)
            return array
    except (*BROKEN, ValueError) as error:  # ValueError: fewer values than the header says
        raise _broken(path, name, error) from error


def _broken(path: Path, name: str, error: Exception) -> WootzError:
    return fail(
        "WZ102",
        f"{name}: this .npz cannot be read ({path.stat().st_size:,} bytes; {error})",
        "it may be cut short: copy or download it again, or save it anew with np.savez",
    )
