"""What stands behind the scores: wootzc trains and measures on the scores themselves."""

from dataclasses import replace

from wootzc.ir.graph.graph import INPUT, Graph, Node
from wootzc.ir.layers import Activation, Flatten


def without_final_sigmoid(graph: Graph) -> Graph:
    """The graph up to the scores that a sigmoid at its end makes chances of, with a note.

    Before: global_pool; dense(10); sigmoid
    After:  global_pool; dense(10)

    It changes no order among the scores; a loss on what leaves it would be flat where they are
    large. Each importer leaves a softmax out by itself, for softmax is no layer of ours.
    """
    nodes = {node.name: node for node in graph.nodes}
    end = nodes.get(graph.output)
    flatten = end if end is not None and isinstance(end.operation, Flatten) else None
    sigmoid = nodes.get(flatten.inputs[0]) if flatten else end
    if sigmoid is None or not _is_sigmoid(sigmoid) or sigmoid.inputs == (INPUT,):
        return graph
    (scores,) = sigmoid.inputs
    if flatten:
        nodes[flatten.name] = replace(flatten, inputs=(scores,))
    if not any(sigmoid.name in node.inputs for node in nodes.values()):
        del nodes[sigmoid.name]
    modules = {
        module: tuple(name for name in names if name in nodes)
        for module, names in graph.modules.items()
    }
    note = (
        f"the final sigmoid `{sigmoid.name}` is left out: "
        "training and accuracy go by the scores before it"
    )
    return replace(
        graph,
        nodes=tuple(nodes.values()),
        output=flatten.name if flatten else scores,
        notes=(*graph.notes, note),
        modules={module: names for module, names in modules.items() if names},
    )


def _is_sigmoid(node: Node) -> bool:
    return isinstance(node.operation, Activation) and node.operation.kind == "sigmoid"
