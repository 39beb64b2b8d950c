"""Whether an answer holds: its drop against the teacher, corrected for how it was chosen.

What a search picks is the first, cheapest or best that looks good on a few hundred validation
images, so it is worse than it looks. Teacher and candidate are compared image by image, and the
drop is corrected by what the choosing is worth: on images drawn again with replacement the
teacher's look, each candidate's look and the candidate are chosen again by the same rule, and what
was chosen is compared with what it is worth on all images (Efron, JASA 78, 1983; for choosing among
configurations: Tsamardinos, Greasidou, Borboudakis, "Bootstrapping the out-of-sample predictions
for efficient and accurate cross-validation", Machine Learning 107, 2018).

Plain NumPy; drops, errors and margins are fractions of the images.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wootzc.backends.bits import unpacked
from wootzc.ir.space import AccuracyLimit

Bits: TypeAlias = NDArray[np.bool_]
Floats: TypeAlias = NDArray[np.float64]

RESAMPLES = 300
SEED = 7011
# Images that are in no resample weigh the luck of the draw twice: what was lucky in it is unlucky
# outside. Efron's .632 estimator takes 0.632 of that, 2 × 0.632 of what all images say.
LUCK = 2 * 0.632
ROUNDS = 4  # until the margin that the rule keeps and the optimism it leads to agree
ASSUMED = 0.85  # accuracy of a teacher of which only the file is known
HAIR = 1e-9  # an exact tie meets a limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Teacher:
    looks: Bits  # [looks, images] which validation images were labelled right
    kept: int  # the look whose weights were kept

    @classmethod
    def of(cls, result: Mapping[str, Any], images: int) -> "Teacher":
        """From what its job has stored, over so many validation images."""
        looks, kept = _stored(result, images)
        return cls(looks=looks, kept=kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A candidate that was fine-tuned."""

    cost: float  # in the objective's measure
    looks: Bits  # [looks, images]
    kept: int
    asked: float | None = None  # the accuracy at which fine-tuning stopped; None: none
    paused: bool = False  # it has not come to its end: it is no answer yet, and does not hold

    @classmethod
    def of(cls, result: Mapping[str, Any], images: int, cost: float) -> "Run":
        """From what its job has stored, over so many validation images."""
        looks, kept = _stored(result, images)
        paused = result["reason"] == "paused"
        return cls(cost=cost, looks=looks, kept=kept, asked=result["asked"], paused=paused)


