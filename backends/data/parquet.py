"""Parquet as Hugging Face stores images: a column of {bytes, path}, a column of class numbers."""

import bisect
import json
import re
import tempfile
import threading
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from wootzc.backends.data.formats import (
    PART_NAMES,
    Labels,
    PartName,
    Source,
    check_labels,
    class_count,
    encoded_parts,
)
from wootzc.backends.data.images import MOST_BYTES, Blobs, Shape, natural_shape
from wootzc.backends.data.layout import hidden
from wootzc.diagnostics import WootzError, fail
from wootzc.files import check_file, damage, is_bomb

IMAGE_COLUMNS = ("image", "img")
LABEL_COLUMNS = ("label", "labels", "fine_label")
BATCH = 16  # rows that are read at once: each may be as large as an image may be


class SpooledBlobs:
    """The image files of a part, copied end to end into an unnamed temporary file when one is read.

    Parquet gives rows by the group only, so a shuffled batch would read a group per image.
    """

    def __init__(self, tables: Sequence[tuple[str, Any]], name: str):
        self.tables, self.whole = tables, name  # parquet files with their shown names
        self.ends = list(accumulate(table.metadata.num_rows for _, table in tables))
        self.lock = threading.Lock()
        self.spool: tuple[IO[bytes], NDArray[np.int64]] | None = None  # byte after each image
        self.mistake: WootzError | None = None  # that ended the copy: no thread begins another

    def __len__(self) -> int:
        return int(self.ends[-1])

    def name(self, row: int) -> str:
        file = bisect.bisect_right(self.ends, row)
        return f"{self.tables[file][0]}: row {row - (self.ends[file - 1] if file else 0)}"

    def read(self, row: int) -> bytes:
        """The bytes of an image file. Raises `WootzError`, where any of them can't be read."""
        with self.lock:
            if self.mistake is not None:
                raise self.mistake
            if self.spool is None:
                try:
                    self.spool = _spool(self.tables, self.whole)
                except WootzError as mistake:
                    self.mistake = mistake
                    raise
                weakref.finalize(self, self.spool[0].close)
            file, ends = self.spool
            start = int(ends[row - 1]) if row else 0
            file.seek(start)
            return file.read(int(ends[row]) - start)


def open_parquet(path: Path, name: str, shape: Shape | None) -> Source:
    """One file, or a folder with `train-….parquet`, `test-….parquet` (or train/….parquet)."""
    tables = _tables(path, name)
    opened = {
        part: [
            (shown, _open(file, shown)) for file in files for shown in [_shown(file, path, name)]
        ]
        for part, files in tables.items()
    }
    labels: dict[PartName, Labels] = {part: _labels(files) for part, files in opened.items()}
    classes = _classes(opened, labels, name)  # before any image: it refuses a part without one
    blobs: dict[PartName, Blobs] = {part: SpooledBlobs(o, name) for part, o in opened.items()}
    if shape is None:  # the first training image decides
        shown, table = next((s, t) for s, t in opened["train"] if t.metadata.num_rows)
        shape = natural_shape(next(_images(shown, table)), f"{shown}: row 0")
    content = [file.relative_to(path).as_posix() for files in tables.values() for file in files]
    parts = encoded_parts(blobs, labels, shape)
    return Source(name=name, parts=parts, classes=classes, content=content)


def _classes(
    opened: Mapping[PartName, Sequence[tuple[str, Any]]],
    labels: Mapping[PartName, Labels],
    name: str,
) -> tuple[str, ...]:
    named = _class_names(opened["train"][0][1])
    count = class_count(labels, name, named=len(named) if named else None)
    # A name without a training image is no class of the network: the labels decide.
    return named[:count] if named else tuple(str(number) for number in range(count))


def _tables(path: Path, name: str) -> dict[PartName, list[Path]]:
    if not path.is_dir():
        return {"train": [path]}
    found: dict[PartName, list[Path]] = defaultdict(list)
    for file in parquet_files(path):
        found[_part(file.relative_to(path))].append(file)
    if "train" not in found:
        there = ", ".join(file.name for files in found.values() for file in files)
        raise fail(
            "WZ103",
            f"{name}: no parquet file for training; it holds {there or 'no parquet file'}",
            "expected names such as train-00000-of-00001.parquet",
        )
    return dict(found)


def parquet_files(folder: Path) -> list[Path]:
    """Those of a folder at any depth, in the order of their names, without hidden ones."""
    files = sorted(folder.rglob("*.parquet"))
    return [file for file in files if not hidden(file.relative_to(folder).as_posix())]


def _part(file: Path) -> PartName:
    """By the start of the file's name, or a folder's above it; else it is training data."""
    for name in reversed(file.parts):
        start = re.match("[a-z]+", name.lower())
        if start and start[0] in PART_NAMES:
            return PART_NAMES[start[0]]
    return "train"


def _shown(file: Path, root: Path, name: str) -> str:
    return name if file == root else f"{name}/{file.relative_to(root).as_posix()}"


