"""What data holds and how it would be split, without reading its images."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from wootzc.backends.data.divide import divide
from wootzc.backends.data.formats import PART_ORDER, Outline, PartName
from wootzc.backends.data.images import Shape
from wootzc.backends.data.loading import Kind, found, shares_of
from wootzc.backends.data.npz import outline_npz
from wootzc.backends.data.parquet import outline_parquet
from wootzc.backends.data.tree import open_folder, open_zip, outlined
from wootzc.ir.space.recipe import Data


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """`images` counts what `load` would put into each split."""

    kind: Kind
    classes: tuple[str, ...]  # label i is classes[i]
    images: Mapping[PartName, int]
    own: frozenset[PartName]  # the parts that the data brings itself
    shape: Shape  # of the first training image as it is
    bytes_each: bool  # values are bytes, 0 to 255
    fitted: bool  # images are brought to the network's input; arrays must have it already


def survey(spec: Data, *, seed: int = 0) -> Survey:
    """Look at the data: names, labels, headers and one image. Raises `WootzError` as `load` does.

    What is wrong with single images shows only when they are read.
    """
    path, kind = found(spec)
    match kind:
        case "npz":
            outline = outline_npz(path, spec.path)
        case "parquet":
            outline = outline_parquet(path, spec.path)
        case "folder":
            outline = outlined(open_folder(path, spec.path, None))
        case "zip":
            outline = outlined(open_zip(path, spec.path, None))
        case _:
            assert_never(kind)
    return Survey(
        kind=kind,
        classes=outline.classes,
        images=_split(outline, spec, seed),
        own=frozenset(outline.labels),
        shape=outline.shape,
        bytes_each=outline.bytes_each,
        fitted=outline.fitted,
    )


def _split(outline: Outline, spec: Data, seed: int) -> dict[PartName, int]:
    shares = shares_of(spec, outline.labels)
    train = outline.labels["train"]
    division = divide(train, **shares, limit=spec.limit, seed=seed, where=spec.path)
    rows = {"train": division.train, "validation": division.validation, "test": division.test}
    brought = outline.labels.keys() - {"train"}
    return {
        part: len(outline.labels[part] if part in brought else rows[part]) for part in PART_ORDER
    }
