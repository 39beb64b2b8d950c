"""Vectors instead of images of one pixel, from where on nothing needs an image any more.

An importer that makes every vector of channels an image of 1x1 can tell squeeze-and-excite from its
shapes. What then leads to the output alone becomes vectors, which is how heads are written. So does
what leads to flattens of one pixel alone, which then have nothing to do.

Before: global_pool(keep_dims = true); dropout; flatten; dense(10)
After:  global_pool; dropout; dense(10)
"""

from collections.abc import Mapping
from dataclasses import replace

from wootzc.ir.graph.graph import INPUT, Graph, Node
from wootzc.ir.layers import Flatten, GlobalPool, Shape


def as_vectors(graph: Graph, shapes: Mapping[str, Shape], flat: str) -> Graph:
    """The graph with vectors where it can have them.

    `shapes`: what each node makes. `flat`: what a new flatten adds to the name of what it reads.
    """
    turned = _turned(graph, shapes)
    nodes: dict[str, Node] = {}
    same = {  # flattens, and what they read: a vector already
        node.name: node.inputs[0]
        for node in graph.nodes
        if isinstance(node.operation, Flatten) and node.inputs[0] in turned
    }

    def vector(name: str) -> str:
        if name in turned or len(shapes[name]) == 1:
            return name
        made = f"{name}{flat}"
        if made not in nodes:
            nodes[made] = Node(name=made, inputs=(name,), operation=Flatten())
        return made

    for node in graph.nodes:
        if node.name in same:
            continue
        node = replace(node, inputs=tuple(same.get(name, name) for name in node.inputs))
        if node.name in turned:
            if isinstance(node.operation, GlobalPool):
                node = replace(node, operation=replace(node.operation, keep_dims=False))
            else:
                node = replace(node, inputs=tuple(vector(name) for name in node.inputs))
        nodes[node.name] = node
    output = same.get(graph.output, graph.output)
    output = vector(output) if shapes[output][:-1] in ((), (1, 1)) else output
    return replace(graph, nodes=tuple(nodes.values()), output=output)


def _turned(graph: Graph, shapes: Mapping[str, Shape]) -> set[str]:
    """The nodes that may make a vector of their 1x1 image: only vectors are made of it."""
    readers: dict[str, list[str]] = {node.name: [] for node in graph.nodes}
    for node in graph.nodes:
        for name in node.inputs:
            readers.get(name, []).append(node.name)
    flattens = {node.name for node in graph.nodes if isinstance(node.operation, Flatten)}
    turned: set[str] = set()
    for node in reversed(graph.nodes):
        pixel = shapes[node.name][:-1] == (1, 1)
        if pixel and _turns(node) and all(r in turned or r in flattens for r in readers[node.name]):
            turned.add(node.name)
    return turned


def _turns(node: Node) -> bool:
    """Whether it does to a vector of channels what it does to an image of one pixel."""
    operation = node.operation
    if isinstance(operation, GlobalPool):
        return True
    if INPUT in node.inputs:  # what enters the graph stays what it is
        return False
    if isinstance(operation, str):
        return True
    return operation.vectors and operation.channels in ("makes", "passes")
