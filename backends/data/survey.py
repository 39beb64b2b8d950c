"""What data holds and how it would be split, without reading its images."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wootzc.backends.data.dataset import unlike_classes
from wootzc.backends.data.divide import divide
from wootzc.backends.data.formats import PART_ORDER, PartName, Source
from wootzc.backends.data.images import Encoded, Shape, check_head, holds_bytes
from wootzc.backends.data.loading import Kind, found, open_source, shares_of
from wootzc.backends.data.tree import TooMany
from wootzc.diagnostics import WootzError
from wootzc.ir.net.network import Network, segment_shapes
from wootzc.ir.space.recipe import Data

MOST = 200_000  # names of files that are looked at where it must be cheap: a fraction of a second
GLANCES = 64  # images whose heads are looked at before all are read


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """`images` counts what `load` would put into each split."""

    kind: Kind
    classes: tuple[str, ...]  # label i is classes[i]
    images: Mapping[PartName, int]
    own: frozenset[PartName]  # the parts that the data brings itself
    keys: Mapping[PartName, str]  # of their images, where these are arrays
    shape: Shape  # of the first training image as it is
    bytes_each: bool  # values are bytes, 0 to 255
    fitted: bool  # images are brought to the network's input; arrays must have it already


def survey(spec: Data) -> Survey:
    """Look at the data: names, labels, headers and one image. Raises `WootzError` as `load` does.

    What is wrong with single images shows only when they are read.
    """
    path, kind = found(spec)
    return _surveyed(open_source(kind, path, spec, None), kind, spec)


def count_images(spec: Data) -> int | None:
    """The number of images in the training part; None where it can't be told, or not cheaply."""
    counted = count_parts(spec)
    return None if counted is None else counted.images["train"]


def count_parts(spec: Data) -> Survey | None:
    """Of all parts; None where they can't be told, or not cheaply.

    What is wrong with the data is not said here: loading it says so.
    """
    try:
        return _cheaply(spec)
    except (WootzError, OSError, ValueError):
        return None


def check_data(spec: Data, network: Network | None = None) -> None:
    """Raise what loading would say of names, labels and headers, and of the heads of a few images,
    and of a network that they don't fit; nothing where no data is there.

    Nor where what reads it is not installed, which only loading needs.
    """
    try:
        surveyed = _cheaply(spec, glance=True, network=network)
        if surveyed is not None and network is not None:
            outputs = segment_shapes(network)[-1][-1]
            if found := tuple(unlike_classes(spec.path, surveyed.classes, outputs)):
                raise WootzError(found)
    except WootzError as error:
        if not any(d.code == "WZ114" for d in error.diagnostics):
            raise


def _cheaply(spec: Data, *, glance: bool = False, network: Network | None = None) -> Survey | None:
    """None where nothing is there, or too much. `glance`: at a few image files too.

    Raises where arrays don't fit the network.
    """
    path = Path(spec.path).expanduser()
    if not path.exists():
        return None
    path, kind = found(spec)
    input = network.input if network is not None and kind == "npz" else ()
    try:
        source = open_source(kind, path, spec, input if len(input) == 3 else None, MOST)
    except TooMany:
        return None
    surveyed = _surveyed(source, kind, spec)
    if glance and kind in ("folder", "zip"):
        _glance(source)
    return surveyed


def _surveyed(source: Source, kind: Kind, spec: Data) -> Survey:
    shares, train = shares_of(spec, source.parts), source.parts["train"]
    rows = divide(train.labels, **shares, limit=spec.limit, seed=0, where=spec.path)
    brought = source.parts.keys() - {"train"}
    return Survey(
        kind=kind,
        classes=source.classes,
        images={
            part: len(source.parts[part].labels if part in brought else rows[part])
            for part in PART_ORDER
        },
        own=frozenset(source.parts),
        keys={name: part.key for name, part in source.parts.items() if part.key},
        shape=train.images.shape,
        bytes_each=holds_bytes(train.images),
        fitted=isinstance(train.images, Encoded),
    )


def _glance(source: Source) -> None:
    """Look at the heads of a few files: they may say that no image is to be read."""
    files = [
        (part.images.blobs, row)
        for part in source.parts.values()
        if isinstance(part.images, Encoded)
        for row in range(len(part.images))
    ]
    for blobs, row in files[:: -(-len(files) // GLANCES)]:
        check_head(blobs.read(row), blobs.name(row))
