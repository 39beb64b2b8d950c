"""Merging the states of a layered automaton. Layers are arrays [choices, states] of next states."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from wootzc.ir.sequence import TooLarge as TooLarge
from wootzc.ir.sequence import number

Edges: TypeAlias = NDArray[np.int32]  # [choices, states]: the next layer's state, or −1 for none


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
