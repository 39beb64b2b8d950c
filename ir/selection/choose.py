"""The runs to take: starts, local search, a bound, and HiGHS where little is left to decide."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from wootzc.ir.selection.bound import descend, first_split, rounded, still_open
from wootzc.ir.selection.exact import solve
from wootzc.ir.selection.paths import NEVER
from wootzc.ir.selection.problem import Mask, Offers, Problem, offers_of
from wootzc.ir.selection.search import Cover, cover, improved

Run: TypeAlias = tuple[int, tuple[int, ...]]  # first column, values

PHASES = 4  # of lowering the bound; after each, its prices are rounded to sets
THRESHOLDS = (0.3, 0.5, 0.7)  # for rounding
VISITS = 150_000_000  # offers looked at while the bound is lowered
STEPS = (60, 400)  # fewest and most steps of it
LARGE = 100_000  # offers from which a gap of CLOSE is close enough
CLOSE = 1e-4  # of the value
EXACT = 4_000  # offers that HiGHS is given by default
NODES = 200  # of its search tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Runs, and how good they are. No choice has a value above `bound`."""

    runs: tuple[Run, ...]  # sorted
    value: int  # gains less prices
    bound: int
    proven: bool  # optimal


def choose(
    problem: Problem,
    starts: Iterable[Sequence[Run]] = (),
    *,
    most: int = 10_000_000,
    exact: int = EXACT,
) -> Choice:
    """A choice at least as good as every one of `starts`. Raises `TooMany` beyond `most` offers.

    At most `exact` offers are left to HiGHS, 0 for none. What comes out depends on the problem
    alone: work is limited by counts, never by time.
    """
    offers = offers_of(problem, most)
    given = [cover(offers, mask_of(problem, offers, runs)) for runs in starts]
    best = max([cover(offers, offers.nothing()), *given], key=lambda c: c.value)
    best, bound, proven = _searched(offers, improved(offers, best), exact)
    return Choice(
        runs=runs_of(problem, offers, best),
        value=round(best.value),
        bound=round(max(bound, best.value)),
        proven=proven,
    )


def choose_without(
    problem: Problem, runs: Sequence[Run], banned: Run, most: int = 10_000_000
) -> Choice:
    """The next best that local search finds from `runs` where one of them must not be taken."""
    offers = offers_of(problem, most)
    start, values = banned
    has = (problem.rows[:, start : start + len(values)] == values).all(axis=1)
    gain = offers.gain.copy()
    for first, stop, low, high in offers.spans:
        if (first, stop) == (start, start + len(values)):
            gain[low:high][has[offers.row[low:high]]] = NEVER
    offers = replace(offers, gain=gain)
    found = improved(offers, cover(offers, mask_of(problem, offers, runs)))
    value = round(found.value)
    return Choice(runs=runs_of(problem, offers, found), value=value, bound=value, proven=False)


def _searched(offers: Offers, best: Cover, exact: int) -> tuple[Cover, float, bool]:
    """The best cover found, a bound, and whether there is no better one."""
    dual = first_split(offers)
    large = len(offers.gain) > LARGE
    steps = int(np.clip(VISITS // max(len(offers.gain), 1), *STEPS)) // PHASES
    for _ in range(PHASES):
        descend(offers, dual, best.value, steps, close=CLOSE if large else 0.0)
        found = [cover(offers, rounded(offers, dual, threshold)) for threshold in THRESHOLDS]
        if large:  # local search takes longer than all that
            found = [max(found, key=lambda c: c.value)]
        best = max([best, *(improved(offers, c) for c in found)], key=lambda c: c.value)
        if dual.bound <= best.value:
            return best, best.value, True
    allowed = still_open(offers, dual, best.value)
    if not allowed.any():
        return best, best.value, True
    if int(allowed.sum()) > exact:
        return best, dual.bound, False
    solved = solve(offers, allowed, nodes=NODES)
    if solved.taken is not None:
        best = max([best, cover(offers, solved.taken)], key=lambda c: c.value)
    if solved.proven:
        return best, best.value, True
    return best, min(dual.bound, solved.bound), False


def mask_of(problem: Problem, offers: Offers, runs: Iterable[Run]) -> Mask:
    """[runs]: those of `runs` that are on offer."""
    wanted = set(runs)
    windows = {(start, start + len(values)) for start, values in wanted}
    taken = offers.nothing()
    for number, (start, stop, row) in enumerate(offers.runs.tolist()):
        if (start, stop) in windows:
            values = tuple(problem.rows[row, start:stop].tolist())
            taken[number] = (start, values) in wanted
    return taken


def runs_of(problem: Problem, offers: Offers, chosen: Cover) -> tuple[Run, ...]:
    """The runs that a cover uses, also those that only one row has."""
    shared = offers.runs[chosen.taken[:-1]].tolist()
    alone = chosen.used[~offers.shared[chosen.used]]
    stops = {low: stop for _, stop, low, _ in offers.spans}
    lows = np.array(sorted(stops), dtype=np.int64)
    ends = np.array([stops[low] for low in lows.tolist()], dtype=np.int64)
    own = zip(
        offers.start[alone].tolist(),
        ends[np.searchsorted(lows, alone, side="right") - 1].tolist() if len(alone) else (),
        offers.row[alone].tolist(),
        strict=True,
    )
    return tuple(
        sorted(
            (start, tuple(problem.rows[row, start:stop].tolist()))
            for start, stop, row in [*shared, *own]
        )
    )
