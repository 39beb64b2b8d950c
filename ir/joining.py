"""How a cost of parts becomes the cost of the whole: they add up, or the greatest counts."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.int64]  # [parts, choices]
Range = tuple[int, int]  # lowest and highest, both included
UNBOUNDED: Range = (-(2**62), 2**62)
FAR = 2**61  # a bound of a sum that is farther off is none


class Limit(NamedTuple):
    """low ≤ Σ table[part, choice] ≤ high."""

    table: Table
    low: int
    high: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Joining:
    """Of whole numbers, none below zero where the greatest counts."""

    two: np.ufunc  # of two costs, the cost of both
    mirrored: np.ufunc  # the same of negative costs
    adds: bool

    def total(self, table: Table, fixed: int, rows: NDArray[Any]) -> NDArray[np.int64]:
        """Of each of `rows`, choices [n, parts], and what is `fixed` beside them."""
        total = np.full(len(rows), fixed, dtype=np.int64)
        for costs, column in zip(table, rows.T, strict=True):
            self.two(total, costs[column], out=total)
        return total

    def linear(self, table: Table, fixed: int, bounds: Range) -> Iterator[Limit]:
        """What sums say that the total lies within `bounds`.

        The greatest is at most `high` where no part is above it, at least `low` where some is.
        """
        low, high = bounds
        if self.adds:
            yield Limit(table, low - fixed, high - fixed)
            return
        if high != UNBOUNDED[1]:
            yield Limit((table > high).astype(np.int64), 0, -1 if fixed > high else 0)
        if low != UNBOUNDED[0] and fixed < low:
            yield Limit((table >= low).astype(np.int64), 1, len(table))


SUM = Joining(two=np.add, mirrored=np.add, adds=True)
GREATEST = Joining(two=np.maximum, mirrored=np.minimum, adds=False)
