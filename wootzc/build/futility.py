"""When fine-tuning can't reach its goal any more.

The rule: from every candidate that was fine-tuned to its end we know which share of the errors left
at each look was still repaired afterwards. A candidate that would miss the goal even if it repaired
the largest share seen, and were one standard error better than it looks, is given up. At least two
candidates must have run to their end.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

Floors: TypeAlias = tuple[tuple[int, float], ...]  # (step of a look, least accuracy to go on with)

LEAST = 2  # complete runs that a floor needs


def floors(
    results: Sequence[Mapping[str, Any]],  # of candidates' jobs
    goal: float,  # accuracy
    images: int,  # on the validation side
) -> Floors:
    """What a candidate must have at each look to go on. Steps without enough evidence have none."""
    complete = [r["history"] for r in results if r["reason"] in ("steps", "patience")]
    repaired: dict[int, list[float]] = {}
    for history in complete:
        best = 0.0
        for look in reversed(history):  # the best accuracy seen after each look
            left = max(1 - look["accuracy"], 1e-9)
            if best:
                share = max(best - look["accuracy"], 0.0) / left
                repaired.setdefault(look["step"], []).append(share)
            best = max(best, look["accuracy"])
    margin = np.sqrt(goal * (1 - goal) / images) if 0 < goal < 1 else 0.0
    found = []
    for step, shares in sorted(repaired.items()):
        share = max(shares)
        if len(shares) >= LEAST and share < 1:
            floor = (goal - margin - share) / (1 - share)
            if floor > 0:
                found.append((step, round(float(floor), 6)))
    return tuple(found)
