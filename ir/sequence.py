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


class TooMany(Exception):
    """More shared runs than the caller is willing to hold."""


class Link(NamedTuple):
    """A run that always occurs as a whole: none of its values occurs without the others."""

    start: int
    values: tuple[int, ...]
    frequency: int  # rows that have it


def distinct_rows(rows: Matrix) -> NDArray[np.int64]:
    """Positions of the rows that equal no earlier row, ordered by the rows' values."""
    if len(rows) == 0 or rows.shape[1] == 0:
        return np.arange(min(len(rows), 1))
    order = np.lexsort(rows.T[::-1])  # stable: the first of equal rows stays the first
    new = np.ones(len(rows), dtype=bool)
    new[1:] = np.any(rows[order[1:]] != rows[order[:-1]], axis=1)
    return order[new]


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
            numbers, counts = renumbered(numbers, rows[alive, stop - 1])
            shared = counts >= least
            keep = shared[numbers]
            alive, numbers = alive[keep], (np.cumsum(shared) - 1)[numbers[keep]]
            if len(alive) == 0:
                break
            counts = counts[shared]
            first = np.empty(len(counts), dtype=np.int32)
            first[numbers[::-1]] = alive[::-1]  # the last assignment stays: the first row
            found.append(_table(start, stop, first, counts))
            total += len(counts)
            if total > most:
                raise TooMany
    return np.concatenate(found) if found else np.empty((0, 4), dtype=np.int32)


def rows_with(rows: Matrix, start: int, values: Sequence[int]) -> NDArray[np.int64]:
    """Positions of the rows that have this run."""
    here = rows[:, start : start + len(values)] == np.asarray(values)
    return np.flatnonzero(here.all(axis=1))


def _table(start: int, stop: int, rows: NDArray[np.int32], counts: Ints) -> NDArray[np.int32]:
    table = np.empty((len(rows), 4), dtype=np.int32)
    table[:, 0], table[:, 1], table[:, 2], table[:, 3] = start, stop, rows, counts
    return table


def renumbered(numbers: Ints, column: Matrix) -> tuple[Ints, Ints]:
    """Number the distinct (number, value) pairs 0, 1, … in their order, and count each."""
    width = int(column.max(initial=0)) + 1
    keys = numbers * width + column
    highest = int(keys.max(initial=0)) + 1
    if highest > 8 * len(keys) + 1024:  # sparse: sorting is cheaper than a table
        _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
        return inverse.reshape(-1), counts
    table = np.bincount(keys, minlength=highest)
    used = table > 0
    return (np.cumsum(used) - 1)[keys], table[used]


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
