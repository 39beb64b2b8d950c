"""A sigmoid at the end is left out with a note, whatever the network comes from."""

from collections.abc import Callable
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import onnx
import pytest
from flax import nnx

import wootzc
from wootzc.grammar.imports import read_graph
from wootzc.ir.graph import INPUT, Graph, Node
from wootzc.ir.graph.ends import without_final_sigmoid
from wootzc.ir.layers import Activation, Dense, Flatten, GlobalPool

SIGMOID = Activation(kind="sigmoid")
NOTE = "the final sigmoid `{}` is left out: training and accuracy go by the scores before it"


def graph_of(*nodes: Node, modules: dict[str, tuple[str, ...]] | None = None) -> Graph:
    return Graph(
        name="n", input=(8, 8, 3), nodes=nodes, output=nodes[-1].name, modules=modules or {}
    )


POOL = Node(name="pool", inputs=(INPUT,), operation=GlobalPool(keep_dims=True))
FLAT = Node(name="flat", inputs=("s",), operation=Flatten())


def sigmoid(source: str) -> Node:
    return Node(name="s", inputs=(source,), operation=SIGMOID)


def test_the_scores_before_it_are_the_output() -> None:
    graph = without_final_sigmoid(graph_of(POOL, sigmoid("pool"), modules={"m": ("pool", "s")}))
    assert graph.nodes == (POOL,)
    assert graph.output == "pool"
    assert graph.notes == (NOTE.format("s"),)
    assert graph.modules == {"m": ("pool",)}


def test_a_flatten_may_stand_behind_it() -> None:
    graph = without_final_sigmoid(graph_of(POOL, sigmoid("pool"), FLAT, modules={"m": ("s",)}))
    assert [(node.name, node.inputs) for node in graph.nodes] == [
        ("pool", (INPUT,)), ("flat", ("pool",))
    ]  # fmt: skip
    assert (graph.output, graph.modules) == ("flat", {})


@pytest.mark.parametrize(
    "graph",
    [
        graph_of(POOL),
        graph_of(sigmoid(INPUT)),  # nothing would be left
        graph_of(POOL, sigmoid("pool"), Node(name="d", inputs=("s",), operation=Dense(width=2))),
        graph_of(POOL, Node(name="t", inputs=("pool",), operation=Activation(kind="tanh"))),
    ],
)
def test_other_ends_stay(graph: Graph) -> None:
    assert without_final_sigmoid(graph) is graph


def test_of_onnx(onnx_model: Callable[..., onnx.ModelProto], tmp_path: Path) -> None:
    model = onnx_model([("Sigmoid", "x", "y", {})])
    model.graph.node.append(onnx.helper.make_node("Sigmoid", ["logits"], ["chances"]))
    model.graph.output[0].name = "chances"
    onnx.save(model, tmp_path / "net.onnx")
    graph = read_graph(str(tmp_path / "net.onnx"))
    assert graph.nodes[0].operation == SIGMOID  # it stays where it is no end
    assert isinstance(graph.nodes[-1].operation, Dense)
    assert graph.notes == (NOTE.format("chances"),)


def test_of_caffe(tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(
        'input: "data" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8\n'
        'layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"'
        " convolution_param { num_output: 2 kernel_size: 8 } }\n"
        'module { name: "m" layer { name: "s" type: "Sigmoid" bottom: "conv" top: "conv" } }\n'
    )
    graph = read_graph(str(tmp_path / "net.prototxt"))
    assert [node.name for node in graph.nodes] == ["conv", "conv/flatten"]
    assert graph.notes == (NOTE.format("s"),)
    assert graph.modules == {}  # the sigmoid was all of `m`


class Chances(nnx.Module):
    def __init__(self) -> None:
        self.conv = nnx.Conv(3, 4, (3, 3), rngs=nnx.Rngs(0))
        self.head = nnx.Linear(4, 2, rngs=nnx.Rngs(0))

    def __call__(self, x: jnp.ndarray) -> jnp.ndarray:
        return nnx.sigmoid(self.head(nnx.sigmoid(self.conv(x)).mean((1, 2))))


def test_of_flax() -> None:
    model = Chances()
    imported = wootzc.from_nnx(model, jnp.zeros((1, 8, 8, 3)))
    layers = [layer for part in imported.network.segments for layer in part.body]
    assert isinstance(layers[-1], Dense)
    assert SIGMOID in layers
    assert imported.notes == (NOTE.format("sigmoid_2"),)
    np.testing.assert_array_equal(
        next(v for k, v in imported.weights.items() if v.shape == (4, 2)), model.head.kernel[...]
    )
