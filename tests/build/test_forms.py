"""What goes out of a result folder and comes back: exports, the report, a teacher from a file."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wootzc.backends.flax.train import predict
from wootzc.build import Options, Store, build
from wootzc.build.export import export_result
from wootzc.build.verify import load_best
from wootzc.diagnostics import WootzError

QUICK = {"teacher.steps": "20", "pretrain.steps": "5", "finetune.steps": "5"}


@pytest.fixture(scope="module")
def result(make_space: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """(source, result folder, store) of a quick build."""
    file, store = make_space(target="40%"), tmp_path_factory.mktemp("store")
    build(file, Options(out=file.parent / "out", store=store, overrides=QUICK))
    return file, file.parent / "out", store


def replayed(folder: Path) -> tuple[Any, Any]:
    """Raw images of the example and the logits that the network gives for them."""
    network, weights = load_best(folder)
    scale = json.loads((folder / "best" / "manifest.json").read_text())["normalize"]
    images = np.load(folder / "best" / "example.npz")["images"]
    normal = (images - np.float32(scale["mean"])) / np.float32(scale["std"])
    return images, predict(network, weights, normal)


def test_stablehlo_takes_raw_images_in_batches_of_any_size(
    result: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    from jax import export

    (path,) = export_result(result[1], "stablehlo", tmp_path / "net.stablehlo")
    loaded = export.deserialize(bytearray(path.read_bytes()))
    images, logits = replayed(result[1])
    for count in (1, 3, len(images)):
        given = loaded.call(images[:count])  # type: ignore[no-untyped-call]
        np.testing.assert_allclose(given, logits[:count], rtol=1e-4, atol=1e-4)


def test_flax_and_safetensors_are_complete(result: tuple[Path, Path, Path], tmp_path: Path) -> None:
    export_result(result[1], "flax", tmp_path / "flax")
    done = subprocess.run(
        [sys.executable, tmp_path / "flax" / "model.py"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    weights, network = export_result(result[1], "safetensors", tmp_path / "w.safetensors")
    assert weights.read_bytes() == (result[1] / "best" / "weights.safetensors").read_bytes()
    assert network.suffix == ".wz" and "network tiny" in network.read_text()


def test_a_teacher_from_a_file_gives_what_the_trained_one_gave(
    result: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    from safetensors.numpy import load_file, save_file

    file, out, store = result
    with Store(store)._connect() as db:
        (key,) = db.execute("SELECT key FROM jobs WHERE kind = 'teacher'").fetchone()
    weights = load_file(Store(store)._artifact(key))
    save_file(weights, file.parent / "teacher.safetensors")
    text = file.read_text()
    start = text.index("  teacher {")
    end = text.index("\n", start)
    other = file.parent / "from_file.wz"
    other.write_text(text[:start] + '  teacher from "teacher.safetensors"' + text[end:])
    steps = {key: value for key, value in QUICK.items() if not key.startswith("teacher")}
    built = build(other, Options(out=tmp_path / "out", store=store, overrides=steps))
    trained = json.loads((out / "result.json").read_text())
    assert built.summary["teacher"]["steps"] == 0
    assert built.summary["best"]["accuracy"] == trained["best"]["accuracy"]
    assert built.summary["best"]["rates"] == trained["best"]["rates"]

    weights.pop("plain1/0/kernel")
    save_file(weights, file.parent / "teacher.safetensors")
    with pytest.raises(WootzError, match="plain1/0/kernel"):
        build(other, Options(out=tmp_path / "out", store=store, overrides=steps))


def test_the_report_is_made_anew_from_the_folder(
    result: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    code = "from wootzc.cli import main; main()"
    command = [sys.executable, "-c", code, "report", str(result[1]), "-o", str(page)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert page.read_text() == (result[1] / "report.html").read_text()
