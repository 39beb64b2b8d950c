"""Norms of ONNX that are not batch norm, spelt as opset 17 can."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from wootzc.backends.onnx.writer import Value, Writer
from wootzc.backends.weights.channels_first import Array, channels_first
from wootzc.ir.layers import GroupNorm, LocalNorm


def group_norm(
    layer: GroupNorm, x: Value, weights: Mapping[str, Array], path: str, writer: Writer
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


def local_norm(layer: LocalNorm, x: Value, path: str, writer: Writer) -> str:
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
