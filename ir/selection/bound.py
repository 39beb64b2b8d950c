"""How good any answer could be: a Lagrangian bound, and what its prices say about good sets.

A run's price is split among the rows that could use it. If a row pays its shares, it may use runs
that nobody has taken; so, however prices are split,

    best value ≤ Σ over rows of its best path, gains less shares,

as long as no more than its price is charged for a run in all. The split that makes this least is
as good a bound as the linear relaxation; it is looked for by subgradient steps: rows pay more for
what they use, all others pay less (Held, Wolfe and Crowder 1974), averaged as in the volume
algorithm (Barahona and Anbil 2000), so that the average path nearly solves that relaxation.
"""

from dataclasses import dataclass

import numpy as np

from wootzc.ir.selection.paths import best_paths, detours
from wootzc.ir.selection.problem import Exact, Mask, Offers

KEEP = 0.7  # of the averaged path, at each step
PATIENCE = 15  # steps without a better bound before they become shorter
SHORTER = 0.6
SMALLEST = 1e-3  # step length at which the search is over


@dataclass(slots=True, kw_only=True)
class Dual:
    """A split of all prices, on its way."""

    shares: Exact  # [offers], whole
    bound: float = np.inf  # the least so far
    best: Exact  # shares of that bound
    path: Exact  # [offers], in [0, 1]: how much each offer was used of late
    length: float = 1.0
    stale: int = 0

    @property
    def over(self) -> bool:
        """Whether steps have become too short to matter."""
        return self.length < SMALLEST


def first_split(offers: Offers) -> Dual:
    """Everybody pays in proportion to the gain."""
    factor = offers.price / np.maximum(offers.per_run(offers.gain), 1.0)
    shares = np.floor(offers.gain * factor[offers.run])
    return Dual(shares=shares, best=shares, path=np.zeros(len(shares)))


def descend(offers: Offers, dual: Dual, floor: float, steps: int, *, close: float = 0.0) -> None:
    """Lower the bound of `dual` in place; `floor` is the value of a known solution.

    Ends early where the two are as near as this part of the value.
    """
    users = np.maximum(offers.per_run(np.ones(len(offers.gain))), 1.0)
    for _ in range(steps):
        if dual.over or dual.bound - floor <= close * floor:
            return
        best, used = best_paths(offers, offers.gain - dual.shares)
        charged = offers.per_run(dual.shares)
        bound = float(best[-1].sum()) + float(np.maximum(charged - offers.price, 0.0).sum())
        _note(dual, bound)
        dual.path *= KEEP
        dual.path[used] += 1.0 - KEEP
        # The direction, less its mean over each run: what is charged for a run stays its price.
        usage, square = offers.per_run(dual.path), offers.per_run(dual.path**2)
        spread = float((square - usage**2 / users)[:-1].sum())
        if spread <= 0:
            return
        step = dual.length * (bound - floor) / spread
        dual.shares = _charged(offers, np.minimum(dual.shares + step * dual.path, offers.gain))


def _note(dual: Dual, bound: float) -> None:
    if bound < dual.bound - 1e-4 * abs(dual.bound) or np.isinf(dual.bound):
        dual.stale = 0
    else:
        dual.stale += 1
    if bound < dual.bound:
        dual.bound, dual.best = bound, dual.shares
    if dual.stale >= PATIENCE:
        dual.length, dual.stale = dual.length * SHORTER, 0


def _charged(offers: Offers, shares: Exact) -> Exact:
    """Take equal parts off all that pay for a run, until little more than its price is charged."""
    shares = np.where(offers.shared, shares, 0.0)
    for _ in range(3):
        excess = np.maximum(offers.per_run(shares) - offers.price, 0.0)
        paying = np.maximum(offers.per_run(shares > 0), 1.0)
        shares = np.maximum(shares - (excess / paying)[offers.run], 0.0)
    return np.floor(shares)


def rounded(offers: Offers, dual: Dual, threshold: float) -> Mask:
    """The runs that some row used more often than `threshold` of late."""
    most = np.zeros(len(offers.price))
    np.maximum.at(most, offers.run, dual.path)
    most[-1] = 1.0
    return most > threshold


def misfits(offers: Offers, dual: Dual) -> Exact:
    """[offers]: by how much the bound falls if the offer is used. In a solution of value v no
    offer has more than bound − v.
    """
    gain = offers.gain - dual.best
    unpaid = np.maximum(offers.price - offers.per_run(dual.best), 0.0)
    return detours(offers, gain) - gain + unpaid[offers.run]
