"""Mining on integer matrices against brute force."""

from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from wootzc.ir.sequence import (
    Link,
    TooMany,
    distinct_rows,
    linked_runs,
    rows_with,
    shared_windows,
)

Matrix = NDArray[Any]
Run = tuple[int, tuple[int, ...]]  # first column, values


@st.composite
def matrices(draw: st.DrawFn) -> Matrix:
    rows, columns = draw(st.integers(1, 8)), draw(st.integers(1, 6))
    alphabet = draw(st.integers(1, 4))
    values = st.lists(st.integers(0, alphabet - 1), min_size=columns, max_size=columns)
    listed = draw(st.lists(values, min_size=rows, max_size=rows))
    return np.array(listed, dtype=np.uint8)


def occurrences(rows: Matrix) -> dict[Run, list[int]]:
    """Every run of every row, and the rows that have it."""
    found: dict[Run, list[int]] = defaultdict(list)
    for number, row in enumerate(rows.tolist()):
        for start in range(len(row)):
            for stop in range(start + 1, len(row) + 1):
                found[start, tuple(row[start:stop])].append(number)
    return found


@given(matrices(), st.integers(2, 4))
def test_windows_agree_with_brute_force(rows: Matrix, least: int) -> None:
    mined = shared_windows(rows, least)
    runs = [
        ((start, tuple(rows[row, start:stop].tolist())), row, count)
        for start, stop, row, count in mined.tolist()
    ]
    expected = [
        (run, numbers[0], len(numbers))
        for run, numbers in occurrences(rows).items()
        if len(numbers) >= least
    ]
    assert runs == sorted(expected, key=lambda e: (e[0][0], len(e[0][1]), e[0][1]))
    for (start, values), numbers in occurrences(rows).items():
        assert rows_with(rows, start, values).tolist() == numbers


def test_windows_with_many_values_take_the_sorted_way() -> None:
    rows = np.array([[250, 7], [250, 7], [3, 7], [3, 255]], dtype=np.uint8)
    assert shared_windows(rows).tolist() == [
        [0, 1, 2, 2],
        [0, 1, 0, 2],
        [0, 2, 0, 2],
        [1, 2, 0, 3],
    ]


def test_windows_stop_at_the_most_they_may_hold() -> None:
    with pytest.raises(TooMany):
        shared_windows(np.zeros((2, 10), dtype=np.uint8), most=54)
    assert len(shared_windows(np.zeros((2, 10), dtype=np.uint8), most=55)) == 55


def brute_linked_runs(rows: Matrix) -> list[Link]:
    """Shared runs that occur exactly as often as each of their symbols, and that none contains."""
    found = occurrences(rows)
    whole: list[Link] = []
    for (start, values), numbers in found.items():
        symbols = [found[start + k, (value,)] for k, value in enumerate(values)]
        if len(numbers) >= 2 and all(symbol == numbers for symbol in symbols):
            whole.append(Link(start, values, len(numbers)))
    return sorted(
        one
        for one in whole
        if not any(
            other != one
            and other.start <= one.start
            and one.start + len(one.values) <= other.start + len(other.values)
            and other.values[one.start - other.start :][: len(one.values)] == one.values
            for other in whole
        )
    )


@given(matrices())
def test_linked_runs_agree_with_brute_force(rows: Matrix) -> None:
    assert linked_runs(rows) == brute_linked_runs(rows)


@given(matrices())
def test_distinct_rows_are_sorted_and_the_first_of_their_kind(rows: Matrix) -> None:
    places = distinct_rows(rows).tolist()
    firsts: dict[tuple[int, ...], int] = {}
    for number, row in enumerate(rows.tolist()):
        firsts.setdefault(tuple(row), number)
    assert places == [firsts[row] for row in sorted(firsts)]


def test_rows_without_columns_are_all_the_same() -> None:
    assert distinct_rows(np.zeros((3, 0), dtype=np.uint8)).tolist() == [0]
    assert distinct_rows(np.zeros((0, 3), dtype=np.uint8)).tolist() == []
    assert linked_runs(np.zeros((0, 3), dtype=np.uint8)) == []
