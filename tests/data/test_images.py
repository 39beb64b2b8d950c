"""One encoded image becomes an array of the network's input."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from wootzc.backends.data.images import check_head, decode, natural_shape
from wootzc.diagnostics import WootzError


def png(image: Image.Image, kind: str = "png", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def stripes(width: int, height: int) -> Image.Image:
    """Left quarter red, middle half green, right quarter blue."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 4, 0] = 255
    pixels[:, width // 4 : -width // 4, 1] = 255
    pixels[:, -width // 4 :, 2] = 255
    return Image.fromarray(pixels)


def test_same_size_is_untouched() -> None:
    image = stripes(8, 6)
    np.testing.assert_array_equal(decode(png(image), (6, 8, 3), "a"), np.asarray(image))


def test_the_centre_of_a_wide_image_is_kept() -> None:
    out = decode(png(stripes(64, 32)), (16, 16, 3), "a")
    assert out.shape == (16, 16, 3)
    assert np.all(out[:, 1:-1, 1] == 255) and not out[:, 1:-1, [0, 2]].any()


def test_small_images_grow() -> None:
    out = decode(png(stripes(8, 8)), (32, 32, 3), "a")
    assert out[0, 0].tolist() == [255, 0, 0] and out[-1, -1].tolist() == [0, 0, 255]


def test_grey_and_colour_convert() -> None:
    grey = Image.fromarray(np.arange(16, dtype=np.uint8).reshape(4, 4))
    coloured = decode(png(grey), (4, 4, 3), "a")
    np.testing.assert_array_equal(coloured, np.asarray(grey)[..., None].repeat(3, axis=2))
    np.testing.assert_array_equal(decode(png(grey), (4, 4, 1), "a")[..., 0], np.asarray(grey))
    # ITU-R 601-2: L = 0.299 R + 0.587 G + 0.114 B
    assert decode(png(stripes(8, 8)), (8, 8, 1), "a")[0, 0, 0] == 76


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_mode_decodes(mode: str) -> None:
    source = stripes(8, 8)
    if mode == "I;16":
        image = Image.fromarray(np.full((8, 8), 0x7F42, np.uint16))
    else:
        image = source.convert(mode)
    blob = png(image)
    assert natural_shape(blob, "a") == (8, 8, 1 if mode in ("1", "L", "LA", "I;16") else 3)
    for channels in (1, 3, 4):
        assert decode(blob, (8, 8, channels), "a").shape == (8, 8, channels)
    if mode == "I;16":
        assert np.all(decode(blob, (8, 8, 1), "a") == 0x7F)  # scaled down, not clipped to 255


def test_pgm_of_16_bits_keeps_the_upper_byte() -> None:
    blob = b"P5 4 4 65535\n" + np.full((4, 4), 0x7F42, ">u2").tobytes()
    assert natural_shape(blob, "a") == (4, 4, 1)
    assert np.all(decode(blob, (4, 4, 1), "a") == 0x7F)


@pytest.mark.parametrize(
    ("pixels", "held"),
    [(np.ones((4, 4), np.float32), "fractions"), (np.ones((4, 4), np.int32), "32 bits")],
)
def test_numbers_whose_range_nothing_says_are_refused(pixels: Any, held: str) -> None:
    """Pillow would clip them to 0 and 255."""
    blob = png(Image.fromarray(pixels), "tiff")
    for look in (lambda: check_head(blob, "a.tif"), lambda: decode(blob, (4, 4, 1), "a.tif")):
        with pytest.raises(WootzError, match=rf"WZ345.*a\.tif.*{held}(.|\n)*\.npz"):
            look()


def test_lab_becomes_grey_and_colour() -> None:
    pixels = np.full((4, 4, 3), (128, 0, 0), np.uint8)  # half as light as white, no colour
    blob = png(Image.fromarray(pixels, "LAB"), "tiff")
    assert natural_shape(blob, "a") == (4, 4, 3)
    grey, coloured = (decode(blob, (4, 4, channels), "a") for channels in (1, 3))
    np.testing.assert_allclose(coloured, np.repeat(grey, 3, axis=2), atol=1)
    assert 100 < grey[0, 0, 0] < 140


def test_palettes_with_transparency_do_not_warn() -> None:
    image = stripes(8, 8).quantize(4)
    blob = png(image, transparency=b"\x00\x80\xff\xff")
    assert decode(blob, (8, 8, 3), "a")[0, 4].tolist() == [0, 255, 0]


def test_jpeg_and_gif() -> None:
    assert decode(png(stripes(16, 16), "jpeg"), (16, 16, 3), "a")[8, 8, 1] > 200
    assert decode(png(stripes(16, 16), "gif"), (16, 16, 3), "a")[8, 8, 1] == 255
