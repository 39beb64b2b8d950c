"""What is known while an ONNX graph is read: constants, tensors, and drafts of our nodes."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, TypeAlias

import numpy as np

from wootzc.grammar.imports.onnx.source_graph import Array, Operator
from wootzc.grammar.imports.onnx.tensors import NO_PADS, Tensor
from wootzc.ir.graph import INPUT, Node, Refused
from wootzc.ir.layers import Flatten, Join, Layer, joined_shape
from wootzc.ir.layers.maxima import MAX_COUNT
from wootzc.ir.layers.shapes import Shape, shape_after, shape_text

MOST_NUMBERS = 1 << 28  # of one image


@dataclass(frozen=True, slots=True, kw_only=True)
class Affine:
    """x * scale + shift, channel by channel. Not a layer: `merge` puts it into its neighbours."""

    scale: Array  # [channels], float64
    shift: Array  # [channels], float64


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """Some of the channels. Only fit to be put together again."""

    channels: tuple[int, ...]
    refusal: Refused  # unless they are


Operation: TypeAlias = Layer | Join | Affine | Pick


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A node to be."""

    name: str
    inputs: tuple[str, ...]
    operation: Operation
    weights: Mapping[str, Array] = field(default_factory=dict)
    shape: Shape  # of what leaves it


def node_of(draft: Draft) -> Node:
    """The node, once its neighbours have taken in what is no layer."""
    operation = draft.operation
    assert not isinstance(operation, Affine | Pick)
    weights = {
        name: np.ascontiguousarray(values, dtype=np.float32)
        for name, values in draft.weights.items()
    }
    return Node(name=draft.name, inputs=draft.inputs, operation=operation, weights=weights)


@dataclass(slots=True, kw_only=True)
class Context:
    constants: dict[str, Array]
    tensors: dict[str, Tensor]
    drafts: dict[str, Draft] = field(default_factory=dict)  # in the order of the file
    notes: list[str] = field(default_factory=list)
    input: Shape
    folded: int = 0  # numbers that operators on constants made, beyond those that they read

    def is_constant(self, operator: Operator, index: int) -> bool:
        return len(operator.inputs) > index and operator.inputs[index] in self.constants

    def constant(self, operator: Operator, index: int) -> Array | None:
        """An input that must be known now; None where it is left out."""
        if len(operator.inputs) <= index or not operator.inputs[index]:
            return None
        name = operator.inputs[index]
        if name not in self.constants:
            raise operator.refused(f'its input "{name}" is computed from the image, not a constant')
        return self.constants[name]

    def needed(self, operator: Operator, index: int) -> Array:
        """An input that must be there and known now. Raises a refusal."""
        value = self.constant(operator, index)
        if value is None:
            raise operator.refused(f"it lacks input {index + 1}")
        return value

    def integers(self, operator: Operator, name: str, index: int) -> list[int] | None:
        """Sizes or axes: an attribute in older opsets, an input in newer ones."""
        if name in operator.attributes:
            return [int(i) for i in operator.attributes[name]]
        value = self.constant(operator, index)
        return None if value is None else [int(i) for i in value.ravel()]

    def number(self, operator: Operator, name: str, index: int, default: float) -> float:
        """A number: an attribute in old opsets, the constant input `index` in later ones."""
        if name in operator.attributes:
            return float(operator.attributes[name])
        value = self.constant(operator, index)
        return default if value is None or value.size == 0 else float(value.ravel()[0])

    def tensor(self, operator: Operator, index: int = 0) -> Tensor:
        """An input that depends on the image. Raises a refusal for a constant."""
        name = operator.inputs[index]
        if name in self.constants:
            raise operator.refused(
                f'its input "{name}" is a constant',
                "channels of zeros are read where `nn.functional.pad` puts them beside others; "
                "others can be channels of the images"
                if operator.kind == "Concat"
                else None,
            )
        if name not in self.tensors:
            raise operator.refused(f'its input "{name}" is a second result of another node')
        tensor = self.tensors[name]
        if tensor.readers and tensor.refusal and operator.kind not in tensor.readers:
            raise tensor.refusal
        return tensor

    def layer(self, operator: Operator, layer: Layer, tensor: Tensor, **weights: Array) -> Draft:
        """Add the draft of a layer, under the operator's name."""
        node = usable(tensor)
        shape = shape_after(layer, self.shape(node))
        for name, values in weights.items():
            if name != "kernel" and values.shape != shape[-1:]:
                sizes = "x".join(map(str, values.shape))
                raise operator.refused(f"its {name} is {sizes}, and {shape[-1]} channels leave it")
        return self.add(operator.name, layer, (node,), shape, weights)

    def affine(self, operator: Operator, tensor: Tensor, scale: Array, shift: Array) -> Draft:
        """Draft `tensor * scale + shift`, each [channels]."""
        node = usable(tensor)
        affine = Affine(scale=scale, shift=shift)
        return self.add(operator.name, affine, (node,), self.shape(node))

    def join(self, operator: Operator, join: Join, *tensors: Tensor) -> Draft:
        """Draft a join of tensors. Raises a refusal where their shapes do not fit."""
        nodes = tuple(map(usable, tensors))
        shape = joined_shape(join, [self.shape(node) for node in nodes])
        if shape is None:
            raise operator.refused("what enters does not fit together")
        return self.add(operator.name, join, nodes, shape)

    def add(
        self,
        name: str,
        operation: Operation,
        inputs: tuple[str, ...],
        shape: Shape,
        weights: Mapping[str, Array] | None = None,
    ) -> Draft:
        """Draft a node under a free name; `shape` is (height, width, channels) or (n,).

        Raises `Refused` where that is larger than can be.
        """
        # Nobody means a billion numbers: a damaged file says so, and memory would run out.
        if shape[-1] > MAX_COUNT or prod(shape) > MOST_NUMBERS:
            raise Refused(f'what node "{name}" makes, {shape_text(shape)}, is too large')
        while name in self.drafts or name == INPUT:
            name += "_"
        draft = Draft(
            name=name, inputs=inputs, operation=operation, weights=weights or {}, shape=shape
        )
        self.drafts[name] = draft
        return draft

    def shape(self, node: str) -> Shape:
        """(height, width, channels) or (n,) of what a node makes."""
        return self.input if node == INPUT else self.drafts[node].shape

    def flattened(self, tensor: Tensor) -> Tensor:
        """The tensor as a vector of ours."""
        if tensor.flat:
            return tensor
        node = usable(tensor)
        name = f"{node}/flatten"
        if name not in self.drafts:
            self.add(name, Flatten(), (node,), shape_after(Flatten(), self.shape(node)))
        return replace(tensor, node=name, flat=True, lines={})


def usable(tensor: Tensor) -> str:
    """The node of a tensor that a layer may read as it is."""
    if tensor.refusal is not None:
        raise tensor.refusal
    assert tensor.node is not None and tensor.pads == NO_PADS and not tensor.softmax
    return tensor.node


def made(tensor: Tensor, draft: Draft, **changes: Any) -> Tensor:
    """What `draft` made of `tensor`; what nobody says is as before."""
    fresh: dict[str, Any] = {"lines": {}, "positive": False, "refusal": None, "readers": ()}
    return replace(tensor, node=draft.name, **(fresh | changes))
