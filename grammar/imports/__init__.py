"""Networks from files of other tools, ONNX and Caffe prototxt, as an `ir.graph.Graph`."""

import os

from wootzc.ir.graph import Graph, Refused
from wootzc.ir.graph.ends import without_final_sigmoid
from wootzc.ir.graph.expressible import check_input
from wootzc.ir.layers.shapes import Shape

SUFFIXES = (".onnx", ".prototxt")


def read_graph(path: str, input: Shape | None = None) -> Graph:
    """The graph of a file, by its suffix. `input` stands in where the file leaves its size open.

    Raises `Refused` for what wootzc cannot read or prune, and `OSError`.
    """
    if input is not None:
        check_input(input, "the input as given")
    match os.path.splitext(path)[1].lower():
        case ".onnx":
            from wootzc.grammar.imports.onnx import read_onnx

            return without_final_sigmoid(read_onnx(path, input))
        case ".prototxt":
            from wootzc.grammar.imports.prototxt import read_prototxt

            return without_final_sigmoid(read_prototxt(path, input))
        case suffix:
            raise Refused(
                f"wootzc reads no networks from `{suffix or path}` files",
                'as in `network NAME from "model.onnx"`, or a .prototxt file',
            )
