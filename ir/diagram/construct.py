"""Building a decision diagram: relations and limits on sums become layers of states.

Layer by layer from the first variable: a state is a node of the relations' automaton and what each
limited sum has come to. How finely sums must be told apart follows from the sums that can follow;
those are worked out from the last variable up. Both ends grow in step until they meet, so that
neither grows large where the other is small: the sums of few variables are few.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wootzc.ir.diagram.diagram import Diagram
from wootzc.ir.diagram.merge_states import Edges, reduced
from wootzc.ir.diagram.sums import Tails
from wootzc.ir.joining import Limit
from wootzc.ir.sequence import TooLarge, number

STATES = 2_000_000
CHOICES = 4  # of a variable, as a rule: states of more count for more


def build(
    values: Sequence[NDArray[np.uint8]],  # per variable: what it may be, ascending
    related: Sequence[Edges],  # `order_layers` of the relations between them
    limits: Sequence[Limit] = (),
    states: int = STATES,
) -> Diagram:
    """The diagram of all words within relations and limits; `TooLarge` beyond so many states.

    What memory and time go with are edges, so where variables have more than four choices there
    may be fewer states.
    """
    values = tuple(values)
    layers = [*related]
    if not layers or (layers[0] < 0).all():
        return Diagram(values, tuple(layers))
    tails = [Tails(limit, values, layers) for limit in limits]
    tails = [tail for tail in tails if not tail.vacuous]
    if tails:
        layers = reduced(_product(layers, tails, states))
    return Diagram(values, tuple(layers))


def _product(nodes: Sequence[Edges], tails: list[Tails], states: int) -> list[Edges]:
    node = np.zeros(1, dtype=np.int64)
    spent = [np.zeros(1, dtype=np.int64) for _ in tails]
    layers: list[Edges] = []
    total = 1
    for place, follows in enumerate(nodes):
        for tail in tails:
            while place + 1 < tail.top and tail.size <= 4 * len(node):
                tail.grow()
        target = follows[:, node].ravel()  # [choices × states]
        kept = np.flatnonzero(target >= 0)
        choice, state = np.divmod(kept, max(len(node), 1))
        after = target[kept].astype(np.int64)
        sums = [s[state] + tail.costs[place][choice] for s, tail in zip(spent, tails, strict=True)]
        alive, columns = np.ones(len(kept), dtype=bool), [after]
        for tail, sum_ in zip(tails, sums, strict=True):
            possible, keys = tail.keys(place + 1, after, sum_)
            alive &= possible
            columns += keys
        firsts, numbers = number([column[alive] for column in columns])
        total += max(len(firsts), len(target) // CHOICES)
        if total > states:
            raise TooLarge
        edges = np.full(len(target), -1, dtype=np.int32)
        edges[kept[alive]] = numbers
        layers.append(edges.reshape(len(follows), len(node)))
        node, spent = after[alive][firsts], [s[alive][firsts] for s in sums]
    return layers


def from_words(
    words: NDArray[np.uint8],  # [n, variables], equal ones may be among them
    values: Sequence[NDArray[np.uint8]],  # per variable: what it may be, ascending
) -> Diagram:
    """The diagram of just these words."""
    state = np.zeros(len(words), dtype=np.int64)
    layers: list[Edges] = []
    for place, own in enumerate(values):
        choice = np.searchsorted(own, words[:, place])
        last = place == len(values) - 1
        _, numbers = number([0 * state] if last else [state, choice])
        edges = np.full((len(own), int(state.max(initial=0)) + 1), -1, dtype=np.int32)
        edges[choice, state] = numbers
        layers.append(edges)
        state = numbers
    return Diagram(tuple(values), tuple(reduced(layers)))
