"""Vectors instead of images of one pixel, from where on nothing needs an image any more.

ONNX writes global pooling as an image of 1x1 or as a vector, and reshapes one into the other. Until
here all of it is 1x1, so that squeeze-and-excite fits. What leads to the output alone becomes
vectors, which is how heads are written.

Before: global_pool(keep_dims = true); dense(10)
After:  global_pool; dense(10)
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from wootzc.grammar.imports.onnx.context import Affine, Draft, Pick
from wootzc.ir.graph import INPUT, Node
from wootzc.ir.layers import Activation, Dense, Dropout, Flatten, GlobalPool, Norm

Drafts = dict[str, Draft]


def as_vectors(drafts: Mapping[str, Draft], output: str) -> tuple[tuple[Node, ...], str]:
    """The graph's nodes, in order, and the one whose vector is the output."""
    turned = _turned(drafts, output)
    nodes: dict[str, Node] = {}
    for draft in drafts.values():
        if draft.name not in turned:
            pass
        elif isinstance(draft.operation, GlobalPool):
            draft = replace(draft, operation=GlobalPool(kind=draft.operation.kind))
        else:
            inputs = (_vector(nodes, name, drafts[name], name in turned) for name in draft.inputs)
            draft = replace(draft, inputs=tuple(inputs))
        nodes[draft.name] = _node(draft)
    output = _vector(nodes, output, drafts[output], output in turned)
    return tuple(nodes.values()), output


def _turned(drafts: Mapping[str, Draft], output: str) -> set[str]:
    """The drafts that may make a vector of their 1x1 image: only vectors are made of it."""
    readers: dict[str, list[str]] = {name: [] for name in drafts}
    turned: set[str] = set()
    for draft in drafts.values():
        for name in draft.inputs:
            readers.get(name, []).append(draft.name)
    for draft in reversed(list(drafts.values())):
        pixel = draft.shape[:-1] == (1, 1)
        if pixel and _either_way(draft) and turned.issuperset(readers[draft.name]):
            turned.add(draft.name)
    return turned


def _either_way(draft: Draft) -> bool:
    match draft.operation:
        case GlobalPool():
            return True
        case Dense() | Norm() | Activation() | Dropout() | "add" | "concat" | "scale":
            return INPUT not in draft.inputs  # what enters the graph stays what it is
        case _:
            return False


def _vector(nodes: dict[str, Node], name: str, draft: Draft, turned: bool) -> str:
    """A node with that tensor as a vector."""
    if turned or len(draft.shape) == 1:
        return name
    flat = f"{name}/flatten"
    if flat not in nodes:
        nodes[flat] = Node(name=flat, inputs=(name,), operation=Flatten())
    return flat


def _node(draft: Draft) -> Node:
    operation = draft.operation
    assert not isinstance(operation, Affine | Pick)
    weights = {
        name: np.ascontiguousarray(values, dtype=np.float32)
        for name, values in draft.weights.items()
    }
    return Node(name=draft.name, inputs=draft.inputs, operation=operation, weights=weights)
