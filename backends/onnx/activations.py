"""Activations as ONNX operators of opset 17, which has no Gelu and no Swish of its own."""

import math
from typing import assert_never

from wootzc.backends.onnx.writer import Writer
from wootzc.ir.layers import Activation


def activation(layer: Activation, x: str, path: str, writer: Writer) -> str:
    """Emit `layer` under the name `path`; where it takes several nodes, the last has that name."""
    match layer.kind:
        case "relu":
            return writer.node("Relu", [x], path)
        case "relu6":
            return writer.node("Clip", [x, writer.number(0), writer.number(6)], path)
        case "leaky_relu":
            return writer.node("LeakyRelu", [x], path, alpha=layer.slope)
        case "elu":
            return writer.node("Elu", [x], path, alpha=1.0)
        case "gelu":
            return _gelu(x, path, writer)
        case "gelu_tanh":
            return _gelu_tanh(x, path, writer)
        case "swish":
            return writer.node("Mul", [x, writer.node("Sigmoid", [x], f"{path}/sigmoid")], path)
        case "hard_swish":
            return writer.node("HardSwish", [x], path)
        case "sigmoid":
            return writer.node("Sigmoid", [x], path)
        case "hard_sigmoid":  # relu6(x + 3) / 6
            return writer.node("HardSigmoid", [x], path, alpha=1 / 6, beta=0.5)
        case "tanh":
            return writer.node("Tanh", [x], path)
        case _:
            assert_never(layer.kind)


def _gelu(x: str, path: str, writer: Writer) -> str:
    """x (1 + erf(x / √2)) / 2, in the nodes that PyTorch writes and runtimes fuse."""
    scaled = writer.node("Div", [x, writer.number(math.sqrt(2))], f"{path}/div")
    erf = writer.node("Erf", [scaled], f"{path}/erf")
    return _half_of(x, erf, path, writer)


def _gelu_tanh(x: str, path: str, writer: Writer) -> str:
    """x (1 + tanh(√(2 / π) (x + 0.044715 x³))) / 2 (Hendrycks and Gimpel 2016)."""
    cube = writer.node("Pow", [x, writer.number(3)], f"{path}/pow")
    small = writer.node("Mul", [cube, writer.number(0.044715)], f"{path}/small")
    inner = writer.node("Add", [x, small], f"{path}/inner")
    scaled = writer.node("Mul", [inner, writer.number(math.sqrt(2 / math.pi))], f"{path}/scaled")
    return _half_of(x, writer.node("Tanh", [scaled], f"{path}/tanh"), path, writer)


def _half_of(x: str, gate: str, path: str, writer: Writer) -> str:
    """x (1 + gate) / 2"""
    plus = writer.node("Add", [gate, writer.number(1)], f"{path}/plus")
    product = writer.node("Mul", [x, plus], f"{path}/product")
    return writer.node("Mul", [product, writer.number(0.5)], path)
