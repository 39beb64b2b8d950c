"""Sets of runs, and local search over them: take what pays, leave what does not, until neither."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from wootzc.ir.selection.paths import NEVER, best_paths, detours, gains_with
from wootzc.ir.selection.problem import Exact, Ints, Mask, Offers

ROUNDS = 60  # of leaving and taking; a dozen is common


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """The best use of a set of runs; runs that no row then uses are left."""

    taken: Mask  # [runs]
    used: Ints  # offers
    value: float  # gains less prices, a whole number


def cover(offers: Offers, taken: Mask) -> Cover:
    """What is gained best when the runs of `taken` are paid for: runs that no row uses are not."""
    best, used = best_paths(offers, gains_with(offers, taken))
    kept = offers.nothing()
    kept[offers.run[used]] = True
    return Cover(
        taken=kept, used=used, value=float(best[-1].sum()) - float(offers.price[kept].sum())
    )


def improved(offers: Offers, start: Cover, rounds: int = ROUNDS) -> Cover:
    """No run can be taken or left to the better any more, or the rounds are over."""
    here = start
    for _ in range(rounds):
        before = here.value
        here = _moved(offers, here, leaving_saves, to=False)
        here = _moved(offers, here, taking_saves, to=True)
        if here.value == before:
            break
    return here


def _moved(
    offers: Offers, here: Cover, saves: Callable[[Offers, Cover], Exact], *, to: bool
) -> Cover:
    """Take or leave the runs that pay alone; if they don't together, the better half of them."""
    saved = saves(offers, here)
    moves = np.flatnonzero(saved > 0)
    moves = moves[np.argsort(-saved[moves], kind="stable")]
    while len(moves):
        taken = here.taken.copy()
        taken[moves] = to
        there = cover(offers, taken)
        if there.value > here.value:
            return there
        moves = moves[: len(moves) // 2]
    return here


def taking_saves(offers: Offers, here: Cover) -> Exact:
    """[runs]: what the cover gains by each run that it has not taken."""
    around = detours(offers, gains_with(offers, here.taken))
    more = np.maximum(offers.gain - around, 0.0)
    return np.where(here.taken, 0.0, offers.per_run(more) - offers.price)


def leaving_saves(offers: Offers, here: Cover) -> Exact:
    """[runs]: what the cover gains by leaving each run that it has taken.

    Exact for each alone: all rows at once do without the last run they use, then without the last
    but one, and so on. A row uses at most as many runs as there are columns.
    """
    gain = gains_with(offers, here.taken)
    full, _ = best_paths(offers, gain)
    lost = np.zeros(len(offers.price))
    for offer in _by_turn(offers, here.used):
        offer = offer[offers.run[offer] < len(offers.price) - 1]
        if len(offer) == 0:
            continue
        without = gain.copy()
        without[offer] = NEVER
        best, _ = best_paths(offers, without)
        row = offers.row[offer]
        lost += np.bincount(
            offers.run[offer], weights=(full[-1] - best[-1])[row], minlength=len(lost)
        )
    return np.where(here.taken, offers.price - lost, 0.0)


def _by_turn(offers: Offers, used: Ints) -> list[Ints]:
    """The first offer that each row uses, then the second of those that use two, and so on."""
    order = used[np.argsort(offers.row[used], kind="stable")]
    row = offers.row[order]
    turn = np.arange(len(row)) - np.searchsorted(row, row)
    return [order[turn == k] for k in range(int(turn.max(initial=-1)) + 1)]
