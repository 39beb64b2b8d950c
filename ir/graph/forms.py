"""A graph as numbered steps, rewritten where it only looks as if it were not series-parallel."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from wootzc.ir.graph.expressible import check_input, check_layer
from wootzc.ir.graph.graph import INPUT, Arrays, Graph, Node, Refused, leading_to
from wootzc.ir.layers import Branch, Join, Layer, joined_shape
from wootzc.ir.layers.shapes import Shape, ShapeError, shape_after, shape_text

MAX_FLAT = 4_096  # inputs of a concat, with those of the concats that it reads written out


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A node, its inputs by number. `names`: of the nodes it stands for, its own last."""

    inputs: tuple[int, ...]
    operation: Layer | Join
    names: tuple[str, ...]
    weights: Arrays
    shape: Shape  # of what leaves it

    @property
    def name(self) -> str:
        return self.names[-1]

    @property
    def join(self) -> Join | None:
        """How it joins what enters; None of a layer."""
        return self.operation if isinstance(self.operation, str) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """Step n reads steps below n, or 0: what enters the graph."""

    steps: tuple[Step | None, ...]  # None at 0 and where a node leads nowhere
    output: int

    def live(self) -> Iterator[tuple[int, Step]]:
        """The steps that are left, with their numbers."""
        for number, step in enumerate(self.steps):
            if step is not None:
                yield number, step


def steps_of(graph: Graph) -> Steps:
    """The graph's nodes that lead to its output, numbered, their shapes checked, normalised.

    Raises `Refused`, naming the node.
    """
    steps = numbered(graph)
    for rewrite in (nested_concats, flattened):
        steps = _without_dead(rewrite(steps))
    return steps


def nested_concats(steps: Steps) -> Steps:
    """Joins of equal inputs become one, and a concat reads an earlier one that is part of it.

    Before: c1 = concat(x, a); c2 = concat(x, a, b)
    After:  c1 = concat(x, a); c2 = concat(c1, b)

    That is how DenseNets are written: no tensor's way to two concats is then a way around one.
    Joins of a single tensor go. Equal joins of x alone stay: those may be arms of their own.
    """
    same: dict[int, int] = {}  # what stands for a step that goes
    equal: dict[tuple[Join, tuple[int, ...]], int] = {}
    flat: dict[int, tuple[int, ...]] = {}
    known = _Runs()
    result: list[Step | None] = list(steps.steps)
    for number, step in steps.live():
        inputs = tuple(same.get(i, i) for i in step.inputs)
        join = step.join
        if join == "concat":
            inputs = known.replaced_in(inputs)
        if join and len(inputs) == 1:
            same[number] = inputs[0]
            continue
        result[number] = replace(step, inputs=inputs)
        if not join or len(set(inputs)) == 1:
            continue
        if equal.setdefault((join, inputs), number) != number:
            same[number] = equal[join, inputs]
        elif join == "concat":
            whole = [i for source in inputs for i in flat.get(source, (source,))]
            if len(whole) <= MAX_FLAT:
                flat[number] = tuple(whole)
                known.add(flat[number], number)
    return Steps(steps=tuple(result), output=same.get(steps.output, steps.output))


class _Runs:
    """A trie of the inputs of concats seen so far."""

    def __init__(self) -> None:
        self.root: dict[Any, Any] = {}  # input → further inputs; None → the concat that ends here

    def add(self, inputs: Sequence[int], concat: int) -> None:
        at = self.root
        for source in inputs:
            at = at.setdefault(source, {})
        at.setdefault(None, concat)

    def replaced_in(self, inputs: tuple[int, ...]) -> tuple[int, ...]:
        """`inputs` with the longest known runs, from left to right, replaced by their concats."""
        result: list[int] = []
        start = 0
        while start < len(inputs):
            best, end = inputs[start], start + 1
            at = self.root
            for position in range(start, len(inputs)):
                if inputs[position] not in at:
                    break
                at = at[inputs[position]]
                if None in at:
                    best, end = at[None], position + 1
            result.append(best)
            start = end
        return tuple(result)


