"""Layers as ONNX: the nodes that each becomes, spelt as opset 17 can."""

from collections.abc import Iterator, Mapping
from typing import Any, assert_never

import numpy as np

from wootzc.backends.onnx.activations import activation
from wootzc.backends.onnx.windows import convolution, pool
from wootzc.backends.onnx.writer import Value, Writer
from wootzc.backends.weights.channels_first import (
    Array,
    channels_first,
    conv_kernel,
    order_after_flatten,
    reordered,
)  # fmt: skip
from wootzc.ir import layers as ir
from wootzc.ir.layers.shapes import shape_after


def layer_nodes(
    layer: ir.Layer, x: Value, path: str, weights: Mapping[str, Array], writer: Writer
) -> Value:
    """Write the nodes of a layer on `x`, the last of them called as its path; what leaves it."""
    shape, order = shape_after(layer, x.shape), x.order
    match layer:
        case ir.Conv() | ir.DepthwiseConv():
            kernel = writer.tensor(f"{path}/kernel", conv_kernel(weights["kernel"]))
            names = [kernel, *_bias(weights, path, writer)]
            name = convolution(layer, x, names, path, writer)
        case ir.Dense():
            name, order = _dense(x, path, weights, writer), None
        case ir.Norm() if not weights:  # it is a part of the convolution before it
            name = x.name
        case ir.Norm(epsilon=epsilon, momentum=momentum):
            names = [
                writer.tensor(f"{path}/{parameter}", reordered(weights[parameter], order))
                for parameter in ("scale", "bias", "mean", "var")
            ]
            attributes = {"epsilon": epsilon, "momentum": momentum}
            name = writer.node("BatchNormalization", [x.name, *names], path, **attributes)
        case ir.GroupNorm():
            x = pixel_by_pixel(x, path, writer)
            name, order = _group_norm(layer, x, weights, path, writer), None
        case ir.PRelu():
            slope = reordered(weights["slope"], order).reshape(-1, *[1] * (len(shape) - 1))
            name = writer.node("PRelu", [x.name, writer.tensor(f"{path}/slope", slope)], path)
        case ir.LocalNorm():
            x = pixel_by_pixel(x, path, writer)
            name, order = _local_norm(layer, x, path, writer), None
        case ir.Activation():
            name = activation(layer, x.name, path, writer)
        case ir.Pool():
            name = pool(layer, x, path, writer)
        case ir.GlobalPool(kind=kind, keep_dims=keep):
            operator = "GlobalMaxPool" if kind == "max" else "GlobalAveragePool"
            name = writer.node(operator, [x.name], path if keep else f"{path}/pool")
            if not keep:
                name = writer.node("Flatten", [name], path)
        case ir.Dropout():
            name = x.name
        case ir.Flatten():
            name, order = writer.node("Flatten", [x.name], path), order_after_flatten(x.shape)
        case ir.Branch():
            raise AssertionError("its arms are walked one by one")
        case _:
            assert_never(layer)
    return Value(name=name, shape=shape, order=order)


def _dense(x: Value, path: str, weights: Mapping[str, Array], writer: Writer) -> str:
    """Gemm of a vector; of a 1x1 image, as in squeeze-and-excite, a 1x1 convolution."""
    kernel = weights["kernel"]  # [in, out]
    bias = _bias(weights, path, writer)
    if len(x.shape) == 1:
        name = writer.tensor(f"{path}/kernel", reordered(kernel, x.order))
        return writer.node("Gemm", [x.name, name, *bias], path)
    name = writer.tensor(f"{path}/kernel", kernel.T[:, :, None, None])
    return writer.node("Conv", [x.name, name, *bias], path, kernel_shape=[1, 1])


def _bias(weights: Mapping[str, Array], path: str, writer: Writer) -> Iterator[str]:
    if "bias" in weights:
        yield writer.tensor(f"{path}/bias", weights["bias"])


