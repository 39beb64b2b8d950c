"""Activations, recognised by what they do to numbers instead of by how a file spells them.

Exporters write one activation in many ways: GELU as five operators or as eight, hard-swish as
x * Clip(x + 3, 0, 6) / 6 or x * HardSigmoid(x). Here each operator on single numbers moves a curve
of values along, and what counts is whether the curve at the end is that of an activation of ours.
"""

from collections.abc import Callable
from math import erf
from typing import Any

import numpy as np

from wootzc.grammar.imports.onnx.context import Context
from wootzc.grammar.imports.onnx.source import Operator
from wootzc.grammar.imports.onnx.tensors import Curve
from wootzc.ir.layers import Activation, ActivationKind

Function = Callable[[Curve], Curve]

# Dense where activations bend, and far out, where clipped ones differ.
GRID: Curve = np.concatenate(
    [np.linspace(-12, 12, 193), [-1e4, -1e3, -100.0, -20.0, 20.0, 100.0, 1e3, 1e4]]
)
ZERO = 96  # where it is zero

# Files hold constants such as 1/6 to five digits.
RTOL, ATOL = 3e-5, 3e-6

_erf = np.vectorize(erf, otypes=[float])


def _sigmoid(x: Curve) -> Curve:
    return np.asarray(0.5 * (1 + np.tanh(x / 2)))


def _hard_sigmoid(x: Curve, alpha: float = 1 / 6, beta: float = 0.5) -> Curve:
    return np.asarray(np.clip(alpha * x + beta, 0, 1))


def _gelu(x: Curve) -> Curve:
    return np.asarray(0.5 * x * (1 + _erf(x / 2**0.5)))


def _gelu_tanh(x: Curve) -> Curve:
    return np.asarray(0.5 * x * (1 + np.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3))))


def _elu(x: Curve, alpha: float = 1.0) -> Curve:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


KNOWN: dict[ActivationKind, Curve] = {
    "relu": np.maximum(GRID, 0),
    "relu6": np.clip(GRID, 0, 6),
    "elu": _elu(GRID),
    "gelu": _gelu(GRID),
    "gelu_tanh": _gelu_tanh(GRID),
    "swish": GRID * _sigmoid(GRID),
    "hard_swish": GRID * _hard_sigmoid(GRID),
    "sigmoid": _sigmoid(GRID),
    "hard_sigmoid": _hard_sigmoid(GRID),
    "tanh": np.tanh(GRID),
}


def activation(curve: Curve) -> Activation | None:
    """The activation that does this to `GRID`, if there is one."""
    for kind, known in KNOWN.items():
        if np.allclose(curve, known, RTOL, ATOL):
            return Activation(kind=kind)
    above = GRID > 0
    slope = float(str(np.float32(curve[0] / GRID[0])))  # 0.2, where ONNX says 0.20000000298
    if not np.allclose(curve[above], GRID[above], RTOL, ATOL) or np.isclose(slope, 1):
        return None
    leaky = np.allclose(curve[~above], slope * GRID[~above], RTOL, ATOL)
    return Activation(kind="leaky_relu", slope=slope) if leaky else None


def affine(curve: Curve) -> tuple[float, float] | None:
    """The factor and the number added, where the curve is a straight line."""
    shift = float(curve[ZERO])
    scale = float(curve[ZERO + 8] - shift)  # at 1
    straight = np.allclose(curve, scale * GRID + shift, 1e-9, 1e-9)
    return (scale, shift) if straight else None


def function(operator: Operator, context: Context) -> Function:
    """What an operator of one tensor and constants does to a number."""
    given = operator.attributes

    def number(name: str, default: float) -> float:
        return float(given.get(name, default))

    match operator.kind:
        case "LeakyRelu":
            alpha = number("alpha", 0.01)
            return lambda x: np.where(x > 0, x, alpha * x)
        case "PRelu":
            slopes = context.needed(operator, 1)
            if slopes.size != 1 and np.ptp(slopes) > 0:
                raise operator.refused(
                    "its slope differs from channel to channel; wootzc has leaky_relu with one"
                )
            slope = float(slopes.ravel()[0])
            return lambda x: np.where(x > 0, x, slope * x)
        case "Elu":
            alpha = number("alpha", 1)
            return lambda x: _elu(x, alpha)
        case "Celu":
            alpha = number("alpha", 1)
            return lambda x: alpha * _elu(x / alpha)
        case "HardSigmoid":
            slope, offset = number("alpha", 0.2), number("beta", 0.5)
            return lambda x: _hard_sigmoid(x, slope, offset)
        case "Clip":
            low = context.number(operator, "min", 1, -np.inf)
            high = context.number(operator, "max", 2, np.inf)
            return lambda x: np.minimum(np.maximum(x, low), high)
        case "Swish":
            factor = number("alpha", 1)
            return lambda x: x * _sigmoid(factor * x)
        case "Gelu":
            return _gelu_tanh if given.get("approximate", "none") == "tanh" else _gelu
        case kind:
            return PLAIN[kind]


PLAIN: dict[str, Callable[[Any], Any]] = {
    "Relu": lambda x: np.maximum(x, 0),
    "Sigmoid": _sigmoid,
    "Tanh": np.tanh,
    "HardSwish": lambda x: x * _hard_sigmoid(x),
    "Softplus": lambda x: np.logaddexp(0, x),
    "Erf": _erf,
    "Exp": np.exp,
    "Log": np.log,
    "Sqrt": np.sqrt,
    "Neg": np.negative,
    "Reciprocal": np.reciprocal,
}
UNARY = (
    *PLAIN, "LeakyRelu", "PRelu", "Elu", "Celu", "HardSigmoid", "Clip", "Swish", "Gelu",
)  # fmt: skip
BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": np.divide,
    "Pow": np.power,
    "Max": np.maximum,
    "Min": np.minimum,
}
