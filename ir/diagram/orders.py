"""Orders between variables as a small automaton: what earlier values leave to later ones."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from wootzc.ir.diagram.merge_states import Edges, TooLarge, number, reduced

NODES = 20_000  # in one layer

Values = Sequence[NDArray[np.uint8]]  # per variable: what it may be, ascending
Pairs = Iterable[tuple[int, int]]  # (a, b): the value of a is at most the value of b


def order_layers(values: Values, pairs: Pairs, most: int = NODES) -> list[Edges]:
    """The fewest nodes that keep every pair; raises `TooLarge` beyond `most` in a layer.

    All that matters of the values before a variable is what they leave to each later one: a first
    and a last position among its values. So a node is a row of these bounds.
    """
    below: dict[int, list[int]] = {}  # later variables that must not be lower than this one
    above: dict[int, list[int]] = {}  # later variables that must not be higher
    for a, b in pairs:
        if a < b:
            below.setdefault(a, []).append(b)
        elif b < a:
            above.setdefault(b, []).append(a)
    bounded = sorted({later for ends in (*below.values(), *above.values()) for later in ends})
    if not bounded and all(map(len, values)):
        return [np.zeros((len(own), 1), dtype=np.int32) for own in values]
    column = {variable: at for at, variable in enumerate(bounded)}
    first = np.zeros((1, len(bounded)), dtype=np.int16)
    last = np.array([[len(values[v]) - 1 for v in bounded]], dtype=np.int16)
    layers: list[Edges] = []
    for place, own in enumerate(values):
        choice, node = np.divmod(np.arange(len(own) * len(first)), max(len(first), 1))
        lower, upper = first[node], last[node]
        for later in below.get(place, ()):
            bound, at = np.searchsorted(values[later], own, side="left"), column[later]
            lower[:, at] = np.maximum(lower[:, at], bound[choice])
        for later in above.get(place, ()):
            bound, at = np.searchsorted(values[later], own, side="right") - 1, column[later]
            upper[:, at] = np.minimum(upper[:, at], bound[choice])
        alive: NDArray[np.bool_] = np.asarray(np.all(lower <= upper, axis=1))
        mine = column.get(place)
        if mine is not None:
            alive &= (lower[:, mine] <= choice) & (choice <= upper[:, mine])
        kept = np.flatnonzero(alive)
        bounds = np.concatenate([lower, upper], axis=1)[kept]
        if mine is not None:  # it has its value; its bounds are history
            bounds[:, [mine, len(bounded) + mine]] = 0
        told_apart = bounds[:, np.ptp(bounds, axis=0) > 0] if len(kept) else bounds[:, :0]
        starts, numbers = number([np.zeros(len(kept)), *told_apart.T])
        if len(starts) > most:
            raise TooLarge
        edges = np.full(len(alive), -1, dtype=np.int32)
        edges[kept] = numbers
        layers.append(edges.reshape(len(own), len(first)))
        first, last = np.split(bounds[starts], 2, axis=1)
    return reduced(layers)


def narrow_order(variables: int, pairs: Pairs) -> list[int]:
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
