"""NumPy archives: `images` and `labels`, or the names that Keras and MedMNIST write."""

import os
import struct
import tokenize
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from wootzc.backends.data.formats import (
    Labels,
    Part,
    PartName,
    Source,
    check_label_header,
    check_labels,
    class_count,
)  # fmt: skip
from wootzc.backends.data.images import Images, Shape, Stored, Unread, as_pixels, check_finite
from wootzc.diagnostics import WootzError, fail
from wootzc.files import damage, is_bomb, open_file
from wootzc.ir import npy

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One array in the archive, known from its header alone."""

    key: str
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    fortran: bool
    start: int | None  # byte in the file where the values start; None where they are compressed

    @property
    def bytes_each(self) -> int:
        """Of a number in memory: those that are not uint8 become float32."""
        return 1 if self.dtype == np.uint8 else 4


def open_npz(path: Path, name: str, *, stream: bool, budget: int, shape: Shape | None) -> Source:
    """Labels and images of an archive; above `budget` bytes, images stay on disk if they can."""
    pairs = _pairs(path, name, shape)
    found = [images for images, _ in pairs.values()]
    size = sum(prod(entry.shape) * entry.bytes_each for entry in found)
    compressed = [entry.key for entry in found if entry.start is None]
    if stream and compressed:
        raise fail(
            "WZ116",
            f"{name}: {compressed[0]} is compressed, so it cannot be streamed",
            "save it with np.savez instead of np.savez_compressed, or do not ask to stream",
        )
    if size > budget and compressed:
        raise fail(
            "WZ116",
            f"{name}: {compressed[0]} is compressed, and {size:,} bytes of images are too many "
            f"for memory ({budget:,})",
            "save it with np.savez instead of np.savez_compressed: then it is streamed",
        )
    mapped = stream or (size > budget and not compressed)
    labels = _labels(path, name, pairs)
    parts: dict[PartName, Part] = {
        part: Part(images=_images(path, name, images, mapped), labels=labels[part], key=images.key)
        for part, (images, _) in pairs.items()
    }
    classes = tuple(map(str, range(class_count(labels, name))))
    return Source(name=name, parts=parts, classes=classes)


def _entries(path: Path, name: str) -> dict[str, Entry]:
    """The arrays of an archive, by their headers, which hold what they declare."""
    with damage(_broken(path, name)), open_file(path) as file, zipfile.ZipFile(file) as archive:
        return {
            info.filename.removesuffix(".npy"): _entry(archive, info, file, name)
            for info in archive.infolist()
            if info.filename.endswith(".npy")
        }


def _entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo, file: BinaryIO, name: str) -> Entry:
    key = info.filename.removesuffix(".npy")
    if is_bomb(info.file_size, info.compress_size):
        raise fail(
            "WZ255",
            f"{name}: {key} unpacks from {info.compress_size:,} to {info.file_size:,} bytes",
            "no images do so: save it anew",
        )
    with archive.open(info) as member:
        try:
            header = npy.read_header(member, info.file_size)
        except (ValueError, SyntaxError, tokenize.TokenError) as error:  # NumPy's parser of headers
            raise fail("WZ105", f"{name}: {key} is no plain NumPy array ({error})") from error
    if header.dtype.hasobject:
        raise fail(
            "WZ104",
            f"{name}: {key} holds Python objects, which only pickle could read; "
            "wootzc refuses, because reading a pickle can run any program",
            "save plain arrays: np.stack(images) as uint8 or float32, and labels as integers",
        )
    start = None
    if info.compress_type == zipfile.ZIP_STORED:
        start = _data_start(file, info.header_offset) + header.length
        if start + header.nbytes > os.fstat(file.fileno()).st_size:
            raise ValueError(f"{key} ends behind the end of the file")
    return Entry(
        key=key, shape=header.shape, dtype=header.dtype, fortran=header.fortran, start=start
    )


def _data_start(file: BinaryIO, offset: int) -> int:
    """Where the bytes of a zip member start: its local header has two fields of own length."""
    file.seek(offset + 26)
    name, extra = struct.unpack("<HH", file.read(4))
    return offset + 30 + int(name) + int(extra)


def _pairs(path: Path, name: str, shape: Shape | None) -> dict[PartName, tuple[Entry, Entry]]:
    """Images and labels of each part, their headers read and the images' checked."""
    entries = _entries(path, name)
    keys = _keys(entries, name)
    first = entries[keys["train"][0]]
    for images, _ in keys.values():
        _check_images(entries[images], name, first, shape)
    return {part: (entries[images], entries[labels]) for part, (images, labels) in keys.items()}


def _keys(entries: Mapping[str, Entry], name: str) -> dict[PartName, tuple[str, str]]:
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
        used = {key for keys in pairs.values() for key in keys}
        others = {k: other for other in LAYOUTS for keys in other.values() for k in keys}
        if stray := next((k for k in entries if k in others and k not in used), None):
            images, labels = others[stray]["train"]
            raise fail(
                "WZ103",
                f"{name}: {stray} does not go with {layout['train'][0]}, and would not be read",
                f"save what is to train on as {images} and {labels}, or leave {stray} out",
            )
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


def _labels(
    path: Path, name: str, pairs: Mapping[PartName, tuple[Entry, Entry]]
) -> dict[PartName, Labels]:
    found: dict[PartName, Labels] = {}
    for part, (images, labels) in pairs.items():
        where = f"{name}: {labels.key}"
        check_label_header(labels.shape, labels.dtype, where)
        if labels.shape[0] != images.shape[0]:
            raise fail(
                "WZ106",
                f"{name}: {images.shape[0]:,} {images.key}, but {labels.shape[0]:,} {labels.key}",
                "each image needs one label",
            )
        found[part] = check_labels(_read(path, name, labels), where)
    return found


def _images(path: Path, name: str, images: Entry, mapped: bool) -> Images:
    shape = _image_shape(images)
    stacked = (images.shape[0], *shape)
    if mapped and images.start is not None:
        order: Literal["F", "C"] = "F" if images.fortran else "C"
        with damage(_broken(path, name)):
            array = np.memmap(path, images.dtype, "r", images.start, images.shape, order)
        return Stored(array.reshape(stacked), f"{name}: {images.key}")

    def read() -> Stored:
        pixels = as_pixels(_read(path, name, images)).reshape(stacked)
        check_finite(pixels, f"{name}: {images.key}")
        return Stored(pixels)

    return Unread(read=read, shape=shape, count=stacked[0], bytes_each=images.bytes_each)


def _read(path: Path, name: str, entry: Entry) -> NDArray[np.generic]:
    with damage(_broken(path, name)), open_file(path) as file, zipfile.ZipFile(file) as archive:
        info = archive.getinfo(f"{entry.key}.npy")
        with archive.open(info) as member:
            array = npy.read_values(member, npy.read_header(member, info.file_size))
            member.read(1)  # the end, where the checksum is looked at
            return array


def _broken(path: Path, name: str) -> Callable[[str], WootzError]:
    return lambda reason: fail(
        "WZ102",
        f"{name}: this .npz cannot be read ({path.stat().st_size:,} bytes; {reason})",
        "it may be cut short: copy or download it again, or save it anew with np.savez",
    )
