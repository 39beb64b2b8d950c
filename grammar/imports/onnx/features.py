"""Dense layers, norms, reductions over the image, softmax."""

from dataclasses import replace
from typing import Literal

import numpy as np

from wootzc.grammar.imports.onnx.source_graph import Array, Operator
from wootzc.grammar.imports.onnx.tensors import (
    Tensor,
    in_our_order,
    letters,
    matrix_turned,
    target_dims,
)
from wootzc.grammar.imports.onnx.tracing import Context, made, usable
from wootzc.grammar.imports.onnx.windows import as_image, image
from wootzc.ir.layers import Conv, Dense, GlobalPool, GroupNorm, LocalNorm, Norm, Pool

_OVER = "wootzc has batch norm, norms of groups of channels, and of the channels of each pixel"


def gemm(operator: Operator, context: Context) -> Tensor:
    """`Gemm` as a dense layer. Raises a refusal where it transposes what enters."""
    given = operator.attributes
    tensor, kernel = context.tensor(operator), context.needed(operator, 1)
    if given.get("transA", 0):
        raise operator.refused("it transposes what enters (transA)")
    kernel = _times(
        matrix_turned(kernel) if given.get("transB", 0) else kernel, given.get("alpha", 1.0)
    )
    bias = context.constant(operator, 2)
    if bias is not None:
        bias = _times(bias.reshape(bias.shape[-1:]), given.get("beta", 1.0))
        bias = np.broadcast_to(bias, kernel.shape[1:])
    usable(tensor)
    if len(tensor.layout) != 2:
        raise operator.refused(f"{len(tensor.layout)} axes enter, and it has two")
    return _dense(operator, context, tensor, kernel, bias)


def _times(values: Array, factor: float) -> Array:
    return values if factor == 1 else values * np.float32(factor)


def matmul(operator: Operator, context: Context) -> Tensor:
    return _dense(operator, context, context.tensor(operator), context.needed(operator, 1), None)


def _dense(
    operator: Operator,
    context: Context,
    tensor: Tensor,
    kernel: Array,  # [in, out], rows in ONNX's order
    bias: Array | None,
) -> Tensor:
    usable(tensor)
    if kernel.ndim != 2 or kernel.shape[0] != tensor.dims[-1]:
        raise operator.refused(f"weights of {kernel.shape} do not fit the {tensor.dims} that enter")
    rows, width = tensor.layout[-1], kernel.shape[1]
    arrays = {} if bias is None else {"bias": bias}
    layout = (*tensor.layout[:-1], "C" if width > 1 else "")
    if set(rows) == set("".join(tensor.layout[1:])):  # all of an image's numbers
        if tensor.image[:2] != (1, 1):
            tensor = context.flattened(tensor)
        arrays["kernel"] = in_our_order(kernel, rows, tensor.image)
        layer = Dense(width=width, bias=bias is not None)
        draft = context.layer(operator, layer, tensor, **arrays)
        return made(tensor, draft, image=(1, 1, width), layout=layout)
    if rows == letters("C", tensor.image)[0] and not tensor.flat:  # each pixel's channels
        arrays["kernel"] = kernel[None, None]
        conv = Conv(width=width, kernel=(1, 1), bias=bias is not None)
        draft = context.layer(operator, conv, tensor, **arrays)
        return made(tensor, draft, image=draft.shape, layout=layout)
    raise operator.refused("it mixes pixels, and wootzc only mixes channels or all of an image")


