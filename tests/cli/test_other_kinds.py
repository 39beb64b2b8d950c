"""Files of other kinds, given where a `.wz` file is read, are told by what they are."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from wootzc.cli import cli
from wootzc.diagnostics import WootzError

SAMPLES = Path(__file__).parent.parent.parent / "samples"
PLAN = 'plan {\n  space {\n    name = "tiny"\n'
ONNX = b"\x08\x07\x12\x07pytorch\x1a\x052.1.0"


def told(command: str, file: Path) -> tuple[str, str]:
    """Message and help of the one mistake."""
    done = CliRunner().invoke(cli, [command, str(file)], standalone_mode=False)
    if isinstance(done.exception, WootzError):
        (only,) = done.exception.diagnostics
        assert only.code == "WZ224"
        return only.message, only.help or ""
    assert done.return_value == 1 and done.stderr.startswith("error[WZ224]: "), done.stderr
    message, help = done.stderr.removeprefix("error[WZ224]: ").split("\n  help: ")
    return message, help.strip()


def npz(path: Path) -> None:
    np.savez(path, images=np.zeros((2, 4, 4, 1), np.uint8), labels=np.arange(2))


def npy(path: Path) -> None:
    np.save(path, np.zeros(3))


def content(data: bytes | str) -> Callable[[Path], None]:
    return lambda path: void(path.write_bytes(data if isinstance(data, bytes) else data.encode()))


def void(_: object) -> None:
    return None


KINDS: dict[str, tuple[str, Callable[[Path], None], str, str]] = {
    "onnx": ("m.onnx", content(ONNX), "an ONNX model", "`wootzc import"),
    "onnx called wz": ("m.wz", content(ONNX), "an ONNX model", "rename it to m.onnx"),
    "plan": ("p.wzir", content(PLAN), "a compiled plan", "`wootzc build"),
    "plan called wz": ("p.wz", content("// p\n" + PLAN), "a compiled plan", "rename it to p.wzir"),
    "arrays": ("d.npz", npz, "a NumPy file of arrays", 'data "d.npz"'),
    "array": ("d.npy", npy, "a NumPy array", "configs from"),
    "weights": (
        "w.safetensors",
        content(b'\x40\0\0\0\0\0\0\0{"a":'),
        "a file of weights",
        "teacher from",
    ),
    "image": ("i.png", content(b"\x89PNG\r\n\x1a\n"), "an image", "folder("),
    "archive": ("i.zip", content(b"PK\x03\x04" + bytes(40)), "a zip file", 'data "i.zip"'),
    "checkpoint": ("m.pth", content(b"PK\x03\x04 m/data.pkl"), "a PyTorch checkpoint", "init"),
    "pickle": ("x.wz", content(b"\x80\x04\x95\x10"), "a pickle", "safetensors"),
    "keras": ("m.h5", content(b"\x89HDF\r\n\x1a\n"), "an HDF5 file", "ONNX"),
    "caffe": ("m.prototxt", content('name: "lenet"\nlayer {'), "a Caffe prototxt", "import"),
    "caffe called wz": ("m.wz", content('name: "lenet"\n'), "a Caffe prototxt", "rename"),
    "json": ("r.json", content('{"a": 1}'), "a JSON file", ".wz file"),
    "python": ("m.py", content("import torch\n"), "a Python file", "from_nnx"),
    "gzip": ("t.wz", content(b"\x1f\x8b\x08\0"), "a compressed file", "unpack"),
    "bytes": ("t.wz", content(b"abc\0\0\1"), "no text", ".wz file"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("command", ["check", "fmt", "explain"])
def test_files_are_told_by_what_they_are(kind: str, command: str, tmp_path: Path) -> None:
    name, write, what, way = KINDS[kind]
    if command == "explain" and name.endswith(".wzir"):
        pytest.skip("explain reads plans")
    file = tmp_path / name
    write(file)
    message, help = told(command, file)
    assert what in message and str(file) in message and way in help


def test_folders_are_told_by_what_they_hold(tmp_path: Path) -> None:
    assert "`wootzc init MODEL" in told("check", tmp_path)[1]
    (tmp_path / "a.wz").write_text("module m { relu }\n")
    assert str(tmp_path / "a.wz") in told("check", tmp_path)[1]
    (tmp_path / "result.json").write_text("{}")
    message, help = told("build", tmp_path)
    assert "the result of a build" in message and "`wootzc verify" in help


def test_text_in_another_encoding(tmp_path: Path) -> None:
    file = tmp_path / "t.wz"
    file.write_text("module m { relu }", encoding="utf-16")
    done = CliRunner().invoke(cli, ["check", str(file)], standalone_mode=False)
    assert "error[WZ131]" in done.stderr and "is text in UTF-16" in done.stderr


def test_the_samples_of_other_kinds(tmp_path: Path) -> None:
    assert "an ONNX model" in told("build", SAMPLES / "digits.onnx")[0]
    assert "a NumPy file" in told("plan", SAMPLES / "digits.npz")[0]


@pytest.mark.parametrize("text", ["", "\n\n", "// nothing yet\n", "\ufeff"])
def test_a_file_with_nothing_in_it(text: str, tmp_path: Path) -> None:
    file = tmp_path / "a.wz"
    file.write_text(text, encoding="utf-8")
    done = CliRunner().invoke(cli, ["check", str(file)], standalone_mode=False)
    assert done.return_value == 1 and "there is nothing in this file" in done.stderr
