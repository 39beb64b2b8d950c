"""A set of words as a layered decision diagram. Nothing here knows of networks.

A word has one small integer per variable. States of a layer are what still matters of a word's
beginning; an edge is a value. Counting goes once over the edges, from the last layer to the first
(as in ROBDDs); what is asked after that walks from the first state down.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wootzc.ir.diagram.merge_states import Edges

Words: TypeAlias = NDArray[np.uint8]  # [words, variables]
Counts: TypeAlias = NDArray[Any]  # int64, or Python integers where those would overflow

LIMIT = 2**63
CHUNK = 65_536  # words worked out at once where they are asked for one after another
CHOICE = 4_000_000  # up to here NumPy may list all ranks to choose among them


class Diagram:
    """`values[v]`: what variable v may be, ascending. `layers[v]`: its edges [choices, states].

    The first layer has one state; an edge of the last one leads to state 0, where words end.
    Every other state lies on some word, and no two of a layer are followed by the same words.
    """

    def __init__(self, values: tuple[NDArray[np.uint8], ...], layers: tuple[Edges, ...]):
        self.values = values
        self.layers = layers

    @cached_property
    def counts(self) -> list[Counts]:
        """Per layer, how many words go on from each state; a 0 is put last, for edges of −1."""
        below: Counts = np.array([1, 0], dtype=np.int64)
        counts = [below]
        for edges in self.layers[::-1]:
            if len(edges) * int(below.max()) >= LIMIT:
                below = below.astype(object)
            below = np.append(below[edges].sum(axis=0), 0)
            counts.append(below)
        return counts[::-1]

    @cached_property
    def ways(self) -> list[Counts]:
        """Per layer, how many beginnings of words lead to each state."""
        above: Counts = np.ones(1, dtype=np.int64)
        ways = [above]
        ends = [edges.shape[1] for edges in self.layers[1:]] + [1]
        for edges, width in zip(self.layers, ends, strict=True):
            if edges.size * int(above.max(initial=0)) >= LIMIT:
                above = above.astype(object)
            into = np.zeros(width, dtype=above.dtype)
            for targets in edges:
                np.add.at(into, targets[targets >= 0], above[targets >= 0])
            above = into
            ways.append(above)
        return ways

    @property
    def count(self) -> int:
        """How many words there are."""
        return int(self.counts[0][0])

    @property
    def states(self) -> int:
        """How many states there are, in all layers."""
        return sum(int(edges.shape[1]) for edges in self.layers) + 1

    def used(self, variable: int) -> NDArray[np.uint8]:
        """The values that some word has there."""
        return self.values[variable][(self.layers[variable] >= 0).any(axis=1)]

    def unrank(self, ranks: NDArray[Any]) -> Words:
        """The words at these places (0 … count − 1) of the lexicographic order."""
        words = np.empty((len(ranks), len(self.layers)), dtype=np.uint8)
        state = np.zeros(len(ranks), dtype=np.intp)
        each = np.arange(len(ranks))
        rest = ranks.astype(self.counts[0].dtype)
        for place, edges in enumerate(self.layers):
            kind = self.counts[place].dtype
            rest = rest.astype(kind)
            ways = self.counts[place + 1][edges[:, state]].astype(kind)
            upto = np.cumsum(ways, axis=0)
            choice = (upto <= rest).sum(axis=0)
            rest = rest - (upto[choice, each] - ways[choice, each])
            words[:, place] = self.values[place][choice]
            state = edges[choice, state]
        return words

    def contains(self, words: NDArray[Any]) -> NDArray[np.bool_]:
        """Which of these words, [n, variables], are in the set."""
        state = np.zeros(len(words), dtype=np.int64)
        for place, edges in enumerate(self.layers):
            choice = np.searchsorted(self.values[place], words[:, place])
            there = (state >= 0) & np.isin(words[:, place], self.values[place])
            state[~there] = -1
            state[there] = edges[choice[there], state[there]]
        return state >= 0

    def words(self) -> Words:
        """All words in lexicographic order."""
        rows = np.zeros((1, 0), dtype=np.uint8)
        state: NDArray[Any] = np.zeros(1, dtype=np.intp)
        for values, edges in zip(self.values, self.layers, strict=True):
            follows = edges[:, state].T
            row, choice = np.nonzero(follows >= 0)
            rows = np.concatenate([rows[row], values[choice][:, None]], axis=1)
            state = follows[row, choice]
        return rows

    def chunks(self, size: int = CHUNK) -> Iterator[Words]:
        """All words in lexicographic order, some at a time."""
        for start in range(0, self.count, size):
            stop = min(start + size, self.count)
            yield self.unrank(np.array(range(start, stop), dtype=self.counts[0].dtype))

    def sample(self, count: int, rng: "np.random.Generator") -> Words:
        """So many distinct words (all where there are fewer), every set of them equally likely."""
        return self.unrank(_ranks(self.count, min(count, self.count), rng))

    def count_with(self, fixed: Mapping[int, int]) -> int:
        """How many words have these values: variable → value."""
        if not fixed:
            return self.count
        first, last = min(fixed), max(fixed)
        below = self.counts[last + 1]
        for place in range(last, first - 1, -1):
            edges = self.layers[place]
            if place in fixed:
                edges = edges[self.values[place] == fixed[place]]
            below = np.append(below.astype(self.counts[place].dtype)[edges].sum(axis=0), 0)
        ways = self.ways[first]
        if len(ways) * int(ways.max(initial=0)) * int(below.max()) >= LIMIT:
            ways = ways.astype(object)
        return int((ways * below[:-1]).sum())


def _ranks(total: int, count: int, rng: "np.random.Generator") -> NDArray[Any]:
    """`count` distinct numbers below `total`."""
    if total <= CHOICE:
        return rng.choice(total, count, replace=False) if total else np.zeros(0, dtype=np.int64)
    if total < LIMIT:
        drawn = np.zeros(0, dtype=np.int64)
        while len(drawn) < count:
            fresh = np.concatenate([drawn, rng.integers(total, size=count - len(drawn))])
            drawn = fresh[np.sort(np.unique(fresh, return_index=True)[1])]
        return drawn
    bits = total.bit_length()
    size = (bits + 7) // 8
    found: dict[int, None] = {}  # a set in the order of its making
    while len(found) < count:
        number = int.from_bytes(rng.bytes(size), "little") >> (8 * size - bits)
        if number < total:
            found[number] = None
    return np.array(list(found), dtype=object)
