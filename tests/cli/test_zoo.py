"""`wootzc zoo` and `wootzc import`, as a user runs them."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., subprocess.CompletedProcess[str]]


def test_the_zoo_is_listed_with_its_costs(tmp_path: Path, wootzc: Command) -> None:
    done = wootzc("zoo", cwd=tmp_path)
    assert done.returncode == 0
    (row,) = [line.split() for line in done.stdout.splitlines() if "resnet50 " in line]
    assert row[1:3] == ["224x224x3", "25,557,032"]


def test_a_network_of_the_zoo_can_be_copied_and_changed(tmp_path: Path, wootzc: Command) -> None:
    done = wootzc("zoo", "cifar_resnet20", cwd=tmp_path)
    (tmp_path / "mine.wz").write_text(done.stdout)
    assert (
        wootzc("check", "mine.wz", cwd=tmp_path).stdout == "mine.wz: ok (network cifar_resnet20)\n"
    )
    assert wootzc("fmt", "--check", "mine.wz", cwd=tmp_path).returncode == 0


def test_a_name_that_is_not_there_is_told(tmp_path: Path, wootzc: Command) -> None:
    done = wootzc("zoo", "resnet5", cwd=tmp_path)
    assert done.returncode == 1 and "did you mean `resnet50`" in done.stderr


@pytest.mark.parametrize(
    ("file", "words"),
    [("missing.onnx", "there is: x.onnx"), ("model.pb", "reads no networks"), ("x.onnx", "x.onnx")],
)
def test_files_that_are_no_networks_are_told(
    file: str, words: str, tmp_path: Path, wootzc: Command
) -> None:
    (tmp_path / "model.pb").write_bytes(b"")
    (tmp_path / "x.onnx").write_bytes(b"not a model")
    done = wootzc("import", file, cwd=tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr and words in done.stderr


def test_a_size_is_three_numbers(tmp_path: Path, wootzc: Command) -> None:
    done = wootzc("import", "x.onnx", "--input", "224", cwd=tmp_path)
    assert done.returncode == 2 and "224x224x3" in done.stderr


MODELS = Path(__file__).parents[1] / "imports"


def test_names_come_with_the_layer_that_each_makes(tmp_path: Path, wootzc: Command) -> None:
    file = MODELS / "onnx_fixtures" / "resnet_dynamo.onnx"
    done = wootzc("import", str(file), "--names", cwd=tmp_path)
    kinds = {line.split()[2]: line.split()[1] for line in done.stdout.splitlines()[1:]}
    assert kinds["/layer1/layer1.0/conv1/node_Conv_181"] == "conv"
    assert kinds["/layer1/layer1.0/relu/node_relu_1"] == "relu"
    assert kinds["/layer1/layer1.0/node_add"] == "add"
    known = {"conv", "norm", "relu", "max_pool", "add", "global_pool", "dense"}
    assert set(kinds.values()) == known
    assert kinds["/layer1/layer1.0/conv1/node_Conv_181/norm"] == "norm"


def test_what_no_rate_reaches_is_told(tmp_path: Path, wootzc: Command) -> None:
    file = MODELS / "onnx_fixtures" / "resnet_dynamo.onnx"
    done = wootzc("import", str(file), cwd=tmp_path)
    told = done.stderr.partition("note: ")[2]
    assert "% of the params can't be pruned: " in told
    assert "% outside of modules" in told and "the largest: " in told
    (tmp_path / "a.wz").write_text(
        done.stdout
        + f"""
space s over {done.stdout.split()[1]} {{
  data "x.npz"; keep *1; minimize params; subject to accuracy >= 90%
}}
"""
    )
    for command in ("plan", "explain"):
        shown = wootzc(command, "a.wz", cwd=tmp_path)
        assert "% in modules that are kept" in shown.stdout, shown.stderr


def test_a_message_names_its_file_once(tmp_path: Path, wootzc: Command) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.prototxt").write_text("layer { }")
    done = wootzc("import", "sub/a.prototxt", cwd=tmp_path)
    assert done.stderr.startswith("error[WZ090]: sub/a.prototxt:1: ")
    assert done.stderr.count("a.prototxt") == 1


def test_patterns_that_fit_nothing_are_told_at_their_place(tmp_path: Path, wootzc: Command) -> None:
    model = MODELS / "onnx_fixtures" / "resnet_dynamo.onnx"
    (tmp_path / "a.wz").write_text(
        f'network n from "{model}" {{\n'
        '  module a { "/layer1/*" }\n  module b { "/laier2/*" }\n}'
    )
    done = wootzc("check", "a.wz", cwd=tmp_path)
    assert "module `b`: no layer is called `/laier2/*`\n --> a.wz:3:3\n" in done.stderr
    assert "close to it are `/layer2/*`" in done.stderr


def test_networks_from_files_without_norms_are_not_told_of_lines(
    tmp_path: Path, wootzc: Command
) -> None:
    model = MODELS / "onnx_fixtures" / "resnet_dynamo.onnx"
    (tmp_path / "a.wz").write_text(
        f'network n from "{model}" {{ norms folded }}\n'
        'space s over n { data "x.npz"; rates { 0, 50% }; prune * by bn_scale; all; '
        "minimize params; subject to accuracy >= teacher - 1 points }"
    )
    done = wootzc("check", "a.wz", cwd=tmp_path)
    assert "error[WZ124]" in done.stderr and "in line" not in done.stderr
    assert "export it with norms" in done.stderr
