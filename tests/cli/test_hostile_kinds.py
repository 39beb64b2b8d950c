"""Files of every kind that nobody wrote in good faith, made here: each is refused, and why is said.

`test_hostile_files.py` holds what once crashed, hung or lied; these never did but for two.
"""

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from safetensors.numpy import save_file

import wootzc
from wootzc.backends.data import check_data, load
from wootzc.backends.weights import stored
from wootzc.backends.weights.stored import read
from wootzc.cli import cli
from wootzc.diagnostics import Span, WootzError, render
from wootzc.driver import placed
from wootzc.grammar import syntax
from wootzc.grammar.check.report import Report
from wootzc.grammar.space.configs import read_rows
from wootzc.ir.space.recipe import Data
from wootzc.ir.text import print_plan
from wootzc.networks import import_network

SPACE = """network n { input(4x4x1)
  module m { conv(3x3, 4); relu; conv(3x3, 4) }; global_pool; dense(2) }
space s over n { data "gone.npz"; rates { 0, 50% }; minimize params; subject to accuracy >= 50% }
"""
LONG = 2_000  # characters that a refusal has at most


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(WootzError) as caught:
        call()
    assert len(str(caught.value)) < LONG
    return str(caught.value)


# Archives and the images in them


def png(width: int = 6, height: int = 6, data: bytes = bytes(42), extra: bytes = b"") -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + crc

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + body


def text_chunk(kind: bytes) -> bytes:
    content = b"k\0\0" + zlib.compress(bytes(80_000_000))
    crc = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + crc


def jpeg_of_any_size() -> bytes:
    file = io.BytesIO()
    Image.new("L", (6, 6)).save(file, "jpeg")
    content = bytearray(file.getvalue())
    at = content.find(b"\xff\xc0")
    content[at + 5 : at + 9] = b"\xff\xff\xff\xff"
    return bytes(content)


PICTURES = {
    "sizes": png(2**31 - 1, 2**31 - 1),
    "no-width": png(0, 6),
    "cut": png()[:40],
    "text-bomb": png(extra=text_chunk(b"zTXt")),
    "profile-bomb": png(extra=text_chunk(b"iCCP")),
    "bmp": b"BM" + struct.pack("<IHHI", 100, 0, 0, 54)
    + struct.pack("<IiiHHIIiiII", 40, 6, -(2**31), 1, 24, *[0] * 6) + bytes(100),
    "ppm": b"P6 100000 100000 255\n" + bytes(100),
    "pgm": b"P5 -6 6 255\n" + bytes(36),
    "tiff-loop": b"II*\0\x08\0\0\0\0\0\x08\0\0\0",
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 6 6\n%%EndComments\nshowpage\n",
    "nothing": b"",
    "jpeg": jpeg_of_any_size(),
}  # fmt: skip


def archive(path: Path, **entries: bytes) -> bytearray:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for number in range(12):
            file.writestr(
                f"{'ab'[number % 2]}/{number}.png", png(data=(b"\0" + bytes([number]) * 6) * 6)
            )
        for name, content in entries.items():
            file.writestr(name, content)
    return bytearray(path.read_bytes())


@pytest.mark.parametrize("name", PICTURES)
def test_images(name: str, tmp_path: Path) -> None:
    archive(tmp_path / "a.zip", **{"a/zz.png": PICTURES[name]})
    assert "a/zz.png" in refused(lambda: load(Data(path=str(tmp_path / "a.zip")), seed=0))


def central(content: bytearray, offset: int, value: bytes) -> None:
    at = content.find(b"PK\x01\x02") + offset
    content[at : at + len(value)] = value


def encrypted(content: bytearray) -> None:
    central(content, 8, b"\x01")
    content[6] |= 1


def method(content: bytearray) -> None:
    central(content, 10, b"\x63\0")
    content[8:10] = b"\x63\0"


def name_in_no_utf8(content: bytearray) -> None:
    at = content.find(b"PK\x01\x02")
    content[at + 9] |= 8
    content[at + 46] = 0xFF


