"""docs/models.md quotes messages: each of them is what a small case says, and none is missing."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from wootzc.backends.checkpoints import read_checkpoint
from wootzc.backends.checkpoints.convert import torch_names, torch_shape
from wootzc.backends.checkpoints.names import namings
from wootzc.backends.checkpoints.read import slots
from wootzc.diagnostics import WootzError
from wootzc.grammar.imports import read_graph
from wootzc.ir.graph import INPUT, Graph, Node, Refused
from wootzc.ir.graph.decompose import decompose
from wootzc.ir.graph.segment import How, segment
from wootzc.ir.layers import Activation, Conv, Dense, GlobalPool, Norm
from wootzc.networks import zoo

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "models.md").read_text(encoding="utf-8")

Case = Callable[[Path], object]  # raises; the folder is its own


# ---- Caffe

HEAD = 'input: "data"\ninput_dim: [1, 3, 8, 8]\n'


def caffe(text: str) -> Case:
    def case(folder: Path) -> object:
        path = folder / "net.prototxt"
        path.write_text(text, encoding="utf-8")
        return read_graph(str(path))

    return case


def layer(kind: str, fields: str = "", bottom: str = "data", top: str = "x") -> str:
    wires = " ".join(f'bottom: "{name}"' for name in bottom.split())
    return f'layer {{ name: "{top}" type: "{kind}" {wires} top: "{top}" {fields} }}\n'


CONV = "convolution_param {{ num_output: 3 kernel_size: {} }}"
SHARED = f'param {{ name: "w" }} {CONV.format(1)}'

CAFFE: dict[str, Case] = {
    "a slip in the text": caffe(HEAD + 'layer { name: "x"\n  type "ReLU" }'),
    "an unknown field": caffe(
        HEAD + layer("Convolution", "convolution_param { num_output: 3 kernal_size: 3 }")
    ),
    "Caffe's first syntax": caffe(HEAD + 'layers { layer { name: "c" type: "conv" } top: "c" }'),
    "types that make images larger": caffe(HEAD + layer("Deconvolution")),
    "learned slopes": caffe(HEAD + layer("PReLU")),
    "types of which nothing is known": caffe(HEAD + layer("Bilinear")),
    "Slice": caffe(HEAD + layer("Slice")),
    "a softmax inside of the network": caffe(HEAD + layer("Softmax") + layer("ReLU", "", "x", "y")),
    "the greater of two tensors": caffe(
        HEAD + layer("Eltwise", "eltwise_param { operation: MAX }", "data data")
    ),
    "differences and weighted sums": caffe(
        HEAD + layer("Eltwise", "eltwise_param { coeff: 1 coeff: -1 }", "data data")
    ),
    "LRN within channels": caffe(HEAD + layer("LRN", "lrn_param { norm_region: WITHIN_CHANNEL }")),
    "pooling at random": caffe(
        HEAD + layer("Pooling", "pooling_param { pool: STOCHASTIC kernel_size: 2 }")
    ),
    "windows of nothing": caffe(
        HEAD + layer("Pooling", "pooling_param { kernel_size: 1 stride: 5 }")
    ),
    "axes other than channels": caffe(
        HEAD + layer("Concat", "concat_param { axis: 2 }", "data data")
    ),
    "shared weights": caffe(
        HEAD + layer("Convolution", SHARED) + layer("Convolution", SHARED, "x", "y")
    ),
    "shapes that do not fit": caffe(HEAD + layer("Convolution", CONV.format(9))),
    "no size of the input": caffe(layer("Data", "", "", "data") + layer("ReLU")),
    "two images at once": caffe(
        'layer { name: "b" type: "Input" top: "b" input_param { shape { dim: [1, 3, 8, 8] } } }\n'
        + HEAD
        + layer("Eltwise", "", "data b")
    ),
}

# ---- ONNX


def onnx_model(
    nodes: Sequence[tuple[str, Sequence[str], str, dict[str, Any]]],
    output: Sequence[int] = (1, 3),
    opset: int = 17,
    size: int | str = 8,
    outputs: Sequence[str] = (),
    entering: int = TensorProto.FLOAT,
    **constants: NDArray[Any],
) -> Case:
    """A model of x: [1, 3, 8, 8] with these nodes: operator, inputs, output, attributes."""

    def case(folder: Path) -> object:
        x = helper.make_tensor_value_info("x", entering, [1, 3, size, size])
        y = helper.make_tensor_value_info("y", TensorProto.FLOAT, list(output))
        graph = helper.make_graph(
            [helper.make_node(kind, list(reads), [top], name=top, **attributes)
             for kind, reads, top, attributes in nodes],
            "net", [x],
            [y, *(helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 1, 1])
                  for name in outputs)],
            [onnx.numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items()],
        )  # fmt: skip
        opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        path = folder / "net.onnx"
        onnx.save(model, path)
        return read_graph(str(path))

    return case


def file(name: str, content: bytes) -> Case:
    def case(folder: Path) -> object:
        (folder / name).write_bytes(content)
        return read_graph(str(folder / name))

    return case


POOL: tuple[tuple[str, Sequence[str], str, dict[str, Any]], ...] = (
    ("GlobalAveragePool", ["x"], "pool", {}), ("Flatten", ["pool"], "y", {}),
)  # fmt: skip


def without_data(folder: Path) -> object:
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    x, y = (helper.make_tensor_value_info(i, TensorProto.FLOAT, [1, 3, 8, 8]) for i in "xy")
    weights = onnx.numpy_helper.from_array(np.ones((8, 8), np.float32), "w")
    model = helper.make_model(helper.make_graph([node], "net", [x], [y], [weights]), ir_version=8)
    onnx.save(
        model, folder / "net.onnx", save_as_external_data=True, location="net.onnx.data",
        size_threshold=0,
    )  # fmt: skip
    (folder / "net.onnx.data").unlink()
    return read_graph(str(folder / "net.onnx"))


ONNX: dict[str, Case] = {
    "a file that is none": file("net.onnx", b"not one"),
    "an open input size": onnx_model(POOL, size="height"),
    "weights that lie elsewhere": without_data,
    "strides that repeat numbers": onnx_model(
        [("Reshape", ["x", "all"], "line", {}), ("Gather", ["line", "numbers"], "strided", {}),
         ("Flatten", ["strided"], "y", {})],
        output=(1, 192), all=np.array([-1]), numbers=np.arange(192)[None] // 2,
    ),
    "old opsets": onnx_model(POOL, opset=6),
    "operators that make images larger": onnx_model(
        [("Resize", ["x", "", "scales"], "large", {}),
         ("GlobalAveragePool", ["large"], "pool", {}), ("Flatten", ["pool"], "y", {})],
        scales=np.array([1, 1, 2, 2], np.float32),
    ),
    "other norms": onnx_model(
        [("InstanceNormalization", ["x", "scale", "bias"], "norm", {}),
         ("GlobalAveragePool", ["norm"], "pool", {}), ("Flatten", ["pool"], "y", {})],
        scale=np.ones(3, np.float32), bias=np.zeros(3, np.float32),
    ),
    "norms spelt out in other steps, and spatial attention": onnx_model(
        [("ReduceMean", ["x"], "mean", {"axes": [1]}), ("Flatten", ["mean"], "y", {})],
        output=(1, 64), opset=13,
    ),
    "vectors of length 1": onnx_model(
        [("ReduceL2", ["x"], "length", {"axes": [1]}), ("Flatten", ["length"], "y", {})],
        output=(1, 64),
    ),
    "a file that onnxruntime wrote": onnx_model(
        [("FusedConv", ["x", "w"], "fused", {"domain": "com.microsoft"}),
         ("Flatten", ["fused"], "y", {})],
        output=(1, 192), w=np.ones((3, 3, 1, 1), np.float32),
    ),
    "pixels joined as channels": onnx_model(
        [("Transpose", ["x"], "last", {"perm": [0, 2, 3, 1]}),
         ("Reshape", ["last", "sizes"], "rows", {}),
         ("Concat", ["rows", "rows"], "both", {"axis": 2}), ("Flatten", ["both"], "y", {})],
        output=(1, 384), sizes=np.array([1, 8, 24]),
    ),
    "images of whole numbers": onnx_model(POOL, entering=TensorProto.UINT8),
    "attention": onnx_model(
        [("MatMul", ["x", "x"], "product", {}), ("Softmax", ["product"], "soft", {}),
         ("GlobalAveragePool", ["soft"], "pool", {}), ("Flatten", ["pool"], "y", {})],
    ),
    "a softmax inside of the network": onnx_model(
        [("Softmax", ["x"], "soft", {"axis": 1}), ("Relu", ["soft"], "relu", {}),
         ("GlobalAveragePool", ["relu"], "pool", {}), ("Flatten", ["pool"], "y", {})],
    ),
    "several heads": onnx_model([*POOL, ("Relu", ["pool"], "z", {})], outputs=("z",)),
    "channels in parts": onnx_model(
        [("Split", ["x"], "half", {"axis": 3}), *POOL[:1], ("Add", ["pool", "half"], "y", {})],
    ),
    "pixels apart": onnx_model(
        [("Reshape", ["x", "sizes"], "apart", {}),
         ("Flatten", ["apart"], "y", {})],
        sizes=np.array([1, 3, 2, 4, 8]),
    ),
    "other activations": onnx_model(
        [("Softplus", ["x"], "plus", {}), ("GlobalAveragePool", ["plus"], "pool", {}),
         ("Flatten", ["pool"], "y", {})],
    ),
    "padding where nothing takes it in": onnx_model(
        [("Pad", ["x", "sides"], "zeros", {}),
         ("MaxPool", ["zeros"], "max", {"kernel_shape": [3, 3]}),
         ("GlobalAveragePool", ["max"], "pool", {}), ("Flatten", ["pool"], "y", {})],
        sides=np.array([0, 0, 1, 1, 0, 0, 1, 1]),
    ),
    "unknown operators": onnx_model(
        [("Det", ["x"], "det", {}), ("GlobalAveragePool", ["det"], "pool", {}),
         ("Flatten", ["pool"], "y", {})],
    ),
    "images that come out": onnx_model([("Relu", ["x"], "y", {})], output=(1, 3, 8, 8)),
}  # fmt: skip

# ---- what holds for every graph


def graph(*nodes: Node) -> Graph:
    return Graph(name="net", input=(8, 8, 3), nodes=nodes, output=nodes[-1].name)


def conv(name: str, source: str) -> Node:
    return Node(name=name, inputs=(source,), operation=Conv(width=3))


def join(name: str, *sources: str) -> Node:
    return Node(name=name, inputs=sources, operation="add")


def relu(name: str, source: str) -> Node:
    return Node(name=name, inputs=(source,), operation=Activation())


CROSSED = graph(
    conv("a", INPUT), conv("b", INPUT), join("left", "a", "b"), relu("left_relu", "left"),
    conv("c", "b"), join("end", "left_relu", "c"),
)  # fmt: skip
BLOCKS = graph(
    conv("stem", INPUT), conv("m1.a", "stem"), conv("m1.b", "m1.a"), join("m1.sum", "m1.b", "stem"),
    conv("m2.a", "m1.sum"), conv("m2.b", "m2.a"),
    Node(name="pool", inputs=("m2.b",), operation=GlobalPool()),
    Node(name="fc", inputs=("pool",), operation=Dense(width=5)),
)  # fmt: skip
FLAT = graph(
    conv("first", INPUT), conv("second", "first"),
    Node(name="pool", inputs=("second",), operation=GlobalPool()),
)  # fmt: skip


def cut(of: Graph, how: How) -> Case:
    return lambda folder: segment(of.name, of.input, decompose(of), how)


GRAPHS: dict[str, Case] = {
    "arms that share a layer in their middle": lambda folder: decompose(CROSSED),
    "sums of two shapes": lambda folder: decompose(
        graph(conv("a", INPUT), Node(name="b", inputs=("a",), operation=Conv(width=4)),
              join("sum", "a", "b"))
    ),
    "values that no layer can have": lambda folder: decompose(
        graph(Node(name="norm", inputs=(INPUT,), operation=Norm(epsilon=-1)))
    ),
    "images too large": lambda folder: decompose(
        replace(graph(conv("a", INPUT)), input=(5000, 8, 3))
    ),
}  # fmt: skip

MODULES: dict[str, Case] = {
    "names that tell nothing": cut(FLAT, "names"),
    "a file without `module` blocks": cut(BLOCKS, {}),
    "a pattern that names nothing": cut(BLOCKS, {"m": ("m3.*",)}),
    "layers that do not stand in a row": cut(BLOCKS, {"m": ("stem", "m2.a")}),
    "a part of a branch": cut(
        graph(conv("a", INPUT), conv("b", "a"), conv("c", "b"), join("sum", "c", "a")),
        {"m": ("b",)},
    ),
    "a layer in two modules": cut(BLOCKS, {"m": ("m2.*",), "n": ("m2.b",)}),
}

# ---- checkpoints


def state_dict(name: str) -> dict[str, NDArray[np.float32]]:
    """The tensors of a zoo network as torchvision names them; all zero, in no memory."""
    places = slots(zoo(name))
    naming = next(n for n in namings() if n.source.endswith(name) and "torchvision" in n.source)
    return {
        f"{module}.{theirs}": np.broadcast_to(np.float32(0), torch_shape(slot, parameter))
        for module, (_, slot) in zip(naming.modules, places, strict=True)
        for parameter, theirs in torch_names(slot)
    }


def checkpoint(change: Callable[[dict[str, NDArray[np.float32]]], object], of: str) -> Case:
    def case(folder: Path) -> object:
        tensors = state_dict(of)
        change(tensors)
        return read_checkpoint(zoo("resnet18"), tensors)

    return case


def with_classes(tensors: dict[str, NDArray[np.float32]], classes: int) -> None:
    tensors["fc.weight"] = np.zeros((classes, 512), np.float32)
    tensors["fc.bias"] = np.zeros(classes, np.float32)


CHECKPOINTS: dict[str, Case] = {
    "another network's file": checkpoint(lambda tensors: None, "resnet34"),
    "names of no known kind": lambda folder: read_checkpoint(
        zoo("resnet18"), {"backbone.weight": np.zeros(3)}
    ),
    "missing tensors": checkpoint(lambda tensors: tensors.pop("layer1.0.bn1.bias"), "resnet18"),
    "tensors too many": checkpoint(
        lambda tensors: tensors.update({"fc.scale": np.zeros(3, np.float32)}), "resnet18"
    ),
    "other classes": checkpoint(lambda tensors: with_classes(tensors, 102), "resnet18"),
}

CASES: dict[str, dict[str, Case]] = {
    "ONNX": ONNX,
    "Caffe prototxt": CAFFE,
    "PyTorch checkpoints": CHECKPOINTS,
    "What every network must be": GRAPHS,
    "Modules": MODULES,
}


def section(title: str) -> str:
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"docs/models.md has no section {title}"
    return found[1]


def rows(title: str) -> dict[str, tuple[str, str]]:
    """Of the table of what is refused: what → (message, way out)."""
    table = section(title).partition("| refused | what it says | the way out |\n")[2]
    lines = table.split("\n\n")[0].splitlines()[1:]
    cells = [re.split(r"(?<!\\) \| ", line.strip("| ")) for line in lines]
    return {what: (unquoted(message), help) for what, message, help in cells}


def unquoted(cell: str) -> str:
    found = re.fullmatch(r"(`+) ?(.*?) ?\1", cell)
    assert found, cell
    return found[2]


@pytest.mark.parametrize("title", CASES)
def test_every_quoted_message_is_tested(title: str) -> None:
    assert list(rows(title)) == list(CASES[title])


ALL = [(title, what) for title, cases in CASES.items() for what in cases]


@pytest.mark.parametrize(("title", "what"), ALL)
def test_messages_are_as_quoted(title: str, what: str, tmp_path: Path) -> None:
    with pytest.raises((Refused, WootzError)) as caught:
        CASES[title][what](tmp_path)
    assert rows(title)[what] == said(caught.value)


def said(error: BaseException) -> tuple[str, str]:
    match error:
        case Refused(message=message, help=help):
            return message, help or "–"
        case WootzError(diagnostics=(one,)):
            return one.message, one.help or "–"
        case _:
            raise AssertionError(error)
