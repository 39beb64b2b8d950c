"""The runs to take: starts, local search, a bound, and HiGHS where little is left to decide."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from wootzc.ir.selection.bound import Dual, descend, first_split, misfits, rounded
from wootzc.ir.selection.exact import solve
from wootzc.ir.selection.local_search import Cover, cover, improved
from wootzc.ir.selection.paths import NEVER
from wootzc.ir.selection.problem import Mask, Offers, Problem, offers_of
from wootzc.ir.sequence import rows_with

Run: TypeAlias = tuple[int, tuple[int, ...]]  # first column, values

PHASES = 8  # of lowering the bound; after each, its prices are rounded to sets
THRESHOLDS = (0.3, 0.5, 0.7)  # for rounding
VISITS = 150_000_000  # offers looked at while the bound is lowered
STEPS = (64, 400)  # fewest and most steps of it
LARGE = 100_000  # offers from which half the phases will do, and a gap of CLOSE
CLOSE = 1e-4  # of the value
EXACT = 2_000  # offers that HiGHS is given by default: with 4,000 it takes a minute now and then
NODES = 200  # of its search tree where it may prove an answer
LOOKS = 1  # where it is given a part and can prove nothing: it finds most in the first node


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

    HiGHS is given the `exact` most hopeful offers, 0 for none. What comes out depends on the
    problem alone: work is limited by counts, never by time.
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
    users = rows_with(problem.rows, start, values)
    gain = offers.gain.copy()
    for first, stop, low, high in offers.spans:
        if (first, stop) == (start, start + len(values)):
            gain[low:high][np.isin(offers.row[low:high], users)] = NEVER
    offers = replace(offers, gain=gain)
    found = improved(offers, cover(offers, mask_of(problem, offers, runs)))
    value = round(found.value)
    return Choice(runs=runs_of(problem, offers, found), value=value, bound=value, proven=False)


def _searched(offers: Offers, best: Cover, exact: int) -> tuple[Cover, float, bool]:
    """The best cover found, a bound, and whether there is no better one."""
    dual = first_split(offers)
    large = len(offers.gain) > LARGE
    phases = PHASES // 2 if large else PHASES
    steps = int(np.clip(VISITS // max(len(offers.gain), 1), *STEPS)) // phases
    for _ in range(phases):
        descend(offers, dual, best.value, steps, close=CLOSE if large else 0.0)
        found = [cover(offers, rounded(offers, dual, threshold)) for threshold in THRESHOLDS]
        if large:  # local search takes longer than all that
            found = [max(found, key=lambda c: c.value)]
        best = max([best, *(improved(offers, c) for c in found)], key=lambda c: c.value)
        if dual.bound <= best.value:
            return best, best.value, True
    return _solved(offers, best, dual, exact)


def _solved(offers: Offers, best: Cover, dual: Dual, exact: int) -> tuple[Cover, float, bool]:
    """The same after HiGHS has looked at the offers that fit the bound's prices best."""
    misfit = misfits(offers, dual)
    hopeful = misfit <= dual.bound - best.value  # no better cover uses any other
    if not hopeful.any():
        return best, best.value, True
    if exact == 0:
        return best, dual.bound, False
    given = np.zeros(len(misfit), dtype=bool)
    given[np.argsort(misfit, kind="stable")[:exact]] = True
    given &= hopeful
    all_of_them = given.sum() == hopeful.sum()
    given[best.used] = True
    solved = solve(offers, given, nodes=NODES if all_of_them else LOOKS)
    if solved.chosen is not None:
        found = improved(offers, cover(offers, solved.chosen))
        best = max([best, found], key=lambda c: c.value)
    if not all_of_them:
        return best, dual.bound, False
    return best, best.value if solved.proven else min(dual.bound, solved.bound), solved.proven


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
