"""Raw images by row number: held as one array, mapped from a file, or decoded when asked for."""

import io
import os
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from wootzc.diagnostics import WootzError, fail
from wootzc.files import damage

Shape = tuple[int, int, int]  # height, width, channels
Pixels = NDArray[np.uint8] | NDArray[np.float32]  # [n, height, width, channels], not normalised
Rows = NDArray[np.intp]

MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # channels → Pillow's name
COLOURLESS = ("1", "L", "LA", "I")  # and I;16 with its byte orders
SIXTEEN = ("PNG", "PPM")  # whose images of 16 bits may be of 32 to Pillow
CHUNK = 256  # images a thread decodes in one go
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")  # Pillow's others run programs
MOST_BYTES = 1 << 26  # of an encoded image
MOST_PIXELS = 1 << 25  # of an image, whatever few bytes it has: 5,800 to a side

# Pillow's own limits are twelve times as high, and what it says there is for programmers.
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)


class Images(Protocol):
    """Where one part of a dataset (training, say) keeps its images."""

    @property
    def shape(self) -> Shape: ...

    @property
    def bytes_each(self) -> int: ...  # of a number in memory: 1 of bytes, else 4

    def __len__(self) -> int: ...

    def take(self, rows: Rows) -> Pixels:
        """[rows, height, width, channels]. Raises `WootzError` for one that cannot be read."""
        ...


class Blobs(Protocol):
    """Encoded image files by row number. `read` may be called from many threads at once."""

    def __len__(self) -> int: ...

    def read(self, row: int) -> bytes:
        """The bytes of an image file. Raises `WootzError` where they cannot be read."""
        ...

    def name(self, row: int) -> str: ...  # for messages: file, and entry or row inside it


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """Images of an array [n, h, w, c]; `mapped` names the file where the array is not in memory."""

    array: NDArray[np.generic]
    mapped: str | None = None

    def __len__(self) -> int:
        return len(self.array)

    @property
    def shape(self) -> Shape:
        height, width, channels = self.array.shape[1:]
        return height, width, channels

    @property
    def bytes_each(self) -> int:
        return 1 if self.array.dtype == np.uint8 else 4

    def take(self, rows: Rows) -> Pixels:
        taken = as_pixels(self.array[rows])
        if self.mapped is not None:  # what is in memory was looked at when it was read
            check_finite(taken, self.mapped, rows)
        return taken


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """Image files that become arrays of one shape: resized, cropped, grey or coloured as needed."""

    blobs: Blobs
    shape: Shape

    def __len__(self) -> int:
        return len(self.blobs)

    @property
    def bytes_each(self) -> int:
        return 1

    def take(self, rows: Rows) -> NDArray[np.uint8]:
        """[rows, height, width, channels]. Raises `WootzError` for one that cannot be read."""
        out = np.empty((len(rows), *self.shape), np.uint8)
        for place, row in enumerate(rows.tolist()):
            out[place] = decode(self.blobs.read(row), self.shape, self.blobs.name(row))
        return out


@dataclass(frozen=True, kw_only=True, eq=False)
class Unread:
    """Images of an array in an archive, which can only be read as a whole."""

    read: Callable[[], Stored]
    shape: Shape
    count: int
    bytes_each: int  # of a number

    def __len__(self) -> int:
        return self.count

    @cached_property
    def stored(self) -> Stored:
        """All of them. Raises `WootzError`."""
        return self.read()

    def take(self, rows: Rows) -> Pixels:
        return self.stored.take(rows)


def holds_bytes(images: Images) -> bool:
    """Whether values are bytes, 0 to 255; else they are float32."""
    return images.bytes_each == 1


def spread(images: int, most: int) -> Rows:
    """At most so many places among images, over all of them: they are often sorted by class."""
    return np.linspace(0, images - 1, min(most, images)).astype(np.intp)


def as_pixels(array: NDArray[np.generic]) -> Pixels:
    """Bytes stay bytes; every other type becomes float32, its values unchanged."""
    if array.dtype == np.uint8:
        return array.view(np.uint8)
    with np.errstate(over="ignore"):  # what does not fit becomes infinite, and is then reported
        return array.astype(np.float32, copy=False)


