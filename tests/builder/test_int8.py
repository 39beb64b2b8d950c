"""`export --to onnx --int8`: the same network in 8 bits, its accuracy told and held to a limit."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from click.testing import CliRunner
from onnx import TensorProto

from wootzc.backends.onnx import to_onnx
from wootzc.backends.onnx.int8 import batches, quantized
from wootzc.backends.onnx.liveness import peak_activation_bytes
from wootzc.backends.onnx.runtime import opened
from wootzc.backends.weights.stored import initial_weights
from wootzc.builder.result.export import export_result
from wootzc.builder.result.int8 import Int8
from wootzc.builder.result.replay import data_of
from wootzc.cli import cli
from wootzc.diagnostics import WootzError
from wootzc.grammar import analyze


@pytest.fixture(scope="module")
def made(quick_result: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The network as int8 and as float32, both with the normalisation inside."""
    folder = tmp_path_factory.mktemp("int8")
    small, plain = folder / "net.int8.onnx", folder / "net.onnx"
    export_result(quick_result, "onnx", small, with_normalization=True, int8=Int8())
    export_result(quick_result, "onnx", plain, with_normalization=True)
    return small, plain


def labelled_right(path: Path, result: Path) -> float:
    """On the test images as they are stored."""
    test = data_of(result, None, (8, 8, 1)).test
    batch = test.batch(np.arange(len(test)))
    stored = (batch.images * test.std + test.mean).transpose(0, 3, 1, 2)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"input": np.ascontiguousarray(stored)})
    return float((logits.argmax(-1) == batch.labels).mean())


def test_kernels_are_of_8_bits_and_metadata_stay(made: tuple[Path, Path]) -> None:
    small, plain = map(onnx.load, made)
    kinds = [
        t.data_type for t in small.graph.initializer if "/kernel" in t.name and len(t.dims) > 1
    ]
    assert kinds and set(kinds) == {TensorProto.INT8}
    assert {p.key: p.value for p in small.metadata_props} == {
        p.key: p.value for p in plain.metadata_props
    }
    less, full = map(peak_activation_bytes, (small, plain))
    assert less is not None and full is not None and less < full / 2


def test_what_is_told_is_what_the_file_does(made: tuple[Path, Path], quick_result: Path) -> None:
    small, plain = made
    about = json.loads(small.with_name("net.int8.onnx.json").read_text())
    manifest = json.loads((quick_result / "best" / "manifest.json").read_text())
    assert about["test"]["int8"] == pytest.approx(labelled_right(small, quick_result))
    assert about["test"]["float32"] == pytest.approx(labelled_right(plain, quick_result))
    assert about["test"]["float32"] == pytest.approx(manifest["accuracy"]["test"], abs=0.02)
    assert about["validation"]["images"] == manifest["data"]["validation"]
    assert about["data"] == manifest["data"]["fingerprint"] and about["calibrated_on"] <= 256


def test_the_command_tells_both_accuracies(quick_result: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved.npz"
    shutil.copy(quick_result.parent / "quadrants.npz", moved)
    arguments = ["export", str(quick_result), "--to", "onnx", "--int8", "--data", str(moved)]
    arguments += ["-o", str(tmp_path / "a.onnx"), "--at-least", "5%"]
    done = CliRunner().invoke(cli, arguments, standalone_mode=False, catch_exceptions=False)
    assert f"wrote {tmp_path / 'a.onnx'}" in done.output
    for part in ("validation", "test"):
        assert f"{part} accuracy, float32 → int8: " in done.output
    # So small a network is mostly nodes, names and scales.
    assert "are weights: the rest, its nodes with names and scales, int8 makes" in done.output
    assert "latency of an image: " in done.output and "the ONNX file " in done.output
    assert done.output.count(" → ") >= 5  # both accuracies, latency, memory, size


def refused(code: str, result: Path, out: Path, form: str, asked: Int8) -> str:
    with pytest.raises(WootzError) as caught:
        export_result(result, form, out, int8=asked)  # type: ignore[arg-type]
    assert [d.code for d in caught.value.diagnostics] == [code]
    assert not out.exists()
    return str(caught.value)


def test_below_the_limit_nothing_is_written(
    quick_result: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "net.onnx"
    with monkeypatch.context() as patched:
        patched.setattr("wootzc.backends.onnx.int8.accuracy", lambda *_, **__: 0.75)
        export_result(quick_result, "onnx", out, int8=Int8(at_least=0.75))
        out.unlink()
        said = refused("WZ306", quick_result, out, "onnx", Int8(at_least=0.7501))
    assert "75.00 % → 75.00 %" in said and "--at-least" in said


def test_what_int8_cannot_be_made_of(
    quick_result: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "net"
    refused("WZ305", quick_result, out, "stablehlo", Int8())
    other = tmp_path / "other.npz"
    images = np.zeros((64, 8, 8, 1), np.uint8)
    np.savez(other, images=images, labels=np.arange(64) % 4)
    refused("WZ261", quick_result, out, "onnx", Int8(data=other))
    shutil.copytree(quick_result / "best", tmp_path / "part" / "best")
    assert "plan.wzir" in refused("WZ145", tmp_path / "part", out, "onnx", Int8())
    monkeypatch.setattr("wootzc.backends.onnx.runtime.find_spec", lambda _: None)
    assert "wootzc[deploy]" in refused("WZ300", quick_result, out, "onnx", Int8())


def test_sums_and_squeeze_and_excite_are_quantised(quick_result: Path) -> None:
    """Where arms meet in `Add` and `Mul`: within rounding of what they give in float32."""
    source = """
network net {
  input(8x8x1)
  conv(3x3, 8); norm; relu
  add {
    { conv(3x3, 8); norm; relu; conv(3x3, 8); norm
      scale { {} { global_pool(keep_dims = true); conv(1x1, 4); relu; conv(1x1, 8); sigmoid } } }
    {}
  }
  relu
  concat { { conv(1x1, 8) } { depthwise(3x3); relu6 } }
  global_pool; dense(4)
}
"""
    (network,) = analyze(source).networks
    data = data_of(quick_result, None, (8, 8, 1))
    model = to_onnx(network, initial_weights(network, seed=0))
    small = quantized(model, data.train)
    kinds = {node.op_type for node in small.graph.node}
    assert {"Add", "Mul", "Concat", "QuantizeLinear"} <= kinds
    ((batch, _),) = batches(data.test, 16)
    full, less = (opened("net", m.SerializeToString()).run(None, {"input": batch})[0] for m in
                  (model, small))  # fmt: skip
    # What is beyond the ranges of the images that it was calibrated by is cut off: on average.
    assert np.abs(full - less).mean() < 0.02 * np.abs(full).max()
    onnx.checker.check_model(small)


@pytest.mark.parametrize("text", ["often", "120%", "-1"])
def test_a_limit_is_a_fraction(text: str, quick_result: Path) -> None:
    arguments = ["export", str(quick_result), "--to", "onnx", "--int8", f"--at-least={text}"]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 2 and "is no accuracy" in done.output
    done = CliRunner().invoke(cli, [*arguments[:4], "--at-least", "90%"])
    assert done.exit_code == 2 and "belong to --int8" in done.output
