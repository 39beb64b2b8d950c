"""Covering rows by runs that are paid for once: the problem, and which runs are worth a thought.

Nothing here knows of networks or time. A run is a window of columns [start, stop) with given values
there, as in `ir/sequence.py`. Whoever takes a run pays its price once; from then on every row that
has the run may use it, and gains. The runs that a row uses must not overlap. The value

    Σ over rows, over the runs it uses, of gain(row, run) − Σ over runs taken of price(run)

is to be as large as possible, where

    price(run)     = opening + Σ over its columns of price[column, value]
    gain(row, run) = weight[row] × (Σ over its columns of worth[column, value] − seam)

This is facility location whose customers are shortest paths, so NP-hard. All numbers are whole, so
that sums come out the same in any order, on any machine.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wootzc.ir.sequence import TooMany, number

Matrix: TypeAlias = NDArray[Any]  # small non-negative integers [rows, columns]
Ints: TypeAlias = NDArray[np.int64]
Exact: TypeAlias = NDArray[np.float64]  # whole numbers; their sums stay below 2**53
Mask: TypeAlias = NDArray[np.bool_]
Span: TypeAlias = tuple[int, int, int, int]  # start, stop, first offer, one past the last


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Rows [rows, columns] that runs of values may cover, what a run costs and what it brings.

    `rows` holds distinct rows of small whole numbers from 0 on; `weight` [rows], `worth` and
    `price` [columns, values] are whole and not below zero. A run (start, values) costs `opening`
    and the prices of its values, once; each row that uses it gains its weight times their worth
    less `seam`. Prices and weights must be small enough that all of them together stay below
    2**53. Raises `ValueError` where shapes or types do not fit.
    """

    rows: Matrix  # distinct
    weight: Ints  # [rows], ≥ 0
    worth: Ints  # [columns, values], ≥ 0
    price: Ints  # [columns, values], ≥ 0
    seam: int = 0  # ≥ 0
    opening: int = 0  # ≥ 0

    def __post_init__(self) -> None:
        for array in (self.rows, self.weight, self.worth, self.price):
            if not isinstance(array, np.ndarray) or array.dtype.kind not in "iu":
                raise ValueError("rows, weight, worth and price must be arrays of whole numbers")
            if array.size and array.min() < 0:
                raise ValueError("rows, weight, worth and price must not be below zero")
        values = int(self.rows.max()) + 1 if self.rows.size else 0
        table = (*self.rows.shape[-1:], max(values, *self.worth.shape[-1:], 0))
        shapes = self.weight.shape, self.worth.shape, self.price.shape
        if self.rows.ndim != 2 or shapes != (self.rows.shape[:1], table, table):
            raise ValueError(
                "rows [rows, columns], weight [rows], worth and price [columns, values] do not fit "
                f"each other: {self.rows.shape}, {', '.join(map(str, shapes))}, and the largest "
                f"value in rows is {values - 1}"
            )

    def price_of(self, start: int, values: tuple[int, ...]) -> int:
        """What a run costs, in the problem's units."""
        return self.opening + sum(int(self.price[start + k, v]) for k, v in enumerate(values))

    def worth_of(self, start: int, values: tuple[int, ...]) -> int:
        """What a row of weight 1 gains; below zero where the seam costs more than is saved."""
        return sum(int(self.worth[start + k, v]) for k, v in enumerate(values)) - self.seam


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """Every (row, run) that could be of use, by stop, then start.

    The last run stands for all runs that a single row has. It is free and always taken: their
    price has come off the gain, for whoever uses one pays for it alone.
    """

    rows: int
    columns: int
    spans: tuple[Span, ...]  # the offers of each window
    row: NDArray[np.int32]  # [offers]
    run: NDArray[np.int32]  # [offers]
    start: NDArray[np.int16]  # [offers]: first column of the run
    gain: Exact  # [offers], above 0
    runs: NDArray[np.int32]  # [runs − 1, 3]: start, stop, a row that has it
    price: Exact  # [runs]; the last is 0
    backwards: tuple[Span, ...] = field(init=False)  # the spans again, by falling start

    def __post_init__(self) -> None:
        by_start = sorted(self.spans, key=lambda span: (-span[0], span[1]))
        object.__setattr__(self, "backwards", tuple(by_start))

    @property
    def shared(self) -> Mask:
        """[offers]: several rows have the run."""
        return self.run < len(self.price) - 1

    def nothing(self) -> Mask:
        """[runs]: the smallest set that can be taken."""
        taken = np.zeros(len(self.price), dtype=bool)
        taken[-1] = True
        return taken

    def per_run(self, amounts: NDArray[Any]) -> Exact:
        """Sums over the offers of each run: [runs]."""
        sums = np.bincount(self.run, weights=amounts, minlength=len(self.price))
        return sums.astype(np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Window:
    """The useful runs of one window of columns."""

    start: int
    stop: int
    row: Ints  # of each offer
    run: Ints  # its position among this window's runs; −1 where only this row has it
    gain: Ints
    first: Ints  # of each run: a row that has it
    price: Ints  # of each run


def offers_of(problem: Problem, most: int = 10_000_000) -> Offers:
    """The offers of a problem, without those that no best answer takes. Raises `TooMany`.

    Left out are runs that end in a symbol without worth (the run without it is cheaper and has as
    many users), and runs whose users gain less together than the price.
    """
    windows: list[_Window] = []
    total = 0
    for window in _windows(problem):
        total += len(window.row)
        if total > most:
            raise TooMany
        if len(window.row):
            windows.append(window)
    return _joined(problem, sorted(windows, key=lambda w: (w.stop, w.start)))


def _windows(problem: Problem) -> Iterator[_Window]:
    rows = problem.rows
    worth, price = _running(problem.worth, rows), _running(problem.price, rows)
    for start in range(rows.shape[1]):
        alive = np.flatnonzero(worth[:, start + 1] > worth[:, start])
        numbers = np.zeros(len(alive), dtype=np.int64)
        alone = np.empty(0, dtype=np.int64)  # rows whose run no other row has
        for stop in range(start + 1, rows.shape[1] + 1):
            if len(alive):
                _, numbers = number([numbers, rows[alive, stop - 1]])
                counts = np.bincount(numbers)
                shared = (counts > 1)[numbers]
                alone = np.concatenate([alone, alive[~shared]])
                numbers = (np.cumsum(counts > 1) - 1)[numbers[shared]]
                alive = alive[shared]
            users = np.concatenate([alive, alone])
            fits = worth[users, stop] > worth[users, stop - 1]
            gain = worth[users, stop] - worth[users, start] - problem.seam
            gain = problem.weight[users] * np.maximum(gain, 0) * fits
            cost = price[users, stop] - price[users, start] + problem.opening
            yield _worthwhile(start, stop, users, numbers, gain, cost)


def _running(table: Ints, rows: Matrix) -> Ints:
    """Sums of table[column, value] over the columns before each: [rows, columns + 1]."""
    sums = np.zeros((rows.shape[0], rows.shape[1] + 1), dtype=np.int64)
    np.cumsum(table[np.arange(rows.shape[1]), rows], axis=1, out=sums[:, 1:])
    return sums


def _worthwhile(
    start: int, stop: int, users: Ints, numbers: Ints, gain: Ints, cost: Ints
) -> _Window:
    """Keep the runs whose gains exceed their cost. The first `len(numbers)` users share runs."""
    among, alone = slice(len(numbers)), slice(len(numbers), None)
    runs = int(numbers.max(initial=-1)) + 1
    first = np.zeros(runs, dtype=np.int64)
    first[numbers[::-1]] = np.arange(len(numbers))[::-1]  # the last assignment stays
    gains = np.bincount(numbers, weights=gain[among], minlength=runs)
    good = gains > cost[first]
    kept = good[numbers] & (gain[among] > 0)
    own = gain[alone] > cost[alone]
    return _Window(
        start=start,
        stop=stop,
        row=np.concatenate([users[among][kept], users[alone][own]]),
        run=np.concatenate(
            [(np.cumsum(good) - 1)[numbers[kept]], np.full(int(own.sum()), -1, dtype=np.int64)]
        ),
        gain=np.concatenate([gain[among][kept], (gain - cost)[alone][own]]),
        first=users[first[good]],
        price=cost[first[good]],
    )


def _joined(problem: Problem, windows: list[_Window]) -> Offers:
    def joined(parts: Iterable[Any], kind: Any) -> NDArray[Any]:
        return np.concatenate([np.empty(0, dtype=kind), *parts]).astype(kind)

    offers = np.cumsum([0, *(len(w.row) for w in windows)]).tolist()
    runs = np.cumsum([0, *(len(w.first) for w in windows)]).tolist()
    places = zip(windows, offers, offers[1:], strict=False)
    numbers = (
        np.where(w.run < 0, runs[-1], w.run + n) for w, n in zip(windows, runs, strict=False)
    )
    ends = np.repeat([(w.start, w.stop) for w in windows], np.diff(runs), axis=0).reshape(-1, 2)
    return Offers(
        rows=problem.rows.shape[0],
        columns=problem.rows.shape[1],
        spans=tuple((w.start, w.stop, low, high) for w, low, high in places),
        row=joined((w.row for w in windows), np.int32),
        run=joined(numbers, np.int32),
        start=joined((np.full(len(w.row), w.start) for w in windows), np.int16),
        gain=joined((w.gain for w in windows), np.float64),
        runs=np.column_stack([ends, joined((w.first for w in windows), np.int32)]).astype(np.int32),
        price=joined((*(w.price for w in windows), [0.0]), np.float64),
    )
