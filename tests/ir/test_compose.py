"""Composite vectors against trying every way to cover a row."""

from functools import cache
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from wootzc.ir.passes.compose import composite_vectors
from wootzc.ir.plan import Block


def best_cover(row: tuple[int, ...], blocks: list[Block]) -> tuple[int, int]:
    """(modules covered, -blocks used) of the best cover of one row."""

    @cache
    def best(place: int) -> tuple[int, int]:
        if place == len(row):
            return (0, 0)
        options = [best(place + 1)]
        for block in blocks:
            if block.start == place and row[place : block.stop] == block.rates:
                covered, used = best(block.stop)
                options.append((covered + len(block.rates), used - 1))
        return max(options)

    return best(0)


@st.composite
def problems(draw: st.DrawFn) -> tuple[list[list[int]], list[Block]]:
    modules = draw(st.integers(1, 6))
    row = st.lists(st.integers(0, 2), min_size=modules, max_size=modules)
    rows = draw(st.lists(row, min_size=1, max_size=6))
    runs = [
        Block(start=start, rates=tuple(one[start:stop]))
        for one in rows
        for start in range(modules)
        for stop in range(start + 1, modules + 1)
    ]
    foreign = [Block(start=0, rates=(7,)), Block(start=modules - 1, rates=(1,))]
    return rows, draw(st.lists(st.sampled_from(runs + foreign), max_size=12, unique=True))


@given(problems())
def test_covers_are_best(problem: tuple[list[list[int]], list[Block]]) -> None:
    rows, blocks = problem
    vectors = composite_vectors(np.array(rows, dtype=np.uint8), blocks)
    assert vectors.dtype == np.int32
    for row, vector in zip(rows, vectors.tolist(), strict=True):
        covered, used = best_cover(tuple(row), blocks)
        pieces = pieces_of(vector, blocks)
        assert all(tuple(row[b.start : b.stop]) == b.rates for b in pieces)
        assert sum(number >= 0 for number in vector) == covered
        assert len(pieces) == -used


def best_worth(row: tuple[int, ...], worths: dict[Block, int], place: int = 0) -> int:
    if place == len(row):
        return 0
    return max(
        best_worth(row, worths, place + 1),
        *(
            worth + best_worth(row, worths, block.stop)
            for block, worth in worths.items()
            if block.start == place and row[place : block.stop] == block.rates
        ),
        0,
    )


@given(problems(), st.data())
def test_worths_decide_where_they_are_given(
    problem: tuple[list[list[int]], list[Block]], data: st.DataObject
) -> None:
    rows, blocks = problem
    worth = [data.draw(st.integers(-3, 9)) for _ in blocks]
    worths = dict(zip(blocks, worth, strict=True))
    vectors = composite_vectors(np.array(rows, dtype=np.uint8), blocks, worth)
    for row, vector in zip(rows, vectors.tolist(), strict=True):
        pieces = pieces_of(vector, blocks)
        assert sum(worths[piece] for piece in pieces) == best_worth(tuple(row), worths)


def pieces_of(vector: list[int], blocks: list[Block]) -> list[Block]:
    """The blocks along a composite vector, each of them whole."""
    pieces: list[Block] = []
    place = 0
    while place < len(vector):
        if vector[place] < 0:
            place += 1
            continue
        block = blocks[vector[place]]
        assert block.start == place
        assert vector[place : block.stop] == [vector[place]] * len(block.rates)
        pieces.append(block)
        place = block.stop
    return pieces


def test_one_long_block_beats_two_short_ones() -> None:
    blocks = [
        Block(start=0, rates=(1,)),
        Block(start=1, rates=(1, 1)),
        Block(start=0, rates=(1, 1)),
        Block(start=0, rates=(1, 1, 1)),
    ]
    rows: Any = np.array([[1, 1, 1, 1], [1, 1, 2, 1]], dtype=np.uint8)
    assert composite_vectors(rows, blocks).tolist() == [[3, 3, 3, -1], [2, 2, -1, -1]]


def test_no_blocks_cover_nothing() -> None:
    rows: Any = np.ones((2, 3), dtype=np.uint8)
    assert composite_vectors(rows, []).tolist() == [[-1] * 3] * 2
