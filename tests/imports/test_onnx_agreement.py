"""What was read of an ONNX file is run beside the file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import wootzc.ir.graph.segment as segmenting
from wootzc.backends.onnx import agreement
from wootzc.builder.jobs.teacher import read_teacher
from wootzc.diagnostics import WootzError
from wootzc.networks import import_network

pytest.importorskip("onnxruntime")

Model = Callable[..., onnx.ModelProto]

KERNEL = np.random.default_rng(0).standard_normal((4, 3, 3, 3)).astype(np.float32)
ONES = np.ones(4, np.float32)
CONV: list[Any] = [("Conv", "x w", "c", {}), ("Relu", "c", "y", {})]
TRAINING: list[Any] = [
    ("Conv", "x w", "c", {}), ("BatchNormalization", "c k k k k", "y m v", {"training_mode": 1})
]  # fmt: skip


@pytest.fixture
def misread(monkeypatch: pytest.MonkeyPatch) -> None:
    right = segmenting.chain_weights

    def wrong(*args: Any) -> Any:
        return {name: value[..., ::-1] for name, value in right(*args).items()}

    monkeypatch.setattr(segmenting, "chain_weights", wrong)
    monkeypatch.setattr("wootzc.builder.jobs.teacher.chain_weights", wrong)


def saved(model: onnx.ModelProto, folder: Path) -> Path:
    onnx.save(model, folder / "net.onnx")
    return folder / "net.onnx"


@pytest.mark.usefixtures("misread")
def test_a_file_that_is_misread_is_refused(onnx_model: Model, tmp_path: Path) -> None:
    path = saved(onnx_model(CONV, {"w": KERNEL}), tmp_path)
    with pytest.raises(
        WootzError, match=r"net\.onnx was read as a network that computes something"
    ):
        import_network(path)


def test_so_is_a_teacher(onnx_model: Model, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    path = saved(onnx_model(CONV, {"w": KERNEL}), tmp_path)
    network = import_network(path).network
    read_teacher(path, network)
    request.getfixturevalue("misread")
    with pytest.raises(WootzError, match="WZ344"):
        read_teacher(path, network)


@pytest.mark.usefixtures("misread")
def test_nothing_is_said_of_files_that_are_large_or_train(
    onnx_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_network(saved(onnx_model(TRAINING, {"w": KERNEL, "k": ONES}, opset=15), tmp_path))
    monkeypatch.setattr(agreement, "MOST_MACS", 1)
    import_network(saved(onnx_model(CONV, {"w": KERNEL}), tmp_path))


@pytest.mark.parametrize("end", ["Softmax", "LogSoftmax", "Sigmoid"])
def test_ends_that_are_left_out_do_not_count(end: str, onnx_model: Model, tmp_path: Path) -> None:
    model = onnx_model(CONV, {"w": KERNEL}, dims=("batch", 3, 8, 8))
    model.graph.node.append(onnx.helper.make_node(end, ["logits"], ["scores"]))
    model.graph.output[0].name = "scores"
    assert import_network(saved(model, tmp_path)).notes


def test_channels_may_be_last(onnx_model: Model, tmp_path: Path) -> None:
    turned = ("Transpose", "x", "t", {"perm": [0, 3, 1, 2]})
    model = onnx_model([turned, ("Conv", "t w", "y", {})], {"w": KERNEL}, dims=(2, 8, 6, 3))
    assert import_network(saved(model, tmp_path)).network.input == (8, 6, 3)
