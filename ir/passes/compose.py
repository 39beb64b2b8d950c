"""compose: which blocks each candidate is put together from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from wootzc.ir.array import Array
from wootzc.ir.passes.base import having
from wootzc.ir.plan import Block, Blocked, Expanded, Plan
from wootzc.ir.plan.cost_model import CostModel
from wootzc.ir.plan.pricing import block_worths


class Needs(Expanded, Blocked):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Compose:
    """Cover each candidate by blocks that match it and do not overlap: its composite vector.

    Before: candidates = { 1 1 0 }; blocks { block(0, rates = (1, 1)); block(1, rates = (1, 0)) }
    After:  composition = { 0 0 -1 }

    The most modules are covered, and that with the fewest blocks; blocks that were selected by the
    cost model are used as it says, so that the most fine-tuning is spared. Among equals, the last
    block is the longest. -1 where no block covers: the full network's weights are used.
    """

    name: ClassVar[str] = "compose"

    def __call__(self, plan: Plan) -> Plan:
        needs = having(plan, Needs, self.name)
        vectors = Array(composed(plan, needs.candidates.values, needs.blocks))
        return replace(plan, composition=vectors, training_order=None)


def composed(plan: Plan, rows: NDArray[Any], blocks: Sequence[Block]) -> NDArray[np.int32]:
    """The `composite_vectors` that a plan puts rows together by, were these its blocks."""
    worth = None
    if plan.selection is not None:
        worth = block_worths(plan.space, plan.cost_model or CostModel(), blocks)
    return composite_vectors(rows, blocks, worth)


def composite_vectors(
    rows: NDArray[Any], blocks: Sequence[Block], worth: Sequence[int] | None = None
) -> NDArray[np.int32]:
    """int32 [rows, modules]: the block that covers each module, or -1.

    Maximises the worth of the blocks used in each row. By default a module covered is worth more
    than any number of blocks saved.
    """
    count, modules = rows.shape
    if worth is None:
        worth = [(modules + 1) * len(block.rates) - 1 for block in blocks]
    worths = np.array(worth, dtype=np.int64)
    score = np.zeros((modules + 1, count), dtype=np.int64)  # best so far, before each module
    last = np.full((modules + 1, count), -1, dtype=np.int32)  # the block that ends there, if any
    for start in range(modules):
        better = score[start] > score[start + 1]
        score[start + 1][better] = score[start][better]
        last[start + 1][better] = -1
        for stop, matching, which in _matches(rows, blocks, start):
            reached = score[start][matching] + worths[which]
            better = reached > score[stop][matching]
            score[stop][matching[better]] = reached[better]
            last[stop][matching[better]] = which[better]
    return _read_back(last, blocks)


def _matches(
    rows: NDArray[Any], blocks: Sequence[Block], start: int
) -> Iterator[tuple[int, NDArray[np.intp], NDArray[np.int32]]]:
    """(stop, rows, their blocks) for blocks from `start` on, found by walking a trie of rates."""
    tables, ends = _trie([(k, b.rates) for k, b in enumerate(blocks) if b.start == start], rows)
    alive = np.arange(len(rows))
    state = np.zeros(len(rows), dtype=np.int64)
    for column in range(start, rows.shape[1]):
        state = tables[state, rows[alive, column]]
        alive, state = alive[state >= 0], state[state >= 0]
        if len(alive) == 0:
            return
        which = ends[state]
        if (which >= 0).any():
            yield column + 1, alive[which >= 0], which[which >= 0]


def _trie(
    words: list[tuple[int, tuple[int, ...]]], rows: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Next state by (state, rate), -1 for none; and the block that ends in each state, or -1."""
    width = max([int(rows.max(initial=0)), *(max(rates) for _, rates in words)]) + 1
    tables = [[-1] * width]
    ends = [-1]
    for block, rates in words:
        state = 0
        for rate in rates:
            if tables[state][rate] < 0:
                tables[state][rate] = len(tables)
                tables.append([-1] * width)
                ends.append(-1)
            state = tables[state][rate]
        ends[state] = block
    return np.array(tables, dtype=np.int64), np.array(ends, dtype=np.int32)


def _read_back(last: NDArray[np.int32], blocks: Sequence[Block]) -> NDArray[np.int32]:
    """Walk from the end of each row to its beginning, along the best choices."""
    modules, count = last.shape[0] - 1, last.shape[1]
    starts = np.array([b.start for b in blocks], dtype=np.int64)
    composition = np.full((count, modules), -1, dtype=np.int32)
    at = np.full(count, modules)  # everything from here on is settled
    covering = np.full(count, -1, dtype=np.int32)
    begins = np.zeros(count, dtype=np.int64)
    for module in reversed(range(modules)):
        free = at == module + 1
        covering[free] = last[module + 1][free]
        begins[free] = module
        taken = free & (covering >= 0)
        begins[taken] = starts[covering[taken]]
        composition[:, module] = covering
        at[free] = begins[free]
    return composition
