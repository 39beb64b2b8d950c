"""The result folder belongs to the file that it was built from."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from wootzc.builder import Options, build
from wootzc.builder.jobs import jobs
from wootzc.builder.jobs.events import Event, Warned
from wootzc.builder.jobs.keys import Keys
from wootzc.builder.jobs.teacher import read_teacher, teacher_hash
from wootzc.diagnostics import WootzError
from wootzc.driver import compile
from wootzc.networks import import_network


@pytest.fixture(scope="module")
def built(make_space: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Options]:
    folder = tmp_path_factory.mktemp("folder")
    source = Path(make_space())
    options = Options(out=folder / "out", store=folder / "store")
    build(source, options)
    return source, options


def test_another_files_result_is_not_overwritten(built: tuple[Path, Options]) -> None:
    source, options = built
    assert options.out is not None
    other = source.with_name("other.wz")
    other.write_text(source.read_text())
    before = (options.out / "result.json").read_bytes()
    with pytest.raises(WootzError, match="WZ127"):
        build(other, options)
    assert (options.out / "result.json").read_bytes() == before
    replaced = Options(out=options.out, store=options.store, replace=True)
    assert build(other, replaced).summary["built_from"] == str(other.resolve())
    assert build(source, Options(out=options.out, store=options.store, replace=True))


def test_a_damaged_result_does_not_stand_in_the_way(built: tuple[Path, Options]) -> None:
    source, options = built
    assert options.out is not None
    (options.out / "result.json").write_text("{")
    build(source, options)
    assert json.loads((options.out / "result.json").read_text())["built_from"]


def test_exports_of_an_earlier_result_are_told(built: tuple[Path, Options]) -> None:
    source, options = built
    assert options.out is not None
    (options.out / "export").mkdir(exist_ok=True)
    warnings: list[str] = []

    def listen(event: Event) -> None:
        if isinstance(event, Warned):
            warnings.append(event.message)

    build(source, options, [listen])
    assert not [text for text in warnings if "export again" in text]
    changed = Options(out=options.out, store=options.store, overrides={"finetune.steps": "3"})
    build(source, changed, [listen])
    assert [text for text in warnings if "export again" in text]


# A teacher from an ONNX file


def model(path: Path, *, act: str = "Relu", seed: int = 0, beside: bool = False) -> Path:
    rng = np.random.default_rng(seed)
    arrays = {
        "k1": rng.normal(size=(4, 3, 3, 3)),
        "k2": rng.normal(size=(4, 4, 3, 3)),
        "w": rng.normal(size=(2, 4)),
    }
    nodes = [
        helper.make_node("Conv", ["x", "k1"], ["c"], pads=[1] * 4),
        helper.make_node(act, ["c"], ["r"]),
        helper.make_node("Conv", ["r", "k2"], ["d"], pads=[1] * 4),
        helper.make_node("GlobalAveragePool", ["d"], ["g"]),
        helper.make_node("Flatten", ["g"], ["f"]),
        helper.make_node("Gemm", ["f", "w"], ["y"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])],
        [numpy_helper.from_array(v.astype(np.float32), k) for k, v in arrays.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(made, path, save_as_external_data=beside, size_threshold=0, location="w.data")
    return path


def test_weights_beside_an_onnx_file_are_part_of_the_teachers_key(tmp_path: Path) -> None:
    path = model(tmp_path / "m.onnx", beside=True)
    first, content = teacher_hash(path), path.read_bytes()
    os.remove(tmp_path / "w.data")
    model(path, seed=1, beside=True)
    assert path.read_bytes() == content  # or the test would not show what it is for
    assert teacher_hash(path) != first


def test_a_teachers_file_that_changes_during_a_build_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is made of one file is never kept under the key of another."""
    path, source = model(tmp_path / "m.onnx"), tmp_path / "s.wz"
    images = np.random.default_rng(0).integers(0, 256, (80, 8, 8, 3), dtype=np.uint8)
    np.savez(tmp_path / "noise.npz", images=images, labels=np.arange(80) % 2)
    source.write_text(f"""
network net from "{path}"
space s over net {{
  data "noise.npz" {{ validation 25%; test 25% }}
  rates {{ 0, 50% }}
  minimize params
  subject to accuracy >= 10%
}}
""")

    def changing(given: Path, *rest: Any, **named: Any) -> Any:
        found = read_teacher(given, *rest, **named)
        model(given, seed=3)
        return found

    monkeypatch.setattr(jobs, "read_teacher", changing)
    options = Options(out=tmp_path / "out", store=tmp_path / "store")
    with pytest.raises(WootzError, match=r"WZ299.*m\.onnx"):
        build(source, options)
    assert not list(tmp_path.glob("store/jobs/*/*.json"))


def test_keys_stay_those_of_the_file_that_was_read(tmp_path: Path) -> None:
    path = model(tmp_path / "m.onnx")
    plan = compile(
        f'network net from "{path}"\n'
        'space s over net { data "x.npz"; minimize params; subject to accuracy >= 10% }'
    )
    keys = Keys(plan, "data")
    before, read = keys.teacher, keys.file
    model(path, seed=3)
    assert Keys(plan, "data", teacher_file=read).teacher == before
    assert Keys(plan, "data").teacher != before


def test_a_teacher_of_other_layers_is_refused(tmp_path: Path) -> None:
    network = import_network(model(tmp_path / "a.onnx")).network
    same = read_teacher(model(tmp_path / "b.onnx", seed=2), network)
    assert any(value.shape == (3, 3, 3, 4) for value in same.values())
    with pytest.raises(WootzError, match=r"WZ126.*sigmoid") as error:
        read_teacher(model(tmp_path / "c.onnx", act="Sigmoid"), network)
    assert "take the network from the file" in str(error.value)


def test_an_onnx_file_that_is_missing_is_told(tmp_path: Path) -> None:
    network = import_network(model(tmp_path / "a.onnx")).network
    with pytest.raises(WootzError, match="WZ120"):
        read_teacher(tmp_path / "none.onnx", network)
