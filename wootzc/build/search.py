"""The search: candidates in exploration order, blocks when the next candidate needs them."""

from collections.abc import Iterator
from dataclasses import dataclass

from wootzc.build.jobs import Jobs, Outcome
from wootzc.build.store import Weights
from wootzc.ir.space import AccuracyLimit, Objective, Space


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One candidate that was fine-tuned. Accuracies are fractions, on validation data."""

    candidate: int  # row of plan.candidates
    rates: tuple[float, ...]  # one per module
    params: int
    macs: int  # one image
    start_accuracy: float  # assembled, before fine-tuning
    accuracy: float
    steps: int  # of fine-tuning
    seconds: float  # of fine-tuning, when it ran
    reason: str  # why fine-tuning ended: steps, target, patience, diverged
    met: bool  # accuracy is within the objective
    blocks: tuple[int, ...]
    reused: bool  # found in the store


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockUse:
    """One tuning block that the search asked for."""

    block: int
    name: str
    steps: int
    seconds: float
    loss_first: float
    loss_last: float
    uses: int  # candidates tried that were assembled from it
    reused: bool  # found in the store


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the search saw. `best` is the winner or, if none met the objective, the closest."""

    tried: tuple[Tried, ...]
    blocks: tuple[BlockUse, ...]
    best: Tried
    weights: Weights  # of the best
    target: float | None  # the accuracy asked for
    asked: float | None  # the accuracy at which fine-tuning stopped early, part of a job's key


def accuracy_target(objective: Objective, teacher_accuracy: float) -> float | None:
    """The highest accuracy that the objective's limits ask for; None where there is no limit.

    Less a billionth: 52/100 − 0.05 is a hair above 47/100, and an exact tie meets the limit.
    """
    targets = [
        teacher_accuracy - limit.value if limit.below_teacher else limit.value
        for limit in objective.limits
        if isinstance(limit, AccuracyLimit)
    ]
    return max(targets) - 1e-9 if targets else None


def stops_at_target(objective: Objective) -> bool:
    """A least-cost search needs no more accuracy than asked; a best-accuracy search does."""
    return objective.target != "accuracy"


def explore(jobs: Jobs, teacher: Outcome) -> Found:
    """Try candidates until the first that meets the objective, or all with `explore all`."""
    space = jobs.space
    target = accuracy_target(space.objective, float(teacher.done.result["accuracy"]))
    asked = target if stops_at_target(space.objective) else None
    tried: list[Tried] = []
    blocks: dict[int, Outcome] = {}
    best: Tried | None = None
    weights: Weights = {}
    for one, outcome in _attempts(jobs, teacher.weights, target, asked, blocks):
        tried.append(one)
        if best is None or better(one, best, space):
            best, weights = one, outcome.weights
        jobs.events.emit("best", candidate=best.candidate, params=best.params, met=best.met)
        if one.met and space.explore != "all":
            break
    assert best is not None, "the order pass leaves no empty exploration"
    uses = [number for one in tried for number in one.blocks]
    return Found(
        tried=tuple(tried),
        blocks=tuple(
            BlockUse(
                block=number,
                name=jobs.block_name(number),
                steps=int(outcome.done.result["steps"]),
                seconds=outcome.done.seconds,
                loss_first=float(outcome.done.result["loss_first"]),
                loss_last=float(outcome.done.result["loss_last"]),
                uses=uses.count(number),
                reused=outcome.reused,
            )
            for number, outcome in sorted(blocks.items())
        ),
        best=best,
        weights=weights,
        target=target,
        asked=asked,
    )


def better(one: Tried, other: Tried, space: Space) -> bool:
    """Within the limits first; then the objective; among misses the one nearer to the limit."""
    if one.met != other.met:
        return one.met
    if not one.met or space.objective.target == "accuracy":
        return one.accuracy > other.accuracy
    if space.objective.target == "macs":
        return one.macs < other.macs
    return one.params < other.params


def _attempts(
    jobs: Jobs,
    teacher: Weights,
    target: float | None,
    asked: float | None,
    blocks: dict[int, Outcome],
) -> Iterator[tuple[Tried, Outcome]]:
    assert jobs.plan.exploration_order is not None
    order = jobs.plan.exploration_order.values
    for position, candidate in enumerate(map(int, order), start=1):
        jobs.events.emit("candidate", position=position, of=len(order), **_costs(jobs, candidate))
        needed = jobs.keys.blocks_of(candidate)
        with jobs.events.stage("blocks"):
            missing = [number for number in needed if number not in blocks]
            blocks |= jobs.blocks(missing, teacher)
        with jobs.events.stage("candidates"):
            outcome = jobs.candidate(candidate, teacher, blocks, asked)
        result = outcome.done.result
        yield (
            Tried(
                candidate=candidate,
                rates=jobs.keys.rates(candidate),
                **_costs(jobs, candidate),
                start_accuracy=float(result["start_accuracy"]),
                accuracy=float(result["accuracy"]),
                steps=int(result["steps"]),
                seconds=outcome.done.seconds,
                reason=str(result["reason"]),
                met=target is None or float(result["accuracy"]) >= target,
                blocks=needed,
                reused=outcome.reused,
            ),
            outcome,
        )


def _costs(jobs: Jobs, candidate: int) -> dict[str, int]:
    assert jobs.plan.costs is not None
    return {
        "params": int(jobs.plan.costs.params.values[candidate]),
        "macs": int(jobs.plan.costs.macs.values[candidate]),
    }
