"""Exports of a result folder: each form is complete, computes the same, and mistakes are told."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file

from wootzc.backends.flax.train.evaluation import predict
from wootzc.builder.result.export import FORMS, Form, export_result
from wootzc.builder.result.replay import load_best
from wootzc.diagnostics import WootzError

Images = NDArray[np.float32]
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def result(quick_result: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds best/ alone: exports need no more."""
    folder = tmp_path_factory.mktemp("result")
    shutil.copytree(quick_result / "best", folder / "best")
    return folder


def replayed(folder: Path) -> tuple[Images, Images, Images]:
    """Stored images, normalised ones, and the logits that the network gives for them."""
    network, weights = load_best(folder)
    scale = json.loads((folder / "best" / "manifest.json").read_text())["normalize"]
    images = np.load(folder / "best" / "example.npz")["images"]
    normal = (images - np.float32(scale["mean"])) / np.float32(scale["std"])
    return images, normal, predict(network, weights, normal)


@pytest.mark.parametrize("inside", [False, True])
def test_onnx_runs_in_onnxruntime(result: Path, inside: bool, tmp_path: Path) -> None:
    done = export_result(result, "onnx", tmp_path / "net.onnx", with_normalization=inside)
    (path,) = done.files
    onnx.checker.check_model(str(path), full_check=True)
    session = onnxruntime.InferenceSession(path)
    stored, normal, logits = replayed(result)
    given = (stored if inside else normal).transpose(0, 3, 1, 2)
    for count in (1, len(logits)):
        (made,) = session.run(["logits"], {"input": np.ascontiguousarray(given[:count])})
        np.testing.assert_allclose(made, logits[:count], rtol=1e-4, atol=1e-4)
    assert json.loads(session.get_modelmeta().custom_metadata_map["classes"])


@pytest.mark.parametrize("inside", [False, True])
def test_stablehlo_takes_batches_of_any_size(result: Path, inside: bool, tmp_path: Path) -> None:
    import jax
    from jax import export

    done = export_result(result, "stablehlo", tmp_path / "net.stablehlo", with_normalization=inside)
    path, about = done.files
    loaded = export.deserialize(bytearray(path.read_bytes()))
    stored, normal, logits = replayed(result)
    given = stored if inside else normal
    for count in (1, 3, len(given)):
        made = loaded.call(given[:count])  # type: ignore[no-untyped-call]
        np.testing.assert_allclose(made, logits[:count], rtol=1e-4, atol=1e-4)
    said = json.loads(about.read_text())
    assert about.name == "net.stablehlo.json" and said["jax"] == jax.__version__
    assert said["normalization"] == ("inside" if inside else "before")


