"""`wootzc zoo` and `wootzc import`, as a user runs them."""

import subprocess
import sys
from pathlib import Path

import pytest


def wootzc(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "wootzc.cli", *arguments], capture_output=True, text=True, cwd=cwd
    )


def test_the_zoo_is_listed_with_its_costs(tmp_path: Path) -> None:
    done = wootzc("zoo", cwd=tmp_path)
    assert done.returncode == 0
    (row,) = [line.split() for line in done.stdout.splitlines() if "resnet50 " in line]
    assert row[1:3] == ["224x224x3", "25,557,032"]


def test_a_network_of_the_zoo_can_be_copied_and_changed(tmp_path: Path) -> None:
    done = wootzc("zoo", "cifar_resnet20", cwd=tmp_path)
    (tmp_path / "mine.wz").write_text(done.stdout)
    assert (
        wootzc("check", "mine.wz", cwd=tmp_path).stdout == "mine.wz: ok (network cifar_resnet20)\n"
    )
    assert wootzc("fmt", "--check", "mine.wz", cwd=tmp_path).returncode == 0


def test_a_name_that_is_not_there_is_told(tmp_path: Path) -> None:
    done = wootzc("zoo", "resnet5", cwd=tmp_path)
    assert done.returncode == 1 and "did you mean `resnet50`" in done.stderr


@pytest.mark.parametrize(
    ("file", "words"),
    [("missing.onnx", "No such file"), ("model.pb", "reads no networks"), ("x.onnx", "x.onnx")],
)
def test_files_that_are_no_networks_are_told(file: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "model.pb").write_bytes(b"")
    (tmp_path / "x.onnx").write_bytes(b"not a model")
    done = wootzc("import", file, cwd=tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr and words in done.stderr


def test_a_size_is_three_numbers(tmp_path: Path) -> None:
    done = wootzc("import", "x.onnx", "--input", "224", cwd=tmp_path)
    assert done.returncode == 2 and "224x224x3" in done.stderr
