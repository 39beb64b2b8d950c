"""Vectors instead of images of one pixel, from where on nothing needs an image any more.

An importer that makes every vector of channels an image of 1x1 can tell squeeze-and-excite from its
shapes. What then leads to the output alone becomes vectors, which is how heads are written.

Before: global_pool(keep_dims = true); dense(10)
After:  global_pool; dense(10)
"""

from collections.abc import Mapping
from dataclasses import replace

from wootzc.ir.graph import Graph, Node
from wootzc.ir.layers import Activation, Dense, Dropout, Flatten, GlobalPool, Norm
from wootzc.ir.shapes import Shape


def as_vectors(graph: Graph, shapes: Mapping[str, Shape]) -> Graph:
    """The graph with vectors where it can have them. `shapes`: what each node makes."""
    turned = _turned(graph, shapes)
    nodes: list[Node] = []
    flat: set[str] = set()

    def vector(name: str) -> str:
        if name in turned or len(shapes[name]) == 1:
            return name
        made = f"{name}.flatten"
        if made not in flat:
            flat.add(made)
            nodes.append(Node(name=made, inputs=(name,), operation=Flatten()))
        return made

    for node in graph.nodes:
        if node.name in turned:
            if isinstance(node.operation, GlobalPool):
                node = replace(node, operation=replace(node.operation, keep_dims=False))
            else:
                node = replace(node, inputs=tuple(vector(name) for name in node.inputs))
        nodes.append(node)
    output = vector(graph.output) if shapes[graph.output][:-1] == (1, 1) else graph.output
    return replace(graph, nodes=tuple(nodes), output=output)


def _turned(graph: Graph, shapes: Mapping[str, Shape]) -> set[str]:
    """The nodes that may make a vector of their 1x1 image: only vectors are made of it."""
    readers: dict[str, list[str]] = {}
    for node in graph.nodes:
        for name in node.inputs:
            readers.setdefault(name, []).append(node.name)
    turned: set[str] = set()
    for node in reversed(graph.nodes):
        pixel = shapes[node.name][:-1] == (1, 1)
        read = readers.get(node.name, [])
        wanted = read or node.name == graph.output
        if pixel and wanted and _either_way(node) and turned.issuperset(read):
            turned.add(node.name)
    return turned


def _either_way(node: Node) -> bool:
    match node.operation:
        case GlobalPool() | Dense() | Norm() | Activation() | Dropout():
            return True
        case "add" | "concat" | "scale":
            return True
        case _:
            return False
