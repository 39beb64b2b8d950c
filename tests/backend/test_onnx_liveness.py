"""Peak activations of a graph: sums that can be done by hand."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from wootzc.backends.onnx import to_onnx
from wootzc.backends.onnx.int8 import calibrated
from wootzc.backends.onnx.liveness import peak_activation_bytes
from wootzc.backends.weights.stored import initial_weights
from wootzc.ir import layers as ir
from wootzc.ir.layers.shapes import shape_after_body
from wootzc.ir.net.cost_tables import network_costs
from wootzc.ir.net.network import Module, Network, Plain
from wootzc.ir.net.prune import prune_network
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


BODIES: dict[str, tuple[ir.Shape, ir.Body]] = {
    "a residual block": (
        (8, 8, 3),
        (
            ir.Conv(width=8),
            ir.Norm(),
            ir.Activation(),
            ir.Branch(
                join="add",
                arms=((ir.Conv(width=6), ir.Norm(), ir.Activation(), ir.Conv(width=8)), ()),
            ),
            ir.Activation(),
        ),
    ),
    "arms of a concatenation": (
        (9, 9, 4),
        (
            ir.Branch(
                join="concat",
                arms=(
                    (ir.Conv(width=3, kernel=(1, 1)), ir.Activation(kind="gelu")),
                    (
                        ir.Pool(kind="max", size=(3, 3), stride=(1, 1), padding="same"),
                        ir.Conv(width=5),
                    ),
                    (),
                ),
            ),
            ir.Norm(),
            ir.Activation(kind="swish"),
        ),
    ),
    "squeeze and excite": (
        (8, 8, 4),
        (
            ir.Conv(width=12, kernel=(1, 1)),
            ir.DepthwiseConv(),
            ir.Norm(),
            ir.Branch(
                join="scale",
                arms=(
                    (),
                    (
                        ir.GlobalPool(keep_dims=True),
                        ir.Dense(width=3),
                        ir.Activation(kind="swish"),
                        ir.Dense(width=12),
                        ir.Activation(kind="sigmoid"),
                    ),
                ),
            ),
            ir.Activation(kind="gelu_tanh"),
        ),
    ),
    "norms of many nodes": (
        (6, 6, 8),
        (
            ir.GroupNorm(groups=2),
            ir.Activation(kind="hard_swish"),
            ir.GroupNorm(groups=1, pixelwise=True),
            ir.PRelu(),
            ir.LocalNorm(size=4),
            ir.Dropout(),
            ir.LocalNorm(size=5),
        ),
    ),
    "an average that counts its padding": (
        (7, 7, 6),
        (
            ir.Conv(width=2),
            ir.Pool(
                kind="avg", size=(2, 2), stride=(2, 2), padding=((1, 1), (1, 1)), ceil=True,
                count_padding=True,
            ),
        ),
    ),
    "a flattened image, normalised": (
        (5, 5, 3),
        (
            ir.Conv(width=4), ir.Flatten(), ir.GroupNorm(groups=2), ir.Activation(),
            ir.Dense(width=7),
        ),
    ),
    "a flattened image": (
        (5, 5, 3), (ir.Conv(width=4), ir.Flatten(), ir.Activation(), ir.Dense(width=7))
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BODIES)
def test_the_compiler_counts_what_the_file_needs(case: str) -> None:
    """A convolution comes first: what enters a file is never written over."""
    shape, body = BODIES[case]
    first = Plain(name="first", body=(ir.Conv(width=shape[-1], kernel=(1, 1)),))
    leaving = shape_after_body(body, shape)
    last = (*((ir.GlobalPool(),) if len(leaving) == 3 else ()), ir.Dense(width=2))
    network = Network(
        name="n",
        input=shape,
        segments=(first, Module(name="m", body=body), Plain(name="last", body=last)),
    )
    _holds(network)


def test_the_memory_of_every_kind_of_layer_is_exact(layers: dict[str, Network]) -> None:
    for name, network in layers.items():
        channels = network.input[-1]
        entering = ir.Conv(width=channels, kernel=(1, 1)), ir.Dense(width=channels)
        first = Plain(name="first", body=(entering[len(network.input) == 1],))
        network = replace(network, segments=(first, *network.segments))
        model = to_onnx(network, initial_weights(network, seed=0))
        assert network_costs(network)["memory"] == peak_activation_bytes(model), name


@pytest.mark.parametrize(
    "name", ["cifar_resnet20", "densenet121", "efficientnet_b0", "googlenet", "mobilenet_v2"]
)
def test_the_compiler_counts_the_zoo_as_its_files_are(name: str) -> None:
    network = zoo(name)
    _holds(network)
    _holds(prune_network(network, (0.5,) * len(network.modules)))


@pytest.mark.parametrize("name", ["cifar_resnet20", "mobilenet_v2"])
def test_quantised_files_are_counted(name: str) -> None:
    network = zoo(name, classes=10, input=(32, 32, 3))
    _holds_in_int8(prune_network(network, (0.5,) * len(network.modules)))


@pytest.mark.parametrize("kind", ["squeeze", "concat", "preactivated", "grouped", "flatten"])
def test_quantised_layers_are_counted(request: pytest.FixtureRequest, kind: str) -> None:
    _holds_in_int8(request.getfixturevalue("zoo")[kind])


def _holds_in_int8(network: Network) -> None:
    """Of what onnxruntime writes, as `_holds`."""
    noise = np.random.default_rng(0).standard_normal((2, *network.input)).astype(np.float32)
    whole = to_onnx(network, initial_weights(network, seed=0))
    model = calibrated(whole, iter([np.ascontiguousarray(noise.transpose(0, 3, 1, 2))]))
    counted, size = network_costs(network, "int8"), model.ByteSize()
    assert counted["memory"] == peak_activation_bytes(model)
    assert size <= counted["size"] <= 1.01 * size + 64 * len(model.graph.node)
    plain = network_costs(network)
    assert {name for name in plain if plain[name] != counted[name]} == {"size", "memory"}


def _holds(network: Network) -> None:
    """Memory is exact, size a little more than the file."""
    model = to_onnx(network, initial_weights(network, seed=0))
    counted, size = network_costs(network), model.ByteSize()
    assert counted["memory"] == peak_activation_bytes(model)
    assert size <= counted["size"] <= 1.01 * size + 64 * len(model.graph.node)
