"""How many images there are in each part, told from headers and names; and whether these can be
read at all.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

import numpy as np

from wootzc.backends.data.divide import divide
from wootzc.backends.data.formats import PartName
from wootzc.backends.data.images import check_head
from wootzc.backends.data.layout import Layout, arrange
from wootzc.backends.data.loading import kind_of, shares_of
from wootzc.backends.data.npz import entries_of, pairs_of
from wootzc.backends.data.parquet import row_counts
from wootzc.backends.data.tree import images_in, names_below, names_in
from wootzc.diagnostics import WootzError
from wootzc.ir.space.recipe import Data

MOST = 200_000  # names of files that are looked at: a fraction of a second
GLANCES = 64  # images whose heads are looked at before all are read


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Images of each part, as they will be split."""

    train: int
    validation: int
    test: int
    own: Set[PartName]  # parts that the data brings; the others are held out of its training part


def count_images(spec: Data) -> int | None:
    """The number of images in the training part; None where it can't be told, or not cheaply."""
    counted = count_parts(spec)
    return None if counted is None else counted.train


def check_data(spec: Data) -> None:
    """Raise what loading would say of names and headers, and of the heads of a few images; nothing
    where no data is there.

    Nor where what reads it is not installed, which only loading needs.
    """
    path = Path(spec.path).expanduser()
    try:
        if path.exists():
            _counts(path, spec)
            _glance(path, spec)
    except WootzError as error:
        if not any(d.code == "WZ114" for d in error.diagnostics):
            raise


def count_parts(spec: Data) -> Counted | None:
    """Of all parts; None where it can't be told, or not cheaply.

    What is wrong with the data is not said here: loading it says so.
    """
    path = Path(spec.path).expanduser()
    try:
        counts = _counts(path, spec) if path.exists() else None
    except (WootzError, OSError, ValueError):
        return None
    if counts is None:
        return None
    total = counts["train"] if spec.limit is None else min(spec.limit, counts["train"])
    shares: dict[PartName, float] = {"validation": spec.validation, "test": spec.test}
    held = {
        part: counts[part] if part in counts else round(total * share)
        for part, share in shares.items()
    }
    left = total - sum(held[part] for part in shares if part not in counts)
    if left <= 0:
        return None
    return Counted(
        train=left, validation=held["validation"], test=held["test"], own=frozenset(counts)
    )


def _counts(path: Path, spec: Data) -> dict[PartName, int] | None:
    """Images of each part that the data has."""
    match kind_of(path, spec):
        case "npz":
            entries = entries_of(path, spec.path)
            pairs = pairs_of(entries, spec.path)
            return {part: entries[images].shape[0] for part, (images, _) in pairs.items()}
        case "folder" | "zip":
            layout = _layout(path, spec.path)
            if layout is None:
                return None
            return {part: len(labels) for part, (_, labels) in layout.parts.items()}
        case "parquet":
            return row_counts(path, spec.path)


def _layout(path: Path, shown: str) -> Layout | None:
    """Of a folder or a zip; None where there is too much in it."""
    if not path.is_dir():
        return _in_zip(path, shown, path.stat().st_mtime_ns)
    return _arranged(list(islice(names_below(path), MOST)), shown)


@lru_cache(maxsize=4)
def _in_zip(path: Path, shown: str, changed: int) -> Layout | None:
    """`changed`: when the archive was written, so that another of its name is read anew."""
    return _arranged(names_in(path, shown), shown)


def _arranged(names: Sequence[str], shown: str) -> Layout | None:
    return None if len(names) >= MOST else arrange(names, (), shown)


def _glance(path: Path, spec: Data) -> None:
    """Divide image files as loading would, and look at the heads of a few: they may say that no
    image is to be read.
    """
    if kind_of(path, spec) not in ("folder", "zip") or not (layout := _layout(path, spec.path)):
        return
    labels = np.array(layout.parts["train"][1], np.int32)
    shares = shares_of(spec, layout.parts)
    divide(labels, **shares, limit=spec.limit, seed=0, where=spec.path)
    files = [name for names, _ in layout.parts.values() for name in names]
    few = files[:: -(-len(files) // GLANCES)]
    images = images_in(path, spec.path, few)
    for row in range(len(few)):
        check_head(images.read(row), images.name(row))