Rule: TypeAlias = Literal["cost", "accuracy"]  # least cost within the limit, or highest accuracy


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What can be said of one run."""

    drop: float  # teacher − candidate, as seen on the same images
    error: float  # standard error of that difference
    optimism: float  # by how much what is chosen so is worse than it looks
    corrected: float  # drop + optimism
    limit: AccuracyLimit | None  # that leaves the run least
    slack: float  # what is left to the limit, less what the confidence asks; < 0: it does not hold
    holds: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    runs: tuple[Verdict, ...]
    chosen: int  # the answer: the best that holds, else the one nearest to holding

    @property
    def answer(self) -> Verdict:
        return self.runs[self.chosen]


def judge(
    teacher: Teacher,
    runs: Sequence[Run],  # all that were tried, in order
    limit: AccuracyLimit | None,
    rule: Rule = "cost",
    resamples: int = RESAMPLES,
) -> Judgement:
    """Judge every run as if it were the answer of a search that tried all of these."""
    if not runs:
        raise ValueError("there is no run to judge")
    bits = [run.looks[run.kept] for run in runs]
    reference = teacher.looks[teacher.kept]
    drops = np.array([_mean(reference) - _mean(own) for own in bits])
    errors = np.array([paired_error(reference, own) for own in bits])
    short, spread = drops, errors
    if limit is not None and not limit.below_teacher:
        short = np.array([limit.value - _mean(own) for own in bits])
        spread = np.array([single_error(own) for own in bits])
    allowed = limit.value if limit is not None and limit.below_teacher else 0.0
    sure = _errors_between(limit) * spread
    chosen_among = [i for i, run in enumerate(runs) if not run.paused] or list(range(len(runs)))
    again = _Resampled.of(teacher, [runs[i] for i in chosen_among], limit, resamples)
    optimism = 0.0
    for _ in range(ROUNDS):  # the margin is a part of the rule
        optimism = (
            optimism + LUCK * again.optimism(rule, allowed - sure[chosen_among] - optimism)
        ) / 2
    slack = np.full(len(runs), math.inf) if limit is None else allowed - short - optimism - sure
    verdicts = tuple(
        Verdict(
            drop=float(drops[i]),
            error=float(errors[i]),
            optimism=float(optimism),
            corrected=float(drops[i] + optimism),
            limit=limit,
            slack=float(slack[i]),
            holds=bool(slack[i] >= -HAIR) and not run.paused,
        )
        for i, run in enumerate(runs)
    )
    return Judgement(chosen=_chosen(verdicts, runs, rule), runs=verdicts)


def held_against_all(
    judgements: Sequence[Judgement],  # by each limit, of the same runs
    runs: Sequence[Run],
    rule: Rule,
) -> Judgement:
    """Every run by the limit that leaves it least: it holds where it holds all of them."""
    each = zip(*(one.runs for one in judgements), strict=True)
    verdicts = tuple(min(several, key=lambda verdict: verdict.slack) for several in each)
    return Judgement(chosen=_chosen(verdicts, runs, rule), runs=verdicts)


def _chosen(verdicts: Sequence[Verdict], runs: Sequence[Run], rule: Rule) -> int:
    """The best of those that hold; the nearest to it where none does."""
    holding = [i for i, verdict in enumerate(verdicts) if verdict.holds]
    if not holding:
        return max(range(len(verdicts)), key=lambda i: verdicts[i].slack)

    def worth(i: int) -> float:
        return runs[i].cost if rule == "cost" else -_mean(runs[i].looks[runs[i].kept])

    return min(holding, key=worth)


@dataclass(frozen=True, slots=True)
class _Resampled:
    """Shortfalls of what each run would have kept: there, and of the same on all images.

    A shortfall is the teacher's accuracy (or the one asked) less the candidate's.
    """

    there: Floats  # [resamples, runs]
    whole: Floats  # [resamples, runs]
    costs: Floats  # [runs]

    @classmethod
    def of(
        cls, teacher: Teacher, runs: Sequence[Run], limit: AccuracyLimit | None, resamples: int
    ) -> "_Resampled":
        each, whole = _accuracies(teacher.looks, resamples)
        best = _last_best(each)
        seen = each[np.arange(resamples), best]
        moved = seen - _mean(teacher.looks[teacher.kept])  # by as much move targets below it
        if limit is None or limit.below_teacher:
            references = seen, whole[best]
        else:
            moved = np.zeros(resamples)
            references = np.full(resamples, limit.value), np.full(resamples, limit.value)
        there, everywhere = np.empty((2, resamples, len(runs)))
        for i, run in enumerate(runs):
            each, whole = _accuracies(run.looks, resamples)
            look = _last_best(each)
            if run.asked is not None:  # it stops at the first look that reaches what is asked
                reached = each >= (run.asked + moved)[:, None] - HAIR
                look = np.where(reached.any(axis=1), reached.argmax(axis=1), look)
            there[:, i] = references[0] - each[np.arange(resamples), look]
            everywhere[:, i] = references[1] - whole[look]
        return cls(there, everywhere, np.array([run.cost for run in runs]))

    def optimism(self, rule: Rule, most: Floats | float) -> float:
        """How much worse on all images what is chosen is. `most`: shortfall of each to be taken.

        Where none is within it, the nearest is chosen: leaving those resamples out would count
        every chance to fail as luck of the ones that pass.
        """
        met = self.there <= most + HAIR
        worth = np.broadcast_to(self.costs, met.shape) if rule == "cost" else self.there
        nearest = (self.there - most).argmin(axis=1)
        chosen = np.where(met.any(axis=1), np.where(met, worth, np.inf).argmin(axis=1), nearest)
        rows = np.arange(len(met))
        return float(np.mean(self.whole[rows, chosen] - self.there[rows, chosen]))


def paired_error(one: Bits, other: Bits) -> float:
    """Standard error of the difference of two accuracies on the same images.

    Half a case is added to each of the four cells, so that it does not vanish where no image
    tells the two apart (Agresti, Min, Statistics in Medicine 24, 2005).
    """
    return _error(int((one & ~other).sum()), int((other & ~one).sum()), len(one))


def single_error(right: Bits) -> float:
    """Standard error of an accuracy; two cases are added to each side (Agresti, Coull, 1998)."""
    images = len(right) + 4
    share = (int(right.sum()) + 2) / images
    return math.sqrt(share * (1 - share) / images)


def margin(
    teacher: Teacher, runs: Sequence[Run], limit: AccuracyLimit, judgement: Judgement | None = None
) -> int:
    """Images that a fresh candidate must get right beyond the limit, so that it will hold.

    By what the runs so far and the `judgement` of them say of discordant images and of optimism;
    before there are any, by a guess: `guessed_discordance`, and half a standard error.
    """
    images = teacher.looks.shape[1]
    right = teacher.looks[teacher.kept]
    if limit.below_teacher:
        if runs:
            apart = float(np.median([np.mean(right != run.looks[run.kept]) for run in runs]))
        else:
            apart = guessed_discordance(_mean(right), limit.value)
        apart = max(apart, limit.value)
        lost = images * (apart + limit.value) / 2
        error = _error(lost, images * apart - lost, images)
    else:
        error = math.sqrt(limit.value * (1 - limit.value) / images)
    optimism = error / 2 if judgement is None else judgement.answer.optimism
    extra: float = images * (optimism + _errors_between(limit) * error)
    return max(0, math.ceil(extra - 1e-6))


def _errors_between(limit: AccuracyLimit | None) -> float:
    """How many standard errors must lie between an estimate and the limit."""
    if limit is None or limit.confidence is None:
        return 0.0
    return NormalDist().inv_cdf(limit.confidence)


def guessed_discordance(accuracy: float, drop: float) -> float:
    """The share of images on which a candidate that loses `drop` and its teacher will differ."""
    return drop + (1 - accuracy) / 2


def images_needed(
    drop: float,  # that is allowed
    accuracy: float,  # of the teacher, or the one asked for
    confidence: float = 0.9,
    discordance: float | None = None,  # share of images that tell the two apart
) -> int:
    """How many validation images can tell a drop from none.

    As many as let a candidate that loses nothing pass a one-sided test at this confidence, half
    the time: z · √(discordance / n) = drop (Connor, Biometrics 43, 1987).
    """
    if drop <= 0:
        raise ValueError("no number of images tells that nothing is lost")
    apart = guessed_discordance(accuracy, drop) if discordance is None else discordance
    return math.ceil(apart * (NormalDist().inv_cdf(confidence) / drop) ** 2)


def _stored(result: Mapping[str, Any], images: int) -> tuple[Bits, int]:
    """The looks of a job and the one whose weights it kept: the best; of equal ones the last."""
    looks = np.stack([unpacked(look["right"], images) for look in result["history"]])
    return looks, int(_last_best(looks.mean(axis=1)[None])[0])


def _error(lost: float, gained: float, images: int) -> float:
    padded = images + 2
    return math.sqrt(lost + gained + 1 - (lost - gained) ** 2 / padded) / padded


@lru_cache(maxsize=1)
def _counts(images: int, resamples: int) -> NDArray[np.float32]:  # [resamples, images]
    """How often each image was drawn; the same every time."""
    draws = np.random.default_rng(SEED).integers(images, size=(resamples, images))
    draws += np.arange(resamples)[:, None] * images
    flat = np.bincount(draws.ravel(), minlength=resamples * images)
    return flat.reshape(resamples, images).astype(np.float32)


def _accuracies(looks: Bits, resamples: int) -> tuple[Floats, Floats]:
    """[resamples, looks] on each resample, and [looks] on all images."""
    right = _right(looks.tobytes(), looks.shape, resamples)
    return right.astype(np.float64) / looks.shape[1], looks.mean(axis=1)


@lru_cache(maxsize=512)  # after every try all are judged again
def _right(looks: bytes, shape: tuple[int, int], resamples: int) -> NDArray[np.float32]:
    """How many images of each resample were labelled right: [resamples, looks]."""
    bits = np.frombuffer(looks, dtype=np.bool_).reshape(shape)
    return _counts(shape[1], resamples) @ bits.T.astype(np.float32)  # below 2²⁴: exact


def _last_best(accuracies: Floats) -> NDArray[np.intp]:  # [resamples, looks] → [resamples]
    """The best look; of equal ones the later, as training keeps it."""
    return np.asarray(accuracies.shape[1] - 1 - accuracies[:, ::-1].argmax(axis=1))


def _mean(right: Bits) -> float:
    return float(right.mean())
