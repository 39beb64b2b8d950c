"""Graph → chain: the series-parallel body that a graph of nodes and edges is.

The way from the output back to the input leads through layers, one after another, and through
joins. A join's arms begin where the ways of all of its inputs last were one: at the nearest node
that dominates them. What needs a node in two arms is refused. Nothing here recurses, and every
edge is looked at a fixed number of times.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Never

import numpy as np
from numpy.typing import NDArray

from wootzc.ir.graph.dominators import Dominators
from wootzc.ir.graph.forms import Step, Steps, steps_of
from wootzc.ir.graph.graph import Chain, Graph, Piece, Refused
from wootzc.ir.layers import Body, Branch, Join, Layer

# Branches within branches. Later stages recurse over bodies, and the language reads brackets 32
# deep: a network, a module, two for each branch and one for a call.
MAX_BRANCHES = 14


def decompose(graph: Graph) -> Chain:
    """The layers and branches in a row that compute what the graph does.

    Before: a = conv(x); b = relu(a); c = conv(x); s = add(b, c); y = relu(s)
    After:  add { { conv; relu } { conv } }; relu

    Written flat, nested here: concats that begin like others (DenseNet), and arms of a join that
    share their first layers (the split arms of Inception-V3). Written nested, flat here: an add of
    adds, a concat of concats. Raises `Refused`, naming the node.
    """
    steps = steps_of(graph)
    arms = _Expansion(steps).arms
    pieces: list[Piece] = []
    for arm in reversed(arms):  # inner ones were found after those around them
        pieces = [_piece(item, steps) for item in reversed(arm.items)]
        arm.body = tuple(piece.layer for piece in pieces)
        arm.weights = {
            f"{position}{suffix}": value
            for position, piece in enumerate(pieces)
            for suffix, value in piece.weights.items()
        }
        arm.inner = [number for item in arm.items for number in _numbers(item)]
    return tuple(pieces)


@dataclass(slots=True, eq=False)
class _Arm:
    """The way from `source` to an end. `items`: from the end back, steps by number and joins."""

    source: int
    inside: "_Joined | None"  # the join whose arm it is
    depth: int
    items: list["int | _Joined"] = field(default_factory=list)
    body: Body = ()
    weights: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    inner: list[int] = field(default_factory=list)  # all steps in it


@dataclass(slots=True, eq=False)
class _Joined:
    """Arms that meet. `own`: whether it is all of the join, not the part that shares a stem."""

    number: int
    join: Join
    own: bool
    arm: _Arm  # where it stands
    arms: list[_Arm] = field(default_factory=list)


class _Expansion:
    """Arms within arms. An explicit stack: nesting is as deep as the file wants it."""

    def __init__(self, steps: Steps):
        self.steps = steps.steps
        self.tree = Dominators([step.inputs if step else (0,) for step in steps.steps])
        self.owner: dict[int, _Arm] = {}
        whole = _Arm(source=0, inside=None, depth=0)
        self.arms = [whole]
        self.waiting: list[tuple[_Arm, int]] = []
        self.follow(whole, steps.output)
        while self.waiting:
            self.follow(*self.waiting.pop())

    def follow(self, arm: _Arm, at: int) -> None:
        """Walk from step `at` back to where the arm begins."""
        while at != arm.source:
            if at in self.owner:
                self.refuse_shared(at, self.owner[at], arm)
            self.owner[at] = arm
            step = self.step(at)
            if step.join is None:
                arm.items.append(at)
                at = step.inputs[0]
            else:
                at = self.branch(arm, at, step.join, step.inputs, own=True)

    def branch(
        self, arm: _Arm, number: int, join: Join, inputs: tuple[int, ...], *, own: bool
    ) -> int:
        """Add a join to an arm; the result is where its arms begin."""
        if arm.depth == MAX_BRANCHES:
            raise Refused(
                f"`{self.step(number).name}` is nested in more than {MAX_BRANCHES} other joins",
                "describe the network in a .wz file, with fewer branches within branches",
            )
        source = self.tree.common(inputs)
        joined = _Joined(number, join, own, arm)
        arm.items.append(joined)
        for group in self.grouped(join, source, inputs):
            inner = _Arm(source, joined, arm.depth + 1)
            joined.arms.append(inner)
            self.arms.append(inner)
            end = group[0]
            if len(group) > 1:
                end = self.branch(inner, number, join, group, own=False)
            self.waiting.append((inner, end))
        return source

    def grouped(self, join: Join, source: int, inputs: tuple[int, ...]) -> list[tuple[int, ...]]:
        """Inputs of a join that share their way from its source on; of a concat, adjacent ones.

        What is the source itself is an arm of its own, an empty one.
        """
        if join == "scale":
            return [(at,) for at in inputs]
        below = self.tree.depth[source] + 1
        groups: list[list[int]] = []
        begins: dict[int, list[int]] = {}  # the first step below the source → its latest group
        for at in inputs:
            top = self.tree.ancestor(at, below)
            if at != source and top in begins and (join == "add" or begins[top] is groups[-1]):
                begins[top].append(at)
                continue
            groups.append([at])
            begins[top] = groups[-1]
        return [tuple(group) for group in groups]

    def step(self, number: int) -> Step:
        step = self.steps[number]
        assert step is not None
        return step

    def refuse_shared(self, shared: int, first: _Arm, second: _Arm) -> Never:
        """A step is needed in two arms: name it and the join that these are arms of."""
        around = set(_around(first))
        join = next(joined for joined in _around(second) if joined in around)
        node, end = self.step(shared), self.step(join.number)
        raise Refused(
            f"`{node.name}` is needed in two arms of the {join.join} `{end.name}`, and between "
            "them no node that both arms could begin with",
            "wootzc prunes layers in a row, and branches whose arms share nothing between where "
            f"they begin and where they meet; let one arm not read `{node.name}`, or describe a "
            "network of that kind in a .wz file",
        )


def _around(arm: _Arm) -> Iterator[_Joined]:
    """The joins that an arm stands in, the innermost first."""
    joined = arm.inside
    while joined is not None:
        yield joined
        joined = joined.arm.inside


def _piece(item: "int | _Joined", steps: Steps) -> Piece:
    if isinstance(item, int):
        step = steps.steps[item]
        assert step is not None and not isinstance(step.operation, str)
        weights = {f"/{name}": value for name, value in step.weights.items()}
        return Piece(layer=step.operation, weights=weights, names=step.names)
    layer: Layer = Branch(join=item.join, arms=tuple(arm.body for arm in item.arms))
    weights = {
        f".{position}.{name}": value
        for position, arm in enumerate(item.arms)
        for name, value in arm.weights.items()
    }
    return Piece(layer=layer, weights=weights, names=tuple(_names(_numbers(item), steps)))


def _numbers(item: "int | _Joined") -> list[int]:
    """All steps of an item."""
    if isinstance(item, int):
        return [item]
    inner = [number for arm in item.arms for number in arm.inner]
    return [*inner, item.number] if item.own else inner


def _names(numbers: Iterable[int], steps: Steps) -> Iterator[str]:
    for number in sorted(numbers):
        step = steps.steps[number]
        if step is not None:
            yield from step.names
