"""The built-in layers: the arguments each takes and the IR layer it makes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

from wootzc.diagnostics import Span
from wootzc.grammar.arguments import (
    AMOUNT,
    COUNT,
    FLAG,
    PADDING,
    PAIR,
    PART,
    REAL,
    SHARE,
    Parameter,
    words,
)  # fmt: skip
from wootzc.ir.layers import (
    Activation,
    ActivationKind,
    Conv,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalPool,
    Join,
    Layer,
    LocalNorm,
    Norm,
    Pool,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Operator:
    parameters: tuple[Parameter, ...]
    make: Callable[..., Layer]


_WINDOW = (
    Parameter("stride", PAIR, (1, 1)),
    Parameter("padding", PADDING, "same"),
    Parameter("dilation", PAIR, (1, 1)),
)


def _pool(kind: Any) -> Operator:
    def make(size: Any, stride: Any, span: Span, **options: Any) -> Layer:
        return Pool(kind=kind, size=size, stride=stride or size, span=span, **options)

    parameters = (
        Parameter("size", PAIR),
        Parameter("stride", PAIR, None),
        Parameter("padding", PADDING, "valid"),
        Parameter("ceil", FLAG, False),
    )
    average = (Parameter("count_padding", FLAG, False),) if kind == "avg" else ()
    return Operator((*parameters, *average), make)


def _activation(kind: Any) -> Operator:
    def make(span: Span, **options: Any) -> Layer:
        return Activation(kind=kind, span=span, **options)

    slope = (Parameter("slope", REAL, Activation().slope),) if kind == "leaky_relu" else ()
    return Operator(slope, make)


# A bias of None is settled later: none where a norm follows, which would cancel it.
OPERATORS: dict[str, Operator] = {
    "conv": Operator(
        (
            Parameter("kernel", PAIR),
            Parameter("width", COUNT),
            *_WINDOW,
            Parameter("groups", COUNT, 1),
            Parameter("bias", FLAG, None),
        ),
        Conv,
    ),
    "depthwise": Operator(
        (Parameter("kernel", PAIR), *_WINDOW, Parameter("bias", FLAG, None)), DepthwiseConv
    ),
    "norm": Operator((Parameter("epsilon", AMOUNT, 1e-5), Parameter("momentum", SHARE, 0.9)), Norm),
    "lrn": Operator(
        (
            Parameter("size", COUNT, 5),
            Parameter("alpha", AMOUNT, 1e-4),
            Parameter("beta", AMOUNT, 0.75),
            Parameter("k", AMOUNT, 1.0),
        ),
        LocalNorm,
    ),
    **{kind: _activation(kind) for kind in get_args(ActivationKind)},
    "silu": _activation("swish"),
    "max_pool": _pool("max"),
    "avg_pool": _pool("avg"),
    "global_pool": Operator(
        (Parameter("kind", words("avg", "max"), "avg"), Parameter("keep_dims", FLAG, False)),
        GlobalPool,
    ),
    "dense": Operator((Parameter("width", COUNT), Parameter("bias", FLAG, True)), Dense),
    "dropout": Operator((Parameter("rate", PART, 0.5),), Dropout),
    "flatten": Operator((), Flatten),
}

# Not a layer of its own: nothing where the shape stays, else a 1x1 convolution with a norm.
SHORTCUT = (Parameter("width", COUNT), Parameter("stride", PAIR, (1, 1)))

JOINS: tuple[str, ...] = get_args(Join)

# An arm of `add` by itself: the input where it has the shape of the other arms, else no arm.
FITTING = "shortcut_if_fits"

BUILT_IN = (*OPERATORS, "shortcut", FITTING, *JOINS, "input")

# What other tools call it.
ALIASES = {
    "conv2d": "conv", "convolution": "conv", "depthwise_conv": "depthwise", "dwconv": "depthwise",
    "bn": "norm", "batch_norm": "norm", "batchnorm": "norm", "batchnorm2d": "norm",
    "local_norm": "lrn", "localnorm": "lrn", "local_response_norm": "lrn",
    "localresponsenorm": "lrn", "gelu_erf": "gelu", "leaky": "leaky_relu",
    "maxpool": "max_pool", "maxpool2d": "max_pool", "pool": "max_pool", "avgpool": "avg_pool",
    "gap": "global_pool", "global_avg_pool": "global_pool", "linear": "dense", "fc": "dense",
    "residual": "add", "sum": "add", "cat": "concat", "concatenate": "concat", "se": "scale",
    "hardswish": "hard_swish", "hardsigmoid": "hard_sigmoid", "leakyrelu": "leaky_relu",
    "skip": "shortcut", "projection": "shortcut", "softmax": "dense",
}  # fmt: skip
