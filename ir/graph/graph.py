"""Networks as other tools write them: nodes with named edges. What importers make.

An importer turns each operation of a file into a layer of ours on one tensor, or into a join of
several, with weights already in our layout (NHWC, kernels [kh, kw, in // groups, out]).
`decompose` then finds the series-parallel body, and `segment` the modules.
"""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from wootzc.ir.layers import Join, Layer
from wootzc.ir.layers.shapes import Shape

Arrays: TypeAlias = Mapping[str, NDArray[np.float32]]

INPUT = ""  # the name of the tensor that enters a graph


class Refused(ValueError):
    """A network that wootzc cannot prune. `help`: a way out, where there is one.

    `module`: the one whose patterns are to blame, if any are.
    """

    def __init__(self, message: str, help: str | None = None, module: str | None = None):
        self.message, self.help, self.module = message, help, module
        super().__init__(message)


class OpenSize(Refused):
    """The file leaves the size of its input open, and nobody said it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One operation. It makes one tensor, which has the node's name."""

    name: str  # unique, and as the file has it: messages and module patterns show it
    inputs: tuple[str, ...]  # one for a layer, two or more for a join; INPUT is the graph's own
    operation: Layer | Join  # never a Branch: that is what `decompose` finds
    weights: Arrays = field(default_factory=dict)  # "kernel", "bias", "scale", … as the layer has


T = TypeVar("T", bound=Hashable)


def leading_to(ends: Iterable[T], reads: Mapping[T, Iterable[Any]]) -> set[T]:
    """All that some results are made of, themselves among them. `reads`: what each of all reads;
    what is not there enters from outside, and is left out.
    """
    found: set[T] = set()
    waiting = [*ends]
    while waiting:
        one = waiting.pop()
        if one in reads and one not in found:
            found.add(one)
            waiting += reads[one]
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Nodes in an order in which they can run. Nodes that lead nowhere are ignored."""

    name: str  # an identifier: the network's name where nobody gives another
    input: Shape  # (height, width, channels)
    nodes: tuple[Node, ...]
    output: str  # the node whose tensor is the logits
    notes: tuple[str, ...] = ()  # what the user should know: "the final softmax is left out"
    modules: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # marked there: nodes
    metadata: Mapping[str, str] = field(default_factory=dict)  # what the file says about itself
    # By node and parameter, what the file calls the tensor that it was read from; where it says.
    sources: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A layer of the chain that a graph decomposes into; for a branch, all that is inside.

    `weights` are named by what follows the layer's position in its segment: "/kernel" of a plain
    layer, ".0.1/kernel" of the second layer in the first arm of a branch. So the full name of one
    in segment s at position i is f"{s}/{i}{suffix}".
    """

    layer: Layer
    weights: Arrays
    names: tuple[str, ...]  # the nodes it was made from, in execution order


Chain: TypeAlias = tuple[Piece, ...]
