"""How accurate a candidate will be: a posterior over curves, from the candidates seen so far.

The damage of a candidate is the sum of its variants' scores: the loss when that one variant stands
in for its counterpart in the teacher (Puzzle, ICML 2025; LANA, ECCV 2022; DONNA, ICCV 2021). What
accuracy is left after fine-tuning is taken to be

    accuracy = ceiling − drop × (damage / scale)^power + noise

with an unknown ceiling (near the teacher's accuracy), drop (at a candidate of median damage), power
and normal noise. All four live on a grid. The prior is flat in the logarithms of drop and noise;
every candidate seen multiplies in its likelihood, exactly also where only a bound was seen. So
there is nothing to tune, nothing to sample, and the uncertainty is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, assert_never

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CEILINGS = np.linspace(-3, 3, 7)  # in standard errors of the teacher's accuracy, around it
DROPS = 48
LEAST_DROP = 1e-3  # a tenth of a point at the median candidate
POWERS = np.geomspace(0.4, 2.5, 6)
NOISES = np.geomspace(0.25, 4, 6)  # in the same standard errors
POINTS = 200  # distinct damages up to which every one is computed; more are interpolated
NEGLIGIBLE = 1e-6  # of the heaviest grid point's weight


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One candidate that was fine-tuned."""

    damage: float
    accuracy: float  # fraction, on the validation images
    # "least": training ended early because this was enough; "most": because more was out of reach.
    bound: Literal["exact", "least", "most"] = "exact"
    error: float = 0.0  # one standard deviation of `accuracy`, where it is an estimate itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """A weighted grid of curves."""

    ceiling: Floats  # [points], as all of them
    drop: Floats
    power: Floats
    noise: Floats
    weight: Floats  # sums to 1
    scale: float  # damage at which the accuracy is the ceiling less the drop

    def expected(self, damage: Floats) -> Floats:  # [candidates] → [candidates] accuracies
        return self._along(damage, lambda mean: mean @ self.weight)

    def chance(self, damage: Floats, accuracy: float) -> Floats:
        """The probability of each candidate to reach an accuracy."""
        from scipy.special import ndtr

        return self._along(damage, lambda m: ndtr((m - accuracy) / self.noise) @ self.weight)

    def improvement(self, damage: Floats, accuracy: float) -> Floats:
        """By how much each is expected to exceed an accuracy (0 where it does not)."""
        from scipy.special import ndtr

        def gained(mean: Floats) -> Floats:
            z = (mean - accuracy) / self.noise
            density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
            return np.asarray((self.noise * (z * ndtr(z) + density)) @ self.weight)

        return self._along(damage, gained)

    def given(self, seen: Seen) -> "Belief":
        """What is believed after one more candidate."""
        from scipy.special import log_ndtr

        noise = np.hypot(self.noise, seen.error)
        z = (seen.accuracy - self._means(np.array([seen.damage]))[0]) / noise
        match seen.bound:
            case "exact":
                fit = -(z**2) / 2 - np.log(noise)
            case "least":
                fit = log_ndtr(-z)
            case "most":
                fit = log_ndtr(z)
            case _:
                assert_never(seen.bound)
        logs = np.log(self.weight) + fit
        weight = np.exp(logs - logs.max())
        kept = weight > NEGLIGIBLE
        return Belief(
            ceiling=self.ceiling[kept],
            drop=self.drop[kept],
            power=self.power[kept],
            noise=self.noise[kept],
            weight=weight[kept] / weight[kept].sum(),
            scale=self.scale,
        )

    def _means(self, damage: Floats) -> Floats:  # [candidates] → [candidates, points]
        relative = np.maximum(damage, 0)[:, None] / self.scale
        return np.asarray(self.ceiling - self.drop * relative**self.power)

    def _along(self, damage: Floats, value: Any) -> Floats:
        """A smooth function of the damage, computed at few of many damages."""
        distinct = np.unique(damage)
        if not len(distinct):
            return np.empty(0)
        if len(distinct) > POINTS:
            distinct = np.unique(np.quantile(distinct, np.linspace(0, 1, POINTS)))
        return np.asarray(np.interp(damage, distinct, value(self._means(distinct))))


def prior(damage: Floats, teacher: float, images: int, chance: float) -> Belief:
    """What is believed before any candidate is tried.

    `damage`: of all candidates. `teacher`: its accuracy on `images` validation images. `chance`:
    the accuracy of guessing; at the median candidate the drop is at most down to there.
    """
    error = max(np.sqrt(teacher * (1 - teacher) / images), 0.5 / images)
    most = max(teacher - chance, 2 * LEAST_DROP)
    grids = np.meshgrid(
        teacher + CEILINGS * error,
        np.geomspace(LEAST_DROP, most, DROPS),
        POWERS,
        NOISES * error,
        indexing="ij",
    )
    ceiling, drop, power, noise = (grid.ravel() for grid in grids)
    weight = np.exp(-(((ceiling - teacher) / error) ** 2) / 2)
    return Belief(
        ceiling=ceiling,
        drop=drop,
        power=power,
        noise=noise,
        weight=weight / weight.sum(),
        scale=float(max(np.median(damage), 1e-12)),
    )


def believed(start: Belief, seen: Sequence[Seen]) -> Belief:
    for one in seen:
        start = start.given(one)
    return start
