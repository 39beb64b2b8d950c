"""From a `data` statement to a dataset."""

import os
from collections.abc import Collection
from math import prod
from pathlib import Path
from typing import Any, Literal, assert_never

import numpy as np
from numpy.typing import NDArray

from wootzc.backends.data.dataset import Dataset, Split
from wootzc.backends.data.divide import divide
from wootzc.backends.data.fingerprint import fingerprint
from wootzc.backends.data.formats import Part, PartName, Source, check_exists
from wootzc.backends.data.images import (
    CHUNK,
    MODES,
    Encoded,
    Images,
    Rows,
    Shape,
    Stored,
    Unread,
    hold,
    holds_bytes,
    natural_shape,
    spread,
)
from wootzc.backends.data.npz import open_npz
from wootzc.backends.data.parquet import open_parquet, parquet_files
from wootzc.backends.data.tree import open_folder, open_zip
from wootzc.diagnostics import fail
from wootzc.ir.space.recipe import Data

Kind = Literal["npz", "folder", "zip", "parquet"]
SUFFIXES: dict[str, Kind] = {".npz": "npz", ".zip": "zip", ".parquet": "parquet"}
MEMORY_SHARE = 1 / 4  # of the machine's memory; data that needs more is streamed
SAMPLE = 4096  # training images, at most, that mean and deviation are taken from


def load(spec: Data, *, seed: int, shape: tuple[int, ...] | None = None) -> Dataset:
    """Open, check and split the data. Raises WootzError (WZ100-WZ119) naming file and entry.

    `shape` is the network's input: image files are fitted to it, arrays must have it already.
    """
    path, kind = found(spec)
    size = None if shape is None else (shape[0], shape[1], shape[2])
    source = open_source(kind, path, spec, size)
    labels = source.parts["train"].labels
    shares = shares_of(spec, source.parts)
    division = divide(labels, **shares, limit=spec.limit, seed=seed, where=source.name)
    parts: dict[PartName, tuple[Part, Rows]] = {
        name: (brought, np.arange(len(brought.labels)))
        if (brought := source.parts.get(name)) and name != "train"
        else (source.parts["train"], rows)
        for name, rows in division.items()
    }
    needed = sum(
        len(rows) * prod(part.images.shape) * part.images.bytes_each
        for part, rows in parts.values()
    )
    stream = spec.stream or needed > memory_budget()
    kept = {name: _keep(part.images, rows, stream) for name, (part, rows) in parts.items()}
    streamed = any(_reads_files(images) for images, _ in kept.values())
    mean, std = _statistics(*kept["train"], spec)

    def split(name: PartName) -> Split:
        images, rows = kept[name]
        part, original = parts[name]
        own = part.labels[original]
        return Split(images=images, rows=rows, labels=own, mean=mean, std=std, streamed=streamed)

    own_shape = source.parts["train"].images.shape
    settings: dict[str, Any] = shares | {
        "limit": spec.limit,
        "normalize": spec.normalize,
        "seed": seed,
        "shape": own_shape,
    }
    if spec.mean:
        settings |= {"mean": spec.mean, "std": spec.std}
    return Dataset(
        train=split("train"),
        validation=split("validation"),
        test=split("test"),
        classes=source.classes,
        shape=own_shape,
        fingerprint=fingerprint(source.content, path, settings),
        mean=mean,
        std=std,
        source=source.name,
        fitted_from=_fitted_from(source.parts["train"].images),
    )


def memory_budget() -> int:
    """Bytes that images may take in memory: a share of what the machine, or container, has."""
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError):  # not a POSIX system
        memory = 8 << 30
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.exists() and (text := limit.read_text().strip()).isdecimal():
        memory = min(memory, int(text))
    return int(memory * MEMORY_SHARE)


def found(spec: Data) -> tuple[Path, Kind]:
    """Where the data is, and what kind it is. Raises `WootzError` where nothing is there."""
    path = Path(spec.path).expanduser()
    check_exists(path, spec.path)
    return path, kind_of(path, spec)


def shares_of(spec: Data, parts: Collection[PartName]) -> dict[str, float]:
    """The fractions to take from the training part: none for a part that the data brings."""
    wanted: tuple[tuple[PartName, float], ...] = (
        ("validation", spec.validation),
        ("test", spec.test),
    )
    return {part: 0.0 if part in parts else share for part, share in wanted}


