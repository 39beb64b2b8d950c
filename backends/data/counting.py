"""How many images there are in each part, told without reading any: from headers and names."""

from collections.abc import Set
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

from wootzc.backends.data.formats import PartName
from wootzc.backends.data.layout import arrange
from wootzc.backends.data.loading import kind_of
from wootzc.backends.data.npz import entries_of, pairs_of
from wootzc.backends.data.parquet import row_counts
from wootzc.backends.data.tree import names_below, names_in
from wootzc.diagnostics import WootzError
from wootzc.ir.space.recipe import Data

MOST = 200_000  # names of files that are looked at: a fraction of a second


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
    """Raise what loading would say of names and headers; nothing where no data is there.

    Nor where what reads it is not installed, which only loading needs.
    """
    path = Path(spec.path).expanduser()
    try:
        if path.exists():
            _counts(path, spec)
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
        case "folder":
            names = list(islice(names_below(path), MOST))
            return _named(names, spec.path)
        case "zip":
            return _in_zip(path, spec.path, path.stat().st_mtime_ns)
        case "parquet":
            return row_counts(path, spec.path)


@lru_cache(maxsize=4)
def _in_zip(path: Path, shown: str, changed: int) -> dict[PartName, int] | None:
    """`changed`: when the archive was written, so that another of its name is read anew."""
    return _named(names_in(path, shown), shown)


def _named(names: list[str], shown: str) -> dict[PartName, int] | None:
    if len(names) >= MOST:
        return None
    layout = arrange(names, (), shown)
    return {part: len(labels) for part, (_, labels) in layout.parts.items()}
