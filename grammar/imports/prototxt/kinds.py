"""Caffe's layer types → our layers. Each function reads one type's parameters.

Defaults are those of Caffe's `caffe.proto`; rounding and padding those of its layers' `Reshape`.
"""

from collections.abc import Callable, Mapping
from math import prod

from wootzc.grammar.imports.prototxt.entries import FILLERS, Entry
from wootzc.grammar.imports.prototxt.fields import MAX_WHOLE
from wootzc.grammar.imports.prototxt.pools import explicit, local_norm, pooling
from wootzc.ir.layers import (
    Activation,
    ActivationKind,
    Body,
    Conv,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    Join,
    Norm,
)
from wootzc.ir.layers.shapes import Shape


def convolution(entry: Entry, shape: Shape) -> Body:
    """`Convolution`, grouped or depthwise. Raises a refusal where groups do not divide channels."""
    own = entry.fields.message_of("convolution_param")
    groups = own.whole("group", 1)
    if entry.type != "Convolution":  # types of Caffe's forks that are depthwise by name
        groups = shape[-1]
    width = own.whole("num_output", shape[-1] if entry.type != "Convolution" else None)
    kernel, stride = own.pair("kernel_size"), own.pair("stride", 1)
    dilation, padding = own.pair("dilation", 1), explicit(own.pair("pad", 0, least=0))
    bias = own.flag("bias_term", True)
    entry.along_channels(own, "axis")
    own.finish((*FILLERS, "force_nd_im2col"))
    if shape[-1] % groups or width % groups:
        raise entry.refuse(f"has {groups} groups, which do not divide {shape[-1]} → {width}")
    if groups == shape[-1] == width > 1:
        return (
            DepthwiseConv(
                kernel=kernel, stride=stride, padding=padding, dilation=dilation, bias=bias
            ),
        )
    return (
        Conv(
            width=width, kernel=kernel, stride=stride, padding=padding, dilation=dilation,
            groups=groups, bias=bias,
        ),
    )  # fmt: skip


def batch_norm(entry: Entry, shape: Shape) -> Body:
    """Caffe's moving average corrects for its beginning, so its fraction is not our momentum."""
    own = entry.fields.message_of("batch_norm_param" if entry.type == "BatchNorm" else "bn_param")
    epsilon = own.number("eps", 1e-5)
    own.finish((
        "use_global_stats", "moving_average_fraction", "momentum", "frozen", "slope_filler",
        *FILLERS,
    ))  # fmt: skip
    return (Norm(epsilon=epsilon),)


def scale(entry: Entry, shape: Shape) -> Body:
    """A scale without a BatchNorm before it: one factor, and one offset, per channel."""
    bias = has_shift(entry)
    if len(shape) != 3:
        raise entry.refuse(
            "scales a vector with nothing to normalise it", "only after BatchNorm, or on images"
        )
    return (DepthwiseConv(kernel=(1, 1), padding="valid", bias=bias),)


def has_shift(entry: Entry) -> bool:
    """Whether a Scale layer of one bottom adds an offset, its parameters checked."""
    own = entry.fields.message_of("scale_param")
    entry.along_channels(own, "axis")
    if own.signed("num_axes", 1) != 1:
        raise entry.refuse("scales more than channels", "set `num_axes: 1`")
    bias = own.flag("bias_term", False)
    own.finish(FILLERS)
    return bias


def relu(entry: Entry, shape: Shape) -> Body:
    """`ReLU`; with a `negative_slope` a leaky one."""
    own = entry.fields.message_of("relu_param")
    slope = own.number("negative_slope", 0.0)
    own.finish(FILLERS)
    if slope == 0:
        return (Activation(kind="relu"),)
    return (Activation(kind="leaky_relu", slope=slope),)


def plain(kind: ActivationKind, parameter: str = "") -> Callable[[Entry, Shape], Body]:
    """An activation whose `parameter`, if it has one, is known at 1 only."""

    def read(entry: Entry, shape: Shape) -> Body:
        own = entry.fields.message_of(f"{kind}_param")
        value = own.number(parameter, 1.0) if parameter else 1
        own.finish(FILLERS)
        if value != 1:
            raise entry.refuse(f"sets `{parameter}` to {value:g}", "only 1 is known")
        return (Activation(kind=kind),)

    return read


