"""Merging the states of a layered automaton. Layers are arrays [choices, states] of next states."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Edges: TypeAlias = NDArray[np.int32]  # [choices, states]: the next layer's state, or −1 for none
Ints: TypeAlias = NDArray[np.int64]

FAR = 2**62  # beyond every sum that is worked with


class TooLarge(Exception):
    """More states than the caller is willing to hold."""


def number(columns: Sequence[NDArray[Any]]) -> tuple[Ints, Ints]:
    """Number the distinct rows of some columns 0, 1, … in their order.

    Returns where each number first stands, and the number of every row.
    """
    key, span = np.zeros(len(columns[0]), dtype=np.int64), 1
    if len(key) == 0:
        return key, key
    for column in columns:
        low = int(column.min())
        width = int(column.max()) - low + 1
        if span * width >= FAR:
            key = np.unique(key, return_inverse=True)[1]
            span = int(key.max()) + 1
        if span * width >= FAR:
            raise TooLarge
        key = key * width + (column.astype(np.int64) - low)
        span *= width
    if span <= 8 * len(key) + 1024:  # dense: a table is cheaper than sorting
        first = np.full(span, -1, dtype=np.int64)
        first[key[::-1]] = np.arange(len(key))[::-1]  # the last assignment stays: the first row
        used = np.flatnonzero(first >= 0)
        first[used], starts = np.arange(len(used)), first[used]
        return starts, first[key]
    order = np.argsort(key, kind="stable")
    new = np.ones(len(key), dtype=bool)
    new[1:] = key[order[1:]] != key[order[:-1]]
    numbers = np.empty(len(key), dtype=np.int64)
    numbers[order] = np.cumsum(new) - 1
    return order[new], numbers


def reduced(layers: Sequence[Edges]) -> list[Edges]:
    """The same words in the fewest states.

    From the last layer to the first, states from which no word goes on are dropped, and states
    with equal edges become one (Bryant, 1986). The single state of the first layer stays.
    """
    result: list[Edges] = []
    rename = np.array([0, -1], dtype=np.int32)  # its last entry is for −1: no state stays none
    for place in reversed(range(len(layers))):
        edges = rename[layers[place]]
        if place:
            alive = np.flatnonzero((edges >= 0).any(axis=0))
            rename = np.full(edges.shape[1] + 1, -1, dtype=np.int32)
            if len(alive):
                edges = edges[:, alive]
                firsts, numbers = number(list(edges))
                rename[alive] = numbers
                edges = edges[:, firsts]
            else:
                edges = edges[:, :0]
        result.append(np.ascontiguousarray(edges))
    return result[::-1]
