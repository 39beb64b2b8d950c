"""Relations of variables as a small automaton: what earlier values leave to later ones."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wootzc.ir.diagram.merge_states import Edges, reduced
from wootzc.ir.sequence import Ints, TooLarge, number

NODES = 20_000  # in one layer
BITS = 62  # of a word: choices that are left

Values = Sequence[NDArray[np.uint8]]  # per variable: what it may be, ascending


class Relation(NamedTuple):
    """What one variable may be beside another."""

    first: int
    second: int
    allowed: NDArray[np.bool_]  # [choices of the first, choices of the second]


def order_layers(values: Values, relations: Iterable[Relation], most: int = NODES) -> list[Edges]:
    """The fewest nodes that keep every relation; raises `TooLarge` beyond `most` in a layer.

    All that matters of the values before a variable is what they leave to each later one: a set of
    its choices. So a node is a row of such sets, as bits.
    """
    ahead: dict[int, list[tuple[int, Ints]]] = {}  # earlier one → later, what each choice leaves
    for a, b, allowed in relations:
        if a != b:
            earlier, later, table = (a, b, allowed) if a < b else (b, a, allowed.T)
            ahead.setdefault(earlier, []).append((later, _bits(table)))
    bounded = sorted({later for ends in ahead.values() for later, _ in ends})
    if not bounded and all(map(len, values)):
        return [np.zeros((len(own), 1), dtype=np.int32) for own in values]
    full = [_bits(np.ones((1, len(values[v])), dtype=bool)) for v in bounded]
    stops = np.cumsum([0, *(word.shape[1] for word in full)]).tolist()
    columns = {v: slice(*stops[k : k + 2]) for k, v in enumerate(bounded)}
    left = np.concatenate([np.zeros((1, 0), dtype=np.int64), *full], axis=1)
    possible = all(len(values[v]) for v in bounded)
    layers: list[Edges] = []
    for place, own in enumerate(values):
        choice, node = np.divmod(np.arange(len(own) * len(left)), max(len(left), 1))
        after, alive = left[node], np.full(len(node), possible)
        for later, leaves in ahead.get(place, ()):
            after[:, columns[later]] &= leaves[choice]
            alive &= after[:, columns[later]].any(axis=1)
        if place in columns:
            mine = after[:, columns[place]]
            word, bit = np.divmod(choice, BITS)
            alive &= (mine[np.arange(len(mine)), word] >> bit) & 1 == 1
            mine[:] = 0  # it has its value; what it might have had is history
        kept = np.flatnonzero(alive)
        after = after[kept]
        told_apart = after[:, np.ptp(after, axis=0) > 0] if len(kept) else after[:, :0]
        starts, numbers = number([np.zeros(len(kept)), *told_apart.T])
        if len(starts) > most:
            raise TooLarge
        edges = np.full(len(alive), -1, dtype=np.int32)
        edges[kept] = numbers
        layers.append(edges.reshape(len(own), len(left)))
        left = after[starts]
    return reduced(layers)


def _bits(table: NDArray[np.bool_]) -> Ints:
    """Rows of choices as words: [rows, words]."""
    rows, choices = table.shape
    words = np.zeros((rows, -(-choices // BITS)), dtype=np.int64)
    for at in range(choices):
        words[:, at // BITS] |= table[:, at].astype(np.int64) << (at % BITS)
    return words


def narrow_order(variables: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """An order of the variables in which few earlier ones are compared with later ones.

    Greedily: next comes the variable after which the fewest still wait for others.
    """
    near: dict[int, set[int]] = {v: set() for v in range(variables)}
    for a, b in pairs:
        near[a].add(b)
        near[b].add(a)
    order: list[int] = []
    left = set(range(variables))
    waiting: set[int] = set()
    while left:
        waits = {
            v: {w for w in {*waiting, v} if near[w] & left - {v}} for v in left
        }  # after each possible next variable
        chosen = min(left, key=lambda v: (len(waits[v]), v))
        waiting = waits[chosen]
        left.remove(chosen)
        order.append(chosen)
    return order
