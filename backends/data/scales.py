"""The usual scales of pixels: a network that was trained with one of them is lost with another."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from wootzc.backends.data.dataset import Dataset, Split
from wootzc.backends.data.images import holds_bytes, spread
from wootzc.ir.space.recipe import IMAGENET

SAMPLE = 64  # images whose mean and deviation are measured
SAME = 0.05  # deviations that two means may differ by, and two deviations

Numbers = tuple[float, ...]  # one, or one per channel
Figures = NDArray[np.float32]  # [channels]

# What a .wz file says of it; mean and deviation of pixels from 0 to 1.
USUAL: tuple[tuple[str, Numbers, Numbers], ...] = (
    ("normalize imagenet", IMAGENET["mean"], IMAGENET["std"]),
    ("mean(0.5); std(0.5)", (0.5,), (0.5,)),
    ("normalize off", (0.0,), (1.0,)),
    ("mean(0); std(0.003921569)", (0.0,), (1 / 255,)),  # from 0 to 255
)


def rescaled(dataset: Dataset, places: NDArray[np.intp]) -> Iterator[tuple[str, Split]]:
    """The validation images at these places by every usual scale but the dataset's own.

    Each with what a .wz file says of it. The last one is what is measured where a file says
    nothing, on fewer images than that.
    """
    part, train, channels = dataset.validation, dataset.train, dataset.shape[2]
    part = replace(part, rows=part.rows[places], labels=part.labels[places])
    unit = 255.0 if holds_bytes(part.images) else 1.0

    def figures(numbers: Numbers) -> Figures:
        return np.resize(np.array(numbers, np.float32) * np.float32(unit), channels)

    known = [(said, figures(a), figures(b)) for said, a, b in USUAL if len(a) in (1, channels)]
    pixels = train.images.take(train.rows[spread(len(train), SAMPLE)]).reshape(-1, channels)
    own: Figures = pixels.mean(axis=0, dtype=np.float64).astype(np.float32)
    apart: Figures = pixels.std(axis=0, dtype=np.float64).astype(np.float32)
    known.append(("normalize", own, np.maximum(apart, 1e-6)))
    for said, mean, std in known:
        off = np.abs([mean - dataset.mean, std - dataset.std]) / dataset.std
        if off.max() > SAME:
            yield said, replace(part, mean=mean, std=std)
