"""Searches whose truth is known: for `truth.py --simulate` and tests/benchmarks/test_truth.py.

Whether a network labels an image right is a threshold on a sum of normal variables: how hard the
image is (shared by all networks), the fine-tuning (shared by its looks), and the look. So true
accuracies are what the thresholds say, and images correlate as those of a teacher and of what is
pruned from it do. Accuracies fall along a curve of costs, with noise of each candidate's own, and
the search goes by curves as those of `ir/propose/predict.py`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from wootzc.builder.search.judging import Judgement, Run, Teacher, judge, margin
from wootzc.ir.propose.predict import prior
from wootzc.ir.space import AccuracyLimit

Floats = NDArray[np.float64]
Way = Literal["raw", "corrected", "confident"]

CONFIDENCE = 0.9
WORTH = 0.01  # of the full cost: what a next try must promise


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What is pruned, and on how many validation images it is judged."""

    name: str
    images: int
    drop: float  # the limit: accuracy ≥ teacher − drop
    accuracy: float  # of the teacher
    slope: float  # accuracy lost by an average candidate
    spread: float  # deviation of a candidate's accuracy from the curve
    shared: float = 0.85  # share of the variance that is the image's
    own: float = 0.10  # … the fine-tuning's; the rest is the look's
    jitter: float = 0.004  # by which looks of one curve differ in truth
    teacher_looks: int = 10
    looks: int = 7  # of a candidate
    candidates: int = 40
    tries: int = 14  # at most


WORLDS = (
    World(name="digits", images=359, drop=0.01, accuracy=0.985, slope=0.04, spread=0.004),
    World(name="digits, steep", images=359, drop=0.01, accuracy=0.985, slope=0.08, spread=0.01),
    World(
        name="CIFAR-10",
        images=359,
        drop=0.03,
        accuracy=0.62,
        slope=0.12,
        spread=0.01,
        shared=0.75,
        own=0.15,
    ),
    World(name="CIFAR-10", images=2000, drop=0.01, accuracy=0.62, slope=0.12, spread=0.008),
    World(name="crowded", images=2000, drop=0.01, accuracy=0.9, slope=0.03, spread=0.005),
    World(
        name="many looks",
        images=2000,
        drop=0.01,
        accuracy=0.9,
        slope=0.08,
        spread=0.006,
        looks=25,
        teacher_looks=40,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a search said of the candidate that it chose."""

    claimed: float  # drop, in fractions as all of these
    true: float
    test: float  # as so many test images show it
    error: float  # of that
    cost: float  # share of the full network's
    tries: int


class _Nature:
    """The truth of one world, drawn once."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.rng = np.random.default_rng(seed)
        self.hard = self.rng.standard_normal(world.images)
        self.cost = np.linspace(0.05, 1, world.candidates)
        removed = (1 - self.cost) ** 2
        self.damage = removed * np.exp(self.rng.normal(0, 0.15, world.candidates))
        typical = 3 * np.mean(removed)
        self.drop = world.slope * self.damage / typical
        self.drop += self.rng.normal(0, world.spread, world.candidates)

    def looks(self, accuracy: float, rise: float, looks: int) -> tuple[NDArray[np.bool_], Floats]:
        """Bits [looks, images] and true accuracies of a curve that rises to an accuracy."""
        world = self.world
        below = rise * np.exp(-np.arange(looks) / (looks / 4))
        below += np.abs(self.rng.normal(0, world.jitter, looks))
        true = np.clip(accuracy - below, 0.01, 0.9995)
        latent = np.sqrt(world.shared) * self.hard
        latent = latent + np.sqrt(world.own) * self.rng.standard_normal(world.images)
        rest = np.sqrt(1 - world.shared - world.own)
        noise = rest * self.rng.standard_normal((looks, world.images))
        thresholds = np.array([NormalDist().inv_cdf(share) for share in true])
        return latent + noise < thresholds[:, None], true

    def teacher(self) -> tuple[Teacher, Floats]:
        bits, true = self.looks(self.world.accuracy, 0.03, self.world.teacher_looks)
        return Teacher(looks=bits, kept=_best(bits)), true

    def run(self, candidate: int, asked: float) -> tuple[Run, Floats]:
        """Fine-tune until a look reaches what is asked."""
        drop = float(self.drop[candidate])
        rise = 0.08 * min(1, drop / 0.02 + 0.3)
        bits, true = self.looks(self.world.accuracy - drop, rise, self.world.looks)
        reached = np.flatnonzero(bits.mean(axis=1) >= asked - 1e-9)
        stop = int(reached[0]) + 1 if len(reached) else len(bits)
        bits = bits[:stop]
        cost = float(self.cost[candidate])
        return Run(cost=cost, looks=bits, kept=_best(bits), asked=asked), true


def searched(world: World, way: Way, seed: int, resamples: int = 300) -> Answer | None:
    """One search; None where nothing met the limit."""
    nature = _Nature(world, seed)
    teacher, teacher_true = nature.teacher()
    accuracy = float(teacher.looks[teacher.kept].mean())
    limit = AccuracyLimit(value=world.drop, below_teacher=True)
    if way == "confident":
        limit = replace(limit, confidence=CONFIDENCE)
    belief = prior(nature.damage, accuracy, world.images, 0.1)
    tried: list[int] = []
    runs: list[Run] = []
    truths: list[Floats] = []
    judgement: Judgement | None = None
    best: int | None = None  # place in `tried`
    while len(tried) < world.tries:
        extra = 0 if way == "raw" else margin(teacher, runs, limit, judgement) / world.images
        asked = accuracy - world.drop + extra
        most = 1.0 if best is None else float(nature.cost[tried[best]])
        expected, error = belief.expected(nature.damage), belief.error(nature.damage)
        saved = np.maximum(most - nature.cost, 0) * ndtr((expected - asked) / error)
        saved[tried] = 0
        candidate = int(saved.argmax())
        if saved[candidate] < WORTH and (best is not None or len(tried) > 5):
            break
        run, true = nature.run(candidate, asked)
        tried.append(candidate)
        runs.append(run)
        truths.append(true)
        seen = float(run.looks[run.kept].mean())
        met = seen >= asked - 1e-9
        belief = belief.given(float(nature.damage[candidate]), seen)
        if way != "raw":
            judgement = judge(teacher, runs, limit, resamples=resamples)
            best = judgement.chosen if judgement.answer.holds else None
        elif met and (best is None or run.cost < runs[best].cost):
            best = len(runs) - 1
    if best is None:
        return None
    verdict = (judgement or judge(teacher, runs, limit, resamples=resamples)).runs[best]
    true = float(teacher_true[teacher.kept] - truths[best][runs[best].kept])
    return Answer(
        claimed=verdict.drop if way == "raw" else verdict.corrected,
        true=true,
        test=true + float(nature.rng.normal(0, verdict.error)),
        error=verdict.error,
        cost=runs[best].cost,
        tries=len(runs),
    )


def answers(world: World, way: Way, trials: int, resamples: int = 300) -> Iterator[Answer]:
    for seed in range(trials):
        answer = searched(world, way, seed, resamples)
        if answer is not None:
            yield answer


def _best(bits: NDArray[np.bool_]) -> int:
    accuracies = bits.mean(axis=1)
    return len(accuracies) - 1 - int(accuracies[::-1].argmax())
