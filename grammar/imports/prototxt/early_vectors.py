"""1x1 images become vectors as early as they can."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from wootzc.ir.graph import INPUT, Node
from wootzc.ir.graph.vectors import either_way
from wootzc.ir.layers import Flatten, GlobalPool


def as_vectors(nodes: Mapping[str, Node], output: str) -> tuple[dict[str, Node], str]:
    """A global pool makes the vector itself, where a flatten behind it would.

    Before: global_pool(keep_dims = true); dropout; flatten; dense
    After:  global_pool; dropout; dense
    """
    reads = Counter(source for node in nodes.values() for source in node.inputs)
    reads[output] += 1
    result = dict(nodes)
    stands_for: dict[str, str] = {}
    for name, node in nodes.items():
        if not isinstance(node.operation, Flatten):
            continue
        (before,) = node.inputs
        at = before
        while at != INPUT and reads[at] == 1:
            operation = nodes[at].operation
            if isinstance(operation, GlobalPool):
                result[at] = replace(nodes[at], operation=replace(operation, keep_dims=False))
                stands_for[name] = before
                del result[name]
                break
            if isinstance(operation, str) or operation.channels != "passes":
                break
            if not either_way(operation):
                break
            (at,) = nodes[at].inputs
    return {
        name: replace(node, inputs=tuple(stands_for.get(i, i) for i in node.inputs))
        for name, node in result.items()
    }, stands_for.get(output, output)