def batch_norm(operator: Operator, context: Context) -> Tensor:
    """`BatchNormalization`. Raises a refusal where its second axis holds pixels."""
    tensor = context.tensor(operator)
    scale, bias, mean, var = (context.needed(operator, i) for i in (1, 2, 3, 4))
    along = tensor.layout[1] if len(tensor.layout) > 1 else "?"
    if len(along) > 1 and "C" in along:
        tensor = context.flattened(tensor)
    elif along != letters("C", tensor.image)[0]:
        raise operator.refused("its second axis holds pixels, not channels")
    names = ("scale", "bias", "mean", "var")
    arrays = {
        name: in_our_order(values, along, tensor.image) if len(along) > 1 else values
        for name, values in zip(names, (scale, bias, mean, var), strict=True)
    }
    norm = Norm(
        epsilon=_short(operator.attributes.get("epsilon", 1e-5)),
        momentum=_short(operator.attributes.get("momentum", 0.9)),
    )
    return made(tensor, context.layer(operator, norm, tensor, **arrays))


def layer_norm(operator: Operator, context: Context) -> Tensor:
    """Over the channels of each pixel, wherever they stand, or over all of a vector."""
    tensor = context.tensor(operator)
    usable(tensor)
    axis = int(operator.attributes.get("axis", -1)) % len(tensor.layout)
    if tensor.layout[axis + 1 :] or not _is_channels(tensor, axis):
        raise operator.refused("it normalises more than the channels of each pixel", _OVER)
    epsilon = _short(operator.attributes.get("epsilon", 1e-5))
    norm = GroupNorm(groups=1, epsilon=epsilon, pixelwise=True)
    return _normalised(operator, context, tensor, norm, tensor.layout[axis])


def group_norm(operator: Operator, context: Context) -> Tensor:
    """Of an image, or of a vector that has its numbers in our order."""
    tensor = context.tensor(operator)
    usable(tensor)
    if len(tensor.layout) != 2 or tensor.layout[1] != "".join(letters("HWC", tensor.image)):
        tensor = image(operator, tensor)
    norm = GroupNorm(
        groups=_groups(operator, context, tensor),
        epsilon=_short(operator.attributes.get("epsilon", 1e-5)),
    )
    return _normalised(operator, context, tensor, norm, tensor.layout[1])


def _is_channels(tensor: Tensor, axis: int) -> bool:
    """Whether the axis is an image's channels, or all of a vector's numbers."""
    along = tensor.layout[axis]
    if set(along) == {letter for letter in letters("HWC", tensor.image) if letter}:
        return True
    return along == letters("C", tensor.image)[0] and not tensor.flat


def _groups(operator: Operator, context: Context, tensor: Tensor) -> int:
    """How many. A norm that was spelt out goes to [n, groups, …] and back."""
    apart, back = (context.constant(operator, i) for i in (3, 4))
    if apart is None or back is None:
        return int(operator.attributes["num_groups"])
    there, again = (
        tuple(target_dims(tensor, [int(size) for size in shape], zero_copies=True))
        for shape in (apart, back)
    )
    if again != tensor.dims or len(there) < 3 or there[0] != tensor.dims[0]:
        raise operator.refused("it normalises numbers that are no groups of channels", _OVER)
    return there[1]


