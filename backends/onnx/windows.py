"""Layers with windows: every padding resolved to pixels.

`ceil_mode` is never written, for runtimes differ in it. Where a last window reaches over the end,
that is padding here, which a maximum ignores, and an average that counts no padding. Where padding
counts, but not what lies beyond it, a Pad node makes the first.
"""

from typing import Any

from wootzc.backends.onnx.writer import Value, Writer
from wootzc.backends.weights.channels_first import NO_PADS, Pads
from wootzc.ir.layers import Conv, DepthwiseConv, Pool
from wootzc.ir.layers.shapes import overhang, padding_of, resolved_padding


def convolution(
    layer: Conv | DepthwiseConv, x: Value, weights: list[str], path: str, writer: Writer
) -> str:
    """`weights`: names of the kernel and, where there is one, of the bias."""
    attributes: dict[str, Any] = {
        "kernel_shape": layer.kernel,
        "strides": layer.stride,
        "pads": _in_order(padding_of(layer, (x.shape[0], x.shape[1]))),
        "dilations": layer.dilation,
        "group": x.shape[-1] if isinstance(layer, DepthwiseConv) else layer.groups,
    }
    return writer.node("Conv", [x.name, *weights], path, **attributes)


def pool(layer: Pool, x: Value, path: str, writer: Writer) -> str:
    """Write a pool, with padding that runtimes take; returns the name of what it makes."""
    image = x.shape[0], x.shape[1]
    window: dict[str, Any] = {"kernel_shape": layer.size, "strides": layer.stride}
    if layer.kind == "max":
        pads = _in_order(padding_of(layer, image))
        return writer.node("MaxPool", [x.name], path, **window, pads=pads)
    if not layer.count_padding:
        pads = _in_order(padding_of(layer, image))
        return writer.node("AveragePool", [x.name], path, **window, pads=pads, count_include_pad=0)
    said = resolved_padding(layer.padding, image, layer.size, layer.stride)
    below, beside = overhang(layer, image)
    wide = any(max(said[axis]) >= layer.size[axis] for axis in (0, 1))  # runtimes refuse these
    if not wide and not below and not beside:
        pads = _in_order(said)
        return writer.node("AveragePool", [x.name], path, **window, pads=pads, count_include_pad=1)
    padded = x.name
    if said != NO_PADS:
        top, left, bottom, right = _in_order(said)
        sizes = writer.whole(0, 0, top, left, 0, 0, bottom, right)
        padded = writer.node("Pad", [x.name, sizes, writer.number(0)], f"{path}/pad")
    pads = [0, 0, below, beside]
    return writer.node("AveragePool", [padded], path, **window, pads=pads, count_include_pad=0)


def _in_order(pads: Pads) -> list[int]:
    """ONNX's: top, left, bottom, right."""
    (top, bottom), (left, right) = pads
    return [top, left, bottom, right]
