"""Files that crashed, hung or lied (`hostile/`), and what cannot be stored: all are refused.

In this process: `check` and the part of `build` before anything is trained.
"""

import io
import os
import shutil
import zipfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from wootzc.backends.data import load, survey
from wootzc.backends.data.images import MOST_BYTES, MOST_PIXELS
from wootzc.builder.jobs.teacher import read_teacher, teacher_hash
from wootzc.diagnostics import WootzError
from wootzc.driver import analyze_file
from wootzc.ir.layers.maxima import MAX_LAYERS
from wootzc.ir.space.recipe import Data
from wootzc.networks import import_network

FILES = Path(__file__).parent / "hostile"
NETWORK = """network tn {
  input(8x8x1)
  module m { conv(3x3, 8); relu; conv(3x3, 8) }
  global_pool
  dense(10)
}
"""


def codes(read: Callable[[], object]) -> set[str]:
    with pytest.raises(WootzError) as caught:
        read()
    assert len(str(caught.value)) < 1_000
    return {d.code for d in caught.value.diagnostics}


def load_data(path: Path | str, **fields: Any) -> set[str]:
    return codes(lambda: load(Data(path=str(path), **fields), seed=0))


@pytest.mark.parametrize(
    "name, said",
    {
        "nan_w.onnx": "NaN or infinite",
        "inf_w.onnx": "NaN or infinite",
        "exponential_functions.onnx": f"more than {MAX_LAYERS:,} nodes once its functions",
        "dims_neg.onnx": "-8x3x3x3: no size is below 0",
        "kernel_lie.onnx": "kernel_shape is 9x9, but its weights are 3x3",
    }.items(),
)
def test_models(name: str, said: str) -> None:
    with pytest.raises(WootzError, match=said) as caught:
        import_network(FILES / name)
    assert name in str(caught.value)


def test_400_sums_of_a_tensor_with_itself_are_read() -> None:
    assert import_network(FILES / "400_add_x_x.onnx").network.modules


@pytest.mark.parametrize(
    "name, code",
    {
        "huge1.npz": "WZ105",
        "huge2.npz": "WZ105",
        "huge3.npz": "WZ105",
        "strm.npz": "WZ105",
        "damaged1.zip": "WZ102",
        "damaged2.zip": "WZ102",
        "b169c.zip": "WZ112",
    }.items(),
)
def test_data(name: str, code: str) -> None:
    assert load_data(FILES / name) == {code}
    if name == "strm.npz":
        assert load_data(FILES / name, stream=True) == {code}


@pytest.mark.parametrize("name", ["q.npy", "q2.npy", "t.npy", "damaged_header.npy", "g2.csv"])
def test_rates(name: str, tmp_path: Path) -> None:
    shutil.copy(FILES / name, tmp_path)
    assert refused_rates(tmp_path, name) == ["WZ050"]


def test_rates_that_are_made_here(tmp_path: Path) -> None:
    made = {
        "empty.npy": b"",
        "empty.csv": b"",
        "long.csv": b"0.1" * 70_000,
        "cells.csv": b"0.1," * 1_100_000,
        "large.json": b" " * (1 << 24),
        "deep.json": b"[" * 100_000,
        "digits.json": b"[[" + b"9" * 10_000 + b"]]",
    }
    for name, content in made.items():
        (tmp_path / name).write_bytes(content)
        assert refused_rates(tmp_path, name)[0] in ("WZ049", "WZ050"), name


def refused_rates(folder: Path, name: str) -> list[str]:
    file = folder / "s.wz"
    rest = "prune * by l1; minimize params; subject to accuracy >= 50%"
    file.write_text(NETWORK + f'space s over tn {{ data "d.npz"; configs from "{name}"; {rest} }}')
    return [d.code for d in analyze_file(file).diagnostics if d.severity == "error"]


@pytest.mark.parametrize(
    "name, code", {"dt_F8_E4M3.safetensors": "WZ125", "nan_weights.safetensors": "WZ259"}.items()
)
def test_weights(name: str, code: str, tmp_path: Path) -> None:
    (tmp_path / "n.wz").write_text(NETWORK)
    (network,) = analyze_file(tmp_path / "n.wz").networks
    assert codes(lambda: read_teacher(FILES / name, network)) == {code}