def _open(file: Path, shown: str) -> Any:  # pyarrow.parquet.ParquetFile; it brings no types
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise fail(
            "WZ114",
            f"{shown}: reading parquet needs pyarrow, which is not installed",
            'pip install "wootzc[parquet]"',
        ) from error
    with damage(_broken(shown)):
        check_file(file)
        table = pyarrow.parquet.ParquetFile(file)
        metadata = table.metadata
        groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
        unpacked = sum(group.total_byte_size for group in groups)
        if is_bomb(max(unpacked, metadata.num_rows), file.stat().st_size):
            raise fail(
                "WZ255",
                f"{shown}: {metadata.num_rows:,} rows of {unpacked:,} bytes are said to be in "
                f"{file.stat().st_size:,} bytes",
                "no images become that small: write it anew",
            )
        return table


def _broken(shown: str) -> Callable[[str], WootzError]:
    return lambda reason: fail(
        "WZ102",
        f"{shown}: this parquet file cannot be read ({reason})",
        "it may be cut short: copy or download it again",
    )


def _check_rows(count: int, column: str, shown: str, table: Any) -> None:
    rows = table.metadata.num_rows
    if count != rows:
        raise _broken(shown)(f"column {column} has {count:,} rows, and the table {rows:,}")


def _column(table: Any, names: Iterable[str], shown: str) -> str:
    there = table.schema_arrow.names
    for name in names:
        if name in there:
            return name
    raise fail(
        "WZ103",
        f"{shown}: no column {' or '.join(names)}; its columns are: {', '.join(there)}",
    )


def _class_names(table: Any) -> tuple[str, ...]:
    """Names that `datasets` leaves in the schema's metadata; () if there are none."""
    metadata = table.schema_arrow.metadata or {}
    try:
        found = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
        names = next(found[name] for name in LABEL_COLUMNS if name in found)["names"]
    except (KeyError, TypeError, ValueError, RecursionError, StopIteration):
        return ()
    named = isinstance(names, list) and all(isinstance(name, str) for name in names)
    return tuple(names) if named else ()


def _labels(files: Sequence[tuple[str, Any]]) -> NDArray[np.int32]:
    read = []
    for shown, table in files:
        column = _column(table, LABEL_COLUMNS, shown)
        with damage(_broken(shown)):
            values = table.read(columns=[column])[column]
            _check_rows(len(values), column, shown, table)
            if values.null_count:
                row = values.is_null().to_numpy().argmax()
                raise fail("WZ107", f"{shown}: row {row} has no {column}", "remove such rows")
            read.append(check_labels(values.to_numpy(), f"{shown}: {column}"))
    return np.concatenate(read)


def _spool(files: Sequence[tuple[str, Any]], name: str) -> tuple[IO[bytes], NDArray[np.int64]]:
    file = tempfile.TemporaryFile(prefix="wootzc-")  # its space is free again once closed
    try:
        sizes = [file.write(image) for image in _every(files)]
        file.flush()
    except WootzError:
        file.close()
        raise
    except OSError as error:
        file.close()
        raise fail(
            "WZ116",
            f"{name}: its images do not fit into {tempfile.gettempdir()} ({error.strerror})",
            "make room there, or set TMPDIR to a folder with more",
        ) from error
    return file, np.cumsum(np.array(sizes, np.int64))


def _every(files: Sequence[tuple[str, Any]]) -> Iterator[bytes]:
    """The images of several files; a page may say one image a million times."""
    for shown, table in files:
        written, packed = 0, table.metadata.serialized_size + _packed(table)
        count = 0
        for image in _images(shown, table):
            written, count = written + len(image), count + 1
            if is_bomb(written, packed):
                raise fail(
                    "WZ255",
                    f"{shown}: {packed:,} bytes unpack to more than {written:,} bytes of images",
                    "it repeats them: keep one of each",
                )
            yield image
        _check_rows(count, "image", shown, table)


def _packed(table: Any) -> int:
    groups = (table.metadata.row_group(number) for number in range(table.num_row_groups))
    return sum(
        group.column(column).total_compressed_size
        for group in groups
        for column in range(group.num_columns)
    )


def _images(shown: str, table: Any) -> Iterator[bytes]:
    column = _column(table, IMAGE_COLUMNS, shown)
    row = 0
    with damage(_broken(shown)):
        for batch in table.iter_batches(BATCH, columns=[column]):
            for value in batch.column(0):
                yield _content(value.as_py(), f"{shown}: {column} of row {row}")
                row += 1


def _content(value: Any, where: str) -> bytes:
    content = value.get("bytes") if isinstance(value, dict) else value
    if not isinstance(content, bytes):
        raise fail(
            "WZ105",
            f"{where} holds no image bytes",
            "expected {bytes, path} with the encoded file in bytes, as datasets.Image writes it; "
            "a path alone does not travel",
        )
    if len(content) > MOST_BYTES:
        raise fail(
            "WZ255",
            f"{where} has {len(content):,} bytes; an image file has at most {MOST_BYTES:,}",
            "remove that row",
        )
    return content
