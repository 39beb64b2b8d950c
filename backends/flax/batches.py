"""Which images each step sees, and what a loop tells about itself."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wootzc.ir.recipe import pace

if TYPE_CHECKING:
    from wootzc.backends.data import Batch, Split

Indices: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Said every `recipe.every` steps."""

    step: int  # done so far
    steps: int  # at most
    loss: float | None = None  # mean since the last word; of all blocks in flight
    accuracy: float | None = None  # on the validation images


Report: TypeAlias = Callable[[Progress], None]


def batch_indices(images: int, batch: int, steps: int, seed: int) -> Iterator[Indices]:
    """`steps` arrays of `batch` positions: one permutation per epoch after the other, cut up.

    A batch may span two epochs, so that all batches have one size and no image is left out.
    """
    waiting = np.empty(0, np.int64)
    epoch = 0
    for _ in range(steps):
        while len(waiting) < batch:
            order = np.random.default_rng([seed, epoch]).permutation(images)
            waiting = np.concatenate([waiting, order])
            epoch += 1
        yield waiting[:batch]
        waiting = waiting[batch:]


def visited(images: int, batch: int, steps: int, seed: int) -> Indices:
    """The positions that `batch_indices` visits, ascending: all of them, from one epoch on."""
    if batch * steps >= images:
        return np.arange(images)
    return np.sort(np.concatenate(list(batch_indices(images, batch, steps, seed))))


def training_batches(split: "Split", batch: int, steps: int, seed: int) -> Iterator["Batch"]:
    """The batches of a whole run, the same for whoever trains with this seed."""
    return split.batches(batch_indices(len(split), batch, steps, seed))


def looks(steps: int, every: int) -> list[int]:
    """The steps after which the loop stops to look: each `every` (0: by `pace`), and the last."""
    every = every or pace(steps)
    return sorted({*range(every, steps + 1, every), steps} - {0})
