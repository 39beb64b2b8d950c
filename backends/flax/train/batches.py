"""Which images each step sees, and what a loop tells about itself."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wootzc.ir.space.recipe import pace

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


def fixed_batches(images: int, batch: int, seed: int) -> Indices:  # [batches, batch] positions
    """All images, drawn at random into batches that every epoch visits again.

    The first ones fill up the last batch, so that all have one size and no image is left out.
    """
    order = np.random.default_rng([seed, 0]).permutation(images)
    return np.resize(order, (-(-images // batch), batch))


def batch_order(batches: int, steps: int, seed: int) -> Indices:  # [steps] numbers of batches
    """Which of the fixed batches each step sees: all of them in turn, then again in other orders.

    They were drawn at random, so the first epoch takes them as they come: a run that ends within it
    sees the first ones.
    """
    epochs = range(1, -(-steps // batches))
    later = [np.random.default_rng([seed, epoch]).permutation(batches) for epoch in epochs]
    return np.concatenate([np.arange(batches), *later])[:steps]


def training_batches(
    split: "Split", batch: int, steps: int, seed: int, done: int = 0
) -> Iterator["Batch"]:
    """The batches of a whole run from step `done` on, the same for whoever has this seed."""
    return split.batches(islice(batch_indices(len(split), batch, steps, seed), done, None))


def looks(steps: int, every: int) -> list[int]:
    """The steps after which the loop stops to look: each `every` (0: by `pace`), and the last."""
    every = every or pace(steps)
    return sorted({*range(every, steps + 1, every), steps} - {0})