def _normalised(
    operator: Operator, context: Context, tensor: Tensor, norm: GroupNorm, along: str
) -> Tensor:
    """Factors and offsets go along an axis of these letters.

    Before opset 21 a GroupNormalization has one for each group.
    """
    if len(along) > 1:
        tensor = context.flattened(tensor)
    channels = tensor.features
    given = context.constant(operator, 1), context.constant(operator, 2)
    scale, bias = (
        np.full(channels, usual) if values is None else values.ravel()
        for values, usual in zip(given, (1.0, 0.0), strict=True)
    )
    if scale.size == bias.size == norm.groups < channels:
        scale, bias = (np.repeat(values, channels // norm.groups) for values in (scale, bias))
    if len(along) > 1:
        scale, bias = (in_our_order(values, along, tensor.image) for values in (scale, bias))
    return made(tensor, context.layer(operator, norm, tensor, scale=scale, bias=bias))


def local_norm(operator: Operator, context: Context) -> Tensor:
    """`LRN`. Raises a refusal for an even number of channels."""
    tensor = image(operator, context.tensor(operator))
    given = operator.attributes
    size = int(given["size"])
    if size % 2 == 0:
        raise operator.refused(f"it reads {size} channels around each; wootzc wants an odd number")
    norm = LocalNorm(
        size=size,
        alpha=_short(given.get("alpha", 1e-4)),
        beta=_short(given.get("beta", 0.75)),
        k=_short(given.get("bias", 1.0)),
    )
    return as_image(tensor, context.layer(operator, norm, tensor), positive=tensor.positive)


def _short(value: float) -> float:
    """ONNX keeps single precision: 1e-5, not 9.999999747378752e-06."""
    return float(str(np.float32(value)))


def global_pool(operator: Operator, context: Context) -> Tensor:
    tensor = image(operator, context.tensor(operator))
    return _reduced(operator, context, tensor, [2, 3], keep=True)


def reduce(operator: Operator, context: Context) -> Tensor:
    """A mean or maximum over height and width. Raises a refusal for any other axis."""
    tensor = context.tensor(operator)
    axes = context.integers(operator, "axes", 1)
    if not axes:
        if operator.attributes.get("noop_with_empty_axes", 0):
            return tensor
        axes = list(range(len(tensor.layout)))
    keep = bool(operator.attributes.get("keepdims", 1))
    return _reduced(operator, context, tensor, axes, keep=keep)


def _reduced(
    operator: Operator, context: Context, tensor: Tensor, axes: list[int], *, keep: bool
) -> Tensor:
    """Before: ("N", "C", "H", "W") over axes 2 and 3. After: ("N", "C", "", "")."""
    usable(tensor)
    rank = len(tensor.layout)
    gone = {axis % rank for axis in axes}
    over = "".join(tensor.layout[axis] for axis in gone)
    if any(not -rank <= axis < rank for axis in axes) or not set(over) <= set("HW"):
        raise operator.refused("it reduces more than height and width", "global pooling does not")
    layout = ["" if axis in gone else letter for axis, letter in enumerate(tensor.layout)]
    after = tuple(x for axis, x in enumerate(layout) if keep or axis not in gone)
    if not over:  # axes of size 1
        return replace(tensor, layout=after)
    if tensor.flat:
        raise operator.refused("it reads an image that was flattened before")
    height, width, channels = tensor.image
    size = (height if "H" in over else 1), (width if "W" in over else 1)
    kind: Literal["max", "avg"] = (
        "max" if operator.kind in ("ReduceMax", "GlobalMaxPool") else "avg"
    )
    layer = (
        GlobalPool(kind=kind, keep_dims=True)
        if size == (height, width)
        else Pool(kind=kind, size=size, stride=size)
    )
    draft = context.layer(operator, layer, tensor)
    shape = (height // size[0], width // size[1], channels)
    return made(tensor, draft, image=shape, layout=after, positive=tensor.positive)


def softmax(operator: Operator, context: Context) -> Tensor:
    """Left out where it ends the network: training works on what enters it."""
    tensor = context.tensor(operator)
    usable(tensor)
    axis = int(operator.attributes.get("axis", -1 if operator.opset >= 13 else 1))
    if "C" not in tensor.layout[axis]:
        raise operator.refused("it does not run over the classes")
    refusal = operator.refused(
        "wootzc has one at the end of a network only", "networks with attention cannot be pruned"
    )
    return replace(tensor, softmax=True, refusal=refusal, lines={})


HANDLERS = {
    "BatchNormalization": batch_norm,
    "Gemm": gemm,
    "GlobalAveragePool": global_pool,
    "GlobalMaxPool": global_pool,
    "GroupNormalization": group_norm,
    "LayerNormalization": layer_norm,
    "LRN": local_norm,
    "LogSoftmax": softmax,
    "MatMul": matmul,
    "ReduceMax": reduce,
    "ReduceMean": reduce,
    "Softmax": softmax,
}
