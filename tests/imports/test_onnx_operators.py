"""Each operator of ONNX that wootzc reads, alone: the logits are onnxruntime's."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import pytest

from wootzc.ir.graph import Graph

pytest.importorskip("onnxruntime")

Step = tuple[str, str, str, dict[str, Any]]
RANDOM = np.random.default_rng(7)
IMAGE = (2, 3, 8, 8)


def numbers(*shape: int) -> Any:
    return RANDOM.uniform(0.2, 1, shape).astype(np.float32) * RANDOM.choice([-1, 1], shape).astype(
        np.float32
    )


def ints(*values: int) -> Any:
    return np.array(values, dtype=np.int64)


def single(value: float) -> Any:
    return np.array(value, dtype=np.float32)


@dataclass(kw_only=True)
class Case:
    steps: list[Step]
    constants: dict[str, Any] = field(default_factory=dict)
    reads: str  # the operations that the graph has, without its head
    options: dict[str, Any] = field(default_factory=dict)


def conv(reads: str = "Conv", weights: tuple[int, ...] = (4, 3, 3, 3), **attributes: Any) -> Case:
    return Case(
        steps=[("Conv", "x w b", "y", attributes)],
        constants={"w": numbers(*weights), "b": numbers(weights[0])},
        reads=reads,
    )


def one(kind: str, reads: str, inputs: str = "x", opset: int = 13, **attributes: Any) -> Case:
    return Case(steps=[(kind, inputs, "y", attributes)], reads=reads, options={"opset": opset})


def after_conv(
    steps: list[Step], reads: str, dims: tuple[int | str, ...] = IMAGE, **constants: Any
) -> Case:
    """`steps` from "c", which a convolution without bias makes, to "y"."""
    return Case(
        options={"dims": dims},
        steps=[("Conv", "x w", "c", {"pads": [1, 1, 1, 1]}), *steps],
        constants={"w": numbers(4, 3, 3, 3), **constants},
        reads=reads,
    )


PER_CHANNEL = numbers(1, 4, 1, 1)

WINDOWS = {
    "conv": conv(),
    "conv, padded unevenly": conv(pads=[0, 1, 2, 1], strides=[2, 1]),
    "conv, same": conv(pads=[1, 1, 1, 1]),
    "conv, same upper": conv(auto_pad="SAME_UPPER", strides=[2, 2]),
    "conv, same lower": conv(auto_pad="SAME_LOWER", strides=[2, 2]),
    "conv, valid": conv(auto_pad="VALID", kernel_shape=[3, 3]),
    "conv, dilated": conv(dilations=[2, 1], pads=[2, 1, 2, 1]),
    "conv, 1x7": conv(weights=(4, 3, 1, 7), pads=[0, 3, 0, 3]),
    "conv, grouped": conv(weights=(6, 1, 3, 3), group=3),
    "depthwise": conv("DepthwiseConv", weights=(3, 1, 3, 3), group=3, strides=[2, 2]),
    "max pool": one("MaxPool", "max", kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 0]),
    "max pool, ceil": one("MaxPool", "max", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
    "max pool, ceil, padded": one(
        "MaxPool", "max", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1, pads=[1, 1, 1, 1]
    ),
    "max pool, same": one("MaxPool", "max", kernel_shape=[3, 3], auto_pad="SAME_UPPER"),
    "average pool": one("AveragePool", "avg", kernel_shape=[3, 3], strides=[2, 2]),
    "average pool, padded": one("AveragePool", "avg", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    "average pool, counted": one(
        "AveragePool", "avg", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1
    ),
    "average pool, ceil": one(
        "AveragePool", "avg", opset=19, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1
    ),
    "average pool, ceil, counted": one(
        "AveragePool", "avg", opset=19, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1,
        pads=[1, 1, 1, 1], count_include_pad=1,
    ),
    "global average pool": one("GlobalAveragePool", "avg"),
    "global max pool": one("GlobalMaxPool", "max"),
    "lrn": one("LRN", "LocalNorm", size=3, alpha=0.5, beta=0.6, bias=2.0),
    "pad before conv": Case(
        steps=[
            ("Pad", "x p", "q", {}),
            ("Conv", "q w", "y", {"strides": [2, 2], "pads": [1, 0, 0, 0]}),
        ],
        constants={"p": ints(0, 0, 1, 0, 0, 0, 0, 2), "w": numbers(4, 3, 3, 3)},
        reads="Conv",
    ),
    "pad as attribute": Case(
        steps=[
            ("Pad", "x", "q", {"pads": [0, 0, 1, 1, 0, 0, 1, 1], "value": 0.0}),
            ("Conv", "q w", "y", {}),
        ],
        constants={"w": numbers(4, 3, 3, 3)},
        reads="Conv",
        options={"opset": 10},
    ),
    "pad of some axes": Case(
        steps=[("Pad", "x p  a", "q", {}), ("Conv", "q w", "y", {})],
        constants={"p": ints(1, 0, 1, 1), "a": ints(-1, 2), "w": numbers(4, 3, 3, 3)},
        reads="Conv",
        options={"opset": 18},
    ),
    "pad before average pool": Case(
        steps=[
            ("Pad", "x p", "q", {}),
            ("AveragePool", "q", "y", {"kernel_shape": [3, 3], "strides": [2, 2]}),
        ],
        constants={"p": ints(0, 0, 1, 1, 0, 0, 1, 1)},
        reads="avg",
    ),
    "pad before max pool of what is not negative": Case(
        steps=[
            ("Relu", "x", "r", {}),
            ("Pad", "r p", "q", {}),
            ("MaxPool", "q", "y", {"kernel_shape": [3, 3], "strides": [2, 2]}),
        ],
        constants={"p": ints(0, 0, 1, 1, 0, 0, 1, 1)},
        reads="relu max",
    ),
    "pad, activation, conv": Case(
        steps=[("Pad", "x p", "q", {}), ("HardSwish", "q", "h", {}), ("Conv", "h w", "y", {})],
        constants={"p": ints(0, 0, 1, 1, 0, 0, 1, 1), "w": numbers(4, 3, 3, 3)},
        reads="hard_swish Conv",
        options={"opset": 14},
    ),
    "shortcut without weights": Case(  # He et al. 2015, option A
        steps=[("Slice", "x s e a t", "q", {}), ("Pad", "q p", "y", {})],
        constants={
            "s": ints(0, 0), "e": ints(8, 99), "a": ints(2, 3), "t": ints(2, 2),
            "p": ints(0, 2, 0, 0, 0, 1, 0, 0),
        },
        reads="max Conv",
    ),
}  # fmt: skip

SQRT_2, CUBE = single(2**0.5), single(3)
GELU = {"r": SQRT_2, "one": single(1), "half": single(0.5)}
TANH = {"k": single(0.044715), "s": single((2 / np.pi) ** 0.5), "three": CUBE}
SIX = {"three": single(3), "zero": single(0), "six": single(6)}

ACTIVATIONS = {
    "relu": one("Relu", "relu"),
    "leaky relu": one("LeakyRelu", "leaky_relu", alpha=0.2),
    "prelu of one slope": Case(
        steps=[("PRelu", "x a", "y", {})], constants={"a": numbers(1, 1, 1)}, reads="leaky_relu"
    ),
    "leaky relu as maximum": Case(
        steps=[("Mul", "x a", "m", {}), ("Max", "m x", "y", {})],
        constants={"a": single(0.1)},
        reads="leaky_relu",
    ),
    "elu": one("Elu", "elu"),
    "celu": one("Celu", "elu"),
    "sigmoid": one("Sigmoid", "sigmoid"),
    "sigmoid by exponent": Case(
        steps=[
            ("Neg", "x", "n", {}),
            ("Exp", "n", "e", {}),
            ("Add", "e one", "d", {}),
            ("Div", "one d", "y", {}),
        ],
        constants={"one": single(1)},
        reads="sigmoid",
    ),
    "tanh": one("Tanh", "tanh"),
    "hard swish": one("HardSwish", "hard_swish", opset=14),
    "hard sigmoid": one("HardSigmoid", "hard_sigmoid", alpha=1 / 6, beta=0.5),
    "clip, opset 10": one("Clip", "relu6", opset=10, min=0.0, max=6.0),
    "clip, opset 13": Case(steps=[("Clip", "x zero six", "y", {})], constants=SIX, reads="relu6"),
    "clip from zero": Case(steps=[("Clip", "x zero", "y", {})], constants=SIX, reads="relu"),
    "relu and minimum": Case(
        steps=[("Relu", "x", "r", {}), ("Min", "r six", "y", {})], constants=SIX, reads="relu6"
    ),
    "gelu": one("Gelu", "gelu", opset=20),
    "gelu, tanh": one("Gelu", "gelu_tanh", opset=20, approximate="tanh"),
    "gelu of erf": Case(
        steps=[
            ("Div", "x r", "a", {}),
            ("Erf", "a", "b", {}),
            ("Add", "b one", "c", {}),
            ("Mul", "x c", "d", {}),
            ("Mul", "d half", "y", {}),
        ],
        constants=GELU,
        reads="gelu",
    ),
    "gelu of erf, half first": Case(
        steps=[
            ("Mul", "x half", "h", {}),
            ("Div", "x r", "a", {}),
            ("Erf", "a", "b", {}),
            ("Add", "one b", "c", {}),
            ("Mul", "h c", "y", {}),
        ],
        constants=GELU,
        reads="gelu",
    ),
    "gelu of tanh": Case(
        steps=[
            ("Pow", "x three", "p", {}),
            ("Mul", "p k", "q", {}),
            ("Add", "x q", "a", {}),
            ("Mul", "a s", "b", {}),
            ("Tanh", "b", "c", {}),
            ("Add", "c one", "d", {}),
            ("Mul", "x d", "e", {}),
            ("Mul", "e half", "y", {}),
        ],
        constants=GELU | TANH,
        reads="gelu_tanh",
    ),
    "silu": Case(steps=[("Sigmoid", "x", "s", {}), ("Mul", "x s", "y", {})], reads="swish"),
    "silu by division": Case(
        steps=[
            ("Neg", "x", "n", {}),
            ("Exp", "n", "e", {}),
            ("Add", "e one", "d", {}),
            ("Div", "x d", "y", {}),
        ],
        constants=GELU,
        reads="swish",
    ),
    "hard swish by clip": Case(
        steps=[
            ("Add", "x three", "a", {}),
            ("Clip", "a zero six", "b", {}),
            ("Mul", "x b", "c", {}),
            ("Div", "c six", "y", {}),
        ],
        constants=SIX,
        reads="hard_swish",
    ),
    "hard swish by hard sigmoid": Case(
        steps=[
            ("HardSigmoid", "x", "s", {"alpha": 1 / 6}),
            ("Mul", "s x", "y", {}),
        ],
        reads="hard_swish",
    ),
    "hard sigmoid by clip": Case(
        steps=[
            ("Add", "x three", "a", {}),
            ("Clip", "a zero six", "b", {}),
            ("Div", "b six", "y", {}),
        ],
        constants=SIX,
        reads="hard_sigmoid",
    ),
}

ARITHMETIC = {
    "batch norm": Case(
        steps=[("BatchNormalization", "x s b m v", "y", {"epsilon": 1e-3})],
        constants={
            "s": numbers(3), "b": numbers(3), "m": numbers(3), "v": np.abs(numbers(3)),
        },
        reads="Norm",
    ),
    "batch norm of a vector": Case(
        steps=[
            ("Flatten", "x", "f", {}),
            ("BatchNormalization", "f s b m v", "y", {}),
        ],
        constants={
            "s": numbers(192), "b": numbers(192), "m": numbers(192), "v": np.abs(numbers(192)),
        },
        reads="Flatten Norm",
    ),
    "bias behind a conv": after_conv([("Add", "c k", "y", {})], "Conv", k=PER_CHANNEL),
    "bias before": after_conv([("Add", "k c", "y", {})], "Conv", k=PER_CHANNEL),
    "factor behind a conv": after_conv([("Mul", "c k", "y", {})], "Conv", k=PER_CHANNEL),
    "divisor behind a conv": after_conv([("Div", "c k", "y", {})], "Conv", k=PER_CHANNEL),
    "constant minus": after_conv([("Sub", "k c", "y", {})], "Conv", k=PER_CHANNEL),
    "minus a number": after_conv([("Sub", "c k", "y", {})], "Conv", k=single(0.7)),
    "a norm in pieces": after_conv(
        [("Sub", "c m", "d", {}), ("Mul", "d s", "e", {}), ("Add", "e b", "y", {})],
        "Conv",
        m=PER_CHANNEL, s=PER_CHANNEL, b=PER_CHANNEL,
    ),
    "factor behind an activation": after_conv(
        [("Relu", "c", "r", {}), ("Mul", "r k", "y", {}),], "Conv relu DepthwiseConv", k=PER_CHANNEL
    ),
    "affine before an unpadded conv": Case(
        steps=[
            ("Mul", "x s", "a", {}), ("Add", "a t", "b", {}),
            ("Conv", "b w", "y", {"group": 3}),
        ],
        constants={"s": numbers(3, 1, 1), "t": numbers(3, 1, 1), "w": numbers(6, 1, 3, 3)},
        reads="Conv",
    ),
    "affine before an unpadded depthwise": Case(
        steps=[
            ("Mul", "x s", "a", {}), ("Add", "a t", "b", {}),
            ("Conv", "b w", "y", {"group": 3}),
        ],
        constants={"s": numbers(3, 1, 1), "t": numbers(3, 1, 1), "w": numbers(3, 1, 3, 3)},
        reads="DepthwiseConv",
    ),
    "affine before a padded conv": Case(
        steps=[
            ("Sub", "x s", "a", {}), ("Div", "a t", "b", {}),
            ("Conv", "b w", "y", {"pads": [1, 1, 1, 1]}),
        ],
        constants={"s": numbers(3, 1, 1), "t": numbers(3, 1, 1), "w": numbers(6, 3, 3, 3)},
        reads="DepthwiseConv Conv",
    ),
    "factor before a padded conv": Case(
        steps=[("Mul", "x s", "b", {}), ("Conv", "b w", "y", {"pads": [1, 1, 1, 1]})],
        constants={"s": numbers(3, 1, 1), "w": numbers(6, 3, 3, 3)},
        reads="Conv",
    ),
    "factor that two read": Case(
        steps=[
            ("Conv", "x w", "c", {}), ("Mul", "c s", "d", {}),
            ("Relu", "c", "r", {}), ("Add", "d r", "y", {}),
        ],
        constants={"s": numbers(1, 4, 1, 1), "w": numbers(4, 3, 3, 3)},
        reads="Conv DepthwiseConv relu add",
    ),
    "factors before and behind a dense layer": Case(
        steps=[
            ("GlobalAveragePool", "x", "g", {}), ("Flatten", "g", "f", {}),
            ("Mul", "f s", "a", {}), ("Add", "a s", "b", {}),
            ("Gemm", "b w v", "c", {"transB": 1}), ("Mul", "c t", "y", {}),
        ],
        constants={"s": numbers(3), "w": numbers(5, 3), "v": numbers(5), "t": numbers(5)},
        reads="avg Dense",
    ),
    "factors of a flattened image": Case(
        steps=[("Flatten", "x", "f", {}), ("Mul", "f s", "y", {})],
        constants={"s": numbers(192)},
        reads="",
    ),
    "sum": after_conv(
        [("Relu", "c", "r", {}), ("Tanh", "c", "t", {}), ("Sum", "c r t", "y", {})],
        "Conv relu tanh add",
    ),
    "difference": after_conv(
        [("Relu", "c", "r", {}), ("MaxPool", "c", "m", {"kernel_shape": [1, 1]}),
         ("Sub", "m r", "y", {})],
        "Conv relu max DepthwiseConv add",
    ),
    "add": after_conv(
        [("MaxPool", "c", "m", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
         ("Add", "c m", "y", {})],
        "Conv max add",
    ),
    "concat": after_conv(
        [("MaxPool", "c", "m", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
         ("Concat", "m c", "y", {"axis": -3})],
        "Conv max concat",
    ),
    "concat of flattened images": after_conv(  # spatial pyramid pooling
        [("MaxPool", "c", "m", {"kernel_shape": [2, 2], "strides": [2, 2]}),
         ("GlobalMaxPool", "c", "g", {}), ("Flatten", "g", "f0", {}), ("Flatten", "m", "f1", {}),
         ("Flatten", "c", "f2", {}), ("Concat", "f0 f1 f2", "z", {"axis": 1}),
         ("Gemm", "z v", "y", {})],
        "Conv max max Flatten Flatten concat Dense",
        v=numbers(324, 4),
    ),
    "squeeze and excite": after_conv(
        [("GlobalAveragePool", "c", "g", {}), ("Conv", "g v", "h", {}),
         ("Sigmoid", "h", "s", {}), ("Mul", "s c", "y", {})],
        "Conv avg Conv sigmoid scale",
        v=numbers(4, 4, 1, 1),
    ),
    "squeeze and excite with dense layers": after_conv(
        [("ReduceMean", "c", "g", {"axes": [2, 3], "keepdims": 0}),
         ("Gemm", "g v u", "h", {"transB": 1, "alpha": 0.5, "beta": 2.0}),
         ("HardSigmoid", "h", "s", {"alpha": 1 / 6}),
         ("Reshape", "s shape", "t", {}), ("Mul", "c t", "y", {})],
        "Conv avg Dense hard_sigmoid scale",
        v=numbers(4, 4), u=numbers(1, 4), shape=ints(0, 4, 1, 1),
    ),
    "squeeze and excite, its factors repeated": after_conv(  # y.expand_as(x)
        [("GlobalAveragePool", "c", "g", {}), ("Conv", "g v", "h", {}), ("Sigmoid", "h", "s", {}),
         ("Shape", "c", "n", {}), ("Expand", "s n", "e", {}), ("Mul", "c e", "y", {})],
        "Conv avg Conv sigmoid scale",
        v=numbers(4, 4, 1, 1), dims=("batch", 3, 8, 8),
    ),
    "factors repeated, channels last": after_conv(
        [("GlobalAveragePool", "c", "g", {}), ("Transpose", "g", "h", {"perm": [0, 2, 3, 1]}),
         ("Transpose", "c", "t", {"perm": [0, 2, 3, 1]}), ("Shape", "t", "n", {}),
         ("Expand", "h n", "e", {}), ("Mul", "e t", "y", {})],
        "Conv avg scale",
    ),
    "product of two images": after_conv(
        [("AveragePool", "c", "m", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
         ("Mul", "c m", "y", {})],
        "Conv avg scale",
    ),
    "channels apart and together": Case(  # torchvision's transform_input
        steps=[
            *[("Gather", f"x i{i}", f"g{i}", {"axis": 1}) for i in range(3)],
            *[("Unsqueeze", f"g{i} one", f"u{i}", {}) for i in range(3)],
            *[("Mul", f"u{i} k{i}", f"m{i}", {}) for i in range(3)],
            *[("Add", f"m{i} k{i}", f"a{i}", {}) for i in range(3)],
            ("Concat", "a0 a1 a2", "c", {"axis": 1}),
            ("Conv", "c w", "y", {"pads": [1, 1, 1, 1]}),
        ],
        constants={
            "one": ints(1), "w": numbers(4, 3, 3, 3),
            **{f"i{i}": np.array(i) for i in range(3)},
            **{f"k{i}": single(i + 0.5) for i in range(3)},
        },
        reads="DepthwiseConv Conv",
    ),
    "channels in another order": Case(
        steps=[
            ("Slice", "x s2 e3 one", "b", {}), ("Slice", "x s0 e2 one", "rg", {}),
            ("Concat", "b rg", "y", {"axis": 1}),
        ],
        constants={"s2": ints(2), "e3": ints(3), "s0": ints(0), "e2": ints(2), "one": ints(1)},
        reads="Conv",
    ),
    "channels in another order at once": Case(
        steps=[("Gather", "x order", "g", {"axis": 1}), ("Concat", "g", "y", {"axis": 1})],
        constants={"order": ints(2, 1, 0)},
        reads="Conv",
    ),
}  # fmt: skip

SHAPES = {
    "reduce mean, attribute": one("ReduceMean", "avg", axes=[2, 3], keepdims=1),
    "reduce mean, negative axes": one("ReduceMean", "avg", axes=[-1, -2], keepdims=0),
    "reduce mean, input": Case(
        steps=[("ReduceMean", "x a", "y", {"keepdims": 0})],
        constants={"a": ints(2, 3)},
        reads="avg",
        options={"opset": 18},
    ),
    "reduce max": one("ReduceMax", "max", axes=[2, 3], keepdims=0),
    "reduce sum": Case(
        steps=[("Conv", "x w", "c", {}), ("ReduceSum", "c a", "y", {"keepdims": 0})],
        constants={"a": ints(2, 3), "w": numbers(4, 3, 3, 3)},
        reads="Conv avg",
    ),
    "reduce mean, one axis after another": Case(
        steps=[
            ("ReduceMean", "x", "a", {"axes": [3], "keepdims": 0}),
            ("ReduceMean", "a", "y", {"axes": [2], "keepdims": 0}),
        ],
        reads="avg avg",
    ),
    "reduce mean of a flattened image": Case(
        steps=[
            ("Reshape", "x s", "r", {}),
            ("ReduceMean", "r", "y", {"axes": [2], "keepdims": 0}),
        ],
        constants={"s": ints(0, 3, -1)},
        reads="avg",
    ),
    "dense over channels, height, width": Case(
        steps=[("Flatten", "x", "f", {}), ("Gemm", "f w", "y", {})],
        constants={"w": numbers(192, 6)},
        reads="Flatten Dense",
    ),
    "matmul and add": Case(
        steps=[
            ("Reshape", "x s", "f", {}), ("MatMul", "f w", "m", {}), ("Add", "m b", "y", {}),
        ],
        constants={"s": ints(-1, 192), "w": numbers(192, 6), "b": numbers(6)},
        reads="Flatten Dense",
    ),
    "shape arithmetic": Case(
        steps=[
            ("Conv", "x w", "c", {}),
            ("Shape", "c", "s", {}), ("Gather", "s zero", "n", {}),
            ("Unsqueeze", "n axis", "u", {}), ("Concat", "u minus", "t", {"axis": 0}),
            ("Cast", "t", "t64", {"to": 7}), ("Reshape", "c t64", "y", {}),
        ],
        constants={"w": numbers(4, 3, 3, 3), "zero": np.array(0), "axis": ints(0),
                   "minus": ints(-1)},
        reads="Conv",
        options={"dims": ("batch", 3, 8, 8)},
    ),
    **{  # PyTorch's as_strided: of what has its channels last in memory, at whatever batch
        f"numbers in the order they have, {name}": after_conv(
            [("GlobalAveragePool", "c", "g", {}), ("Reshape", "g all", "f", {}),
             ("Gather", "f order", "o", {}), ("Reshape", "o vector", "y", {})],
            "Conv avg",
            all=ints(-1), order=np.arange(batch * 4).reshape(batch, 4, 1, 1),
            vector=ints(batch, 4), dims=(dim, 3, 8, 8),
        )
        for name, batch, dim in (("one image", 1, 1), ("two images", 2, 2))
    },
    "numbers in the order they have, any images": after_conv(
        [("GlobalAveragePool", "c", "g", {}), ("Reshape", "g all", "f", {}),
         ("Shape", "x", "s", {}), ("Gather", "s zero", "n", {}), ("Range", "zero n one", "r", {}),
         ("Mul", "r step", "m", {}), ("Unsqueeze", "m axes", "u", {}), ("Add", "u own", "i", {}),
         ("Gather", "f i", "o", {}), ("Reshape", "o vector", "y", {})],
        "Conv avg",
        dims=("n", 3, 8, 8), all=ints(-1), zero=np.array(0), one=np.array(1), step=np.array(4),
        axes=ints(1, 2, 3), own=np.arange(4).reshape(1, 4, 1, 1), vector=ints(-1, 4),
    ),
    "channels put last by their strides": after_conv(
        [("Reshape", "c all", "f", {}), ("Gather", "f order", "y", {})],
        "Conv",
        all=ints(-1), order=np.arange(2 * 4 * 64).reshape(2, 4, 8, 8).transpose(0, 2, 3, 1),
    ),
    "an image flattened and put in order": after_conv(
        [("Flatten", "c", "f", {}), ("Gather", "f order", "y", {"axis": 1})],
        "Conv",
        order=np.arange(4 * 64).reshape(4, 64).T,
    ),
    "one axis for all images, and back": after_conv(
        [("Reshape", "c all", "f", {}), ("Reshape", "f image", "y", {})],
        "Conv",
        all=ints(-1), image=ints(2, 4, 8, 8),
    ),
    "constant of another type": Case(
        steps=[("CastLike", "k x", "f", {}), ("Mul", "x f", "y", {})],
        constants={"k": np.array(2, np.float64)},
        reads="DepthwiseConv",
        options={"opset": 18},
    ),
    "squeeze": Case(
        steps=[("GlobalAveragePool", "x", "g", {}), ("Squeeze", "g", "y", {"axes": [2, 3]})],
        reads="avg", options={"opset": 11},
    ),
    "unsqueeze and conv": Case(
        steps=[
            ("ReduceMean", "x", "m", {"axes": [2, 3], "keepdims": 0}),
            ("Unsqueeze", "m a", "u", {}), ("Conv", "u w", "y", {}),
        ],
        constants={"a": ints(2, 3), "w": numbers(5, 3, 1, 1)},
        reads="avg Conv",
    ),
    "transposed there and back": Case(
        steps=[
            ("Transpose", "x", "t", {"perm": [0, 2, 3, 1]}), ("Relu", "t", "r", {}),
            ("MatMul", "r w", "m", {}), ("Add", "m b", "a", {}),
            ("Transpose", "a", "y", {"perm": [0, 3, 1, 2]}),
        ],
        constants={"w": numbers(3, 5), "b": numbers(5)},
        reads="relu Conv",
    ),
    "flattened channels last": Case(
        steps=[("Conv", "x w", "c", {}), ("Transpose", "c", "y", {"perm": [0, 2, 3, 1]})],
        constants={"w": numbers(4, 3, 3, 3)},
        reads="Conv",
    ),
    "dropout, opset 11": Case(
        steps=[("Relu", "x", "r", {}), ("Dropout", "r", "y mask", {"ratio": 0.3})],
        reads="relu Dropout", options={"opset": 11},
    ),
    "pad with less than any number": after_conv(
        [
            ("Pad", "c p low", "q", {}),
            ("MaxPool", "q", "y", {"kernel_shape": [3, 3], "strides": [2, 2]}),
        ],
        reads="Conv max", p=ints(0, 0, 1, 1, 0, 0, 1, 1), low=single(-np.inf),
    ),
    "weights by upright vectors": after_conv(
        [
            ("GlobalAveragePool", "c", "g", {}), ("Flatten", "g", "f", {}),
            ("Transpose", "f", "t", {"perm": [1, 0]}), ("MatMul", "k t", "u", {}),
            ("Relu", "u", "v", {}), ("Transpose", "v", "y", {}),
        ],
        reads="Conv avg Dense relu", k=numbers(5, 4),
    ),
    "dropout, opset 13": Case(
        steps=[("Relu", "x", "r", {}), ("Dropout", "r p", "y", {})],
        constants={"p": single(0.25)}, reads="relu Dropout",
    ),
    "identity and cast": Case(
        steps=[
            ("Identity", "x", "i", {}),
            ("Cast", "i", "d", {"to": 11}), ("Cast", "d", "f", {"to": 1}),
            ("Relu", "f", "y", {}),
        ],
        reads="relu",
    ),
    "expand to what it is": Case(
        steps=[("Shape", "x", "s", {}), ("Expand", "x s", "e", {}), ("Relu", "e", "y", {})],
        reads="relu",
    ),
}  # fmt: skip

CASES = WINDOWS | ACTIVATIONS | ARITHMETIC | SHAPES


@pytest.mark.parametrize("name", CASES)
def test_an_operator_says_what_onnxruntime_says(
    name: str,
    onnx_model: Callable[..., onnx.ModelProto],
    agrees: Callable[..., Graph],
    kinds: Callable[[Graph], str],
) -> None:
    case = CASES[name]
    graph = agrees(onnx_model(case.steps, case.constants, **case.options))
    assert kinds(graph) == case.reads
