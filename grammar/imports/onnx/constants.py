"""Operators whose inputs are all known: run now, by the reference implementations of `onnx`."""

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from wootzc.grammar.imports.onnx.source_graph import Array, Operator

if TYPE_CHECKING:
    from onnx import NodeProto

MOST = 1 << 24  # numbers that operators may make out of few

FOLDABLE = frozenset(
    """Abs Add And BatchNormalization Cast CastLike Ceil Clip Concat Constant ConstantOfShape
    Div Equal Exp Expand Flatten Floor Gather Greater GreaterOrEqual Identity Less
    LessOrEqual Log MatMul Max Min Mod Mul Neg Not Or Pow Range Reciprocal ReduceL2
    ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Round
    Shape Sigmoid Sign Size Slice Softmax Split Sqrt Squeeze Sub Sum Tanh Transpose
    Unsqueeze Where""".split()
)
BROADCAST = frozenset(
    """Add And Clip Div Equal Greater GreaterOrEqual Less LessOrEqual Max Min Mod Mul Or Pow Sub
    Sum Where""".split()
)


def fold(operator: Operator, values: dict[str, Array]) -> dict[str, Array]:
    """Its outputs by name. `values`: its inputs by name."""
    if operator.kind not in FOLDABLE:
        raise operator.refused(
            "wootzc does not compute it before the network runs",
            "export the network before it is quantised"
            if operator.kind in ("DequantizeLinear", "QuantizeLinear")
            else "keep what was drawn as a parameter, or a buffer"
            if operator.kind.startswith("Random")
            else None,
        )
    _check_size(operator, [values[name] for name in operator.inputs if name])
    outputs = _run(operator.proto, operator.opset, values)
    return {
        name: np.asarray(value)
        for name, value in zip(operator.outputs, outputs, strict=False)
        if name
    }


def _check_size(operator: Operator, inputs: list[Array]) -> None:
    """A damaged file may ask for more memory than there is."""
    match operator.kind:
        case "ConstantOfShape":
            size = prod(map(int, inputs[0].ravel()))
        case "Expand":
            size = prod(np.broadcast_shapes(inputs[0].shape, tuple(map(int, inputs[1].ravel()))))
        case "Range":
            start, limit, delta = (float(i.ravel()[0]) for i in inputs)
            size = int((limit - start) / delta)
        case "MatMul" if min(i.ndim for i in inputs) > 1:
            size = prod(np.broadcast_shapes(*(i.shape[:-2] for i in inputs)))
            size *= inputs[0].shape[-2] * inputs[1].shape[-1]
        case "Concat":
            size = sum(i.size for i in inputs)
        case _ if operator.kind in BROADCAST:
            size = prod(np.broadcast_shapes(*(i.shape for i in inputs)))
        case _:
            return
    if size > max(MOST, *(i.size for i in inputs)):
        raise operator.refused(f"it makes {size} numbers")


def _run(node: "NodeProto", opset: int, values: dict[str, Array]) -> list[Any]:
    from onnx import TypeProto, helper
    from onnx.reference import ReferenceEvaluator

    def untyped(name: str) -> Any:
        return helper.make_value_info(name, TypeProto())

    names = dict.fromkeys(filter(None, node.input))
    outputs = list(filter(None, node.output))
    if node.op_type == "BatchNormalization":  # old training exports list its statistics as well
        outputs = outputs[:1]
    graph = helper.make_graph(
        [node], "constant", [untyped(n) for n in names], [untyped(n) for n in outputs]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    return list(ReferenceEvaluator(model).run(None, {name: values[name] for name in names}))
