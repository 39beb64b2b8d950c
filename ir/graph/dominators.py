"""Dominators of an acyclic graph: through which node every way from the root to another leads.

Nodes are numbers in an order in which they can run; 0 is the root. A node's parent in the dominator
tree is the lowest common ancestor of its inputs. Jump pointers (Myers 1983) find that ancestor in
logarithmic time however deep the tree is.
"""

from collections.abc import Iterable, Sequence
from functools import reduce


class Dominators:
    """`inputs[n]`: the nodes that n reads, all below n; `inputs[0]` is empty."""

    def __init__(self, inputs: Sequence[Sequence[int]]):
        self.parent = [0]
        self.depth = [0]
        self._jump = [0]
        for sources in inputs[1:]:
            self._add(self.common(sources))

    def _add(self, parent: int) -> None:
        jump = self._jump
        middle = jump[parent]
        balanced = self.depth[parent] - self.depth[middle] == (
            self.depth[middle] - self.depth[jump[middle]]
        )
        self.parent.append(parent)
        self.depth.append(self.depth[parent] + 1)
        jump.append(jump[middle] if balanced else parent)

    def common(self, nodes: Iterable[int]) -> int:
        """The nearest node that dominates all of these, or is one of them."""
        return reduce(self._common, nodes)

    def _common(self, a: int, b: int) -> int:
        if self.depth[a] < self.depth[b]:
            a, b = b, a
        a = self.ancestor(a, self.depth[b])
        while a != b:  # equal depths have jumps of equal length
            if self._jump[a] != self._jump[b]:
                a, b = self._jump[a], self._jump[b]
            else:
                a, b = self.parent[a], self.parent[b]
        return a

    def ancestor(self, node: int, depth: int) -> int:
        """The node of this depth on the way from `node` to the root."""
        while self.depth[node] > depth:
            far = self._jump[node]
            node = far if self.depth[far] >= depth else self.parent[node]
        return node
