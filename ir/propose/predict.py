"""How accurate a candidate is before fine-tuning: a posterior over curves, from those looked at.

The damage of a candidate is the sum of its variants' scores: the loss when that one variant stands
in for its counterpart in the teacher (Puzzle, ICML 2025; LANA, ECCV 2022; DONNA, ICCV 2021). The
accuracy that is left when all of them are assembled is taken to be

    accuracy = ceiling − drop × (damage / scale)^power + noise

with an unknown ceiling (near the teacher's accuracy), drop (at a candidate of median damage), power
and normal noise. All four live on a grid. The prior is flat in the logarithms of drop and noise;
every candidate seen multiplies in its likelihood. So there is nothing to tune, nothing to sample,
and the uncertainty is kept.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

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

    def error(self, damage: Floats) -> Floats:
        """One standard deviation of each candidate's accuracy."""

        def spread(mean: Floats) -> Floats:
            around = mean - (mean @ self.weight)[:, None]
            return np.asarray(np.sqrt((around**2 + self.noise**2) @ self.weight))

        return self._along(damage, spread)

    def given(self, damage: float, accuracy: float) -> "Belief":
        """What is believed after one more candidate was seen."""
        z = (accuracy - self._means(np.array([damage]))[0]) / self.noise
        logs = np.log(self.weight) - z**2 / 2 - np.log(self.noise)
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

    def _along(self, damage: Floats, value: Callable[[Floats], Floats]) -> Floats:
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


def believed(start: Belief, seen: Iterable[tuple[float, float]]) -> Belief:
    """After these candidates, each with its damage and accuracy."""
    for damage, accuracy in seen:
        start = start.given(damage, accuracy)
    return start