def kind_of(path: Path, spec: Data) -> Kind:
    """What is there, by what the user says or by its name."""
    if spec.kind != "auto":
        wants_folder, wants_file = spec.kind == "folder", spec.kind in ("npz", "zip")
        if (wants_folder and not path.is_dir()) or (wants_file and path.is_dir()):
            is_now = "a folder" if path.is_dir() else "a file"
            raise fail("WZ101", f"{spec.path} is {is_now}, but {spec.kind} was asked for")
        return spec.kind
    if path.is_dir():
        return "parquet" if parquet_files(path) else "folder"
    if path.suffix.lower() not in SUFFIXES:
        raise fail(
            "WZ101",
            f"{spec.path}: cannot tell what data this is",
            f"expected a folder or a file ending in {', '.join(SUFFIXES)}; "
            'a kind can be given too, as in folder("…")',
        )
    return SUFFIXES[path.suffix.lower()]


def _fitted_from(images: Images) -> Shape | None:
    """Shape of the first image file, where images are brought to another."""
    if not isinstance(images, Encoded):
        return None
    own = natural_shape(images.blobs.read(0), images.blobs.name(0))
    return None if own == images.shape else own


def open_source(
    kind: Kind, path: Path, spec: Data, shape: Shape | None, most: float = float("inf")
) -> Source:
    """Names, labels, headers and one image are read. Raises `WootzError`, and `TooMany`."""
    if kind != "npz" and shape is not None and shape[2] not in MODES:
        raise fail(
            "WZ110",
            f"{spec.path}: image files have 1, 3 or 4 channels, but the network's input {shape[2]}",
        )
    match kind:
        case "npz":
            budget = memory_budget()
            return open_npz(path, spec.path, stream=spec.stream, budget=budget, shape=shape)
        case "folder":
            return open_folder(path, spec.path, shape, most)
        case "zip":
            return open_zip(path, spec.path, shape, most)
        case "parquet":
            return open_parquet(path, spec.path, shape)
        case _:
            assert_never(kind)


def _keep(images: Images, rows: Rows, stream: bool) -> tuple[Images, Rows]:
    """The images to draw from, and their rows there: decoded now unless they are streamed."""
    if isinstance(images, Encoded) and not stream:
        return hold(images, rows), np.arange(len(rows))
    return (images.stored if isinstance(images, Unread) else images), rows


def _reads_files(images: Images) -> bool:
    return not (isinstance(images, Stored) and images.mapped is None)


def _statistics(
    images: Images, rows: Rows, spec: Data
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and deviation, [channels] each, of raw values of the training images, or those given.

    Never of more than SAMPLE images, in memory too: where there is too little memory, and the
    data is streamed, the same numbers must come out. Merged by chunks (Chan et al. 1979).
    """
    channels = images.shape[2]
    unit = 255.0 if holds_bytes(images) else 1.0  # bytes become fractions
    if spec.mean:
        return _given(spec.mean, channels, unit, spec), _given(spec.std, channels, unit, spec)
    if not spec.normalize:  # floats stay
        return np.zeros(channels, np.float32), np.full(channels, unit, np.float32)
    sample = rows[spread(len(rows), SAMPLE)]
    count, mean, squares = 0, np.zeros(channels), np.zeros(channels)
    for start in range(0, len(sample), CHUNK):
        pixels = images.take(sample[start : start + CHUNK])
        values = pixels.reshape(-1, channels).astype(np.float64)
        own = values.mean(axis=0)
        total = count + len(values)
        shift = own - mean
        squares += ((values - own) ** 2).sum(axis=0) + shift**2 * count * len(values) / total
        mean += shift * len(values) / total
        count = total
    std = np.sqrt(squares / count)
    flat = std < 1e-6 * np.maximum(1.0, np.abs(mean))  # a channel of one value: nothing to scale
    return mean.astype(np.float32), np.where(flat, 1.0, std).astype(np.float32)


def _given(
    values: tuple[float, ...], channels: int, unit: float, spec: Data
) -> NDArray[np.float32]:
    """Figures of the file, of pixels from 0 to 1, on the scale of raw values: [channels]."""
    if len(values) not in (1, channels):
        raise fail(
            "WZ117",
            f"{spec.path}: images have {channels} channels, but mean or std has {len(values)} "
            "numbers",
            "give one number for all channels, or one for each",
        )
    return np.broadcast_to(np.array(values, np.float32) * np.float32(unit), (channels,)).copy()
