"""Drawing candidates from spaces too large to list: uniformly, and within a band of cost.

Plain rejection fails where limits are tight: at random, costs crowd around their mean. So
candidates are counted by dynamic programming over (variable, its rate, rounded cost so far) and
drawn backwards by those counts: uniform among all whose *rounded* cost may lie in the band. What
rounding let in wrongly is then rejected, which leaves the draw uniform.
"""

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wootzc.ir.sequence import distinct_rows
from wootzc.ir.space import Cost
from wootzc.ir.variables import Range, Variables

TOP = 1e200  # counts are scaled to this maximum, so that very rare ends of the range do not vanish
ROUNDS = 10  # draws without a new candidate before a band counts as exhausted
IDLE_BATCH, BATCH = 16_384, 262_144  # most draws at once: where little turns up, and ever

Floats = NDArray[np.float64]
Rows = NDArray[np.uint8]  # [n, variables]


class Sampler:
    """Draws allowed rows whose cost by `metric` lies in a band."""

    def __init__(self, problem: Variables, metric: Cost, rng: "np.random.Generator"):
        self.problem, self.metric, self.rng = problem, metric, rng
        self.order, self.links = _chain_order(problem)
        costs = [problem.table(metric)[v][problem.choices[v]] for v in self.order]
        self.bounds = _attainable(costs, [self._compatible(i) for i in range(len(costs))])
        self.bounds = (
            self.bounds[0] + problem.fixed[metric],
            self.bounds[1] + problem.fixed[metric],
        )
        low = sum(int(c.min()) for c in costs)
        spread = sum(int(c.max()) for c in costs) - low
        self.base = problem.fixed[metric] + low
        self.step = max(1.0, spread / (1024 + 32 * len(costs)))
        self.rounded = [np.rint((c - c.min()) / self.step).astype(np.intp) for c in costs]
        self.counts = self._count()

    def _compatible(self, place: int) -> NDArray[np.bool_]:
        """[choices before, choices here]: which rates may follow which in this order."""
        here = self.problem.choices[self.order[place]]
        if self.links[place] == 0:
            before = self.problem.choices[self.order[place - 1]] if place else np.zeros(1)
            return np.ones((len(before), len(here)), dtype=bool)
        before = self.problem.choices[self.order[place - 1]]
        return np.asarray(before[:, None] <= here[None, :])

    def _count(self) -> list[Floats]:
        """Per place: [choices, bins], how many ways lead there (up to one factor per place)."""
        bins = 1 + sum(int(q.max()) for q in self.rounded)
        state = np.zeros((1, bins))
        state[0, 0] = TOP
        counts = []
        for place, rounded in enumerate(self.rounded):
            ways = self._compatible(place).T.astype(float) @ state  # [choices here, bins]
            state = np.zeros_like(ways)
            for choice, shift in enumerate(rounded):
                state[choice, shift:] = ways[choice, : bins - shift]
            top = state.max(initial=0.0)
            state *= TOP / top if top else 1.0
            counts.append(state)
        return counts

    def draw(self, count: int, band: Range) -> Rows:
        """About `count` draws, less those that must be rejected; repeats are possible."""
        slack = len(self.order) / 2 + 1
        first = int(max(0, np.floor((band[0] - self.base) / self.step - slack)))
        last = int(np.ceil((band[1] - self.base) / self.step + slack)) + 1
        ends = self.counts[-1][:, first : max(last, first)]
        rows = np.empty((count, len(self.order)), dtype=np.uint8)
        if ends.sum() == 0:
            return rows[:0]
        flat = np.cumsum(ends.ravel())
        flat /= flat[-1]
        state = np.searchsorted(flat, self.rng.random(count), side="right")
        choice, bin_ = np.divmod(state, ends.shape[1])
        bin_ = bin_ + first
        for place in reversed(range(len(self.order))):
            variable = self.order[place]
            rows[:, variable] = self.problem.choices[variable][choice]
            bin_ = bin_ - self.rounded[place][choice]
            if place:
                ways = self.counts[place - 1][:, bin_] * self._compatible(place)[:, choice]
                choice = self._pick(ways)
        cost = self.problem.total(self.metric, rows)
        rows = rows[(band[0] <= cost) & (cost <= band[1])]
        return rows[self.problem.allowed(rows)]

    def _pick(self, weights: Floats) -> NDArray[np.intp]:
        """One row index for every column of `weights`, drawn in proportion."""
        sums = np.cumsum(weights, axis=0)
        draws = self.rng.random(weights.shape[1]) * sums[-1]
        return np.asarray(np.minimum((sums <= draws).sum(axis=0), len(weights) - 1))

    def distinct(self, wanted: int, band: Range, found: Rows) -> tuple[Rows, bool]:
        """`found` and new rows of the band, up to `wanted`; and whether it seems exhausted."""
        idle = 0
        while len(found) < wanted and idle < ROUNDS:
            missing = wanted - len(found)
            batch = min(BATCH, missing + missing // 4 + min(IDLE_BATCH, 256 << idle))
            fresh = self.draw(batch, band)
            both = np.concatenate([found, fresh])
            merged = both[np.sort(distinct_rows(both))]
            idle = idle + 1 if len(merged) == len(found) else 0
            found = merged
        return found[:wanted], len(found) < wanted


def _chain_order(problem: Variables) -> tuple[list[int], list[int]]:
    """An order of the variables in which each ordered chain stands together, lower rates first.

    The second list says 1 where a variable must not be below the one before it. Of chains that
    overlap only the first is counted; the others are left to rejection.
    """
    order: list[int] = []
    links: list[int] = []
    for pairs in problem.ordered:
        chain = [pairs[0][0], *(higher for _, higher in pairs)] if pairs else []
        linked = all(a[1] == b[0] for a, b in pairwise(pairs))
        if linked and len(set(chain)) == len(chain) and not set(chain) & set(order):
            order += chain
            links += [0, *(1 for _ in pairs)] if chain else []
    rest = [v for v in range(len(problem.choices)) if v not in order]
    return order + rest, links + [0] * len(rest)


def _attainable(costs: list[NDArray[np.int64]], compatible: list[NDArray[np.bool_]]) -> Range:
    """Least and greatest sum along the counted chains; (0, -1) or worse where there is none."""
    low = high = np.zeros(1, dtype=np.int64)
    far = 2**60
    for here, may in zip(costs, compatible, strict=True):
        low = np.where(may, low[:, None], far).min(axis=0, initial=far) + here
        high = np.where(may, high[:, None], -far).max(axis=0, initial=-far) + here
    return int(low.min(initial=far)), int(high.max(initial=-far))


def strata(cost: NDArray[Any], bounds: Range, bins: int) -> NDArray[np.intp]:
    """Which of `bins` bands of equal width between the bounds each cost falls into."""
    low, high = bounds
    width = max(high - low, 1)
    place = (cost - low) * bins // width
    return np.asarray(np.clip(place, 0, bins - 1), dtype=np.intp)


def band_of(stratum: int, bounds: Range, bins: int) -> Range:
    """The whole costs that `strata` puts into this band; low > high where there is none."""
    low, high = bounds
    width = max(high - low, 1)
    first = low - (-stratum * width // bins)
    last = low - (-(stratum + 1) * width // bins) - 1
    return first, high if stratum == bins - 1 else last


def fill(quota_of_all: int, room: list[int], rng: "np.random.Generator") -> list[int]:
    """Spread a number over bands as evenly as their room allows."""
    taken = [0] * len(room)
    left = min(quota_of_all, sum(room))
    while left:
        free = [i for i, r in enumerate(room) if taken[i] < r]
        if left < len(free):
            free = rng.permutation(free)[:left].tolist()
        share = max(1, left // len(free))
        for i in free:
            taken[i] += min(share, room[i] - taken[i])
        left = min(quota_of_all, sum(room)) - sum(taken)
    return taken
