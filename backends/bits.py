"""Which images a network labelled right, as text that survives JSON: one bit an image."""

import base64

import numpy as np
from numpy.typing import NDArray

Right = NDArray[np.bool_]  # [images], in the order of their split


def packed(right: Right) -> str:
    """Base64 of the bits, eight images a byte."""
    return base64.b64encode(np.packbits(right).tobytes()).decode("ascii")


def unpacked(text: str, images: int) -> Right:
    """The inverse of `packed`; ValueError where the text is not of so many images."""
    octets = np.frombuffer(base64.b64decode(text, validate=True), np.uint8)
    if len(octets) != -(-images // 8):
        raise ValueError(f"{len(octets)} bytes can't be the bits of {images} images")
    return np.unpackbits(octets, count=images).astype(np.bool_)
