"""ONNX files → graphs of layers. `read_onnx` is all there is to call.

source       the file: checked, and as plain operators, constants, one input, one output
known        what is told before: attention, weights that are shared, what tensors are called
trace        each operator in turn: folded to a constant, or made into a draft of a layer
tensors      what flows between them: where its axes went, what is still owed to it
curves       functions of single numbers, recognised by their values
elementwise  activations, arithmetic and joins · windows  convolutions and pools
features     dense layers, norms, reductions · shapes  reshapes, pads, slices
merge        drafts → layers: multiplications by constants go into their neighbours
vectors      1x1xC → C from where images are no longer needed
"""

import re
from pathlib import PurePath

from wootzc.grammar.imports.onnx.known import parameter_sources
from wootzc.grammar.imports.onnx.merge import merged
from wootzc.grammar.imports.onnx.source import load
from wootzc.grammar.imports.onnx.trace import trace
from wootzc.grammar.imports.onnx.vectors import as_vectors
from wootzc.ir.graph import Graph
from wootzc.ir.shapes import Shape


def read_onnx(path: str, input: Shape | None = None) -> Graph:
    """The network of an ONNX file, weights and all, in our layout.

    `input` (height, width, channels) stands in where the file leaves sizes open. Raises `Refused`,
    and `OSError` where the file itself cannot be opened.
    """
    source = load(path)
    traced = trace(source, input)
    nodes, output = as_vectors(*merged(traced.drafts, traced.output))
    return Graph(
        name=_identifier(PurePath(path).stem),
        input=traced.input,
        nodes=nodes,
        output=output,
        notes=tuple(traced.notes),
        metadata=source.metadata,
        sources=parameter_sources(source),
    )


def _identifier(stem: str) -> str:
    name = re.sub(r"\W", "_", stem, flags=re.ASCII)
    return name if name[:1].isalpha() or name[:1] == "_" else f"net_{name}"