# What is no file


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def test_pipes_devices_and_the_system_are_no_files(pipe: Path) -> None:
    folder = pipe.parent
    (folder / "n.wz").write_text(NETWORK)
    (network,) = analyze_file(folder / "n.wz").networks
    targets = (str(pipe), "/dev/zero", "/proc/self/environ", "/proc/self/mem")
    for number, target in enumerate(targets):

        def named(suffix: str, number: int = number, target: str = target) -> Path:
            link = folder / f"l{number}{suffix}"
            link.symlink_to(target)
            return link

        for suffix in (".npz", ".zip", ".parquet"):
            path = named(suffix)
            assert load_data(path) == {"WZ102"}
            assert codes(lambda path=path: survey(Data(path=str(path)))) == {"WZ102"}  # type: ignore[misc]
        for suffix in (".onnx", ".prototxt"):
            path = named(suffix)
            assert codes(lambda path=path: import_network(path)) == {"WZ090"}  # type: ignore[misc]
        path = named(".safetensors")
        assert codes(lambda path=path: read_teacher(path, network)) == {"WZ120"}  # type: ignore[misc]
        assert codes(lambda path=path: teacher_hash(path)) == {"WZ142"}  # type: ignore[misc]
        for suffix in (".csv", ".json", ".npy"):
            assert refused_rates(folder, named(suffix).name) == ["WZ050"]
        path = named(".wz")
        assert codes(lambda path=path: analyze_file(path)) == {"WZ007"}  # type: ignore[misc]
        (folder / "includes.wz").write_text(f'include "{path.name}"\n')
        (found,) = analyze_file(folder / "includes.wz").diagnostics
        assert found.code == "WZ007"


