"""The nodes and tensors of an ONNX graph while it is written."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from wootzc.backends.weights.channels_first import Order
from wootzc.ir.layers.shapes import Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A tensor of the graph: its name, and the shape that the IR gives it."""

    name: str
    shape: Shape
    order: Order = None  # of a vector whose values stand channels first


@dataclass(slots=True)
class Writer:
    """Every node makes one tensor, which has the node's name."""

    nodes: list[NodeProto] = field(default_factory=list)
    tensors: dict[str, TensorProto] = field(default_factory=dict)

    def node(self, operator: str, inputs: Sequence[str], name: str, **attributes: Any) -> str:
        """Append a node; the name of what it makes."""
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def tensor(self, name: str, value: NDArray[Any]) -> str:
        """Store weights, as float32 unless they are whole numbers."""
        kind = np.int64 if value.dtype.kind == "i" else np.float32
        array = np.ascontiguousarray(value, dtype=kind)
        self.tensors[name] = numpy_helper.from_array(array, name)
        return name

    def number(self, value: float) -> str:
        """A scalar, stored once however often it is used."""
        name = f"number/{value:.9g}"
        return name if name in self.tensors else self.tensor(name, np.array(value, np.float32))

    def whole(self, *values: int) -> str:
        """Whole numbers, such as a shape, stored once."""
        name = f"whole/{'_'.join(map(str, values))}"
        return name if name in self.tensors else self.tensor(name, np.array(values, np.int64))
