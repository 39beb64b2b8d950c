"""Which image file belongs to which part and class, from names alone."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wootzc.backends.data.formats import PART_NAMES, PartName
from wootzc.diagnostics import WootzError, fail

IMAGE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm")
)
ARCHIVE_SUFFIXES = frozenset((".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What names alone say: for each part its image files, and the class of each."""

    classes: tuple[str, ...]  # in alphabetical order: label 0 is the first
    parts: dict[PartName, tuple[tuple[str, ...], tuple[int, ...]]]  # names, labels


def arrange(files: Iterable[str], folders: Iterable[str], name: str) -> Layout:
    """Parts, classes and labels from names alone.

    cat/1.png dog/2.png                        one part, two classes
    train/cat/1.png train/dog/2.png test/…     parts of their own
    pets/cat/1.png pets/dog/2.png              a single folder around all is looked through
    """
    files = [file for file in files if not hidden(file)]
    images = sorted(file for file in files if _suffix(file) in IMAGE_SUFFIXES)
    if not images:
        raise _no_images(files, name)
    wrapper = _wrapper(images)
    inside = [image.removeprefix(wrapper) for image in images]
    below = [
        folder.removeprefix(wrapper)
        for folder in folders
        if not hidden(folder) and folder.startswith(wrapper)
    ]
    tops = {image.split("/")[0] for image in inside}
    split = any(PART_NAMES.get(top.lower()) == "train" for top in tops)
    depth = 2 if split else 1  # folders above an image: part and class, or class

    found: dict[PartName, list[tuple[str, str]]] = defaultdict(list)  # part → (class, file)
    for image in inside:
        path = image.split("/")
        part = PART_NAMES.get(path[0].lower()) if split else "train"
        if part is None:  # a folder beside train/ that is none of ours
            continue
        if len(path) <= depth:
            raise fail(
                "WZ109",
                f"{name}: {wrapper}{image} lies in no class folder",
                f"put each image into a folder named after its class, as {'train/' * split}"
                "cat/1.png" + ("" if split else ", or remove it"),
            )
        found[part].append((path[depth - 1], wrapper + image))
    _check_empty(below, inside, depth, split, name)
    classes = tuple(sorted({name for name, _ in found["train"]}))
    strangers = sorted({name for pairs in found.values() for name, _ in pairs} - set(classes))
    if strangers:
        raise fail(
            "WZ109",
            f"{name}: class {', '.join(strangers)} has images for testing, but none for training",
            f"classes in train/ are: {', '.join(classes)}",
        )
    number = {label: index for index, label in enumerate(classes)}
    return Layout(
        classes=classes,
        parts={
            part: (
                tuple(file for _, file in pairs),
                tuple(number[label] for label, _ in pairs),
            )
            for part, pairs in found.items()
        },
    )


def hidden(name: str) -> bool:
    """Whether a file, or a folder above it, is one that systems leave behind."""
    parts = (part for part in name.split("/") if part != ".")  # some archives have `./cat/1.png`
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)


def _suffix(name: str) -> str:
    stem, dot, end = name.rpartition("/")[2].rpartition(".")
    return f".{end.lower()}" if stem and dot else ""


def _wrapper(images: Sequence[str]) -> str:
    """The folders, as `a/b/`, that hold nothing but one folder that has the class folders."""
    paths = [image.split("/") for image in images]
    deepest = min(map(len, paths)) - 2  # what is left has a class folder, and a file
    depth = 0
    while depth < deepest and len({path[depth] for path in paths}) == 1:
        if PART_NAMES.get(paths[0][depth].lower()) == "train":
            break
        depth += 1
    return "".join(f"{folder}/" for folder in paths[0][:depth])


def _check_empty(
    folders: Sequence[str], images: Sequence[str], depth: int, split: bool, name: str
) -> None:
    full = {"/".join(image.split("/")[:depth]) for image in images}
    empty = sorted(
        folder
        for folder in folders
        if folder.count("/") == depth - 1
        and folder not in full
        and (not split or folder.split("/")[0].lower() in PART_NAMES)
    )
    if empty:
        raise fail(
            "WZ109",
            f"{name}: class folder{'s' if len(empty) > 1 else ''} without an image: "
            f"{', '.join(empty)}",
            "add images, or remove what is no class",
        )


def _no_images(files: Sequence[str], name: str) -> WootzError:
    archives = sorted(file for file in files if _suffix(file) in ARCHIVE_SUFFIXES)
    if archives:
        return fail(
            "WZ109",
            f"{name}: holds {', '.join(archives[:3])} and no image",
            "unpack what is inside first: wootzc does not look into archives in archives",
        )
    there = f"; it holds {', '.join(sorted(files)[:3])}…" if files else ": it is empty"
    return fail(
        "WZ109",
        f"{name}: no images found{there}",
        "expected a folder per class, with .png, .jpg or similar files in it",
    )
