"""Small Caffe files → graphs, as golden files; and Caffe's rounding against its own formula."""

from collections.abc import Callable
from dataclasses import fields
from math import ceil
from pathlib import Path

import pytest

from wootzc.grammar.imports.prototxt import read_prototxt
from wootzc.ir.graph import INPUT, Graph, Node
from wootzc.ir.graph.decompose import decompose
from wootzc.ir.layers.shapes import Shape, shape_after_body, shape_text

GRAPHS = Path(__file__).parent / "prototxt" / "graphs"


def graph_text(graph: Graph) -> str:
    """A node a line: its name, its operation with what is not default, what it reads."""
    lines = [f"{graph.name} {shape_text(graph.input)}"]
    lines += [_node(node) for node in graph.nodes]
    lines += [f"→ {graph.output}"]
    lines += [f"module {name}: {', '.join(nodes)}" for name, nodes in graph.modules.items()]
    lines += [f"note: {note}" for note in graph.notes]
    return "\n".join(lines) + "\n"


def _node(node: Node) -> str:
    reads = ", ".join(name if name != INPUT else "input" for name in node.inputs)
    operation = node.operation
    if isinstance(operation, str):
        return f"{node.name} = {operation}({reads})"
    said = [
        f"{field.name}={getattr(operation, field.name)}"
        for field in fields(operation)
        if field.name != "span" and getattr(operation, field.name) != field.default
    ]
    return f"{node.name} = {type(operation).__name__}({reads}) {' '.join(said)}".rstrip()


@pytest.mark.parametrize("path", sorted(GRAPHS.glob("*.prototxt")), ids=lambda path: path.stem)
def test_graphs(path: Path, expect: Callable[[Path, str], None]) -> None:
    graph = read_prototxt(str(path))
    assert not any(node.weights for node in graph.nodes)
    decompose(graph)  # checks every shape once more
    expect(path, graph_text(graph))


POOL = """input: "data" input_dim: 1 input_dim: 2 input_dim: {size} input_dim: 64
layer {{ name: "pool" type: "Pooling" bottom: "data" top: "pool"
  pooling_param {{ pool: {pool} kernel_size: {k} stride: {s} pad: {p} }} }}
layer {{ name: "conv" type: "Convolution" bottom: "pool" top: "conv"
  convolution_param {{ num_output: 1 kernel_size: 1 }} }}
"""


def caffe_pooled(size: int, k: int, s: int, p: int) -> int:
    """As Caffe counts: rounded up, then without a window that would begin behind the image."""
    pooled = ceil((size + 2 * p - k) / s) + 1
    if p and (pooled - 1) * s >= size + p:
        pooled -= 1
    return pooled


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_pooled_sizes_are_caffes(k: int, tmp_path: Path) -> None:
    path = tmp_path / "pool.prototxt"
    checked = 0
    for size in range(k, k + 9):
        for s in range(1, k + 1):
            for p in range(k):
                pool = ("MAX", "AVE")[(size + s) % 2]
                path.write_text(POOL.format(size=size, pool=pool, k=k, s=s, p=p))
                graph = read_prototxt(str(path))
                shape = shape_after_body(
                    tuple(piece.layer for piece in decompose(graph)), graph.input
                )
                assert shape == (caffe_pooled(size, k, s, p), caffe_pooled(64, k, s, p), 1)
                checked += 1
    assert checked == 9 * k * k


@pytest.mark.parametrize(
    ("text", "given", "input", "note"),
    [
        ('input: "data" input_dim: [1, 3, 8, 9]', None, (8, 9, 3), ""),
        ('input: "data" input_dim: [1, 3, 8, 9]', (8, 9, 3), (8, 9, 3), ""),
        ('input: "data" input_dim: [1, 3, 8, 9]', (4, 4, 3), (4, 4, 3),
         "the input is 4x4x3 here, 8x9x3 in the file"),
        ('input: "data"', (4, 4, 3), (4, 4, 3), ""),
        ('input: "data" input_dim: [1, 3, 0, 0]', (4, 4, 3), (4, 4, 3), ""),
        ('input: "data" input_shape { dim: 1 dim: 12 }', None, (12,), ""),
        ('input: "other" input: "data" input_dim: [1, 1, 1, 1, 9, 3, 6, 5]', None, (6, 5, 3), ""),
        ('layer { type: "DummyData" top: "data" dummy_data_param { num: 1 channels: 3 height: 7 '
         'width: 5 } }', None, (7, 5, 3), ""),
        ('layer { type: "Data" top: "data" transform_param { crop_size: 6 force_gray: true } }',
         None, (6, 6, 1), "`Data_1` does not say how many channels its images have: 1 here"),
        ('layers { type: DATA top: "data" name: "d" data_param { crop_size: 6 } }', None, (6, 6, 3),
         "`d` does not say how many channels its images have: 3 here"),
        ('layer { type: "HDF5Data" top: "data" }', (4, 4, 3), (4, 4, 3), ""),
    ],
)  # fmt: skip
def test_input_sizes(
    text: str, given: Shape | None, input: Shape, note: str, tmp_path: Path
) -> None:
    path = tmp_path / "net.prototxt"
    path.write_text(
        text + ' layer { name: "fc" type: "InnerProduct" bottom: "data" top: "fc" '
        "inner_product_param { num_output: 2 } }"
    )
    graph = read_prototxt(str(path), given)
    assert (graph.input, graph.name, graph.output) == (input, "net", "fc")
    assert graph.notes == ((note,) if note else ())
