"""`wootzc benchmark`: a table and JSON of folders and files, and what is no network."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import onnx
import pytest

from wootzc.backends.onnx.liveness import peak_activation_bytes
from wootzc.build import Options, build
from wootzc.build.export import export_result

QUICK = {"teacher.steps": "20", "pretrain.steps": "5", "finetune.steps": "5"}


@pytest.fixture(scope="module")
def result(make_space: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file, store = make_space(target="40%"), tmp_path_factory.mktemp("store")
    build(file, Options(out=file.parent / "out", store=store, overrides=QUICK))
    return Path(file.parent / "out")


def wootzc(*arguments: object) -> subprocess.CompletedProcess[str]:
    code = "from wootzc.cli import main; main()"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_folder_and_its_export_are_one_network(result: Path, tmp_path: Path) -> None:
    (file,) = export_result(result, "onnx", tmp_path / "net.onnx").files
    done = wootzc("benchmark", result, file, "--seconds", "0", "--batch", "4", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["batch"], said["threads"], said["provider"]) == (4, 1, "CPUExecutionProvider")
    folder, alone = said["networks"]
    assert (folder["name"], alone["name"]) == (str(result), str(file))
    assert folder["size"] == alone["size"] == file.stat().st_size
    assert folder["memory"] == alone["memory"] == peak_activation_bytes(onnx.load(file))
    assert folder["latency"]["ratio"] == 1.0 and alone["latency"]["median"] > 0
    table = wootzc("benchmark", file, result, "--seconds", "0").stdout.splitlines()
    assert table[0].split()[:3] == ["network", "latency", "half"] and "1.000×" in table[1]
    assert "1 image, 1 thread, CPUExecutionProvider" in table[-1]


def test_what_is_no_network_is_said(result: Path, tmp_path: Path) -> None:
    text = tmp_path / "notes.onnx"
    text.write_text("no network")
    shutil.copytree(result / "best", tmp_path / "part")
    for given, code in (
        (text, "WZ304"),
        (tmp_path / "missing.onnx", "WZ304"),
        (tmp_path / "part", "WZ145"),
        (tmp_path, "WZ145"),
    ):
        done = wootzc("benchmark", result, given)
        assert done.returncode == 1 and f"error[{code}]" in done.stderr, done.stderr
        assert "help: " in done.stderr and "Traceback" not in done.stderr
