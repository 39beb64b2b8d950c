"""Shape inference: what a layer makes of its input. Shapes leave the batch axis out."""

from typing import TypeAlias, assert_never

from wootzc.ir.layers import (
    Activation,
    Body,
    Branch,
    Conv,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalPool,
    Layer,
    LocalNorm,
    Norm,
    Padding,
    Pair,
    Pool,
)  # fmt: skip
from wootzc.ir.limits import MAX_COUNT

Shape: TypeAlias = tuple[int, ...]  # (height, width, channels) or (channels,)


class ShapeError(ValueError):
    """A layer that its input does not fit. `layer` is the innermost one at fault."""

    def __init__(self, layer: Layer, message: str):
        self.layer = layer
        super().__init__(message)


def shape_text(shape: Shape) -> str:
    return "x".join(str(size) for size in shape)


def shape_after_body(body: Body, shape: Shape) -> Shape:
    """The shape that leaves the last layer of `body`. Raises `ShapeError`."""
    for layer in body:
        shape = shape_after(layer, shape)
    return shape


def shape_after(layer: Layer, shape: Shape) -> Shape:
    """The shape that leaves `layer` when `shape` enters. Raises `ShapeError`."""
    match layer:
        case Norm() | LocalNorm() | Activation() | Dropout():
            return shape
        case Dense(width=width):
            if len(shape) == 3 and shape[:2] != (1, 1):
                raise ShapeError(
                    layer,
                    f"dense expects a vector, but {shape_text(shape)} enters; "
                    "put global_pool or flatten before it",
                )
            return (*shape[:-1], width)
        case Flatten():
            return (_numbers(layer, _image(layer, shape)),)
        case GlobalPool(keep_dims=keep):
            channels = _image(layer, shape)[2]
            return (1, 1, channels) if keep else (channels,)
        case Conv(width=width, groups=groups):
            height, width_, channels = _image(layer, shape)
            if channels % groups or width % groups:
                raise ShapeError(
                    layer, f"{groups} groups do not divide {channels} → {width} channels"
                )
            return (*_windows(layer, (height, width_)), width)
        case DepthwiseConv() | Pool():
            height, width_, channels = _image(layer, shape)
            return (*_windows(layer, (height, width_)), channels)
        case Branch():
            return _shape_after_branch(layer, shape)
        case _:
            assert_never(layer)


def resolved_padding(padding: Padding, size: Pair, window: Pair, stride: Pair) -> tuple[Pair, Pair]:
    """Padding in pixels; `same` puts the odd pixel at the bottom and right, as XLA does."""
    if padding == "valid":
        return (0, 0), (0, 0)
    if padding != "same":
        return padding
    return _same(size[0], window[0], stride[0]), _same(size[1], window[1], stride[1])


def padding_of(layer: Conv | DepthwiseConv | Pool, size: Pair) -> tuple[Pair, Pair]:
    """The pixels that a layer's windows reach over each side of an image of this size.

    What a last window of a `ceil` pool covers beyond the padding is part of it.
    """
    padding = resolved_padding(layer.padding, size, window_of(layer), layer.stride)
    if not isinstance(layer, Pool):
        return padding
    (top, bottom), (left, right) = padding
    below, beside = overhang(layer, size)
    return (top, bottom + below), (left, right + beside)


def overhang(pool: Pool, size: Pair) -> Pair:
    """Rows and columns at the bottom and right that the last windows cover beyond the padding."""
    if not pool.ceil:
        return 0, 0
    padding = resolved_padding(pool.padding, size, pool.size, pool.stride)
    axes = zip(size, padding, pool.size, pool.stride, strict=True)
    below, beside = (_overhang(*axis) for axis in axes)
    return below, beside


def _overhang(size: int, padding: Pair, window: int, stride: int) -> int:
    room = size + sum(padding) - window
    steps = -(-room // stride)
    if steps * stride >= size + padding[0]:  # it would begin behind the image
        steps -= 1
    return max(steps * stride - room, 0)


def _same(size: int, window: int, stride: int) -> Pair:
    total = max((-(-size // stride) - 1) * stride + window - size, 0)
    return total // 2, total - total // 2


def window_of(layer: Conv | DepthwiseConv | Pool) -> Pair:
    """The pixels that one output pixel sees, dilation included."""
    if isinstance(layer, Pool):
        return layer.size
    (kh, kw), (dh, dw) = layer.kernel, layer.dilation
    return (kh - 1) * dh + 1, (kw - 1) * dw + 1


def _windows(layer: Conv | DepthwiseConv | Pool, size: Pair) -> Pair:
    window, padding = window_of(layer), padding_of(layer, size)
    _check_padding(layer)
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


def _check_padding(layer: Conv | DepthwiseConv | Pool) -> None:
    """No window of a pool may lie in the padding altogether: it has no maximum and no average."""
    if not isinstance(layer, Pool) or isinstance(layer.padding, str):
        return
    if layer.kind == "avg" and layer.count_padding:  # then it is an average of zeros
        return
    if any(max(layer.padding[axis]) >= layer.size[axis] for axis in (0, 1)):
        raise ShapeError(
            layer, f"the padding of a {shape_text(layer.size)} pool must be less than its window"
        )


def _numbers(layer: Layer, image: Shape) -> int:
    """How many numbers an image has. A vector of more than that is a slip, and takes hours."""
    count = image[0] * image[1] * image[2]
    if count > MAX_COUNT:
        raise ShapeError(
            layer,
            f"flatten makes a vector of {count:,} numbers, and at most {MAX_COUNT:,} are possible; "
            "put a pool or global_pool before it",
        )
    return count


def _image(layer: Layer, shape: Shape) -> Shape:
    if len(shape) != 3:
        name = type(layer).__name__
        raise ShapeError(layer, f"{name} expects height x width x channels, but a vector enters")
    return shape


def _shape_after_branch(branch: Branch, shape: Shape) -> Shape:
    shapes = [shape_after_body(arm, shape) for arm in branch.arms]
    seen = ", ".join(shape_text(s) for s in shapes)
    match branch.join:
        case "add":
            if len(set(shapes)) != 1:
                raise ShapeError(branch, f"the arms of add must have one shape, not {seen}")
            return shapes[0]
        case "concat":
            if len({s[:-1] for s in shapes}) != 1:
                raise ShapeError(
                    branch, f"the arms of concat must agree in height and width, not {seen}"
                )
            return (*shapes[0][:-1], sum(s[-1] for s in shapes))
        case "scale":
            if len(shapes) != 2 or shapes[1] not in {shapes[0], (1, 1, shapes[0][-1])}:
                raise ShapeError(
                    branch, f"scale needs two arms, HxWxC and 1x1xC or HxWxC, not {seen}"
                )
            return shapes[0]
        case _:
            assert_never(branch.join)
