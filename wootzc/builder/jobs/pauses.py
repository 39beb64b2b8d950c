"""Fine-tuning in rungs: where a run is paused, how it is kept, what is expected of it.

A run is paused before its first step, where the assembled candidate has been looked at, and at
half of its steps. It goes on, from where it stood, when no other candidate promises more for the
steps that it would take (successive halving, Jamieson and Talwalkar, AISTATS 2016, with runs that
are continued as in freeze-thaw search, Swersky et al., arXiv:1406.3896). One that came to its end
and missed the objective may be polished: that is the last rung. What is expected of a run follows
from how the gap to the teacher's accuracy closed in those that went further.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from wootzc.backends.flax.train.batches import looks
from wootzc.backends.flax.train.paused import Look, Paused
from wootzc.builder.jobs.checkpoints import Checkpoint
from wootzc.builder.jobs.store import Outcome, Weights
from wootzc.ir.space.recipe import Recipe

Floats = NDArray[np.float64]

OWN = 0.25  # spread between runs, of the logarithm of the gap that is left
SURE = 4  # runs that would say as much of how far off such a forecast is as is believed before
TYPICAL = 0.05  # gap
_STATE = "state:"  # before the names of a paused run's state, beside its weights


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What is left of a typical gap, as a share of it, and the power of the gap by which it goes.

    Each with its spread; the share's is that of its logarithm.
    """

    left: tuple[float, float]
    power: tuple[float, float]


# Before any run was seen. Fine-tuning left 0.25 of a gap on the digits and 0.2 on a network for
# CIFAR-10, by the powers 0.4 and 1.2 (335 and 7 runs); polishing 0.4 and 0.6 (126 and 5 runs).
TUNED = Share(left=(0.25, 0.7), power=(0.8, 0.4))
POLISHED = Share(left=(0.5, 0.5), power=(1.0, 0.15))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What a run has left to go through: the rest of its fine-tuning, or polishing."""

    believed: Share
    runs: Sequence[Mapping[str, Any]]  # results of those that went through it
    since: int  # the step it starts from


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What accuracies runs are expected to have. Their gaps to `most` are lognormal."""

    most: float
    error: float  # of measuring an accuracy, one standard deviation
    log: Floats  # [runs] mean of the logarithm of the gap
    variance: Floats  # [runs] of that logarithm

    @property
    def accuracy(self) -> Floats:  # [runs] the mean
        return self.most - np.minimum(np.exp(self.log + self.variance / 2), 1.0)

    @property
    def spread(self) -> Floats:  # [runs] one standard deviation
        return np.hypot((self.most - self.accuracy) * np.sqrt(np.expm1(self.variance)), self.error)

    def chance(self, goal: float) -> Floats:  # [runs] of reaching it
        nodes, weights = np.polynomial.hermite_e.hermegauss(9)  # over the error of measuring
        allowed = np.maximum(self.most - goal + self.error * nodes, 1e-9)[:, None]
        within = ndtr((np.log(allowed) - self.log) / np.sqrt(self.variance))  # [nodes, runs]
        return np.asarray(weights @ within / weights.sum())


def halfway(recipe: Recipe) -> int | None:
    """Where a run may be paused: the look nearest to half of its steps, if there is one.

    Not earlier: after a quarter a run tells no more than before its first step
    (benchmarks/README.md).
    """
    stops = [step for step in looks(recipe.steps, recipe.every) if step < recipe.steps]
    return min(stops, key=lambda stop: abs(stop - recipe.steps / 2), default=None)


def outlook(
    accuracy: Floats,  # [runs] as they stand
    uncertain: Floats,  # [runs] one standard deviation of it
    stages: Iterable[Stage],  # that these runs have left, in turn
    teacher: float,  # accuracy
    images: int,  # that accuracies are measured on
) -> Outlook:
    """Where runs will end.

    In each stage, the logarithm of the gap that is left is a line over that of the gap at its
    start: what was believed before is its prior, and every run seen to go through the stage is a
    point (Bayesian linear regression, Bishop, Pattern Recognition and Machine Learning, 3.3). How
    far off the line is is learned too. Gaps are to one standard error above the teacher, which
    what was pruned sometimes beats.
    """
    error = float(np.sqrt(max(teacher * (1 - teacher), 0.25 / images) / images))
    most = teacher + error
    log, variance = _logarithm(most - accuracy, uncertain**2, error)
    for stage in stages:
        seen = [pair for one in stage.runs for pair in _gaps(one, stage.since, most)]
        before, _ = _logarithm(np.array([a for a, _ in seen]), 0.0, error)
        after, noise = _logarithm(np.array([b for _, b in seen]), error**2, error)
        line, spread, scale = _line(before, after, noise + OWN**2, stage.believed)
        at = np.stack([np.ones_like(log), log - np.log(TYPICAL)], axis=1)
        own = np.einsum("ri,ij,rj->r", at, spread, at) + OWN**2
        log, variance = at @ line + np.log(TYPICAL), line[1] ** 2 * variance + scale * own
    return Outlook(most=most, error=error, log=log, variance=variance)