ARCHIVES: dict[str, Callable[[bytearray], Any]] = {
    "encrypted": encrypted,
    "method": method,
    "name": name_in_no_utf8,
    "size": lambda content: central(content, 24, struct.pack("<I", 10)),
    "zip64": lambda content: central(content, 20, b"\xff" * 8),
    "offset": lambda content: central(content, 42, struct.pack("<I", 2**31)),
    "cut": lambda content: content.__delitem__(slice(len(content) // 2, None)),
    "nothing": lambda content: content.clear(),
}


def test_the_archive_as_it_is(tmp_path: Path) -> None:
    archive(tmp_path / "a.zip")
    load(Data(path=str(tmp_path / "a.zip")), seed=0)


@pytest.mark.parametrize("name", ARCHIVES)
def test_archives(name: str, tmp_path: Path) -> None:
    content = archive(tmp_path / "a.zip")
    ARCHIVES[name](content)
    (tmp_path / "a.zip").write_bytes(content)
    assert "a.zip" in refused(lambda: load(Data(path=str(tmp_path / "a.zip")), seed=0))


@pytest.mark.parametrize("name", ["//a//x.png", "\\\\server\\share\\x.png"])
def test_names_in_archives(name: str, tmp_path: Path) -> None:
    archive(tmp_path / "a.zip", **{name: png()})
    refused(lambda: load(Data(path=str(tmp_path / "a.zip")), seed=0))


# Arrays


def array(header: str | bytes, values: bytes = b"", version: tuple[int, int] = (1, 0)) -> bytes:
    text = header.encode() if isinstance(header, str) else header
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    size = struct.pack("<H" if version == (1, 0) else "<I", len(text))
    return b"\x93NUMPY" + bytes(version) + size + text + values


def declared(descr: str, shape: str) -> str:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}"


def saved(values: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


IMAGES = saved(np.arange(24 * 16, dtype=np.uint8).reshape(24, 4, 4, 1))
LABELS = saved(np.arange(24) % 3)
EIGHT = "(24, 4, 4, 1)"
ARRAYS = {
    "objects": (IMAGES, array(declared("'|O'", "(24,)"), b"\x80\x04N.")),
    "records": (array(declared("[('a', '<f4'), ('b', '<i4')]", "(24,)"), bytes(192)), LABELS),
    "arrays-of-arrays": (array(declared("('<f4', (1000000,))", "(24,)"), bytes(96)), LABELS),
    "deep": (array(declared("(" * 3000 + ")" * 3000, "(24,)")), LABELS),
    "code": (array(declared("__import__('os').abort()", "(24,)")), LABELS),
    "below-zero": (array(declared("'|u1'", "(-24, 4, 4, 1)"), bytes(384)), LABELS),
    "no-images": (saved(np.zeros((0, 4, 4, 1), np.uint8)), saved(np.zeros(0, int))),
    "no-height": (saved(np.zeros((24, 0, 4, 1), np.uint8)), LABELS),
    "nothing-often": (array(declared("'|u1'", "(1000000000000, 0, 4, 1)")), LABELS),
    "no-bytes-often": (array(declared("'|V0'", "(1000000000000,)")), LABELS),
    "nan": (saved(np.full((24, 4, 4, 1), np.nan, np.float32)), LABELS),
    "too-large-for-float32": (saved(np.full((24, 4, 4, 1), 1e300)), LABELS),
    "complex": (saved(np.ones((24, 4, 4, 1), np.complex64)), LABELS),
    "texts": (IMAGES, saved(np.array(["a", "b", "c"] * 8))),
    "long-texts": (IMAGES, array(declared("'<U1000000000'", "(24,)"))),
    "times": (IMAGES, saved(np.arange(24).astype("datetime64[s]"))),
    "labels-below-zero": (IMAGES, saved(np.arange(24) - 2**62)),
    "labels-too-large": (IMAGES, saved(np.arange(24) % 3 * 10**15)),
    "labels-nan": (IMAGES, saved(np.where(np.arange(24) % 2, np.nan, 1.0))),
    "version": (IMAGES[:6] + b"\x09\x00" + IMAGES[8:], LABELS),
    "number-as-name": (array("{1: '|u1', 'fortran_order': False, 'shape': (24,)}"), LABELS),
    "truth-as-size": (array(declared("'|u1'", "(24, True, 4, 4)"), bytes(384)), LABELS),
    "fraction-as-size": (array(declared("'|u1'", "(24, 4, 4, 1e0)"), bytes(384)), LABELS),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays(name: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as file:
        for entry, content in zip(("images", "labels"), ARRAYS[name], strict=True):
            file.writestr(f"{entry}.npy", content)
    refused(lambda: load(Data(path=str(tmp_path / "a.npz")), seed=0))
    refused(lambda: load(Data(path=str(tmp_path / "a.npz"), stream=True), seed=0))


# Rates


RATES = {
    "utf16.csv": "0.1,0.5\n".encode("utf-16"),
    "zero.csv": b"0.1,\0\n",
    "quote.csv": b'"0.1,0.5\n',
    "lengths.csv": b"0.1\n0.1,0.5,0.5\n",
    "underscore.csv": b"0.1,0_5\n",
    "nan.csv": b"0.1,nan\n",
    "negative.csv": b"-0.1,-1e-400\n",
    "tiny.csv": b"1e-999999999999999999999,0.5\n",
    "semicolon.csv": b"0.1;0.5\n",
    "nan.json": b"[[NaN, Infinity]]",
    "table.json": b'{"a": 1, "a": 2}',
    "truth.json": b"[[true, false]]",
    "infinite.json": b"[[1e400, -0.0]]",
    "surrogate.json": b'[["\\ud800", "0.5"]]',
    "null.json": b"[null]",
    "trailing.json": b"[[0.1, 0.5]] x",
    "complex.npy": saved(np.ones((1, 2), complex)),
    "cube.npy": saved(np.zeros((1, 2, 3))),
    "single.npy": saved(np.array(0.5)),
    "truth.npy": saved(np.ones((1, 2), bool)),
    "code.npy": array("__import__('os').abort()"),
    "function.npy": array("{'descr': lambda: 0}"),
    "zero.npy": array(b"{'descr':\0 '<f8'}"),
    "bracket.npy": array("{'descr': '<f8', 'fortran_order': False, 'shape': (1,2"),
    "indent.npy": array("{'descr'\n\t: 1\n  }\n x"),
    "quote.npy": array("{'descr': f'{"),
    "long.npy": array(declared("'<f8'", f"({'1,' * 9000})"), bytes(8), (2, 0)),
    "digits.npy": array(declared("'<f8'", f"({'9' * 5000},2)")),
}


@pytest.mark.parametrize("name", RATES)
def test_rates(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(RATES[name])
    span, report = Span(str(tmp_path / "x.wz")), Report()
    configs = syntax.Configs(source=syntax.Text(value=str(tmp_path / name), span=span), span=span)
    assert read_rows(configs, ("a", "b"), report) is None
    assert {found.code for found in report.diagnostics} <= {"WZ049", "WZ050"}
    told = render(report.diagnostics, {})
    assert len(told) < LONG and "('" not in told.replace("'descr'", "")


# Weights


def tensors(head: Any, values: bytes = b"", length: int | None = None) -> bytes:
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + values


def tensor(dtype: str, shape: list[int], end: int, start: int = 0) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


WEIGHTS = {
    "head": tensors({}, length=2**63),
    "head-cut": tensors({}, length=10**6),
    "shared": tensors({"a": tensor("F32", [1], 4), "b": tensor("F32", [1], 4)}, bytes(4)),
    "below-zero": tensors({"a": tensor("F32", [-1], 4)}, bytes(4)),
    "large": tensors({"a": tensor("F32", [2**40, 2**40], 4)}, bytes(4)),
    "overflow": tensors({"a": tensor("F32", [2**63, 2], 0)}),
    "nothing-often": tensors({"a": tensor("F32", [0, 2**62], 0)}),
    "four-bits": tensors({"a": tensor("F4", [2], 1)}, bytes(1)),
    "truths": tensors({"a": tensor("BOOL", [2], 2)}, b"\2\3"),
    "complex": tensors({"a": tensor("C64", [1], 8)}, bytes(8)),
    "deep": tensors(b'{"a":' + b"[" * 100_000),
    "metadata": tensors({"__metadata__": {"a": 1}}),
    "surrogate": tensors(b'{"\\ud800":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', bytes(4)),
    "nan": tensors({"a": tensor("BF16", [1], 2)}, b"\xff\xff"),
    "gap": tensors({"a": tensor("F32", [1], 8, 4)}, bytes(8)),
    "pickle": b"\x80\x04c__builtin__\nprint\n.",
    "nothing": b"",
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights(name: str, tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(WEIGHTS[name])
    assert "w.safetensors" in refused(lambda: read(tmp_path / "w.safetensors"))


# ONNX


Node = helper.make_node
CONV = Node("Conv", ["x", "w"], ["c"], pads=[1] * 4)
SAME = Node("Identity", ["r"], ["y"])
TRUE, MANY = np.array(True), np.array(2**62)
ONE, HUGE = np.ones(1, np.float32), np.array([10**11])


def conv(**attributes: Any) -> dict[str, Any]:
    return {"first": Node("Conv", ["x", "w"], ["c"], **{"pads": [1] * 4, **attributes})}


def graph(*nodes: onnx.NodeProto, makes: str = "o", **takes: int) -> onnx.GraphProto:
    entering = [helper.make_tensor_value_info(name, kind, None) for name, kind in takes.items()]
    leaving = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in makes.split()]
    return helper.make_graph(list(nodes), "g", entering, leaving)


BODY = graph(
    Node("Identity", ["cond"], ["again"]), Node("Identity", ["v"], ["next"]), makes="again next",
    i=TensorProto.INT64, cond=TensorProto.BOOL, v=TensorProto.FLOAT,
)  # fmt: skip


def ifs(deep: int) -> onnx.GraphProto:
    inner = graph(Node("Identity", ["r"], ["o"]))
    for _ in range(deep):
        inner = graph(Node("If", ["k"], ["o"], then_branch=inner, else_branch=inner))
    return inner


def function(name: str, *nodes: onnx.NodeProto, domain: str = "own") -> onnx.FunctionProto:
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    return helper.make_function(domain, name, ["i"], ["o"], list(nodes), opsets)


def times(kind: str, *inputs: str, **arrays: Any) -> dict[str, Any]:
    """Something that is computed before the network runs, and multiplied in."""
    nodes = [Node(kind, list(inputs), ["q"]), Node("Mul", ["r", "q"], ["y"])]
    return {"nodes": nodes, "arrays": arrays}


MODELS: dict[str, dict[str, Any]] = {
    "circle": {"nodes": [Node("Add", ["r", "y"], ["y"])]},
    "circle-of-two": {"nodes": [Node("Relu", ["b"], ["a"]), Node("Relu", ["a"], ["b"]),
                                Node("Add", ["r", "b"], ["y"])]},
    "made-twice": {"nodes": [Node("Relu", ["r"], ["y"]), Node("Sigmoid", ["r"], ["y"])]},
    "ifs": {"nodes": [Node("If", ["k"], ["y"], then_branch=ifs(3), else_branch=ifs(2))],
            "arrays": {"k": TRUE}},
    "loop": {"nodes": [Node("Loop", ["n", "k", "r"], ["y"], body=BODY)],
             "arrays": {"k": TRUE, "n": MANY}},
    "constant-loop": {"nodes": [Node("Loop", ["n", "k", "one"], ["q"], body=BODY),
                                Node("Mul", ["r", "q"], ["y"])],
                      "arrays": {"k": TRUE, "n": MANY, "one": ONE}},
    "expand": times("Expand", "one", "s", one=ONE, s=HUGE),
    "fill": times("ConstantOfShape", "s", s=np.array([10**6, 10**6])),
    "range": times("Range", "a", "b", "e", a=np.array(0), b=np.array(10**12), e=np.array(1)),
    "tile": times("Tile", "one", "s", one=ONE, s=HUGE),
    "pad": times("Pad", "one", "s", one=ONE, s=np.array([10**11, 0])),
    "product": times("MatMul", "a", "b", a=np.ones((60_000, 1), np.float32),
                     b=np.ones((1, 60_000), np.float32)),
    "strides": conv(strides=[0, 0]),
    "pads": conv(pads=[2**40] * 4),
    "pads-below-zero": conv(pads=[-5] * 4),
    "three-pads": conv(pads=[1] * 3),
    "dilations": conv(dilations=[2**40] * 2),
    "no-groups": conv(group=0),
    "groups-below-zero": conv(group=-3),
    "auto-pad": {"first": Node("Conv", ["x", "w"], ["c"], auto_pad="NONSENSE")},
    "no-inputs": {"first": Node("Conv", [], ["c"])},
    "image": {"dims": (1, 3, 2**31, 2**31)},
    "no-axes": {"dims": ()},
    "nine-axes": {"dims": (1,) * 9},
    "opset": {"opset": -(2**63)},
    "doubled": {"nodes": [Node("Add", ["r", "r"], ["t0"]),
                          *(Node("Concat", [f"t{n}"] * 2, [f"t{n + 1}"], axis=1)
                            for n in range(40)), Node("Relu", ["t40"], ["y"])]},
    "sum-of-many": {"nodes": [Node("Sum", ["r"] * 20_000, ["y"])]},
    "function-twice": {"nodes": [Node("F", ["r"], ["y"], domain="own")],
                       "functions": [function("F", Node("Relu", ["i"], ["o"]))] * 2},
    "function-of-a-layer": {"functions": [function("Relu", Node("Relu", ["i"], ["o"]),
                                                   domain="")]},
}  # fmt: skip


def model(
    path: Path,
    first: onnx.NodeProto = CONV,
    nodes: Any = (SAME,),
    arrays: Any = {},  # noqa: B006  not changed
    dims: Any = (1, 3, 8, 8),
    opset: int = 17,
    functions: Any = (),
) -> onnx.ModelProto:
    random = np.random.default_rng(0)
    weights = {"w": random.random((8, 3, 3, 3), np.float32),
               "d": random.random((8, 10), np.float32), **arrays}  # fmt: skip
    whole = [first, Node("Relu", ["c"], ["r"]), *nodes, Node("GlobalAveragePool", ["y"], ["p"]),
             Node("Flatten", ["p"], ["f"]), Node("MatMul", ["f", "d"], ["logits"])]  # fmt: skip
    made = helper.make_graph(
        whole, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, dims)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 10])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("own", 1)]
    model = helper.make_model(made, opset_imports=opsets, functions=functions, ir_version=8)
    path.write_bytes(model.SerializeToString())
    return model


@pytest.mark.parametrize("name", MODELS)
def test_models(name: str, tmp_path: Path) -> None:
    model(tmp_path / "m.onnx", **MODELS[name])
    assert "m.onnx" in refused(lambda: import_network(tmp_path / "m.onnx"))


def cut(tensor: onnx.TensorProto) -> None:
    tensor.raw_data = tensor.raw_data[:-3]


def larger(tensor: onnx.TensorProto) -> None:
    tensor.dims[:] = [2**31, 2**31, 3, 3]


def outside(**said: str) -> Callable[[onnx.TensorProto], None]:
    def change(tensor: onnx.TensorProto) -> None:
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in said.items():
            tensor.external_data.add(key=key, value=value)

    return change


TENSORS: dict[str, Callable[[onnx.TensorProto], None]] = {
    "cut": cut,
    "larger": larger,
    "texts": lambda tensor: setattr(tensor, "data_type", TensorProto.STRING),
    "unknown": lambda tensor: setattr(tensor, "data_type", 99),
    "nowhere": outside(),
    "below-zero": outside(location="w.bin", offset="-8"),
    "beyond": outside(location="w.bin", offset=str(2**70)),
    "length": outside(location="w.bin", length="1e9"),
    "folder": outside(location="."),
    "itself": outside(location="m.onnx"),
    "address": outside(location="http://x/y"),
    "zero": outside(location="w\0.bin"),
    "above": outside(location="sub/../../w.bin"),
    "digits": outside(location="w.bin", offset="٣"),
}


@pytest.mark.parametrize("name", TENSORS)
def test_weights_of_models(name: str, tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(864))
    changed = model(tmp_path / "m.onnx")
    TENSORS[name](changed.graph.initializer[0])
    (tmp_path / "m.onnx").write_bytes(changed.SerializeToString())
    assert "m.onnx" in refused(lambda: import_network(tmp_path / "m.onnx"))


# What is told before JAX is loaded


@pytest.mark.parametrize("form", ["wz", "wzir"])
def test_missing_data_is_told_before_anything_is_made(form: str, tmp_path: Path) -> None:
    file = tmp_path / "s.wz"
    file.write_text(SPACE)
    if form == "wzir":
        plan, file = wootzc.compile(file), tmp_path / "s.wzir"
        file.write_text(print_plan(placed(plan, file)))
    out, store = tmp_path / "out", tmp_path / "store"
    arguments = ["build", str(file), "--out", str(out), "--store", str(store)]
    done = CliRunner().invoke(cli, arguments, standalone_mode=False)
    assert isinstance(done.exception, WootzError)
    assert [one.code for one in done.exception.diagnostics] == ["WZ100"]
    assert not out.exists() and not store.exists()


@pytest.mark.parametrize("name", ["sizes", "ppm", "svg"])
def test_pictures_are_refused_by_their_heads(name: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for number in range(12):
            archive.writestr(f"{'ab'[number % 2]}/{number}.png", png())
        archive.writestr("b/bad.png", PICTURES[name])
    assert "bad.png" in refused(lambda: check_data(Data(path=str(tmp_path / "x.zip"))))


def test_too_many_classes_are_told_by_names_alone(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for number in range(30):
            archive.writestr(f"{number}/x.png", png())
    told = refused(lambda: check_data(Data(path=str(tmp_path / "x.zip"), validation=0.2)))
    assert "30 images of 30 classes leave none" in told


def test_another_archive_of_the_same_name_is_read_anew(tmp_path: Path) -> None:
    for names in (("a", "b"), ("a", "b", "c")):
        with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
            for name in names:
                for number in range(9):
                    archive.writestr(f"{name}/{number}.png", png())
        assert load(Data(path=str(tmp_path / "x.zip")), seed=0).classes == names


def test_files_of_more_tensors_than_any_network_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "MOST_TENSORS", 2)
    save_file({name: np.zeros(1, np.float32) for name in "abc"}, tmp_path / "w.safetensors")
    assert "holds 3 tensors" in refused(lambda: read(tmp_path / "w.safetensors"))
