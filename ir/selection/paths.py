"""The best paths of all rows at once through the runs on offer: dynamic programming by columns."""

import numpy as np

from wootzc.ir.selection.problem import Exact, Ints, Mask, Offers

NEVER = -(2.0**60)  # a gain that no path takes


def gains_with(offers: Offers, taken: Mask) -> Exact:
    """[offers]: the gains, but `NEVER` where the run is not taken."""
    return np.where(taken[offers.run], offers.gain, NEVER)


def best_paths(offers: Offers, gain: Exact) -> tuple[Exact, Ints]:
    """Best gain of each row before each column, [columns + 1, rows], and the offers used.

    Offers of gain ≤ 0 are left alone. A row's offers come from its last column to its first.
    """
    best = np.zeros((offers.columns + 1, offers.rows))
    last = np.full((offers.columns + 1, offers.rows), -1, dtype=np.int64)  # offer that ends there
    settled = 0
    for start, stop, low, high in offers.spans:
        if settled < stop:
            best[settled + 1 : stop + 1] = best[settled]
            settled = stop
        row = offers.row[low:high]
        reached = best[start][row] + gain[low:high]
        better = reached > best[stop][row]
        best[stop][row[better]] = reached[better]
        last[stop][row[better]] = low + np.flatnonzero(better)
    best[settled + 1 :] = best[settled]
    return best, _walk_back(offers, last)


def _walk_back(offers: Offers, last: Ints) -> Ints:
    used = []
    at = np.full(offers.rows, offers.columns)  # everything from here on is settled
    for stop in reversed(range(1, offers.columns + 1)):
        here = np.flatnonzero(at == stop)
        offer = last[stop][here]
        some = offer >= 0
        at[here] = stop - 1
        at[here[some]] = offers.start[offer[some]]
        used.append(offer[some])
    return np.concatenate(used)


def best_endings(offers: Offers, gain: Exact) -> Exact:
    """Best gain of each row from each column on: [columns + 1, rows]."""
    best = np.zeros((offers.columns + 1, offers.rows))
    settled = offers.columns
    for start, stop, low, high in offers.backwards:
        if settled > start:
            best[start:settled] = best[settled]
            settled = start
        row = offers.row[low:high]
        best[start][row] = np.maximum(best[start][row], best[stop][row] + gain[low:high])
    best[:settled] = best[settled]
    return best


def detours(offers: Offers, gain: Exact) -> Exact:
    """[offers]: what a row's best path gains more than one that keeps the offer's columns free."""
    before, _ = best_paths(offers, gain)
    after = best_endings(offers, gain)
    more = np.empty(len(gain))
    for start, stop, low, high in offers.spans:
        row = offers.row[low:high]
        more[low:high] = before[-1][row] - before[start][row] - after[stop][row]
    return more