def picture(size: tuple[int, int] = (6, 6), value: int = 0) -> bytes:
    file = io.BytesIO()
    Image.new("L", size, value).save(file, "png")
    return file.getvalue()


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    root = tmp_path / "classes"
    for number in range(12):
        (root / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        (root / "ab"[number % 2] / f"{number}.png").write_bytes(picture(value=number))
    load(Data(path=str(root)), seed=0)
    return root


@pytest.mark.parametrize("target", ["/dev/zero", "/proc/self/environ", "/gone.png", FILES])
def test_images_that_are_links_out_of_the_data(target: str | Path, classes: Path) -> None:
    (classes / "a" / "link.png").symlink_to(target)
    assert load_data(classes) == {"WZ257"}


def test_images_that_are_pipes(classes: Path) -> None:
    os.mkfifo(classes / "a" / "pipe.png")
    assert load_data(classes) == {"WZ112"}
    (classes / "a" / "pipe.png").rename(classes / "a" / "0.png")  # the first, whose shape is read
    assert load_data(classes, stream=True) == {"WZ112"}


def test_links_inside_of_the_data_are_followed(classes: Path) -> None:
    (classes / "a" / "again.png").symlink_to("../b/1.png")
    dataset = load(Data(path=str(classes)), seed=0)
    assert len(dataset.train) + len(dataset.validation) + len(dataset.test) == 13


@pytest.mark.parametrize("target", ["/", "/proc/self", ".."])
def test_folders_that_lead_out_of_the_data(classes: Path, target: str) -> None:
    (classes / "c").symlink_to(target)
    assert load_data(classes) == {"WZ257"}


def test_class_folders_without_a_name_in_utf8(classes: Path) -> None:
    os.mkdir(os.fsencode(classes) + b"/\xff\xfe")
    (Path(os.fsdecode(os.fsencode(classes) + b"/\xff\xfe")) / "1.png").write_bytes(picture())
    assert load_data(classes) == {"WZ258"}


# Bombs


def zipped(path: Path, **entries: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(12):
            archive.writestr(f"{'ab'[number % 2]}/{number}.png", picture(value=number))
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def test_an_entry_that_unpacks_to_gigabytes_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    zipped(path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("a/0zeros.png", "w") as entry:
            for _ in range(MOST_BYTES // (1 << 20) + 1):
                entry.write(bytes(1 << 20))
    assert load_data(path) == {"WZ255"}


@pytest.mark.parametrize("name", ["/etc/x.png", "../../evil/x.png", "a/../../x.png", "C:/x.png"])
def test_entries_that_lead_out_of_the_archive(name: str, tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", **{name: picture()})
    assert load_data(path) == {"WZ257"}
    assert codes(lambda: survey(Data(path=str(path)))) == {"WZ257"}


def test_pictures_with_too_many_pixels(tmp_path: Path) -> None:
    side = int(MOST_PIXELS**0.5) + 1
    path = zipped(tmp_path / "a.zip", **{"a/large.png": picture((side, side))})
    assert load_data(path) == {"WZ256"}


def test_arrays_that_unpack_to_far_more_than_images_do(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, shape in (("images", (300_000, 32, 32, 1)), ("labels", (300_000,))):
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                header = {"descr": "|u1", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(entry, header)
                for _ in range(int(np.prod(shape)) // 100_000):
                    entry.write(bytes(100_000))
    assert load_data(path) in ({"WZ255"}, {"WZ105"})


def test_headers_that_declare_a_long_header(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("images.npy", "labels.npy"):
            archive.writestr(name, b"\x93NUMPY\x02\x00\xff\xff\xff\xff{" + bytes(100))
    assert load_data(path) == {"WZ105"}


def test_rows_that_say_one_image_a_million_times(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")

    noise = np.random.default_rng(0).integers(0, 256, 1 << 20, np.uint8).tobytes()
    images = pyarrow.DictionaryArray.from_arrays([0] * 600, [noise])
    table = pyarrow.table({"image": images, "label": [0, 1] * 300})
    parquet.write_table(table, tmp_path / "a.parquet")
    assert load_data(tmp_path / "a.parquet") <= {"WZ255", "WZ112"}


# ONNX


def model(path: Path, **changes: Any) -> onnx.ModelProto:
    random = np.random.default_rng(0)
    weights = {
        "w": random.random((8, 3, 3, 3), np.float32),
        "d": random.random((8, 10), np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[1] * 4),
        helper.make_node("Relu", ["c"], ["r"]),
        *changes.get("nodes", [helper.make_node("Identity", ["r"], ["y"])]),
        helper.make_node("GlobalAveragePool", ["y"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("MatMul", ["f", "d"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, changes.get("dims", [1, 3, 8, 8]))],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 10])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    made = helper.make_model(
        graph, opset_imports=opsets, functions=changes.get("functions", []), ir_version=8
    )
    onnx.save(made, path, **changes.get("save", {}))
    return made


def refusal(path: Path) -> str:
    with pytest.raises(WootzError) as caught:
        import_network(path)
    assert {d.code for d in caught.value.diagnostics} == {"WZ090"}
    return str(caught.value)


def function(name: str, *calls: str) -> onnx.FunctionProto:
    tensors = ["i", *(f"t{n}" for n in range(len(calls) - 1)), "o"]
    nodes = [
        helper.make_node(
            call, [tensors[n]], [tensors[n + 1]], domain="" if call == "Relu" else "own"
        )
        for n, call in enumerate(calls)
    ]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    return helper.make_function("own", name, ["i"], ["o"], nodes, opsets)


def test_more_nodes_than_layers_may_be(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    tensors = ["r", *(f"t{n}" for n in range(MAX_LAYERS)), "y"]
    nodes = [helper.make_node("Relu", [a], [b]) for a, b in pairwise(tensors)]
    model(path, nodes=nodes)
    assert f"more than {MAX_LAYERS:,} nodes" in refusal(path)


def test_functions_are_counted_before_they_are_written_out(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    call = [helper.make_node("F0", ["r"], ["y"], domain="own")]
    model(path, nodes=call, functions=[function("F0", "Relu", "Relu")])
    import_network(path)
    doubled = [function(f"F{n}", f"F{n + 1}", f"F{n + 1}") for n in range(20)]
    model(path, nodes=call, functions=[*doubled, function("F20", "Relu", "Relu")])
    assert "once its functions are written out" in refusal(path)
    chain = [function(f"F{n}", f"F{n + 1}") for n in range(100)]
    model(path, nodes=call, functions=[*chain, function("F100", "Relu")])
    assert "nested more than" in refusal(path)
    model(path, nodes=call, functions=[function("F0", "F0", "F0")])
    assert "nested more than" in refusal(path)


def test_constants_that_grow(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    value = numpy_helper.from_array(np.ones((1000, 1), np.float32))
    nodes = [helper.make_node("Constant", [], ["k0"], value=value)]
    nodes += [
        helper.make_node("Concat", [f"k{n}", f"k{n}"], [f"k{n + 1}"], axis=0) for n in range(40)
    ]
    nodes += [
        helper.make_node("ReduceMean", ["k40"], ["k"], keepdims=0),
        helper.make_node("Mul", ["r", "k"], ["y"]),
    ]
    model(path, nodes=nodes)
    assert "numbers" in refusal(path)
    nodes = [
        helper.make_node("Constant", [], ["a"], value=value),
        helper.make_node("Constant", [], ["one"], value_floats=[1.0] * 100_000),
        helper.make_node("Add", ["a", "one"], ["b"]),
        helper.make_node("ReduceMean", ["b"], ["k"], keepdims=0),
        helper.make_node("Mul", ["r", "k"], ["y"]),
    ]
    model(path, nodes=nodes)
    assert "it makes 100000000 numbers" in refusal(path)


def test_an_input_with_a_size_below_zero(tmp_path: Path) -> None:
    model(tmp_path / "m.onnx", dims=[1, 3, -8, 8])
    assert "no size is below 0" in refusal(tmp_path / "m.onnx")


EXTERNAL = {"save_as_external_data": True, "location": "w.bin", "size_threshold": 0}


@pytest.mark.parametrize("location", ["../w.bin", "/dev/zero", "link.bin", "pipe", "w.bin"])
def test_weights_beside_a_model(location: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    path = folder / "m.onnx"
    model(path, save=EXTERNAL)
    import_network(path)
    shutil.copy(folder / "w.bin", tmp_path / "w.bin")
    (folder / "link.bin").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe")
    loaded = onnx.load(path, load_external_data=False)
    for tensor in loaded.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = location
            if entry.key == "length" and location == "w.bin":
                entry.value = str(1 << 40)
    path.write_bytes(loaded.SerializeToString())
    said = refusal(path)
    expected = {"pipe": "it is a pipe", "w.bin": "cut short"}
    assert expected.get(location, "outside of its folder") in said
