"""How many bytes of activations a graph needs at once: an exact count, nothing is run.

A tensor lives from the node that makes it to the last that reads it; the graph's input from the
start, its outputs to the end. Weights do not count. Nodes run in the order of the file.
"""

from collections import Counter
from collections.abc import Sequence
from math import prod

import onnx
from onnx import TensorProto, helper, shape_inference

from wootzc.ir.layers.steps import How, Step
from wootzc.ir.net.liveness import peak_bytes

VIEWS = frozenset({"DequantizeLinear", "Dropout", "Flatten", "Identity", "Reshape", "Squeeze",
                   "Unsqueeze"})  # fmt: skip
ELEMENTWISE = frozenset({
    "Add", "BatchNormalization", "Clip", "Div", "Elu", "Erf", "Gelu", "HardSigmoid", "HardSwish",
    "LeakyRelu", "Mul", "PRelu", "QuantizeLinear", "Relu", "Sigmoid", "Softplus", "Softsign", "Sub",
    "Sum", "Tanh",
})  # fmt: skip


def peak_activation_bytes(model: onnx.ModelProto) -> int | None:
    """Of one image. None where sizes stay open, or nodes hold graphs of their own.

    Views take nothing, and element-wise nodes write over an input of that size which nothing else
    needs, unless it is the graph's. So do runtimes; some need less, by fusing nodes. A tensor that
    is only read to be quantised is made quantised.
    """
    graph = _with_sizes(model)
    constants = {tensor.name for tensor in model.graph.initializer}
    nodes = []
    for node in graph.node:  # what is made of constants alone is one
        if any(attribute.HasField("g") for attribute in node.attribute):
            return None
        if all(name in constants for name in node.input if name):
            constants.update(node.output)
        else:
            nodes.append(node)
    given = [value.name for value in graph.input if value.name not in constants]
    readers = Counter(name for node in nodes for name in node.input)
    readers.update(value.name for value in graph.output)
    sizes = _bytes(graph, nodes, readers, given)
    made = [name for node in nodes for name in node.output if name]
    if any(name not in sizes for name in (*given, *made)):
        return None
    leaving = [value.name for value in graph.output]
    return peak_bytes([*map(_step, nodes)], sizes, given, leaving, lent=True)


def _step(node: onnx.NodeProto) -> Step[str]:
    how: How = "new"
    if node.op_type in VIEWS:
        how = "view"
    elif node.op_type in ELEMENTWISE:
        how = "over"
    return Step(node.input, [name for name in node.output if name], how)


def _with_sizes(model: onnx.ModelProto) -> onnx.GraphProto:
    """The graph for one image, with the shapes of all that is known.

    Weights are only declared, for inference would copy them; whole numbers may be shapes, and stay.
    """
    light = onnx.ModelProto(ir_version=model.ir_version)
    light.opset_import.extend(model.opset_import)
    graph, given = light.graph, {value.name for value in model.graph.input}
    graph.node.extend(model.graph.node)
    graph.input.extend(model.graph.input)
    graph.output.extend(model.graph.output)
    for value in (*graph.input, *graph.output):
        axes = value.type.tensor_type.shape.dim
        if axes and not axes[0].dim_value:
            axes[0].dim_value = 1
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.INT64:
            graph.initializer.append(tensor)
        elif tensor.name not in given:
            declared = helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            graph.input.append(declared)
    return shape_inference.infer_shapes(light, data_prop=True).graph


def _bytes(
    graph: onnx.GraphProto,
    nodes: Sequence[onnx.NodeProto],
    readers: Counter[str],
    given: Sequence[str],
) -> dict[str, int]:
    """Of every value whose shape is known."""
    sizes = {}
    for value in (*graph.input, *graph.value_info, *graph.output):
        kind = value.type.tensor_type
        axes = [axis.dim_value for axis in kind.shape.dim]
        if kind.elem_type and all(axes):
            each = helper.tensor_dtype_to_np_dtype(kind.elem_type).itemsize
            sizes[value.name] = each * prod(axes)
    for node in reversed(nodes):  # what is quantised at last is quantised where it is made
        source, target = node.input[0] if node.input else "", node.output[0]
        alone = readers[source] == 1 and source not in given
        if alone and node.op_type in ELEMENTWISE and {source, target} <= sizes.keys():
            sizes[source] = min(sizes[source], sizes[target])
    return sizes
