"""ONNX files → graphs of layers. `read_onnx` is all there is to call.

source       the file: checked, and as plain operators, constants, one input, one output
known        what is told before: attention, weights that are shared, what tensors are called
trace        each operator in turn: folded to a constant, or made into a draft of a layer
tensors      what flows between them: where its axes went, what is still owed to it
curves       functions of single numbers, recognised by their values
elementwise  activations, arithmetic and joins · windows  convolutions and pools
features     dense layers, norms, reductions · shapes  reshapes, pads, slices
merge        drafts → layers: multiplications by constants go into their neighbours
"""

import re
from pathlib import PurePath

from wootzc.grammar.imports.onnx.context import node_of
from wootzc.grammar.imports.onnx.known import parameter_sources
from wootzc.grammar.imports.onnx.merge import merged
from wootzc.grammar.imports.onnx.source import load
from wootzc.grammar.imports.onnx.trace import trace
from wootzc.ir.graph import Graph
from wootzc.ir.graph_vectors import as_vectors
from wootzc.ir.shapes import Shape


def read_onnx(path: str, input: Shape | None = None) -> Graph:
    """The network of an ONNX file, weights and all, in our layout.

    `input` (height, width, channels) stands in where the file leaves sizes open. Raises `Refused`,
    and `OSError` where the file itself cannot be opened.
    """
    source = load(path)
    traced = trace(source, input)
    drafts, output = merged(traced.drafts, traced.output)
    graph = Graph(
        name=_identifier(PurePath(path).stem),
        input=traced.input,
        nodes=tuple(node_of(draft) for draft in drafts.values()),
        output=output,
        notes=tuple(traced.notes),
        metadata=source.metadata,
        sources=parameter_sources(source),
    )
    return as_vectors(graph, {name: draft.shape for name, draft in drafts.items()}, "/flatten")


def _identifier(stem: str) -> str:
    name = re.sub(r"\W", "_", stem, flags=re.ASCII)
    return name if name[:1].isalpha() or name[:1] == "_" else f"net_{name}"