def _logarithm(gap: Floats, variance: Floats | float, error: float) -> tuple[Floats, Floats]:
    """Of gaps, and its variance; what lies below half the error counts as that."""
    least = np.maximum(gap, error / 2)
    return np.log(least), np.log1p(variance / least**2)


def _line(
    before: Floats,  # [runs] logarithms of gaps
    after: Floats,
    noise: Floats,  # [runs] variances
    believed: Share,
) -> tuple[Floats, Floats, float]:
    """A line's height and slope, their covariance, and how far off it is over what was believed.

    Both logarithms are taken over that of a typical gap.
    """
    (left, spread), (power, varied) = believed.left, believed.power
    precision = np.diag([1 / spread**2, 1 / varied**2])
    weighted = precision @ np.array([np.log(left), power])
    at = np.stack([np.ones_like(before), before - np.log(TYPICAL)], axis=1)
    found = after - np.log(TYPICAL)
    precision = precision + (at / noise[:, None]).T @ at
    weighted = weighted + at.T @ (found / noise)
    covariance = np.linalg.inv(precision)
    line = covariance @ weighted
    missed = (found - at @ line) ** 2 / noise
    return line, covariance, float((SURE + missed.sum()) / (SURE + len(missed)))


def _gaps(result: Mapping[str, Any], step: int, teacher: float) -> Sequence[tuple[float, float]]:
    """A run's gap to the teacher at this step, and at its end; none where it ended before."""
    before = [look["accuracy"] for look in result["history"] if look["step"] <= step]
    if not before or int(result["steps"]) <= step:
        return ()
    return [(teacher - max(before), teacher - float(result["accuracy"]))]


# How it is kept


def kept(weights: Weights, state: Weights | None) -> Weights:
    """What the store holds of a run: its best weights and, where it goes on, its state."""
    return weights | {_STATE + name: value for name, value in (state or {}).items()}


def trained_weights(held: Weights) -> Weights:
    """The best weights of a run, ended or not, out of what the store holds of it."""
    return {name: value for name, value in held.items() if not name.startswith(_STATE)}


def paused(result: Mapping[str, Any], held: Weights) -> Paused:
    """Where a run stands that goes on: after a rung, or at its checkpoint."""
    return Paused(
        step=int(result["steps"]),
        state={n.removeprefix(_STATE): v for n, v in held.items() if n.startswith(_STATE)},
        weights=trained_weights(held),
        history=tuple(Look(**look) for look in result["history"]),
        losses=tuple(result.get("losses", ())),
    )


def checkpoint(run: Paused, seconds: float) -> Checkpoint:
    """What the store holds of a run that is under way."""
    result = {
        "steps": run.step,
        "history": [asdict(look) for look in run.history],
        "losses": run.losses,
    }
    return Checkpoint(result=result, seconds=seconds, arrays=kept(run.weights, run.state))


def passed(earlier: Outcome | None, target: float | None) -> int | None:
    """The step from which a run goes on though a look so far reaches the target.

    Else None: then what comes of it is what would have come of it had it never stopped.
    """
    if earlier is None or target is None:
        return None
    result = earlier.done.result
    reached = any(look["accuracy"] >= target for look in result["history"])
    return int(result["steps"]) if reached else None


def polished(before: Outcome, after: Outcome) -> Outcome:
    """A run and its polishing as one; as it was before where that made it no better."""
    then, now = before.done.result, after.done.result
    last_best = max(reversed(now["history"]), key=lambda look: float(look["accuracy"]))
    # The look before the first step is at what came in. That may differ by rounding from what a
    # candidate's own devices made of it.
    better = last_best["step"] > 0 and now["accuracy"] >= then["accuracy"]
    later = [{**look, "step": then["steps"] + look["step"]} for look in now["history"][1:]]
    result = {
        **then,
        "accuracy": now["accuracy"] if better else then["accuracy"],
        "steps": then["steps"] + now["steps"],
        "begun": then["steps"],
        "reason": "polished",
        "history": [*then["history"], *later] if better else then["history"],
    }
    best = after.done if better else replace(before.done, weights=trained_weights(before.weights))
    return Outcome(
        done=replace(best, result=result, seconds=after.done.seconds),
        reused=before.reused and after.reused,
    )


def unpolished(result: dict[str, Any]) -> dict[str, Any]:
    """A polished run as it was before that."""
    history = [look for look in result["history"] if look["step"] <= result["begun"]]
    accuracy = max(look["accuracy"] for look in history)
    return {**result, "history": history, "accuracy": accuracy, "steps": result["begun"]}