def clip(entry: Entry, shape: Shape) -> Body:
    """`Clip` from 0 to 6. Raises `Refused` for other limits."""
    own = entry.fields.message_of("clip_param")
    limits = own.number("min", 0.0), own.number("max", 0.0)
    own.finish()
    if limits != (0, 6):
        raise entry.refuse(f"clips to {limits[0]:g}..{limits[1]:g}", "only 0..6 is known, relu6")
    return (Activation(kind="relu6"),)


def inner_product(entry: Entry, shape: Shape) -> Body:
    """`InnerProduct`: dense, of an image behind a flatten."""
    own = entry.fields.message_of("inner_product_param")
    dense = Dense(width=own.whole("num_output"), bias=own.flag("bias_term", True))
    entry.along_channels(own, "axis")
    own.finish((*FILLERS, "transpose"))
    return (Flatten(), dense) if len(shape) == 3 else (dense,)


def flatten(entry: Entry, shape: Shape) -> Body:
    """`Flatten` of an image. Raises `Refused` where it flattens a part of the axes."""
    own = entry.fields.message_of("flatten_param")
    entry.along_channels(own, "axis")
    if own.signed("end_axis", -1) not in (-1, len(shape)):
        raise entry.refuse("flattens a part of the axes", "only whole images can be flattened")
    own.finish()
    return (Flatten(),) if len(shape) == 3 else ()


def reshape(entry: Entry, shape: Shape) -> Body:
    """To a vector, or to what it is already."""
    own = entry.fields.message_of("reshape_param")
    target = own.message_of("shape").wholes("dim", -MAX_WHOLE)
    if own.signed("axis", 0) or own.signed("num_axes", -1) != -1:
        raise entry.refuse("reshapes a part of the axes", "only reshaping to a vector is known")
    own.finish()
    if len(target) == 2 and target[1] in (-1, prod(shape)):
        return (Flatten(),) if len(shape) == 3 else ()
    if len(shape) == 3 and len(target) == 4:
        now = (shape[2], shape[0], shape[1])
        if all(t in (0, n) for t, n in zip(target[1:], now, strict=True)):
            return ()
    raise entry.refuse("changes the axes of an image", "only reshaping to a vector is known")


def dropout(entry: Entry, shape: Shape) -> Body:
    """`Dropout`. Raises `Refused` for a ratio that leaves nothing."""
    own = entry.fields.message_of("dropout_param")
    rate = own.number("dropout_ratio", 0.5)
    own.finish(("scale_train",))
    if not 0 <= rate < 1:
        raise entry.refuse(f"has a `dropout_ratio` of {rate:g}", "it must be from 0 to below 1")
    return (Dropout(rate=rate),)


def concat(entry: Entry) -> Join:
    """`Concat` along the channels. Raises `Refused` along any other axis."""
    own = entry.fields.message_of("concat_param")
    entry.along_channels(own, "axis", "concat_dim")
    own.finish()
    return "concat"


def eltwise(entry: Entry) -> Join:
    """`Eltwise`: SUM is add, PROD of two scale. Raises `Refused` for MAX and for factors."""
    own = entry.fields.message_of("eltwise_param")
    operation = own.choice("operation", {"PROD": 0, "SUM": 1, "MAX": 2}, "SUM")
    factors = own.numbers("coeff")
    own.finish(("stable_prod_grad",))
    if operation == "MAX":
        raise entry.refuse("takes the greatest of several tensors", "only SUM and PROD are known")
    if operation == "SUM" and any(factor != 1 for factor in factors):
        raise entry.refuse("adds with factors", "only `coeff: 1` is known")
    if operation == "PROD" and len(entry.bottoms) != 2:
        raise entry.refuse(f"multiplies {len(entry.bottoms)} tensors", "only two are known")
    return "add" if operation == "SUM" else "scale"


KINDS: Mapping[str, Callable[[Entry, Shape], Body]] = {
    "BN": batch_norm,
    "BatchNorm": batch_norm,
    "Clip": clip,
    "Convolution": convolution,
    "ConvolutionDepthwise": convolution,
    "DepthwiseConvolution": convolution,
    "Dropout": dropout,
    "ELU": plain("elu", "alpha"),
    "Flatten": flatten,
    "InnerProduct": inner_product,
    "LRN": local_norm,
    "Pooling": pooling,
    "ReLU": relu,
    "ReLU6": plain("relu6"),
    "Reshape": reshape,
    "Scale": scale,
    "Sigmoid": plain("sigmoid"),
    "Swish": plain("swish", "beta"),
    "TanH": plain("tanh"),
}
JOINS: Mapping[str, Callable[[Entry], Join]] = {"Concat": concat, "Eltwise": eltwise}