def check_finite(pixels: Pixels, where: str, rows: Rows | None = None) -> None:
    """An error that names the first image with a value that is no number, or infinite."""
    for start in range(0, len(pixels), CHUNK) if pixels.dtype != np.uint8 else ():
        good = np.isfinite(pixels[start : start + CHUNK]).all(axis=(1, 2, 3))
        if not good.all():
            place = start + int(np.argmin(good))
            row = place if rows is None else int(rows[place])
            raise fail(
                "WZ113",
                f"{where}: image {row} (counted from 0) has values that are NaN or infinite",
                "remove that image, or repair it with np.nan_to_num, and save the file again",
            )


def hold(images: Encoded, rows: Rows) -> Stored:
    """Those images, decoded into memory by several threads, in the order of `rows`."""
    out = np.empty((len(rows), *images.shape), np.uint8)

    def fill(start: int) -> None:
        out[start : start + CHUNK] = images.take(rows[start : start + CHUNK])

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(fill, range(0, len(rows), CHUNK)):
            pass  # the first broken image, in order, raises here and cancels what is left
    return Stored(out)


def decode(blob: bytes, shape: Shape, name: str) -> NDArray[np.uint8]:
    """One image as [height, width, channels]: shorter side to size (bilinear), then the centre."""
    height, width, channels = shape
    image = _open(blob, name)
    with damage(_unreadable(blob, name)):
        image = _convert(image, MODES[channels])
    if image.size != (width, height):
        image = ImageOps.fit(image, (width, height), Image.Resampling.BILINEAR)
    return np.asarray(image, np.uint8).reshape(shape)


def natural_shape(blob: bytes, name: str) -> Shape:
    """Height, width and channels of an encoded image as it is."""
    image = _open(blob, name)
    grey = image.mode in COLOURLESS or image.mode.startswith("I;16")
    return image.height, image.width, 1 if grey else 3


def check_head(blob: bytes, name: str) -> None:
    """Raise `WootzError` where the head of an image says already that it is not read."""
    with damage(_unreadable(blob, name)):
        _headed(blob, name)


def _open(blob: bytes, name: str) -> Image.Image:
    with damage(_unreadable(blob, name)):
        image = _headed(blob, name)
        image.load()
    return image


def _headed(blob: bytes, name: str) -> Image.Image:
    image = Image.open(io.BytesIO(blob), formats=FORMATS)
    if image.width * image.height > MOST_PIXELS:
        raise fail(
            "WZ256",
            f"{name}: {image.width:,} x {image.height:,} pixels in {len(blob):,} bytes; "
            f"images have at most {MOST_PIXELS:,} pixels",
            "make it smaller, or remove it",
        )
    if image.mode == "F" or (image.mode == "I" and image.format not in SIXTEEN):
        held = "fractions" if image.mode == "F" else "whole numbers of 32 bits"
        raise fail(
            "WZ345",
            f"{name}: its pixels are {held}, and nothing says which of them is white",
            "save it with 8 or 16 bits, or all images as an array in an .npz file",
        )
    return image


def _unreadable(blob: bytes, name: str) -> Callable[[str], WootzError]:
    def told(reason: str) -> WootzError:
        # Pillow's sentence for unknown content names an in-memory object, which helps nobody.
        unknown = "cannot identify" in reason
        why = "not an image format that Pillow knows" if unknown else reason
        return fail(
            "WZ112",
            f"{name}: this image cannot be read ({len(blob):,} bytes; {why})",
            "it may be cut short or be no image: replace or delete it",
        )

    return told


def _convert(image: Image.Image, mode: str) -> Image.Image:
    if image.mode.startswith("I"):  # Pillow would clip 16 bits to 8; keep the upper byte
        values = np.asarray(image).astype(np.uint16)
        image = Image.fromarray((values >> 8).astype(np.uint8))
    if image.mode == "P" and "transparency" in image.info:  # Pillow warns of the direct way
        image = image.convert("RGBA")
    if image.mode == "LAB":  # of the modes that files have the only one with no way to grey
        image = image.convert("RGB")
    return image if image.mode == mode else image.convert(mode)