def test_flax_and_safetensors_are_complete(result: Path, tmp_path: Path) -> None:
    export_result(result, "flax", tmp_path / "flax")
    command = [sys.executable, str(tmp_path / "flax" / "model.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    weights, network = export_result(result, "safetensors", tmp_path / "w.safetensors").files
    assert weights.read_bytes() == (result / "best" / "weights.safetensors").read_bytes()
    assert network.suffix == ".wz" and "network tiny" in network.read_text()


@pytest.mark.parametrize("inside", [False, True])
def test_torch_is_complete(result: Path, inside: bool, tmp_path: Path) -> None:
    done = export_result(result, "torch", tmp_path / "torch", with_normalization=inside)
    assert {path.name for path in done.files} == {"model.py", "weights.safetensors", "example.npz"}
    weights = load_file(tmp_path / "torch" / "weights.safetensors")
    trained = [v for k, v in weights.items() if k.endswith((".weight", ".bias"))]
    assert sum(value.size for value in trained) == done.params


@pytest.mark.torch
@pytest.mark.parametrize("inside", [False, True])
def test_torch_replays_its_example(result: Path, inside: bool, tmp_path: Path) -> None:
    export_result(result, "torch", tmp_path / "torch", with_normalization=inside)
    command = [sys.executable, str(tmp_path / "torch" / "model.py")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "largest difference" in ran.stdout


def test_the_command_says_what_it_wrote(result: Path, tmp_path: Path, wootzc: Command) -> None:
    folder = tmp_path / "result"
    shutil.copytree(result, folder)
    done = wootzc("export", folder, "--to", "onnx")
    path = folder / "export" / "tiny.onnx"
    assert done.returncode == 0, done.stderr
    assert f"wrote {path}  {path.stat().st_size / 1000:.1f} kB" in done.stdout
    params = sum(prod(tensor.dims) for tensor in onnx.load(path).graph.initializer)
    built = json.loads((folder / "best" / "manifest.json").read_text())["params"]
    assert params < built  # norms became a part of their convolutions
    assert "latency of an image: " in done.stdout and "→" not in done.stdout  # best/ alone is here
    assert (
        f"{params:,} parameters, {built - params:,} of norms folded" in done.stdout
        and "[batch, 1, 8, 8]" in done.stdout
    )
    for form in sorted({*FORMS} - {"tflite"}):  # that needs an extra: test_tflite.py
        defaults = {path.relative_to(folder) for path in export_result(folder, form).files}
        assert all(path.parts[0] == "export" for path in defaults)
    assert not [path for path in folder.rglob(".*")], "a temporary file is left"


def refused(code: str, folder: Path, form: Form, out: Path | None = None, **options: Any) -> str:
    with pytest.raises(WootzError) as caught:
        export_result(folder, form, out, **options)
    assert [d.code for d in caught.value.diagnostics] == [code]
    return str(caught.value)


def test_places_that_cannot_be_written_are_refused(
    result: Path, tmp_path: Path, wootzc: Command
) -> None:
    (tmp_path / "file").write_text("mine")
    assert "is a folder, but onnx" in refused("WZ157", result, "onnx", tmp_path)
    assert "is a file, but torch" in refused("WZ157", result, "torch", tmp_path / "file")
    assert "can't write" in refused("WZ157", result, "onnx", tmp_path / "file" / "net.onnx")
    assert "at once" in refused("WZ157", result, "safetensors", tmp_path / "net.wz")
    inside = result / "best" / "weights.safetensors"
    before = inside.read_bytes()
    assert "part of the result" in refused("WZ157", result, "onnx", inside)
    assert "part of the result" in refused("WZ157", result, "flax", result / "best")
    assert inside.read_bytes() == before and (tmp_path / "file").read_text() == "mine"
    done = wootzc("export", result, "--to", "onnx", "-o", tmp_path)
    assert done.returncode == 1 and "WZ157" in done.stderr and "Traceback" not in done.stderr


def test_normalisation_is_a_choice_of_some_forms(result: Path, tmp_path: Path) -> None:
    for form in ("flax", "safetensors"):
        for choice in (False, True):
            text = refused("WZ158", result, form, tmp_path / "x", with_normalization=choice)
            assert form in text and "onnx" in text
    assert not (tmp_path / "x").exists()


def test_a_damaged_result_is_refused(result: Path, tmp_path: Path) -> None:
    def damaged(name: str, content: bytes | None) -> Path:
        folder = tmp_path / f"damaged{len(list(tmp_path.iterdir()))}"
        shutil.copytree(result, folder)
        path = folder / "best" / name
        path.unlink() if content is None else path.write_bytes(content)
        return folder

    weights = (result / "best" / "weights.safetensors").read_bytes()
    flipped = weights[:-1] + bytes([weights[-1] ^ 1])
    assert "not the file" in refused("WZ146", damaged("weights.safetensors", flipped), "onnx")
    refused("WZ146", damaged("weights.safetensors", weights[:-5]), "onnx")
    refused("WZ145", damaged("weights.safetensors", None), "onnx")
    refused("WZ146", damaged("network.wz", b"network"), "onnx")
    refused("WZ145", damaged("network.wz", None), "onnx")
    refused("WZ145", damaged("manifest.json", b"{}"), "onnx")
    refused("WZ145", damaged("model.py", None), "flax")
    refused("WZ145", tmp_path, "onnx")
