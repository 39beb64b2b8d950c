"""What a `.wz` file says: a network, rates, rules, recipes, an objective."""

from wootzc.ir.space.space import (
    AccuracyLimit,
    All,
    Budget,
    Comparison,
    Constraint,
    CostLimit,
    Criterion,
    Listed,
    Objective,
    Ordered,
    Proposed,
    Sample,
    Selection,
    Space,
    Tie,
    cost_limits,
)

__all__ = [
    "AccuracyLimit",
    "All",
    "Budget",
    "Comparison",
    "Constraint",
    "CostLimit",
    "Criterion",
    "Listed",
    "Objective",
    "Ordered",
    "Proposed",
    "Sample",
    "Selection",
    "Space",
    "Tie",
    "cost_limits",
]
