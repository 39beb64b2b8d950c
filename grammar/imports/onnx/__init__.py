"""ONNX files → graphs of layers. `read_onnx` is all there is to call.

model        the file: opened, counted, checked
source       the same as plain operators, constants, one input, one output
known        what is told before: attention, weights that are shared, what tensors are called
trace        each operator in turn: folded to a constant, or made into a draft of a layer
tensors      what flows between them: where its axes went, what is still owed to it
curves       functions of single numbers, recognised by their values
elementwise  activations, arithmetic and joins · windows  convolutions and pools
features     dense layers, reductions · norms  as one operator or spelt out
reshaping    reshapes, pads, slices · joins  arms side by side
merge        drafts → layers: multiplications by constants go into their neighbours
"""

from collections.abc import Iterable
from pathlib import PurePath

import numpy as np

from wootzc.grammar.imports.names import identifier
from wootzc.grammar.imports.onnx.known import parameter_sources
from wootzc.grammar.imports.onnx.merge_constants import merged
from wootzc.grammar.imports.onnx.source_graph import load
from wootzc.grammar.imports.onnx.trace import trace
from wootzc.grammar.imports.onnx.tracing import node_of
from wootzc.ir.graph import Graph, Node, Refused
from wootzc.ir.graph.vectors import as_vectors
from wootzc.ir.layers.shapes import Shape


def read_onnx(path: str, input: Shape | None = None) -> Graph:
    """The network of an ONNX file, weights and all, in our layout.

    `input` (height, width, channels) stands in where the file leaves sizes open. Raises `Refused`,
    and `OSError` where the file itself cannot be opened.
    """
    source = load(path)
    traced = trace(source, input)
    drafts, output = merged(traced.drafts, traced.output)
    nodes = tuple(node_of(draft) for draft in drafts.values())
    _check_finite(nodes)
    graph = Graph(
        name=identifier(PurePath(path).stem),
        input=traced.input,
        nodes=nodes,
        output=output,
        notes=tuple(traced.notes),
        metadata=source.metadata,
        sources=parameter_sources(source),
    )
    return as_vectors(graph, {name: draft.shape for name, draft in drafts.items()}, "/flatten")


def _check_finite(nodes: Iterable[Node]) -> None:
    """Constants of activations may be infinite; a weight that is makes every result none."""
    for node in nodes:
        for name, values in node.weights.items():
            if not np.isfinite(values).all():
                raise Refused(
                    f'the {name} of node "{node.name}" has numbers that are NaN or infinite',
                    "training diverged before it was saved, or the file is damaged",
                )
            if name == "var" and (values < 0).any():
                raise Refused(f'node "{node.name}" has variances below 0', "the file is damaged")
