"""What every format reader returns, and the checks that all of them share."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from wootzc.backends.data.images import Blobs, Encoded, Images, Shape, natural_shape
from wootzc.diagnostics import fail

PartName = Literal["train", "validation", "test"]
PART_ORDER: tuple[PartName, ...] = ("train", "validation", "test")
Labels = NDArray[np.int32]  # [n], counted from 0
LISTED = 5  # names of what is there instead

# Names of folders and files → the part they hold; case does not matter.
PART_NAMES: dict[str, PartName] = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    images: Images
    labels: Labels  # as many as images
    key: str = ""  # of the images, in an archive of arrays


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Source:
    """A file or folder, opened: labels read, and no image but the first."""

    name: str  # the path as the user wrote it
    parts: Mapping[PartName, Part]  # "train" always; the others where the data brings them
    classes: tuple[str, ...]
    content: Sequence[str] = (".",)  # what the fingerprint covers: files below the path, or itself


def encoded_parts(
    blobs: Mapping[PartName, Blobs], labels: Mapping[PartName, Labels], shape: Shape | None
) -> dict[PartName, Part]:
    """Parts of image files. Without a shape the first training image decides."""
    if shape is None:
        shape = natural_shape(blobs["train"].read(0), blobs["train"].name(0))
    return {
        part: Part(images=Encoded(blobs[part], shape), labels=own) for part, own in labels.items()
    }


def check_label_header(shape: tuple[int, ...], dtype: np.dtype[Any], where: str) -> None:
    """Labels are whole numbers, [n] or [n, 1]: told before they are read."""
    if len(shape) not in (1, 2) or shape[1:] not in ((), (1,)):
        raise fail(
            "WZ107",
            f"{where} has shape {list(shape)}; expected one class number per image, [n]",
            "if each row marks its class with a 1, save labels.argmax(axis=1)",
        )
    if dtype.kind not in "iu":
        raise fail(
            "WZ107",
            f"{where} holds {'text' if dtype.kind in 'OSU' else dtype}; "
            "expected integers 0, 1, 2, …",
            "number the classes: names, labels = np.unique(labels, return_inverse=True)"
            if dtype.kind in "OSU"
            else 'number the classes from 0, or save labels.astype("int64") if they are whole '
            "numbers",
        )


def check_labels(
    values: NDArray[Any],
    where: str,  # file and key or column, for messages
) -> Labels:
    """Class numbers as int32 [n] from an array of any type and shape [n] or [n, 1]."""
    check_label_header(values.shape, values.dtype, where)
    values = values.reshape(len(values))
    numbers: NDArray[np.integer] = values
    bad = (numbers < 0) | (numbers > np.iinfo(np.int32).max)
    if bad.any():
        row = int(np.argmax(bad))
        raise fail(
            "WZ107",
            f"{where}: label {numbers[row]} of image {row} (counted from 0) is no class number",
            "classes are numbered from 0; -1 often marks images without a label: remove those",
        )
    return numbers.astype(np.int32)


def class_count(
    parts: Mapping[PartName, Labels],
    where: str,
    named: int | None = None,  # how many class names the data brings, if any
) -> int:
    """How many classes there are. Each one must occur in the training part."""
    for part, labels in parts.items():
        if not len(labels):
            raise fail("WZ109", f"{where}: the {part} part has no images")
    present = np.unique(parts["train"])
    count = len(present)
    if named is not None and present[-1] >= named:
        row = int(np.argmax(parts["train"] >= named))
        raise fail(
            "WZ107",
            f"{where}: label {parts['train'][row]} of training image {row} is out of range; "
            f"the file names {named} classes, 0 to {named - 1}",
        )
    if count < 2:
        raise fail(
            "WZ108",
            f"{where}: all {len(parts['train']):,} training images are of one class",
            "a classifier needs at least two classes",
        )
    if present[-1] != count - 1:
        missing = int(np.argmax(present != np.arange(count)))
        others = int(present[-1]) - count  # that are missing too
        raise fail(
            "WZ107",
            f"{where}: labels go up to {present[-1]}, but no training image has label {missing}"
            + (f" (nor {others:,} others)" if others else ""),
            "labels count from 0: save labels - 1"
            if missing == 0 and not others
            else "number the classes that occur 0, 1, 2, … without gaps",
        )
    for part, labels in parts.items():
        if labels.max() >= count:
            row = int(np.argmax(labels >= count))
            raise fail(
                "WZ107",
                f"{where}: label {labels[row]} of {part} image {row} does not occur in training, "
                f"which has classes 0 to {count - 1}",
            )
    return count


def check_exists(path: Path, name: str) -> None:
    """An error with the nearest name, or what is there, if nothing is."""
    if path.exists():
        return
    folder = path.parent
    while not folder.exists():
        folder = folder.parent
    if folder != path.parent:
        raise fail(
            "WZ100",
            f"no data at {name}: there is no folder {path.parent}",
            f"of this path {folder} is there",
        )
    siblings = sorted(
        child.name
        for child in folder.iterdir()
        if not child.name.startswith(".") and child.suffix not in (".wz", ".wzir")
    )
    near = difflib.get_close_matches(path.name, siblings, n=1) or [
        sibling for sibling in siblings if Path(sibling).stem == path.stem
    ]
    help = None
    if near:
        help = f"did you mean {path.with_name(near[0])}?"
    elif siblings:
        more = ", …" if len(siblings) > LISTED else ""
        help = f"in {folder} there is: {', '.join(siblings[:LISTED])}{more}"
    raise fail("WZ100", f"no data at {name}: there is no such file or folder", help)
