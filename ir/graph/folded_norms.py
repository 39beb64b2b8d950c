"""Norms that an exporter folded into the convolutions before them, put back as the identity.

PyTorch's exporters multiply the scale of a batch norm into the convolution before it and add its
offset to the bias. What comes out computes the same and is hard to train on: nothing holds the
activations in place while filters go. Put back, norms compute nothing new until their statistics
are measured (`backends.flax.norm_statistics`), and even then nothing else.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wootzc.ir.graph.forms import numbered
from wootzc.ir.graph.graph import Graph, Node, Refused
from wootzc.ir.layers import Conv, DepthwiseConv, Norm

SUFFIX = "/norm"  # of the convolution's name: what the norm behind it is called
EPSILON = 1e-5
UNMEASURED = np.float32(1 - EPSILON)  # a variance: with epsilon it is 1, so the norm divides by 1


def with_norms_put_back(graph: Graph) -> Graph:
    """The graph with a norm in the place of each bias that may have been one, and a note.

    Before: conv(3x3, 8, bias = true); relu; global_pool; dense(10)
    After:  conv(3x3, 8); norm; relu; global_pool; dense(10)

    Only where the file has weights and no norm at all: who left one kept them all. No norm goes
    behind what makes the scores, or where one number a channel is left of each image, as in
    squeeze-and-excite: batch statistics of these say little. What is computed stays the same.
    """
    try:
        shapes = {step.name: step.shape for _, step in numbered(graph).live()}
    except Refused:  # told by who decomposes the graph
        return graph
    live = {node.name: node for node in graph.nodes if node.name in shapes}
    layers = [node.operation for node in live.values() if not isinstance(node.operation, str)]
    if any(layer.normalizes for layer in layers):
        return graph
    scores = _makers_of_scores(graph, live)
    folded = {
        name
        for name, node in live.items()
        if _has_bias(node) and np.prod(shapes[name][:-1]) > 1 and name not in scores
    }
    if not folded or any(name + SUFFIX in live for name in folded):
        return graph
    behind = {name: name + SUFFIX for name in folded}
    nodes: list[Node] = []
    for node in graph.nodes:
        node = replace(node, inputs=tuple(behind.get(i, i) for i in node.inputs))
        nodes += _divided(node) if node.name in folded else [node]
    sources = dict(graph.sources)
    for name in folded & sources.keys():
        own = dict(sources[name])
        sources |= {name + SUFFIX: {"bias": own.pop("bias", "")}, name: own}
    return replace(
        graph, nodes=tuple(nodes), notes=(*graph.notes, _note(len(folded))), sources=sources
    )


def unmeasured(weights: Mapping[str, NDArray[Any]]) -> tuple[str, ...]:
    """The paths of norms that are as they were put back. `weights`: by path/parameter."""
    return tuple(
        path
        for name, var in weights.items()
        for path, _, parameter in [name.rpartition("/")]
        if parameter == "var"
        and np.all(var == UNMEASURED)
        and np.all(weights[f"{path}/scale"] == 1)
        and not np.any(weights[f"{path}/mean"])
    )


def _note(count: int) -> str:
    have = "convolutions have" if count > 1 else "convolution has"
    return (
        f"{count} {have} a bias and no norm, as exporters write batch norms that they fold: norms "
        "are put back, and folded again on export; `norms folded` keeps them as they are"
    )


def _has_bias(node: Node) -> bool:
    """A depthwise convolution of one pixel is no more than a scale and a bias itself."""
    layer = node.operation
    if not isinstance(layer, Conv | DepthwiseConv) or "bias" not in node.weights:
        return False
    return isinstance(layer, Conv) or layer.kernel != (1, 1)


def _divided(node: Node) -> list[Node]:
    """A convolution without its bias, and the norm that adds it."""
    layer = node.operation
    assert isinstance(layer, Conv | DepthwiseConv)
    weights = dict(node.weights)
    bias = weights.pop("bias")
    norm = Node(
        name=node.name + SUFFIX,
        inputs=(node.name,),
        operation=Norm(epsilon=EPSILON),
        weights={
            "scale": np.ones_like(bias),
            "bias": bias,
            "mean": np.zeros_like(bias),
            "var": np.full_like(bias, UNMEASURED),
        },
    )
    return [replace(node, operation=replace(layer, bias=False), weights=weights), norm]


def _makers_of_scores(graph: Graph, live: Mapping[str, Node]) -> set[str]:
    """The nearest nodes before the output that make channels of others."""
    waiting, seen, makers = [graph.output], set[str](), set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in live:
            continue
        seen.add(name)
        node = live[name]
        if "kernel" in node.weights:
            makers.add(name)
        else:
            waiting += node.inputs
    return makers
