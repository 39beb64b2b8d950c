"""What a student learns of its teacher: the teacher's logits of every image that it will see.

Without augmentation an image looks the same whenever it comes, so each is shown to the teacher
once, before the first step, by the programs that look at validation images. With augmentation, or
where there are too many logits to keep, the teacher is part of the step.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wootzc.backends.flax.device.parallel import Devices
from wootzc.backends.flax.net.model import structures
from wootzc.backends.flax.train.batches import batch_indices, training_batches
from wootzc.backends.flax.train.evaluation import batch_for, predicted
from wootzc.backends.flax.train.runners import Guide
from wootzc.backends.weights.parameters import Weights
from wootzc.backends.weights.stored import check_fits, split
from wootzc.ir.net.network import Network
from wootzc.ir.space.recipe import Augment, Recipe

if TYPE_CHECKING:
    from wootzc.backends.data import Batch, Dataset

ROOM = 2**28  # bytes that logits may take
Logits = NDArray[np.float32]  # [images, classes]


def learns_of_logits(recipe: Recipe, augment: Augment, dataset: "Dataset") -> bool:
    """Whether a run distils from logits that are made before its first step."""
    seen = min(recipe.steps * recipe.batch, len(dataset.train))
    return bool(recipe.distill) and augment == Augment() and 4 * seen * len(dataset.classes) <= ROOM


def guide(teacher: tuple[Network, Weights], recipe: Recipe, devices: Devices) -> Guide:
    """The teacher as a part of every step."""
    check_fits(*teacher)
    graphs = structures(teacher[0], precision=recipe.precision)
    return Guide(graphs, devices.replicate(split(*teacher)))


def batches_with_logits(
    teacher: tuple[Network, Weights],
    dataset: "Dataset",
    recipe: Recipe,
    seed: int,
    done: int,
    devices: Devices,
) -> Iterator["Batch"]:
    """As `training_batches`, with the logits of the whole run's images, whatever is done of it."""
    check_fits(*teacher)
    images = dataset.train
    every = list(batch_indices(len(images), recipe.batch, recipe.steps, seed))
    visited = np.unique(np.concatenate(every)) if every else np.empty(0, np.int64)
    size = batch_for(len(dataset.validation))
    logits = predicted(*teacher, images, visited, size, devices)
    batches = training_batches(images, recipe.batch, recipe.steps, seed, done)
    for indices, batch in zip(islice(every, done, None), batches, strict=True):
        yield replace(batch, soft=logits[np.searchsorted(visited, indices)])


def batches_without(batches: Iterator["Batch"], classes: int) -> Iterator["Batch"]:
    """As they are, with logits that say nothing and weigh nothing: where others have some."""
    for batch in batches:
        yield replace(batch, soft=np.zeros((len(batch.labels), classes), np.float32))
