"""Norms that an exporter folded into convolutions are put back, and nothing else is computed."""

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import jax
import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from wootzc.backends.data.dataset import Split
from wootzc.backends.data.images import Stored
from wootzc.backends.flax.net.model import structures
from wootzc.backends.flax.train.evaluation import predict
from wootzc.backends.flax.train.norm_statistics import with_measured_norms
from wootzc.backends.onnx import to_onnx
from wootzc.backends.weights.parameters import Weights
from wootzc.backends.weights.stored import split
from wootzc.diagnostics import WootzError
from wootzc.grammar.imports import read_graph
from wootzc.ir.graph import Graph
from wootzc.ir.graph.decompose import decompose
from wootzc.ir.graph.folded_norms import SUFFIX, unmeasured, with_norms_put_back
from wootzc.ir.graph.segment import chain_weights, segment
from wootzc.ir.layers import Conv, DepthwiseConv, Norm
from wootzc.ir.net.network import Network
from wootzc.networks import import_network

FIXTURES = Path(__file__).parent / "onnx_fixtures"
DIGITS = Path(__file__).parents[2] / "samples" / "digits.onnx"
Images = NDArray[np.float32]

PAD = {"pads": [1, 1, 1, 1]}
POOL = [("GlobalAveragePool", "last", "pooled", {}), ("Flatten", "pooled", "flat", {}),
        ("Gemm", "flat w.dense b.dense", "y", {"transB": 1})]  # fmt: skip

# Steps from "x" to "y"; by convolution the shape of its kernel; which get a norm.
CASES: dict[str, tuple[list[Any], dict[str, tuple[int, ...]], set[str]]] = {
    "plain": (
        [("Conv", "x w.a b.a", "a", PAD), ("Relu", "a", "ra", {}),
         ("Conv", "ra w.b b.b", "last", PAD), *POOL],
        {"a": (6, 3, 3, 3), "b": (5, 6, 3, 3), "dense": (4, 5)}, {"a", "last"},
    ),
    "depthwise": (
        [("Conv", "x w.a b.a", "a", {}), ("Clip", "a zero six", "ra", {}),
         ("Conv", "ra w.d b.d", "d", {**PAD, "group": 6}), ("Relu", "d", "rd", {}),
         ("Conv", "rd w.p b.p", "last", {}), *POOL],
        {"a": (6, 3, 1, 1), "d": (6, 1, 3, 3), "p": (5, 6, 1, 1), "dense": (4, 5)},
        {"a", "d", "last"},
    ),
    "residual": (
        [("Conv", "x w.a b.a", "a", PAD), ("Relu", "a", "ra", {}),
         ("Conv", "ra w.b b.b", "b", PAD), ("Conv", "x w.s b.s", "s", {}),
         ("Add", "b s", "last", {}), *POOL],
        {"a": (6, 3, 3, 3), "b": (5, 6, 3, 3), "s": (5, 3, 1, 1), "dense": (4, 5)},
        {"a", "b", "s"},
    ),
    "squeeze-excite": (
        [("Conv", "x w.a b.a", "a", PAD), ("Relu", "a", "ra", {}),
         ("GlobalAveragePool", "ra", "g", {}), ("Conv", "g w.c b.c", "c", {}),
         ("Relu", "c", "rc", {}), ("Conv", "rc w.e b.e", "e", {}), ("Sigmoid", "e", "gate", {}),
         ("Mul", "ra gate", "last", {}), *POOL],
        {"a": (6, 3, 3, 3), "c": (2, 6, 1, 1), "e": (6, 2, 1, 1), "dense": (4, 6)}, {"a"},
    ),
    "classifier-of-pixels": (
        [("Conv", "x w.a b.a", "a", PAD), ("Relu", "a", "ra", {}),
         ("Conv", "ra w.k b.k", "k", {}), ("Relu", "k", "rk", {}),
         ("GlobalAveragePool", "rk", "p", {}), ("Flatten", "p", "y", {})],
        {"a": (6, 3, 3, 3), "k": (4, 6, 1, 1)}, {"a"},
    ),
    "one-without-bias": (
        [("Conv", "x w.a", "a", PAD), ("Relu", "a", "ra", {}),
         ("Conv", "ra w.b b.b", "last", PAD), *POOL],
        {"a": (6, 3, 3, 3), "b": (5, 6, 3, 3), "dense": (4, 5)}, {"last"},
    ),
}  # fmt: skip


def made(case: str, path: Path, onnx_model: Callable[..., onnx.ModelProto]) -> Path:
    steps, kernels, _ = CASES[case]
    random = np.random.default_rng(3)
    constants: dict[str, Any] = {"zero": np.float32(0), "six": np.float32(6)}
    for name, shape in kernels.items():
        constants[f"w.{name}"] = random.normal(0, 0.5, shape).astype(np.float32)
        constants[f"b.{name}"] = random.normal(0, 1, shape[0]).astype(np.float32)
    used = {name for _, inputs, _, _ in steps for name in inputs.split(" ")}
    constants = {name: value for name, value in constants.items() if name in used}
    model = onnx_model(steps, constants, dims=("n", 3, 8, 8), head=False)
    scores = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ("n", "k"))
    model.graph.output[0].CopyFrom(scores)
    onnx.save(model, path)
    return path


