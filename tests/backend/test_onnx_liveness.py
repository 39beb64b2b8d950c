"""Peak activations of a graph: sums that can be done by hand."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from wootzc.backends.onnx import to_onnx
from wootzc.backends.onnx.liveness import peak_activation_bytes
from wootzc.backends.weights.stored import initial_weights
from wootzc.networks import zoo

PIXELS = 16  # of every image here


def a_graph(nodes: Sequence[onnx.NodeProto], channels: int = 1, batch: str | int = "n") -> int:
    """The peak in images of one channel."""
    kernels = {name: size for node in nodes for name, size in wanted(node)}
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, channels, 4, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(np.ones(size, np.float32), name)
            for name, size in kernels.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    peak = peak_activation_bytes(model)
    assert peak is not None and peak % (4 * PIXELS) == 0
    return peak // (4 * PIXELS)


def wanted(node: onnx.NodeProto) -> list[tuple[str, tuple[int, ...]]]:
    """A kernel is called by its sizes: k3x1 makes 3 channels of 1."""
    sizes = [(name, name[1:].split("x")) for name in node.input if name[0] == "k"]
    return [(name, (int(made), int(read), 1, 1)) for name, (made, read) in sizes]


def node(kind: str, inputs: str, output: str) -> onnx.NodeProto:
    attributes: dict[str, Any] = {"axis": 1} if kind == "Concat" else {}
    return helper.make_node(kind, inputs.split(), [output], **attributes)


CASES = {
    "a chain holds two at once": (
        [node("Conv", "x k2x1", "a"), node("Conv", "a k5x2", "b"), node("Conv", "b k1x5", "y")], 7),
    "an activation writes over its input": (
        [node("Conv", "x k5x1", "a"), node("Relu", "a", "b"), node("Conv", "b k1x5", "y")], 6),
    "but not over what is read again": (
        [node("Conv", "x k5x1", "a"), node("Relu", "a", "b"), node("Add", "a b", "y")], 10),
    "nor over the input of the graph": ([node("Relu", "x", "y")], 2),
    "a shortcut lives on": (
        [node("Conv", "x k3x1", "a"), node("Conv", "a k4x3", "b"), node("Conv", "b k3x4", "c"),
         node("Add", "c a", "y")], 10),
    "a concatenation is a copy": (
        [node("Conv", "x k2x1", "a"), node("Conv", "x k3x1", "b"), node("Concat", "a b", "y")], 10),
    "a view takes nothing": (
        [node("Conv", "x k4x1", "a"), node("Flatten", "a", "b"), node("Softmax", "b", "y")], 8),
    "what nothing reads is gone at once": (
        [node("Conv", "x k9x1", "unread"), node("Conv", "x k2x1", "y")], 10),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_peak_done_by_hand(case: str) -> None:
    nodes, images = CASES[case]
    assert a_graph(nodes) == images


def test_it_is_of_one_image_whatever_the_batch() -> None:
    nodes, images = CASES["a shortcut lives on"]
    assert a_graph(nodes, batch=1) == images


def test_a_network_of_the_zoo() -> None:
    """ResNet-18 is at its peak where the first pool reads 16x16 and makes 8x8 pixels."""
    network = zoo("resnet18", classes=10, input=(32, 32, 3))
    peak = peak_activation_bytes(to_onnx(network, initial_weights(network, 0)))
    assert peak == 4 * 64 * (16 * 16 + 8 * 8)


def test_sizes_that_stay_open_are_not_guessed() -> None:
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [node("Relu", "x", "a"), node("Relu", "a", "y")],
        "g",
        [value("x", TensorProto.FLOAT, ["n", 1, "h", "w"])],
        [value("y", TensorProto.FLOAT, ["n", 1, "h", "w"])],
    )
    assert peak_activation_bytes(helper.make_model(graph)) is None
