"""Fine-tuning in rungs: where a run is paused, how it is kept, what is expected of it.

A run is paused at a quarter and at half of its steps. It goes on, from where it stood, when no
other candidate promises more for the steps that it would take (successive halving, Jamieson and
Talwalkar, AISTATS 2016, with runs that are continued as in freeze-thaw search, Swersky et al.,
arXiv:1406.3896). One that came to its end and missed the objective may be polished: that is the
last rung. What is expected of a run: others closed some share of the gap between where they stood
and the teacher's accuracy; this one will close as much.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from wootzc.backends.flax.batches import looks
from wootzc.backends.flax.train import Look, Paused
from wootzc.build.store import Outcome, Weights
from wootzc.ir.recipe import Recipe

RUNGS = (0.25, 0.5)  # of a run's steps
# Share of the gap that is closed, and its spread, before any run was seen to do it.
TUNED = (0.4, 0.3)  # by the rest of a fine-tuning
POLISHED = (0.2, 0.2)  # by polishing what came to its end
_STATE = "state:"  # before the names of a paused run's state, beside its weights


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """The accuracy that a paused run is expected to end with."""

    accuracy: float
    error: float  # one standard deviation


def rungs(recipe: Recipe) -> tuple[int, ...]:
    """The steps, of those after which the loop looks, where a run may be paused."""
    stops = [step for step in looks(recipe.steps, recipe.every) if step < recipe.steps]
    if not stops:
        return ()
    nearest = {min(stops, key=lambda stop: abs(stop - share * recipe.steps)) for share in RUNGS}
    return tuple(sorted(nearest))


def outlook(
    result: Mapping[str, Any],  # of a run's job
    further: Iterable[Mapping[str, Any]],  # of runs that went on from that step
    teacher: float,  # accuracy
    images: int,  # that accuracies are measured on
    believed: tuple[float, float] = TUNED,
) -> Outlook:
    """Where a run will end. Each run seen weighs as much as what was believed before."""
    step, now = int(result["steps"]), float(result["accuracy"])
    closed, spread = believed
    shares = [closed, *(share for one in further for share in _closed(one, step, teacher))]
    gap = max(teacher - now, 0.5 / images)
    own = spread**2 + sum((share - closed) ** 2 for share in shares[1:])
    noise = np.sqrt(max(now * (1 - now), 0.25 / images) / images)
    return Outlook(
        accuracy=now + gap * float(np.mean(shares)),
        error=float(np.hypot(gap * np.sqrt(own / len(shares)), noise)),
    )


def _closed(result: Mapping[str, Any], step: int, teacher: float) -> Sequence[float]:
    """The share of the gap to the teacher at this step that a whole run closed later."""
    before = [look["accuracy"] for look in result["history"] if look["step"] <= step]
    if not before or teacher - max(before) < 1e-6:
        return ()
    now = max(before)
    return [float(np.clip((result["accuracy"] - now) / (teacher - now), 0, 1.5))]


# How it is kept


def kept(weights: Weights, state: Weights | None) -> Weights:
    """What the store holds of a run: its best weights and, where it goes on, its state."""
    return weights | {_STATE + name: value for name, value in (state or {}).items()}


def trained_weights(held: Weights) -> Weights:
    """The best weights of a run, ended or not, out of what the store holds of it."""
    return {name: value for name, value in held.items() if not name.startswith(_STATE)}


def paused(outcome: Outcome) -> Paused:
    """Where a run stands that goes on."""
    state = {n.removeprefix(_STATE): v for n, v in outcome.weights.items() if n.startswith(_STATE)}
    return Paused(
        state=state,
        weights=trained_weights(outcome.weights),
        history=tuple(Look(**look) for look in outcome.done.result["history"]),
    )


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
    better = last_best["step"] > 0  # the look before the first step is at what came in
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
