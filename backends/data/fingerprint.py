"""A short name for the data that a result depends on: equal bytes and settings, equal name."""

import bisect
import hashlib
import itertools
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from wootzc.files import open_file

BUDGET = 1 << 30  # bytes that are read: everything, or as much in samples where there is more
PIECE = 1 << 20  # bytes per sample


def fingerprint(
    names: Iterable[str], root: Path, settings: Mapping[str, object], budget: int = BUDGET
) -> str:
    """SHA-256, in hex, over names of files below `root`, their sizes and contents, and settings.

    All content counts while it is within the budget. Beyond that, every name and size still
    does, and of the content (all files end to end) evenly spaced pieces that fill the budget.
    """
    names = sorted(names)
    paths = [root / name for name in names]
    sizes = [path.stat().st_size for path in paths]
    whole = hashlib.sha256(b"wootzc data 1\n")
    for name, size in zip(names, sizes, strict=True):
        whole.update(f"{name}\0{size}\n".encode())
    contents = _complete(paths) if sum(sizes) <= budget else _sampled(paths, sizes, budget)
    for digest in contents:
        whole.update(digest)
    whole.update(json.dumps(settings, sort_keys=True).encode())
    return whole.hexdigest()


def _complete(paths: list[Path]) -> Iterator[bytes]:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(_digest, paths)


def _digest(path: Path) -> bytes:
    with open_file(path) as file:
        return hashlib.file_digest(file, "sha256").digest()


def _sampled(paths: list[Path], sizes: list[int], budget: int) -> Iterator[bytes]:
    ends = list(itertools.accumulate(sizes))
    pieces = max(2, budget // PIECE)
    for number in range(pieces):  # the first piece starts the first file, the last ends the last
        position = max(0, ends[-1] - PIECE) * number // (pieces - 1)
        index = bisect.bisect_right(ends, position)
        with open_file(paths[index]) as file:
            file.seek(position - (ends[index] - sizes[index]))
            yield hashlib.sha256(file.read(PIECE)).digest()
