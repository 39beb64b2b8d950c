"""Layers that slide a window over the image: its padding, and how often it fits."""

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any, ClassVar, Literal, Self, TypeAlias

from wootzc.ir.layers.layer_page import Page, ShapeError, image_of
from wootzc.ir.layers.sizes import Pair, Shape, shape_text
from wootzc.ir.layers.steps import How

Padding: TypeAlias = Literal["same", "valid"] | tuple[Pair, Pair]  # ((top, bottom), (left, right))


class Windowed(Page, ABC):
    """What convolutions and pools have in common."""

    __slots__ = ()
    how: ClassVar[How] = "new"
    vectors: ClassVar[bool] = False

    @property
    @abstractmethod
    def padding(self) -> Padding: ...

    @property
    @abstractmethod
    def stride(self) -> Pair: ...

    @property
    @abstractmethod
    def window(self) -> Pair:
        """The pixels that one output pixel sees, dilation included."""

    @property
    def ceil(self) -> bool:
        """Whether a last window may reach over the end."""
        return False

    def computed(self, shape: Shape) -> Self:
        image = image_of(self, shape)
        layer: Any = self  # whose fields are its own
        pixels: Self = replace(layer, padding=padding_of(self, image[:2]))
        return pixels


def dilated(kernel: Pair, dilation: Pair) -> Pair:
    """The pixels that a kernel reaches over."""
    (kh, kw), (dh, dw) = kernel, dilation
    return (kh - 1) * dh + 1, (kw - 1) * dw + 1


def resolved_padding(padding: Padding, size: Pair, window: Pair, stride: Pair) -> tuple[Pair, Pair]:
    """Padding in pixels; `same` puts the odd pixel at the bottom and right, as XLA does."""
    if padding == "valid":
        return (0, 0), (0, 0)
    if padding != "same":
        return padding
    return _same(size[0], window[0], stride[0]), _same(size[1], window[1], stride[1])


def padding_of(layer: Windowed, size: Pair) -> tuple[Pair, Pair]:
    """The pixels that a layer's windows reach over each side of an image of this size.

    What a last window of a `ceil` pool covers beyond the padding is part of it.
    """
    (top, bottom), (left, right) = resolved_padding(layer.padding, size, layer.window, layer.stride)
    below, beside = overhang(layer, size)
    return (top, bottom + below), (left, right + beside)


def overhang(layer: Windowed, size: Pair) -> Pair:
    """Rows and columns at the bottom and right that the last windows cover beyond the padding."""
    if not layer.ceil:
        return 0, 0
    padding = resolved_padding(layer.padding, size, layer.window, layer.stride)
    axes = zip(size, padding, layer.window, layer.stride, strict=True)
    below, beside = (_overhang(*axis) for axis in axes)
    return below, beside


def windows(layer: Windowed, shape: Shape) -> Pair:
    """How many windows fit into an image, down and across. Raises `ShapeError`."""
    size = image_of(layer, shape)[:2]
    window, padding = layer.window, padding_of(layer, size)
    height, width = (
        (size[axis] + sum(padding[axis]) - window[axis]) // layer.stride[axis] + 1
        for axis in (0, 1)
    )
    if height < 1 or width < 1:
        raise ShapeError(
            layer,
            f"a {shape_text(window)} window does not fit into {shape_text(size)} pixels",
        )
    return height, width


def _overhang(size: int, padding: Pair, window: int, stride: int) -> int:
    room = size + sum(padding) - window
    steps = -(-room // stride)
    if steps * stride >= size + padding[0]:  # it would begin behind the image
        steps -= 1
    return max(steps * stride - room, 0)


def _same(size: int, window: int, stride: int) -> Pair:
    total = max((-(-size // stride) - 1) * stride + window - size, 0)
    return total // 2, total - total // 2
