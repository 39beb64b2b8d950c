"""Dense layers, reductions over the image, softmax."""

from dataclasses import replace
from typing import Literal

import numpy as np

from wootzc.grammar.imports.onnx.source_graph import Array, Operator
from wootzc.grammar.imports.onnx.tensors import (
    Tensor,
    in_our_order,
    letters,
    matrix_turned,
)
from wootzc.grammar.imports.onnx.tracing import Context, made, usable
from wootzc.grammar.imports.onnx.windows import image
from wootzc.ir.layers import Conv, Dense, GlobalPool, Pool


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
    if len(tensor.layout) != 2:
        raise operator.refused(f"{len(tensor.layout)} axes enter, and it has two")
    return _dense(operator, context, tensor, kernel, bias)


def _times(values: Array, factor: float) -> Array:
    return values if factor == 1 else values * np.float32(factor)


def matmul(operator: Operator, context: Context) -> Tensor:
    """`MatMul` as a dense layer or a 1x1 convolution. Raises a refusal where it mixes pixels.

    Weights may come first, where vectors stand upright: W x.T is (x W.T).T.
    """
    if context.is_constant(operator, 0) and not context.is_constant(operator, 1):
        upright, kernel = context.tensor(operator, 1), context.needed(operator, 0)
        if len(upright.layout) != 2 or upright.layout[1] != "N" or kernel.ndim != 2:
            raise operator.refused(
                "it multiplies its weights by what enters, whose vectors do not stand upright",
                "multiply what enters by the weights, as `nn.Linear` does",
            )
        lying = replace(upright, layout=upright.layout[::-1], lines={})
        made = _dense(operator, context, lying, matrix_turned(kernel), None)
        return replace(made, layout=made.layout[::-1])
    return _dense(operator, context, context.tensor(operator), context.needed(operator, 1), None)


def _dense(
    operator: Operator,
    context: Context,
    tensor: Tensor,
    kernel: Array,  # [in, out], rows in ONNX's order
    bias: Array | None,
) -> Tensor:
    if kernel.ndim != 2 or kernel.shape[0] != tensor.dims[-1]:
        usable(tensor)
        raise operator.refused(f"weights of {kernel.shape} do not fit the {tensor.dims} that enter")
    if tensor.order is not None:
        kernel = kernel[tensor.order]
        tensor = replace(tensor, order=None, refusal=None, readers=())
    usable(tensor)
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


def global_pool(operator: Operator, context: Context) -> Tensor:
    """`GlobalAveragePool` and `GlobalMaxPool`."""
    tensor = image(operator, context.tensor(operator))
    return _reduced(operator, context, tensor, [2, 3], keep=True)


def reduce(operator: Operator, context: Context) -> Tensor:
    """A mean, maximum or sum over height and width. Raises a refusal for any other axis."""
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
        raise operator.refused(
            "it reduces more than height and width", _why_channels(operator, over)
        )
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
    pooled = made(tensor, draft, image=shape, layout=after, positive=tensor.positive)
    if operator.kind != "ReduceSum":
        return pooled
    count = np.full(channels, size[0] * size[1], np.float32)  # a sum is so many means
    return made(pooled, context.affine(operator, pooled, count, 0 * count))


def _why_channels(operator: Operator, over: str) -> str:
    """What a network does that reduces its channels, and the way out of it."""
    if over != "C":
        return "global pooling does not"
    if operator.opset < 17:
        return (
            "if it is a part of a layer norm, export with `opset_version=17`, which has one "
            "operator for it; spatial attention cannot be pruned"
        )
    return (
        "if it is a part of a norm, write it as `nn.LayerNorm` or `nn.GroupNorm`; spatial "
        "attention, which gives each pixel a number of its own, cannot be pruned"
    )


def softmax(operator: Operator, context: Context) -> Tensor:
    """Left out where it ends the network: training works on what enters it."""
    tensor = context.tensor(operator)
    usable(tensor)
    axis = int(operator.attributes.get("axis", -1 if operator.opset >= 13 else 1))
    if "C" not in tensor.layout[axis]:
        raise operator.refused(
            "it does not run over the classes", "networks with attention cannot be pruned"
        )
    refusal = operator.refused(
        "wootzc has one at the end of a network only", "networks with attention cannot be pruned"
    )
    return replace(tensor, softmax=True, refusal=refusal, lines={})


HANDLERS = {
    "Gemm": gemm,
    "GlobalAveragePool": global_pool,
    "GlobalMaxPool": global_pool,
    "LogSoftmax": softmax,
    "MatMul": matmul,
    "ReduceMax": reduce,
    "ReduceMean": reduce,
    "ReduceSum": reduce,
    "Softmax": softmax,
}
