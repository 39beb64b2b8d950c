"""Networks of each family as PyTorch's exporters write them: read, run, compared with PyTorch.

benchmarks/onnx_families.py made the files, and the logits that PyTorch computed.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from wootzc.grammar.imports import read_graph
from wootzc.ir.graph import Graph
from wootzc.ir.graph.decompose import decompose
from wootzc.ir.graph.segment import segment
from wootzc.ir.layers import Activation, Conv, Dense, Norm

LINES = 20_000  # of Python for each node; at most 5,000 are run

FIXTURES = Path(__file__).parent / "onnx_fixtures"
FILES = sorted(FIXTURES.glob("*.onnx"))
FAMILIES = sorted({path.stem.partition("_")[0] for path in FILES})


@cache
def expected() -> dict[str, Any]:
    with np.load(FIXTURES / "expected.npz") as arrays:
        return dict(arrays)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_network_gives_the_logits_of_pytorch(
    path: Path, logits: Callable[..., Any], worked: Any
) -> None:
    with worked() as work:
        graph = read_graph(str(path))
    assert work.lines < LINES * len(graph.nodes)
    actual = logits(graph, expected()["images"])
    wanted = expected()[path.stem.partition("_")[0]]
    np.testing.assert_allclose(actual, wanted, rtol=0, atol=1e-4 * np.abs(wanted).max())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_pytorch_and_onnxruntime_agree_on_the_files(path: Path) -> None:
    """What the test above compares with is what the file says."""
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    images = expected()["images"].transpose(0, 3, 1, 2)
    batches = [images] if isinstance(given.shape[0], str) else [images[:1], images[1:]]
    actual = np.concatenate([session.run(None, {given.name: batch})[0] for batch in batches])
    wanted = expected()[path.stem.partition("_")[0]]
    np.testing.assert_allclose(actual, wanted, rtol=0, atol=1e-4 * np.abs(wanted).max())


def shape(graph: Graph) -> list[tuple[str, ...]]:
    """Modules and their layers, whatever the nodes are called."""
    network = segment(graph.name, graph.input, decompose(graph))
    return [tuple(type(layer).__name__ for layer in part.body) for part in network.segments]


@pytest.mark.parametrize("family", FAMILIES)
def test_both_exporters_give_one_network(family: str) -> None:
    old, new = (read_graph(str(FIXTURES / f"{family}_{v}.onnx")) for v in ("ts13", "dynamo"))
    assert shape(old) == shape(new)


def test_norms_stay_where_the_exporter_kept_them() -> None:
    kept, folded = (read_graph(str(FIXTURES / f"resnet_{v}.onnx")) for v in ("ts11", "ts13"))
    norms = [sum(isinstance(node.operation, Norm) for node in g.nodes) for g in (kept, folded)]
    assert norms == [12, 0]
    assert not any(n.operation.bias for n in kept.nodes if isinstance(n.operation, Conv))


@pytest.mark.parametrize("variant", ["ts11", "ts13", "dynamo"])
def test_nodes_bear_the_names_of_pytorchs_modules(variant: str) -> None:
    graph = read_graph(str(FIXTURES / f"resnet_{variant}.onnx"))
    names = [node.name for node in graph.nodes]
    assert len(set(names)) == len(names)
    assert any(name.startswith("/layer1/layer1.0/conv1/") for name in names)
    assert any(name.startswith("/layer2/layer2.0/downsample/") for name in names)


def test_weights_may_lie_beside_the_file(tmp_path: Path, logits: Callable[..., Any]) -> None:
    model = onnx.load(FIXTURES / "vgg_ts13.onnx")
    path = tmp_path / "vgg.onnx"
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert path.stat().st_size < (tmp_path / "weights.bin").stat().st_size
    wanted = expected()["vgg"]
    actual = logits(read_graph(str(path)), expected()["images"])
    np.testing.assert_allclose(actual, wanted, rtol=0, atol=1e-4 * np.abs(wanted).max())


def test_local_functions_are_written_out(
    onnx_model: Callable[..., onnx.ModelProto], agrees: Callable[..., Graph]
) -> None:
    model = onnx_model([("Relu", "x", "y", {})])
    function = onnx.helper.make_function(
        "own", "Leaky", ["a"], ["b"], [onnx.helper.make_node("LeakyRelu", ["a"], ["b"], alpha=0.3)],
        [onnx.helper.make_opsetid("", 13)],
    )  # fmt: skip
    model.functions.append(function)
    model.opset_import.append(onnx.helper.make_opsetid("own", 1))
    model.graph.node[0].op_type, model.graph.node[0].domain = "Leaky", "own"
    assert next(n.operation for n in agrees(model).nodes) == Activation(
        kind="leaky_relu", slope=0.3
    )


def test_a_network_written_channels_last(
    onnx_model: Callable[..., onnx.ModelProto],
    agrees: Callable[..., Graph],
    kinds: Callable[[Graph], str],
) -> None:
    """As tf2onnx writes it: the input is N x H x W x C, and transposed at once."""
    random = np.random.default_rng(3)
    model = onnx_model(
        [
            ("Div", "x k", "d", {}),
            ("Transpose", "d", "t", {"perm": [0, 3, 1, 2]}),
            ("Conv", "t w", "c", {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
            ("Transpose", "c", "u", {"perm": [0, 2, 3, 1]}),
            ("Add", "u b", "v", {}),
            ("Relu", "v", "y", {}),
        ],
        {
            "k": np.float32(127.5),
            "w": random.standard_normal((5, 3, 3, 3)).astype(np.float32),
            "b": random.standard_normal(5).astype(np.float32),
        },
        dims=(2, 8, 6, 3),
    )
    graph = agrees(model, channels_last=True)
    assert graph.input == (8, 6, 3)
    assert kinds(graph) == "Conv relu"


LAST: dict[str, tuple[list[Any], int, str]] = {
    "grey": ([("Reshape", "x first", "t", {})], 1, "Conv"),
    "grey, scaled": ([("Mul", "x k", "m", {}), ("Reshape", "m first", "t", {})], 1, "Conv"),
    "grey, an axis dropped": (
        [("Squeeze", "x last", "s", {}), ("Unsqueeze", "s one", "t", {})], 1, "Conv"
    ),
    "clipped": (
        [("Clip", "x low k", "c", {}), ("Transpose", "c", "t", {"perm": [0, 3, 1, 2]})],
        3, "relu6 Conv",
    ),
    "from BGR": (
        [("Gather", "x turned", "g", {"axis": 3}),
         ("Transpose", "g", "t", {"perm": [0, 3, 1, 2]})],
        3, "Conv Conv",
    ),
    "padded": (
        [("Pad", "x pads", "p", {}), ("Transpose", "p", "t", {"perm": [0, 3, 1, 2]})], 3, "Conv"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LAST)
def test_channels_are_last_in_images_of_one_or_three(
    name: str,
    onnx_model: Callable[..., onnx.ModelProto],
    agrees: Callable[..., Graph],
    kinds: Callable[[Graph], str],
) -> None:
    """What tf2onnx writes before the transposition, and in its place where images are grey."""
    steps, channels, reads = LAST[name]
    constants = {
        "first": np.array([-1, channels, 8, 6]), "k": np.float32(6), "low": np.float32(0),
        "last": np.array([3]), "one": np.array([1]), "turned": np.array([2, 1, 0]),
        "pads": np.array([0, 1, 1, 0, 0, 1, 1, 0]),
        "w": np.random.default_rng(3).standard_normal((5, channels, 3, 3)).astype(np.float32),
    }  # fmt: skip
    steps = [*steps, ("Conv", "t w", "y", {})]
    graph = agrees(onnx_model(steps, constants, dims=(2, 8, 6, channels)), channels_last=True)
    assert graph.input == (8, 6, channels)
    assert kinds(graph) == reads


def test_images_of_one_column_may_have_their_channels_first(
    onnx_model: Callable[..., onnx.ModelProto], agrees: Callable[..., Graph]
) -> None:
    """Their sizes are those of a grey image with its channel last: what reads them decides."""
    kernel = np.random.default_rng(3).standard_normal((5, 4, 3, 1)).astype(np.float32)
    model = onnx_model([("Conv", "x w", "y", {})], {"w": kernel}, dims=(2, 4, 8, 1))
    assert agrees(model).input == (8, 1, 4)


def test_bytes_may_enter_that_become_floats_at_once(
    onnx_model: Callable[..., onnx.ModelProto], agrees: Callable[..., Graph], tmp_path: Path
) -> None:
    """And nothing need be said of the shape of what comes out."""
    steps: list[Any] = [("Cast", "x", "f", {"to": 1}), ("Relu", "f", "y", {})]
    floats = onnx_model(steps)
    onnx.save(floats, tmp_path / "floats.onnx")
    floats.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.UINT8
    floats.graph.output[0].type.tensor_type.ClearField("shape")
    onnx.save(floats, tmp_path / "bytes.onnx")
    same, other = (read_graph(str(tmp_path / f"{name}.onnx")) for name in ("floats", "bytes"))
    assert (len(same.notes), len(other.notes)) == (0, 1) and "0 to 255" in other.notes[0]
    assert [node.operation for node in same.nodes] == [node.operation for node in other.nodes]


@pytest.mark.parametrize("kind", ["Softmax", "LogSoftmax"])
def test_a_softmax_at_the_end_is_left_out(
    kind: str, onnx_model: Callable[..., onnx.ModelProto], tmp_path: Path
) -> None:
    model = onnx_model([("GlobalAveragePool", "x", "y", {})])
    model.graph.node.append(onnx.helper.make_node(kind, ["logits"], ["scores"]))
    model.graph.output[0].name = "scores"
    onnx.save(model, tmp_path / "1st-net.onnx")
    graph = read_graph(str(tmp_path / "1st-net.onnx"))
    assert isinstance(graph.nodes[-1].operation, Dense)
    assert graph.notes == ("the softmax at the end is left out: training adds it to the loss",)
    assert graph.name == "net_1st_net"


def test_batch_norms_exported_in_training_are_told(
    onnx_model: Callable[..., onnx.ModelProto], tmp_path: Path
) -> None:
    ones = np.ones(3, np.float32)
    training: list[Any] = [
        ("BatchNormalization", "x k k k k", "a m v", {"training_mode": 1}),
        ("BatchNormalization", "a k k k k", "b m2 v2", {"training_mode": 1}),
        ("GlobalAveragePool", "b", "g", {}),
        ("Flatten", "g", "y", {}),
    ]
    told = onnx_model(training, {"k": ones}, opset=15, head=False)
    told.graph.output[0].type.tensor_type.shape.dim.add()
    told.graph.output[0].type.tensor_type.shape.dim.add()
    onnx.save(told, tmp_path / "training.onnx")
    (note,) = read_graph(str(tmp_path / "training.onnx")).notes
    assert note.startswith('batch norms were exported in training, "a" and 1 more')
    assert "`model.eval()` before the export" in note


@pytest.mark.parametrize("through", ["w", "same"])
def test_shared_weights_are_told_and_then_each_layers_own(
    through: str, onnx_model: Callable[..., onnx.ModelProto], agrees: Callable[..., Graph]
) -> None:
    kernel = np.random.default_rng(3).standard_normal((3, 3, 3, 3)).astype(np.float32)
    steps: list[Any] = [
        ("Identity", "w", "same", {}), ("Conv", "x w", "a", {}), ("Relu", "a", "r", {}),
        ("Conv", f"r {through}", "y", {}),
    ]  # fmt: skip
    graph = agrees(onnx_model(steps, {"w": kernel}))
    assert graph.notes == (
        'the weights "w" are shared by "a" and "y": here each has its own, so parameters count '
        "more than once, and training lets them differ",
    )
    assert sum("kernel" in node.weights for node in graph.nodes) == 3  # and the head


def test_equal_numbers_that_are_no_kernels_may_be_shared(
    onnx_model: Callable[..., onnx.ModelProto], agrees: Callable[..., Graph]
) -> None:
    steps: list[Any] = [("Conv", "x v b", "a", {}), ("Conv", "a w b", "y", {})]
    kernels = np.random.default_rng(3).standard_normal((2, 3, 3, 3, 3)).astype(np.float32)
    constants = {"v": kernels[0], "w": kernels[1], "b": np.zeros(3, np.float32)}
    assert agrees(onnx_model(steps, constants)).notes == ()


def test_sizes_that_are_open_are_those_of_the_input(
    onnx_model: Callable[..., onnx.ModelProto], tmp_path: Path
) -> None:
    model = onnx_model([("GlobalAveragePool", "x", "y", {})])
    for axis in model.graph.input[0].type.tensor_type.shape.dim[2:]:
        axis.dim_param = "size"
    onnx.save(model, tmp_path / "open.onnx")
    assert read_graph(str(tmp_path / "open.onnx"), (16, 24, 3)).input == (16, 24, 3)


def test_what_leads_nowhere_is_not_read(
    onnx_model: Callable[..., onnx.ModelProto], agrees: Callable[..., Graph]
) -> None:
    agrees(onnx_model([("Relu", "x", "y", {}), ("Det", "x", "unused", {})]))


def test_every_weight_is_single_precision_and_in_one_piece() -> None:
    for path in FILES:
        for node in read_graph(str(path)).nodes:
            for values in node.weights.values():
                assert values.dtype == np.float32 and values.flags.c_contiguous


def test_norms_of_old_training_exports(
    onnx_model: Callable[..., onnx.ModelProto], kinds: Callable[[Graph], str], tmp_path: Path
) -> None:
    """Up to opset 13 they list running statistics as four more results, which nothing reads."""
    model = onnx_model(
        [("BatchNormalization", "x one one one one", "y", {})],
        {"one": np.ones(3, np.float32)},
        opset=9,
    )
    model.graph.node[0].output.extend(["mean", "var", "saved_mean", "saved_var"])
    onnx.save(model, tmp_path / "old.onnx")
    assert kinds(read_graph(str(tmp_path / "old.onnx"))) == "Norm"
