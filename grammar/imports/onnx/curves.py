"""What ONNX's operators on single numbers compute.

Exporters write one activation in many ways: GELU as five operators or as eight, hard-swish as
x * Clip(x + 3, 0, 6) / 6 or x * HardSigmoid(x). Here each operator on single numbers moves a curve
of values along (`ir.curves`), and what counts is whose curve it is at the end.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from wootzc.grammar.imports.onnx.source_graph import Operator
from wootzc.grammar.imports.onnx.tracing import Context
from wootzc.ir.layers.curves import Curve, elu, gelu, gelu_tanh, hard_sigmoid, sigmoid, vector_erf

Function = Callable[[Curve], Curve]


def function(operator: Operator, context: Context) -> Function:
    """What an operator of one tensor and constants does to a number."""
    given = operator.attributes

    def number(name: str, default: float) -> float:
        return float(given.get(name, default))

    match operator.kind:
        case "LeakyRelu":
            alpha = number("alpha", 0.01)
            return lambda x: np.where(x > 0, x, alpha * x)
        case "Elu":
            alpha = number("alpha", 1)
            return lambda x: elu(x, alpha)
        case "Celu":
            alpha = number("alpha", 1)
            return lambda x: alpha * elu(x / alpha)
        case "HardSigmoid":
            slope, offset = number("alpha", 0.2), number("beta", 0.5)
            return lambda x: hard_sigmoid(x, slope, offset)
        case "Clip":
            low = context.number(operator, "min", 1, -np.inf)
            high = context.number(operator, "max", 2, np.inf)
            return lambda x: np.minimum(np.maximum(x, low), high)
        case "Swish":
            factor = number("alpha", 1)
            return lambda x: x * sigmoid(factor * x)
        case "Gelu":
            return gelu_tanh if given.get("approximate", "none") == "tanh" else gelu
        case kind:
            return PLAIN[kind]


PLAIN: dict[str, Callable[[Any], Any]] = {
    "Relu": lambda x: np.maximum(x, 0),
    "Sigmoid": sigmoid,
    "Tanh": np.tanh,
    "HardSwish": lambda x: x * hard_sigmoid(x),
    "Softplus": lambda x: np.logaddexp(0, x),
    "Erf": vector_erf,
    "Exp": np.exp,
    "Log": np.log,
    "Sqrt": np.sqrt,
    "Neg": np.negative,
    "Reciprocal": np.reciprocal,
}
UNARY = (
    *PLAIN, "LeakyRelu", "Elu", "Celu", "HardSigmoid", "Clip", "Swish", "Gelu",
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
