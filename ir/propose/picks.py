"""Choosing from a pool of candidates: at each rung the best, then the best that differ enough."""

import numpy as np
from numpy.typing import NDArray

from wootzc.ir.sequence import distinct_rows

Rows = NDArray[np.uint8]  # [n, modules]: rate positions
Row = NDArray[np.uint8]  # [modules]


class Picks:
    """What was found at each rung. A row may be found at several rungs, and is taken once."""

    def __init__(
        self,
        pool: Rows,  # equal ones may be among them
        scores: NDArray[np.float64],  # [pool]; small is good
        costs: NDArray[np.int64],  # [pool]
        bounds: NDArray[np.int64],  # [rungs]: greatest cost at each
        count: int,  # rows to take at most
    ):
        kept = distinct_rows(pool)  # in lexicographic order
        kept = kept[np.lexsort((costs[kept], scores[kept]))]  # then by score, then by cost
        self.columns = np.ascontiguousarray(pool[kept].T)
        self.within = costs[kept] <= bounds[:, None]  # [rungs, pool]
        self.free = np.ones(len(kept), dtype=bool)  # not taken yet
        # In how many modules each row differs from the nearest that was found at each rung:
        self.gap = np.full(self.within.shape, len(self.columns), dtype=np.int16)
        self.found: list[list[Row]] = [[] for _ in bounds]
        self.count = count
        self.rungs: dict[bytes, int] = {}  # of rows that were taken, in the order of taking

    @property
    def full(self) -> bool:
        return len(self.rungs) >= self.count

    def taken(self) -> tuple[Rows, NDArray[np.int64]]:  # [rows]: where each was found first
        rows = np.frombuffer(b"".join(self.rungs), dtype=np.uint8)
        return rows.reshape(-1, len(self.columns)), np.array([*self.rungs.values()], dtype=np.int64)

    def add(self, rung: int, row: Row) -> None:
        """Note a row as found at a rung; it need not be of the pool."""
        differ = (self.columns != row[:, None]).sum(axis=0, dtype=np.int16)
        self.gap[rung] = np.minimum(self.gap[rung], differ)
        self.found[rung].append(row)
        self.free[differ == 0] = False
        self.rungs.setdefault(row.tobytes(), rung)

    def firsts(self) -> None:
        """At each rung the best row within its bound, even if it was found at another already."""
        for rung, within in enumerate(self.within):
            self._best(rung, within)

    def rounds(self, distance: int) -> None:
        """Take further rows, one a rung and round, until none differs enough."""
        waiting = list(range(len(self.found)))
        while waiting and not self.full:
            waiting = [rung for rung in waiting if not self.full and self._further(rung, distance)]

    def _further(self, rung: int, distance: int) -> bool:
        far = self.gap[rung] >= distance
        return self._best(rung, self.within[rung] & self.free & far)

    def _best(self, rung: int, good: NDArray[np.bool_]) -> bool:
        if good.any():
            self.add(rung, self.columns[:, int(np.argmax(good))].copy())
            return True
        return False