def network_of(graph: Graph) -> tuple[Network, Weights]:
    chain = decompose(graph)
    network = segment(graph.name, graph.input, chain)
    return network, dict(chain_weights(network, chain))


def put_back(path: Path) -> tuple[Graph, Network, Weights]:
    graph = with_norms_put_back(read_graph(str(path)))
    return graph, *network_of(graph)


def drawn(network: Network, count: int = 24) -> Images:
    return np.random.default_rng(1).normal(0.5, 2, (count, *network.input)).astype(np.float32)


def split_of(images: Images) -> Split:
    labels = np.zeros(len(images), np.int32)
    channels = images.shape[-1]
    return Split(
        images=Stored(images), rows=np.arange(len(images)), labels=labels,
        mean=np.zeros(channels, np.float32), std=np.ones(channels, np.float32),
    )  # fmt: skip


def original(path: Path | bytes, images: Images) -> Images:
    """What onnxruntime makes of the images, one by one: a file may have a fixed batch."""
    content = path if isinstance(path, bytes) else path.read_bytes()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    size = session.get_inputs()[0].shape[0]
    size = size if isinstance(size, int) else 1
    entering = images.transpose(0, 3, 1, 2)
    runs = [
        session.run(None, {name: entering[i : i + size]})[0] for i in range(0, len(images), size)
    ]
    logits: Images = np.concatenate(runs)
    return logits.reshape(len(images), -1)


def assert_same(actual: Images, expected: Images, tolerance: float = 1e-5) -> None:
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * np.abs(expected).max())


def in_training(network: Network, weights: Weights, images: Images) -> Images:
    """Logits of one batch by its own statistics."""
    x: Any = images
    for structure, own in zip(structures(network), split(network, weights), strict=True):
        x, _ = structure.train(own, x, jax.random.split(jax.random.key(0), len(images)))
    logits: Images = np.asarray(x)
    return logits


@pytest.mark.parametrize("case", CASES)
def test_norms_are_put_back_measured_and_folded_again(
    case: str, tmp_path: Path, onnx_model: Callable[..., onnx.ModelProto]
) -> None:
    path = made(case, tmp_path / "net.onnx", onnx_model)
    graph, network, weights = put_back(path)
    norms = {node.inputs[0] for node in graph.nodes if isinstance(node.operation, Norm)}
    assert norms == CASES[case][2]
    assert f"{len(norms)} convolution" in graph.notes[-1] and "`norms folded`" in graph.notes[-1]
    images = drawn(network)
    expected = original(path, images)
    assert_same(predict(network, weights, images), expected)

    measured = with_measured_norms(network, weights, split_of(images), seed=0)
    assert len(unmeasured(weights)) == len(norms) and not unmeasured(measured)
    assert_same(predict(network, measured, images), expected)
    # Of the very images that were measured, a batch's own statistics are the measured ones.
    assert_same(in_training(network, measured, images), expected, 1e-4)
    assert np.abs(in_training(network, weights, images) - expected).max() > 0.1

    for exported in (to_onnx(network, weights), to_onnx(network, measured)):
        assert "BatchNormalization" not in {node.op_type for node in exported.graph.node}
        assert_same(original(exported.SerializeToString(), images), expected)


