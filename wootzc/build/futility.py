"""When fine-tuning can't reach its goal any more.

The rule: curves hardly cross. A candidate is given up at a look where it stands more than one
standard error below every candidate that was fine-tuned to its end and still missed the goal. There
must be at least two of those. The look before the first step decides nothing: how well a network is
put together says little about how well it learns.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

Floors: TypeAlias = tuple[tuple[int, float], ...]  # (step of a look, least accuracy to go on with)

LEAST = 2  # runs that a floor needs


def passes(result: Mapping[str, Any], found: Floors, steps: int) -> bool:
    """Whether a candidate's job that ran without these floors would not have been given up."""
    least = dict(found)
    looks = [look for look in result["history"] if look["step"] < steps]
    return all(look["accuracy"] >= least.get(look["step"], 0.0) for look in looks)


def floors(
    results: Sequence[Mapping[str, Any]],  # of candidates' jobs
    goal: float,  # accuracy
    images: int,  # on the validation side
) -> Floors:
    """What a candidate must have at each look to go on. Steps without enough evidence have none."""
    seen: dict[int, list[float]] = {}
    for result in results:
        if result["reason"] in ("steps", "patience") and result["accuracy"] < goal:
            for look in result["history"]:
                seen.setdefault(look["step"], []).append(look["accuracy"])
    found = []
    for step, accuracies in sorted(seen.items()):
        if step > 0 and len(accuracies) >= LEAST:
            worst = min(accuracies)
            floor = worst - np.sqrt(worst * (1 - worst) / images)
            if floor > 0:
                found.append((step, round(float(floor), 6)))
    return tuple(found)
