"""The best words of a diagram under scores that add up over the variables."""

from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wootzc.ir.diagram.diagram import Diagram, Words
from wootzc.ir.joining import SUM, Joining

Scores = NDArray[Any]  # [variables, values]: int64 or float64


class _Branch(NamedTuple):
    """All words that begin so; the best of them has this cost."""

    cost: Any  # the least sum among them
    beginning: bytes  # choices; equal costs come in lexicographic order
    spent: Any  # the sum of the beginning
    state: int


def bounds(diagram: Diagram, scores: Scores, joining: Joining = SUM) -> tuple[int, int]:
    """The least and the greatest total of whole scores among the words; there must be one."""
    low = _least(diagram, scores, joining.two)[0][0]
    high = _least(diagram, -scores, joining.mirrored)[0][0]
    return int(low), -int(high)


def best_first(
    diagram: Diagram, scores: Scores, largest: bool = False
) -> Iterator[tuple[Words, float]]:
    """Words and their sums from the best on: as many as are asked for are worked out.

    What remains after taking a word falls apart into branches: those that leave its path at some
    variable (Lawler, 1972). The best word of each is known from one pass over the diagram.
    """
    if diagram.count == 0:
        return
    cost = -scores if largest else scores
    least = _least(diagram, cost)
    rows = [[cost[v, value].item() for value in values] for v, values in enumerate(diagram.values)]
    zero = cost.dtype.type(0).item()
    heap = [_Branch(least[0][0].item(), b"", zero, 0)]
    while heap:
        total, beginning, spent, state = heappop(heap)
        path = bytearray(beginning)
        for place in range(len(beginning), len(diagram.layers)):
            follows = diagram.layers[place][:, state].tolist()
            options = [
                _Branch(
                    spent + rows[place][choice] + least[place + 1][after].item(),
                    bytes(path) + bytes([choice]),
                    spent + rows[place][choice],
                    after,
                )
                for choice, after in enumerate(follows)
                if after >= 0
            ]
            chosen = min(options)
            for option in options:
                if option is not chosen:
                    heappush(heap, option)
            path.append(chosen.beginning[-1])
            spent, state = chosen.spent, chosen.state
        word = [v[c] for v, c in zip(diagram.values, path, strict=True)]
        yield np.array(word, dtype=np.uint8), -total if largest else total


def _least(diagram: Diagram, costs: Scores, two: np.ufunc = np.add) -> list[NDArray[Any]]:
    """Per layer, the least total of what can follow each state; `two`: of two costs."""
    far = np.inf if costs.dtype.kind == "f" else np.iinfo(np.int64).max
    least = [np.zeros(1, dtype=costs.dtype)]
    for variable in reversed(range(len(diagram.layers))):
        edges, cost = diagram.layers[variable], costs[variable, diagram.values[variable]]
        sums = np.where(edges >= 0, two(least[-1][edges], cost[:, None]), far)
        least.append(sums.min(axis=0, initial=far).astype(costs.dtype))
    return least[::-1]
