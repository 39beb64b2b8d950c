"""The nodes of a graph, as a traced model needs them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wootzc.backends.flax.read.curves import POINTS, activation, is_identity, line
from wootzc.backends.flax.read.traced_values import Content, Origin, unknown
from wootzc.backends.python_source.text import unused
from wootzc.ir.graph import INPUT, Node, Refused
from wootzc.ir.layers import Activation, DepthwiseConv, Join, Layer
from wootzc.ir.layers.shapes import Shape, ShapeError, shape_after

Arrays = Mapping[str, NDArray[np.float32]]


class Nodes:
    """Nodes are made when something reads them, so that arithmetic on the way costs none."""

    def __init__(self, input: Shape, taken: set[str]):
        self.nodes: list[Node] = []
        self.shapes: dict[str, Shape] = {INPUT: input}
        self.taken = taken  # names of layers to come
        self.activations: dict[tuple[str, Activation], Content] = {}

    def content(self, node: str) -> Content:
        """What a node makes."""
        content = Content(self.shapes[node], node)
        content.curves[content] = POINTS
        return content

    def made(self, layer: Layer, source: Content, name: str, weights: Arrays) -> Content:
        """What a layer makes of a content. `name`: of the node."""
        before = self.materialised(source)
        try:
            image = shape_after(layer, source.image)
        except ShapeError as error:
            raise Refused(f"`{name}` does not fit its input: {error}") from None
        return self.add(name, (before,), layer, image, weights)

    def joined(self, join: Join, contents: list[Content], image: Shape, scope: str) -> Content:
        """A node that joins these; its content has the shape `image`."""
        sources = tuple(self.materialised(content) for content in contents)
        return self.add(self.named(scope, join), sources, join, image, {})

    def add(
        self,
        name: str,
        inputs: tuple[str, ...],
        operation: Layer | Join,
        image: Shape,
        weights: Arrays,
    ) -> Content:
        """A node that makes an image (height, width, channels) or a vector; its content."""
        self.nodes.append(Node(name=name, inputs=inputs, operation=operation, weights=weights))
        self.shapes[name] = image
        return self.content(name)

    def named(self, scope: str, kind: str) -> str:
        """A new node's name in a module of the model."""
        name = f"{scope}.{kind}" if scope else kind
        name = unused(name, self.taken) if name in self.taken else name
        self.taken.add(name)
        return name

    def materialised(self, content: Content) -> str:
        """The node that makes a content."""
        if content.node is None:
            settled = self._settled(content)
            content.node = self.materialised(settled)
        return content.node

    def _settled(self, content: Content) -> Content:
        """A content with a node, or nearer to one, that is the same."""
        origin = content.origin
        assert origin is not None
        bases = [(base, curve) for base, curve in content.curves.items() if base is not content]
        for base, curve in bases:
            if is_identity(curve):
                return base
            if found := activation(curve):
                return self._activated(found, base, origin.scope)
        if content.windows and not bases:
            source, pool = content.windows
            return self.made(pool, source, self.named(origin.scope, "avg_pool"), {})
        tensors = [operand for operand in origin.operands if isinstance(operand, Content)]
        if origin.name in {"add", "add_any", "mul"} and len(tensors) == 2:
            join: Join = "scale" if origin.name == "mul" else "add"
            return self.joined(join, tensors, content.image, origin.scope)
        for base, curve in bases:
            if found_line := line(curve):
                return self._linear(base, *found_line, origin.scope)
        two = len(origin.operands) == 2 and len(tensors) == 1
        if two and (by_channel := self._by_channel(origin, tensors[0])):
            return by_channel
        raise unknown(origin.name, origin.line)

    def _activated(self, layer: Activation, base: Content, scope: str) -> Content:
        source = self.materialised(base)
        if (source, layer) not in self.activations:
            name = self.named(scope, layer.kind)
            self.activations[source, layer] = self.add(name, (source,), layer, base.image, {})
        return self.activations[source, layer]

    def _linear(self, base: Content, a: Any, b: Any, scope: str) -> Content:
        """a x + b, numbers or one for each channel: a depthwise convolution of single pixels."""
        if len(base.image) != 3:
            raise Refused(f"{scope or 'the model'} scales or shifts a flattened image")
        channels = base.image[-1]
        weights = {
            "kernel": np.broadcast_to(np.asarray(a, np.float32), (1, 1, 1, channels)).copy(),
            "bias": np.broadcast_to(np.asarray(b, np.float32), (channels,)).copy(),
        }
        layer = DepthwiseConv(kernel=(1, 1), bias=True)
        return self.made(layer, base, self.named(scope, "linear"), weights)

    def _by_channel(self, origin: Origin, tensor: Content) -> Content | None:
        """A tensor and one number for each channel."""
        first, second = origin.operands
        constant = first if isinstance(second, Content) else second
        channels = tensor.image[-1]
        assert isinstance(constant, np.ndarray)
        if constant.size != channels or constant.shape[-1:] != (channels,):
            return None
        each = constant.reshape(channels).astype(np.float32)
        behind = constant is second
        match origin.name:
            case "add":
                return self._linear(tensor, 1, each, origin.scope)
            case "mul":
                return self._linear(tensor, each, 0, origin.scope)
            case "sub" if behind:
                return self._linear(tensor, 1, -each, origin.scope)
            case "sub":
                return self._linear(tensor, -1, each, origin.scope)
            case "div" if behind:
                return self._linear(tensor, 1 / each, 0, origin.scope)
            case _:
                return None
