"""Sizes of images and windows."""

from typing import TypeAlias

Pair: TypeAlias = tuple[int, int]  # (height, width)
Shape: TypeAlias = tuple[int, ...]  # (height, width, channels) or (channels,), without the batch


def shape_text(shape: Shape) -> str:
    """ "224x224x3"."""
    return "x".join(str(size) for size in shape)