def pixel_by_pixel(x: Value, path: str, writer: Writer) -> Value:
    """A vector in our order, transposed where its values stand channel by channel."""
    if x.order is None:
        return x
    image = writer.whole(0, *channels_first(x.order))
    name = writer.node("Reshape", [x.name, image], f"{path}/image")
    name = writer.node("Transpose", [name], f"{path}/channels_last", perm=[0, 2, 3, 1])
    return Value(name=writer.node("Flatten", [name], f"{path}/vector"), shape=x.shape)


# Norms


def _group_norm(
    layer: ir.GroupNorm, x: Value, weights: Mapping[str, Array], path: str, writer: Writer
) -> str:
    """InstanceNormalization of groups, as PyTorch exports it; of each pixel, LayerNormalization."""
    if layer.pixelwise:
        image = len(x.shape) == 3
        name = x.name
        if image:
            name = writer.node("Transpose", [name], f"{path}/channels_last", perm=[0, 2, 3, 1])
        names = [writer.tensor(f"{path}/{one}", weights[one]) for one in ("scale", "bias")]
        attributes = {"epsilon": layer.epsilon, "axis": -1}
        made = f"{path}/normalized" if image else path
        name = writer.node("LayerNormalization", [name, *names], made, **attributes)
        return writer.node("Transpose", [name], path, perm=[0, 3, 1, 2]) if image else name
    apart = writer.whole(0, layer.groups, -1)
    name = writer.node("Reshape", [x.name, apart], f"{path}/groups")
    ones = writer.tensor(f"ones/{layer.groups}", np.ones(layer.groups))
    zeros = writer.tensor(f"zeros/{layer.groups}", np.zeros(layer.groups))
    attributes = {"epsilon": layer.epsilon}
    name = writer.node(
        "InstanceNormalization", [name, ones, zeros], f"{path}/normalized", **attributes
    )
    back = writer.whole(0, *channels_first(x.shape))
    name = writer.node("Reshape", [name, back], f"{path}/back")
    sizes = (-1, *[1] * (len(x.shape) - 1))
    scale = writer.tensor(f"{path}/scale", weights["scale"].reshape(sizes))
    bias = writer.tensor(f"{path}/bias", weights["bias"].reshape(sizes))
    name = writer.node("Mul", [name, scale], f"{path}/scaled")
    return writer.node("Add", [name, bias], path)


def _local_norm(layer: ir.LocalNorm, x: Value, path: str, writer: Writer) -> str:
    """LRN, where it means the same.

    It takes images only, and of an even number of channels it has one more behind the channel, we
    one more before it. Else the mean of squares is that of a window along the channels.
    """
    size, channels = layer.size, x.shape[-1]
    if len(x.shape) == 3 and size % 2:
        attributes = {"alpha": layer.alpha, "beta": layer.beta, "bias": layer.k, "size": size}
        return writer.node("LRN", [x.name], path, **attributes)
    pixels = x.shape[0] * x.shape[1] if len(x.shape) == 3 else 1
    squares = writer.node("Mul", [x.name, x.name], f"{path}/squares")
    rows = writer.whole(0, 1, channels, pixels)
    column = writer.node("Reshape", [squares, rows], f"{path}/column")
    window: dict[str, Any] = {
        "kernel_shape": [size, 1],
        "pads": [size // 2, 0, (size - 1) // 2, 0],
        "count_include_pad": 1,
    }
    means = writer.node("AveragePool", [column], f"{path}/means", **window)
    back = writer.whole(0, channels, *x.shape[:-1])
    means = writer.node("Reshape", [means, back], f"{path}/back")
    scaled = writer.node("Mul", [means, writer.number(layer.alpha)], f"{path}/scaled")
    base = writer.node("Add", [scaled, writer.number(layer.k)], f"{path}/base")
    power = writer.node("Pow", [base, writer.number(layer.beta)], f"{path}/power")
    return writer.node("Div", [x.name, power], path)
