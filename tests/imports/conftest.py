"""Small ONNX models, and what wootzc and onnxruntime make of the same images."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from wootzc.backends.flax.train.evaluation import predict
from wootzc.grammar.imports import read_graph
from wootzc.ir.graph import Graph, Node
from wootzc.ir.graph.decompose import decompose
from wootzc.ir.graph.segment import chain_weights, segment

Array: TypeAlias = NDArray[Any]
Step: TypeAlias = tuple[str, str, str, dict[str, Any]]  # kind, inputs, outputs, attributes

CLASSES = 4


@pytest.fixture
def onnx_model() -> Callable[..., onnx.ModelProto]:
    return make_model


def make_model(
    steps: Sequence[Step],  # from "x" to "y"
    constants: Mapping[str, Any] | None = None,
    *,
    dims: Sequence[int | str] = (2, 3, 8, 8),
    opset: int = 13,
    head: bool = True,  # flatten and dense behind "y", so that logits come out
    outputs: Sequence[str] = (),
) -> onnx.ModelProto:
    arrays = {name: np.asarray(value) for name, value in (constants or {}).items()}
    if head:
        body = make_model(steps, arrays, dims=dims, opset=opset, head=False)
        made = onnxruntime_logits(body, [d if isinstance(d, int) else 2 for d in dims])
        features = int(np.prod(made.shape[1:]))
        random = np.random.default_rng(0)
        arrays["head"] = random.standard_normal((features, CLASSES)).astype(np.float32)
        steps = [
            *steps,
            ("Flatten", "y", "flat", {}),
            ("MatMul", "flat head", "logits", {}),
        ]
    shape = ("n", "k") if head else None
    outputs = outputs or ("logits" if head else "y",)
    graph = helper.make_graph(
        [
            helper.make_node(
                kind, inputs.split(" ") if inputs else [], results.split(" "), **attributes
            )
            for kind, inputs, results, attributes in steps
        ],
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, dims)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in arrays.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def onnxruntime_logits(model: onnx.ModelProto, dims: Sequence[int]) -> Array:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    name = session.get_inputs()[0].name
    logits: Array = session.run(None, {name: images(dims)})[0]
    return logits


def images(dims: Sequence[int]) -> Array:
    """From -8 to 8: every activation bends in between."""
    return np.random.default_rng(1).uniform(-8, 8, dims).astype(np.float32)


def wootzc_logits(graph: Graph, images: Array) -> Array:
    """`images`: [n, height, width, channels]."""
    chain = decompose(graph)
    network = segment(graph.name, graph.input, chain)
    return predict(network, chain_weights(network, chain), images, batch=len(images))


@pytest.fixture
def logits() -> Callable[[Graph, Array], Array]:
    return wootzc_logits


@pytest.fixture
def agrees(tmp_path: Path) -> Callable[..., Graph]:
    """Read a model, and compare its logits with onnxruntime's to 1e-4 of the greatest."""

    def check(model: onnx.ModelProto, *, channels_last: bool = False) -> Graph:
        path = tmp_path / "model.onnx"
        onnx.save(model, path)
        graph = read_graph(str(path))
        sizes = model.graph.input[0].type.tensor_type.shape.dim
        dims = [size.dim_value or 2 for size in sizes]
        expected = onnxruntime_logits(model, dims)
        entering = images(dims) if channels_last else images(dims).transpose(0, 2, 3, 1)
        actual = wootzc_logits(graph, entering)
        assert np.ptp(expected) > 0
        expected = expected.reshape(actual.shape)
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-4 * np.abs(expected).max())
        return graph

    return check


def kind_of(node: Node) -> str:
    operation = node.operation
    if isinstance(operation, str):
        return operation
    return str(getattr(operation, "kind", "")) or type(operation).__name__


@pytest.fixture
def kinds() -> Callable[[Graph], str]:
    """A graph's operations in words, without the head that `onnx_model` adds."""

    def listed(graph: Graph) -> str:
        *names, head = map(kind_of, graph.nodes)
        assert head == "Dense"
        return " ".join(names[:-1] if names[-1:] == ["Flatten"] else names)

    return listed
