"""Runs shared by the rows of an integer matrix: nothing here knows of layers.

A run is a window of columns [start, stop) with given values there; position counts, so equal
values in other columns are another run.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Matrix: TypeAlias = NDArray[Any]  # small non-negative integers [rows, columns]
Ints: TypeAlias = NDArray[np.int64]


FAR = 2**62  # beyond every sum that is worked with


class TooLarge(Exception):
    """More states than the caller is willing to hold."""


class TooMany(Exception):
    """More shared runs than the caller is willing to hold."""


class Link(NamedTuple):
    """A run that always occurs as a whole: none of its values occurs without the others."""

    start: int
    values: tuple[int, ...]
    frequency: int  # rows that have it


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
            key, span = _ranks(key)
        if span * width >= FAR:
            column, width = _ranks(column)
            low = 0
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


def _ranks(values: NDArray[Any]) -> tuple[Ints, int]:
    """Small numbers in the same order, and how many there are."""
    distinct, ranks = np.unique(values, return_inverse=True)
    return ranks.astype(np.int64), len(distinct)


def distinct_rows(rows: Matrix) -> Ints:
    """Positions of the rows that equal no earlier row, ordered by the rows' values."""
    return number([*rows.T])[0] if rows.shape[1] else np.arange(min(len(rows), 1))


def shared_windows(rows: Matrix, least: int = 2, most: int = 20_000_000) -> NDArray[np.int32]:
    """Every run that at least `least` ≥ 2 rows share: int32 [runs, 4], (start, stop, row, count).

    `row` is the first row that has the run; `rows_with` finds all of them. Sorted by start, then
    stop, then values. For every window the distinct runs are numbered from the numbers of the
    window one column shorter; rows whose run is rarer than `least` leave, for longer runs are
    rarer still. Raises `TooMany`.
    """
    found: list[NDArray[np.int32]] = []
    total = 0
    for start in range(rows.shape[1]):
        alive = np.arange(len(rows))
        numbers = np.zeros(len(rows), dtype=np.int64)
        for stop in range(start + 1, rows.shape[1] + 1):
            firsts, numbers = number([numbers, rows[alive, stop - 1]])
            counts = np.bincount(numbers)
            shared = counts >= least
            if not shared.any():
                break
            found.append(_table(start, stop, alive[firsts[shared]], counts[shared]))
            total += len(found[-1])
            keep = shared[numbers]
            alive, numbers = alive[keep], (np.cumsum(shared) - 1)[numbers[keep]]
            if total > most:
                raise TooMany
    return np.concatenate(found) if found else np.empty((0, 4), dtype=np.int32)


def rows_with(rows: Matrix, start: int, values: Sequence[int]) -> NDArray[np.int64]:
    """Positions of the rows that have this run."""
    here = rows[:, start : start + len(values)] == np.asarray(values)
    return np.flatnonzero(here.all(axis=1))


def _table(start: int, stop: int, rows: Ints, counts: Ints) -> NDArray[np.int32]:
    table = np.empty((len(rows), 4), dtype=np.int32)
    table[:, 0], table[:, 1], table[:, 2], table[:, 3] = start, stop, rows, counts
    return table


def linked_runs(rows: Matrix, least: int = 2) -> list[Link]:
    """The maximal runs of values that always occur together, sorted by start, then values.

    Value a in column j is linked to b in column j + 1 where each occurs in exactly the rows in
    which the other does; runs are the chains of links. O(rows × columns).
    """
    if len(rows) == 0:
        return []
    width = int(rows.max(initial=0)) + 1
    open_runs: dict[int, Link] = {}  # by the value they end in, in the column before
    closed: list[Link] = []
    before = np.zeros(0, dtype=np.int64)  # how often each value is in the column before
    for column in range(rows.shape[1]):
        here = np.bincount(rows[:, column], minlength=width)
        follows: dict[int, int] = {}
        if column:
            keys = rows[:, column - 1].astype(np.int64) * width + rows[:, column]
            pairs = np.bincount(keys, minlength=width * width).reshape(width, width)
            left, right = np.nonzero(
                (pairs > 0) & (pairs == before[:, None]) & (pairs == here[None, :])
            )
            follows = dict(zip(right.tolist(), left.tolist(), strict=True))
        runs: dict[int, Link] = {}
        for value in np.flatnonzero(here >= least).tolist():
            if value in follows:
                run = open_runs.pop(follows[value])
                runs[value] = run._replace(values=(*run.values, value))
            else:
                runs[value] = Link(column, (value,), int(here[value]))
        closed += open_runs.values()
        open_runs, before = runs, here
    return sorted([*closed, *open_runs.values()])
