"""What a search is after: the accuracy that is asked for, and which of two tries is better."""

from wootzc.builder.search.tried import Tried
from wootzc.ir.space import AccuracyLimit, Objective, Space


def accuracy_limits(objective: Objective) -> tuple[AccuracyLimit, ...]:
    return tuple(limit for limit in objective.limits if isinstance(limit, AccuracyLimit))


def accuracy_target(objective: Objective, teacher_accuracy: float) -> float | None:
    """The highest accuracy that the objective's limits ask for; None where there is no limit."""
    limits = accuracy_limits(objective)
    return max((asked(limit, teacher_accuracy) for limit in limits), default=None)


def asked(limit: AccuracyLimit, teacher_accuracy: float) -> float:
    """What a limit asks for, beside a teacher.

    Less a billionth: 52/100 − 0.05 is a hair above 47/100, and an exact tie meets the limit.
    """
    return (teacher_accuracy - limit.value if limit.below_teacher else limit.value) - 1e-9


def better(one: Tried, other: Tried, space: Space) -> bool:
    """Within the limits first; then the objective; among misses the one nearer to the limit."""
    if one.met != other.met:
        return one.met
    if not one.met or space.objective.maximizes:
        return one.accuracy > other.accuracy
    return cost_of(one, space) < cost_of(other, space)


def cost_of(one: Tried, space: Space) -> int:
    """In the objective's measure; parameters where that is accuracy."""
    return one.costs[space.objective.cost]
