"""What a run is left with between two steps, and how often it comes to such a moment."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import jax
import numpy as np

from wootzc.backends.flax.train.step import State
from wootzc.backends.weights.parameters import Weights

SHORT, LONG = 1.0, 4.0  # seconds from one moment to the next


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at the validation images."""

    step: int
    loss: float | None  # mean training loss since the last look; none before the first step
    accuracy: float
    right: str  # which images were labelled right: `backends/bits.py`


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused:
    """A run that stands at a step before its last: a network's, or a block's."""

    step: int
    state: Weights  # parameters, statistics, moments: what a step moves
    weights: Weights = field(default_factory=dict)  # the best so far, of a network
    history: tuple[Look, ...] = ()
    # Of the steps since the last look; of a block the first, and the last of the others.
    losses: tuple[float, ...] = ()


# Told of a run between two steps, every few seconds: calls what it is given for where that stands;
# for each block of a cohort, in order.
Keep: TypeAlias = Callable[[Callable[[], Paused]], None]
KeepBlocks: TypeAlias = Callable[[Callable[[], list[Paused]]], None]


def leaves(state: State) -> Weights:
    """A state of the host by numbers, apart from the buffers that steps give away."""
    return {str(n): np.array(leaf) for n, leaf in enumerate(jax.tree.leaves(state))}


def restored(state: State, held: Weights) -> State:
    """A state of this structure with the leaves that `leaves` took from it."""
    values = [held[str(n)] for n in range(len(held))]
    new: State = jax.tree.unflatten(jax.tree.structure(state), values)
    return new


def resized(steps: int, seconds: float, whole: int) -> int:
    """How many steps to send off before the next wait, after so many took these seconds.

    A multiple of `whole`, the steps that run as one program: so that it is for the clock to say
    when a run waits, and not what comes of it.
    """
    if seconds < SHORT:
        return 2 * steps
    return max(steps // whole // 2, 1) * whole if seconds > LONG else steps