def test_statistics_do_not_depend_on_how_images_are_cut_into_batches(
    tmp_path: Path, onnx_model: Callable[..., onnx.ModelProto], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made("plain", tmp_path / "net.onnx", onnx_model)
    _, network, weights = put_back(path)
    images = split_of(drawn(network, 23))
    whole = with_measured_norms(network, weights, images, seed=0)
    monkeypatch.setattr("wootzc.backends.flax.train.moments.BATCH", 8)
    parts = with_measured_norms(network, weights, images, seed=0)
    for name, value in whole.items():
        np.testing.assert_allclose(parts[name], value, rtol=1e-4, atol=1e-5, err_msg=name)
    again = with_measured_norms(network, parts, images, seed=5)
    assert again is parts  # nothing is left to measure


def test_a_channel_that_never_changes_stays_what_it_is(
    tmp_path: Path, onnx_model: Callable[..., onnx.ModelProto]
) -> None:
    path = made("plain", tmp_path / "net.onnx", onnx_model)
    _, network, weights = put_back(path)
    dead = {n: np.array(v) for n, v in weights.items()}
    name = next(name for name in dead if name.endswith("0/kernel"))
    dead[name][..., 0] = 0
    images = drawn(network)
    measured = with_measured_norms(network, dead, split_of(images), seed=0)
    assert all(np.isfinite(value).all() for value in measured.values())
    assert_same(predict(network, measured, images), predict(network, dead, images))


@pytest.mark.parametrize("family", ["resnet", "mobilenet", "efficientnet"])
def test_they_stand_where_the_exporter_keeps_them(family: str) -> None:
    """PyTorch's exporter, with norms kept and with norms folded."""
    kept, folded = (read_graph(str(FIXTURES / f"{family}_{v}.onnx")) for v in ("ts11", "ts13"))
    assert with_norms_put_back(kept) is kept
    back = with_norms_put_back(folded)

    def shape(graph: Graph) -> list[Any]:
        network, _ = network_of(graph)
        return [
            [
                replace(x, bias=False) if isinstance(x, Conv | DepthwiseConv) else x
                for x in part.body
            ]
            for part in network.segments
        ]

    assert shape(back) == shape(kept)
    network, weights = network_of(back)
    images = drawn(network, 4)
    assert_same(
        predict(network, weights, images), original(FIXTURES / f"{family}_ts13.onnx", images)
    )


@pytest.mark.parametrize("name", ["densenet_ts13", "densenet_ts11", "resnet_ts11"])
def test_who_left_a_norm_kept_them_all(name: str) -> None:
    graph = read_graph(str(FIXTURES / f"{name}.onnx"))
    assert with_norms_put_back(graph) is graph


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_network_of_pytorch_with_its_norms_folded(tmp_path: Path) -> None:
    torch: Any = import_module("torch")
    nn = torch.nn
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Conv2d(8, 6, 1, bias=False), nn.BatchNorm2d(6), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4),
    )  # fmt: skip
    for _ in range(30):  # running statistics that are none of the identity
        net(torch.randn(32, 3, 8, 8) * 2 + 0.5)
    path = tmp_path / "net.onnx"
    torch.onnx.export(net.eval(), (torch.zeros(2, 3, 8, 8),), str(path), dynamo=False)
    graph, network, weights = put_back(path)
    images = drawn(network, 256)
    measured = with_measured_norms(network, weights, split_of(images), seed=0)
    with torch.no_grad():
        expected = net(torch.from_numpy(images.transpose(0, 3, 1, 2).copy())).numpy()
    assert_same(predict(network, measured, images), expected)
    # What is measured is what PyTorch averaged, but for the scale that was folded into kernels.
    theirs = net[1].running_var.numpy() * (net[1].weight / (net[1].running_var + 1e-5).sqrt()
                                           ).detach().numpy() ** 2  # fmt: skip
    first = next(name for name in measured if name.endswith("/var"))
    np.testing.assert_allclose(measured[first], theirs, rtol=0.2)
    assert sum(isinstance(node.operation, Norm) for node in graph.nodes) == 3


def test_names_of_the_file_bring_the_norms_along(
    tmp_path: Path, onnx_model: Callable[..., onnx.ModelProto]
) -> None:
    from wootzc.grammar import analyze

    made("plain", tmp_path / "net.onnx", onnx_model)
    text = f'network n from "{tmp_path}/net.onnx" {{ module m {{ "a", "ra", "last" }} }}'
    analysis = analyze(text)
    assert not analysis.diagnostics
    (network,) = analysis.networks
    assert [type(layer).__name__ for layer in network.modules[0].body] == [
        "Conv", "Norm", "Activation", "Conv", "Norm"
    ]  # fmt: skip


def test_norms_folded_keeps_the_file_as_it_is(
    tmp_path: Path, onnx_model: Callable[..., onnx.ModelProto]
) -> None:
    from wootzc.grammar import analyze, format_text

    path = made("plain", tmp_path / "net.onnx", onnx_model)
    plain = analyze(f'network n from "{path}"')
    kept = analyze(f'network n from "{path}" {{ norms folded }}')
    assert not plain.diagnostics and not kept.diagnostics
    assert len(plain.notes) == 1 and "network n: 2 convolutions" in plain.notes[0]
    assert kept.notes == ()
    layers = [x for part in kept.networks[0].segments for x in part.body]
    assert not any(isinstance(layer, Norm) for layer in layers)
    assert (
        format_text('network n from "a"{norms   folded}') == 'network n from "a" { norms folded }\n'
    )
    assert import_network(path).notes and not import_network(path, norms="folded").notes
    with pytest.raises(ValueError, match="folded"):
        import_network(path, norms="kept")
    with pytest.raises(WootzError):
        format_text('network n from "a" { norms }')


def test_the_sample_gets_its_norms_back() -> None:
    graph, network, weights = put_back(DIGITS)
    assert sum(node.name.endswith(SUFFIX) for node in graph.nodes) == 15
    images = drawn(network, 5)
    assert_same(predict(network, weights, images), original(DIGITS, images))
