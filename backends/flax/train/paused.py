"""What a run is left with between two steps, and how often it comes to such a moment."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import jax
import numpy as np

from wootzc.backends.flax.train.step import State
from wootzc.backends.weights.parameters import Weights

SHORT, LONG = 1.0, 4.0  # seconds from one moment to the next


@dataclass(frozen=True, slots=True, kw_only=True)
class PausedBlock:
    """Where a block stands before its last step."""

    step: int
    state: Weights  # what a step moves
    losses: tuple[float, ...]  # the first, and the last of the others


# Told of a cohort between two steps, every few seconds: calls what it is given for where the blocks
# stand, in order.
KeepBlocks: TypeAlias = Callable[[Callable[[], list[PausedBlock]]], None]


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