def flattened(steps: Steps) -> Steps:
    """An add inside of an add that nothing else reads becomes part of it; concats likewise.

    Before: s = add(a, b); t = add(s, c)
    After:  t = add(a, b, c)
    """
    uses = Counter(i for _, step in steps.live() for i in step.inputs)
    uses[steps.output] += 1
    result: list[Step | None] = list(steps.steps)
    for number, step in steps.live():
        if step.join not in {"add", "concat"}:
            continue
        inputs: list[int] = []
        names: list[str] = []
        for source in step.inputs:
            inner = result[source]
            if inner and inner.join == step.join and uses[source] == 1:
                inputs += inner.inputs
                names += inner.names
                result[source] = None  # nothing else reads it, and long sums would fill memory
            else:
                inputs.append(source)
        result[number] = replace(step, inputs=tuple(inputs), names=(*names, *step.names))
    return Steps(steps=tuple(result), output=steps.output)


def numbered(graph: Graph) -> Steps:
    """The steps of `steps_of` before any of them is rewritten."""
    number = {INPUT: 0}
    for node in graph.nodes:
        if node.name in number:
            raise Refused(f"there are two nodes `{node.name}`", "give every node its own name")
        for source in node.inputs:
            if source not in number:
                raise Refused(f"`{node.name}` reads `{source}`, which no node before it makes")
        number[node.name] = len(number)
    if graph.output not in number:
        raise Refused(f"no node makes the output `{graph.output}`")
    check_input(graph.input)
    needed = leading_to([graph.output], {node.name: node.inputs for node in graph.nodes})
    shapes = {INPUT: graph.input}
    steps: list[Step | None] = [None] * len(number)
    for node in graph.nodes:
        if node.name in needed:
            inputs, shapes[node.name] = _checked(node, shapes)
            steps[number[node.name]] = Step(
                inputs=tuple(number[source] for source in inputs),
                operation=node.operation,
                names=(node.name,),
                weights=node.weights,
                shape=shapes[node.name],
            )
    return Steps(steps=tuple(steps), output=number[graph.output])


def _checked(node: Node, shapes: Mapping[str, Shape]) -> tuple[tuple[str, ...], Shape]:
    """What a node reads, and the shape that leaves it, for which the language has words.

    The arms of a scale come out in the order that `Branch` wants.
    """
    inputs, operation = node.inputs, node.operation
    if operation == "scale" and len(inputs) == 2 and _is_gate(*(shapes[name] for name in inputs)):
        inputs = inputs[::-1]
    entering = [shapes[name] for name in inputs]
    if isinstance(operation, str):
        return inputs, _joined(operation, entering, node.name)
    if isinstance(operation, Branch) or len(entering) != 1:
        raise Refused(f"`{node.name}` has {len(entering)} inputs, a layer has one")
    check_layer(node.name, operation)
    try:
        return inputs, shape_after(operation, entering[0])
    except ShapeError as error:
        raise Refused(f"`{node.name}` does not fit its input: {error}") from None


def _without_dead(steps: Steps) -> Steps:
    needed = leading_to([steps.output], {number: step.inputs for number, step in steps.live()})
    left = (step if number in needed else None for number, step in enumerate(steps.steps))
    return replace(steps, steps=tuple(left))


def _is_gate(first: Shape, second: Shape) -> bool:
    return first != second and len(second) == 3 and first == (1, 1, second[-1])


def _joined(join: Join, shapes: list[Shape], name: str) -> Shape:
    seen = " and ".join(shape_text(shape) for shape in shapes) or "nothing"
    shape = joined_shape(join, shapes)
    if shape is None:
        raise Refused(f"`{name}` {_WANTED[join].format(seen)}")
    return shape


_WANTED: Mapping[Join, str] = {
    "add": "adds {}; wootzc adds tensors of one shape only",
    "concat": "puts {} together; wootzc does so along channels, where height and width agree",
    "scale": "multiplies {}; wootzc multiplies height x width x channels by 1x1 x channels or by "
    "the same shape",
}
