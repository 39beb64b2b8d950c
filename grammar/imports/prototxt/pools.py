"""Pooling and local response norm, and Caffe's rules of padding and rounding."""

from math import ceil
from typing import Literal

from wootzc.grammar.imports.prototxt.entries import FILLERS, Entry
from wootzc.ir.layers import Body, GlobalPool, LocalNorm, Padding, Pair, Pool
from wootzc.ir.layers.shapes import Shape, shape_text


def explicit(padding: Pair) -> Padding:
    """As much at both ends of each axis."""
    tall, wide = padding
    return ((tall, tall), (wide, wide)) if any(padding) else "valid"


def pooling(entry: Entry, shape: Shape) -> Body:
    """A `Pooling` layer, with Caffe's rounding up. Raises a refusal where it is stochastic."""
    if len(shape) != 3:
        raise entry.refuse("pools a vector", "only images are pooled")
    own = entry.fields.message_of("pooling_param")
    method = own.choice("pool", {"MAX": 0, "AVE": 1, "STOCHASTIC": 2}, "MAX")
    if method == "STOCHASTIC":
        raise entry.refuse("pools at random", "use MAX or AVE")
    kind: Literal["max", "avg"] = "max" if method == "MAX" else "avg"
    everywhere = own.flag("global_pooling", False)
    rounding = own.choice("round_mode", {"CEIL": 0, "FLOOR": 1}, "CEIL")
    up = own.flag("ceil_mode", rounding == "CEIL")  # as a fork has it
    if everywhere:
        own.finish((
            "kernel_size", "kernel_h", "kernel_w", "stride", "stride_h", "stride_w", "pad",
            "pad_h", "pad_w", *FILLERS,
        ))  # fmt: skip
        return (GlobalPool(kind=kind, keep_dims=True),)
    size, stride = own.pair("kernel_size"), own.pair("stride", 1)
    padding = own.pair("pad", 0, least=0)
    own.finish(FILLERS)
    if size == shape[:2] and padding == (0, 0):
        return (GlobalPool(kind=kind, keep_dims=True),)
    if any(p >= k for p, k in zip(padding, size, strict=True)):
        raise entry.refuse(
            f"pads by {shape_text(padding)} around {shape_text(size)} windows",
            "some windows would see nothing but padding",
        )
    # Caffe leaves out windows that begin past the end only where there is padding.
    if up and padding == (0, 0) and _begins_outside(shape, size, stride):
        raise entry.refuse(
            "has a last window that lies outside of the image",
            "make its stride no greater than its kernel, or crop the input",
        )
    return (
        Pool(
            kind=kind, size=size, stride=stride, padding=explicit(padding), ceil=up,
            count_padding=kind == "avg" and padding != (0, 0),
        ),
    )  # fmt: skip


def _begins_outside(shape: Shape, size: Pair, stride: Pair) -> bool:
    return any(
        n >= k and ceil((n - k) / s) * s >= n
        for n, k, s in zip(shape[:2], size, stride, strict=True)
    )


def local_norm(entry: Entry, shape: Shape) -> Body:
    """An `LRN` layer. Raises a refusal for one within a channel, or an even size."""
    own = entry.fields.message_of("lrn_param")
    region = own.choice(
        "norm_region", {"ACROSS_CHANNELS": 0, "WITHIN_CHANNEL": 1}, "ACROSS_CHANNELS"
    )
    if region == "WITHIN_CHANNEL":
        raise entry.refuse("normalises within channels", "only ACROSS_CHANNELS is known")
    size = own.whole("local_size", 5)
    if size % 2 == 0:
        raise entry.refuse(f"has a `local_size` of {size}", "it must be odd")
    layer = LocalNorm(
        size=size, alpha=own.number("alpha", 1.0), beta=own.number("beta", 0.75),
        k=own.number("k", 1.0),
    )  # fmt: skip
    own.finish(FILLERS)
    return (layer,)
