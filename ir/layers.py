"""Layers: the closed union that every network is written in. Sizes are (height, width)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from wootzc.diagnostics import UNKNOWN, Span

Pair: TypeAlias = tuple[int, int]
Padding: TypeAlias = Literal["same", "valid"] | tuple[Pair, Pair]  # ((top, bottom), (left, right))
ActivationKind = Literal[
    "relu", "relu6", "leaky_relu", "elu", "gelu", "gelu_tanh", "swish", "hard_swish",
    "sigmoid", "hard_sigmoid", "tanh",
]  # fmt: skip
Join = Literal["add", "concat", "scale"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conv:
    """Convolution, grouped where `groups` > 1. Kernel layout: [kh, kw, in // groups, width]."""

    width: int  # output channels
    kernel: Pair = (3, 3)
    stride: Pair = (1, 1)
    padding: Padding = "same"
    dilation: Pair = (1, 1)
    groups: int = 1
    bias: bool = False
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthwiseConv:
    """One filter per channel, so its width follows its input. Kernel layout: [kh, kw, 1, in]."""

    kernel: Pair = (3, 3)
    stride: Pair = (1, 1)
    padding: Padding = "same"
    dilation: Pair = (1, 1)
    bias: bool = False
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Norm:
    """Batch normalisation over all axes but the last; `momentum` weighs the old running value."""

    epsilon: float = 1e-5
    momentum: float = 0.9
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalNorm:
    """Local response normalisation over neighbouring channels (Krizhevsky et al. 2012, §3.3).

    x / (k + alpha / size × Σ x²)^beta, the sum over `size` channels around each.
    """

    size: int = 5
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """`gelu` is the exact one (erf), `gelu_tanh` its approximation."""

    kind: ActivationKind = "relu"
    slope: float = 0.01  # below zero; of leaky_relu alone
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Maximum or average over windows.

    `ceil`: a last window may reach over the end, as in Caffe and PyTorch's ceil mode, if it begins
    inside of the image or its padding at the top or left. `count_padding`: zeros of the padding
    count towards an average; what lies beyond the padding never does.
    """

    kind: Literal["max", "avg"] = "max"
    size: Pair = (2, 2)
    stride: Pair = (2, 2)
    padding: Padding = "valid"
    ceil: bool = False
    count_padding: bool = False
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalPool:
    """(height, width, channels) → (channels,); with `keep_dims` → (1, 1, channels)."""

    kind: Literal["max", "avg"] = "avg"
    keep_dims: bool = False
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dense:
    """Fully connected over the last axis. Kernel layout: [in, width]."""

    width: int
    bias: bool = True
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropout:
    """While training, that share of numbers becomes 0 and the others grow to make up for it."""

    rate: float = 0.5
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flatten:
    """(height, width, channels) → (height * width * channels,), channels fastest."""

    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """Arms side by side on one input; an empty arm is the identity.

    add: all arms have one shape. concat: equal height and width. scale: two arms, the second
    multiplies the first channel by channel, as in squeeze-and-excite.
    """

    join: Join
    arms: tuple["Body", ...]
    span: Span = field(default=UNKNOWN, compare=False, repr=False)


Layer: TypeAlias = (
    Conv
    | DepthwiseConv
    | Norm
    | LocalNorm
    | Activation
    | Pool
    | GlobalPool
    | Dense
    | Dropout
    | Flatten
    | Branch
)
Body: TypeAlias = tuple[Layer, ...]


def walk(body: Body, prefix: str = "") -> Iterator[tuple[str, Layer]]:
    """Every layer with its path, in execution order; a branch comes before its arms.

    A path is positions joined by dots: "2" is the third layer of the body, "0.1.3" the fourth
    layer in the second arm of the branch at position 0.
    """
    for index, layer in enumerate(body):
        path = f"{prefix}{index}"
        yield path, layer
        if isinstance(layer, Branch):
            for arm, arm_body in enumerate(layer.arms):
                yield from walk(arm_body, f"{path}.{arm}.")
