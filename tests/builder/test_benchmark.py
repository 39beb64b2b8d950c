"""`wootzc benchmark`: a table and JSON of folders and files, and what is no network."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from wootzc.backends.onnx.liveness import peak_activation_bytes
from wootzc.builder.result.export import export_result
from wootzc.builder.result.summary import DeviceFigures, read_summary

Command = Callable[..., subprocess.CompletedProcess[str]]


def test_a_folder_and_its_export_are_one_network(
    quick_result: Path, tmp_path: Path, wootzc: Command
) -> None:
    (file,) = export_result(quick_result, "onnx", tmp_path / "net.onnx").files
    done = wootzc("benchmark", quick_result, file, "--seconds", "0", "--batch", "4", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["batch"], said["threads"], said["provider"]) == (4, 1, "CPUExecutionProvider")
    folder, alone = said["networks"]
    assert (folder["name"], alone["name"]) == (str(quick_result), str(file))
    assert folder["size"] == alone["size"] == file.stat().st_size
    assert folder["memory"] == alone["memory"] == peak_activation_bytes(onnx.load(file))
    assert folder["latency"]["ratio"] == 1.0 and alone["latency"]["median"] > 0
    table = wootzc("benchmark", file, quick_result, "--seconds", "0").stdout.splitlines()
    assert table[0].split()[:3] == ["network", "latency", "half"] and "1.000×" in table[1]
    assert "1 image, 1 thread, CPUExecutionProvider" in table[-1]


def test_builds_and_exports_say_what_pruning_changed(
    quick_result: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = read_summary(quick_result).device
    assert told is not None and told.on.startswith("onnxruntime")
    assert told.before.latency is not None and told.before.latency.ratio == 1.0
    assert told.after.latency is not None and told.after.latency.median > 0
    assert "Peak memory per image" in (quick_result / "report.html").read_text()
    assert "Latency of an image" in (quick_result / "report.html").read_text()
    exported = export_result(quick_result, "onnx", tmp_path / "net.onnx")
    (file,), device = exported.files, exported.device
    assert isinstance(device, DeviceFigures) and device.on == told.on
    assert device.after.memory == told.after.memory == peak_activation_bytes(onnx.load(file))
    assert device.after.size == file.stat().st_size
    counted = read_summary(quick_result).best.costs
    assert counted["memory"] == device.after.memory
    assert device.after.size <= counted["size"] < 1.15 * device.after.size
    assert device.before.memory == told.before.memory and device.before.size > device.after.size
    assert export_result(quick_result, "torch", tmp_path / "torch").device is None
    monkeypatch.setattr("wootzc.backends.onnx.runtime.find_spec", lambda _: None)
    without = export_result(quick_result, "onnx", tmp_path / "net.onnx").device
    assert isinstance(without, DeviceFigures) and without.after.latency is None
    assert without.after.memory == told.after.memory and not without.on


def test_what_is_no_network_is_said(quick_result: Path, tmp_path: Path, wootzc: Command) -> None:
    text = tmp_path / "notes.onnx"
    text.write_text("no network")
    shutil.copytree(quick_result / "best", tmp_path / "part")
    for given, code in (
        (text, "WZ304"),
        (tmp_path / "missing.onnx", "WZ304"),
        (tmp_path / "part", "WZ145"),
        (tmp_path, "WZ145"),
    ):
        done = wootzc("benchmark", quick_result, given)
        assert done.returncode == 1 and f"error[{code}]" in done.stderr, done.stderr
        assert "help: " in done.stderr and "Traceback" not in done.stderr
