"""What training sees: splits of a dataset that give normalised batches."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wootzc.backends.data.images import Images, Rows, Shape
from wootzc.backends.data.prefetch import prefetched
from wootzc.diagnostics import UNKNOWN, Diagnostic, WootzError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    images: NDArray[np.float32]  # [n, height, width, channels], normalised
    labels: NDArray[np.int32]  # [n]
    soft: NDArray[np.float32] | None = None  # [n, classes] logits of a teacher to learn from


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """Images for one purpose. Positions run from 0 to len(split) - 1."""

    images: Images
    rows: Rows  # [n], which of `images` belong to this split
    labels: NDArray[np.int32]  # [n]
    mean: NDArray[np.float32]  # [channels], subtracted from raw values
    std: NDArray[np.float32]  # [channels], what is left is divided by it
    streamed: bool = False  # images are read when a batch asks for them
    check: Callable[[], None] = lambda: None  # before each batch: raises where none is wanted

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, indices: NDArray[np.integer]) -> Batch:
        """The images at these positions, in this order."""
        self.check()
        raw = self.images.take(self.rows[indices])
        images = np.subtract(raw, self.mean, dtype=np.float32)
        images /= self.std
        return Batch(images=images, labels=self.labels[indices])

    def batches(self, indices: Iterable[NDArray[np.integer]]) -> Iterator[Batch]:
        """One batch per array of positions, in order; read ahead where images are streamed."""
        if self.streamed:
            return prefetched(self.batch, indices)
        return map(self.batch, indices)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dataset:
    """Train, validation and test share no image."""

    train: Split
    validation: Split
    test: Split
    classes: tuple[str, ...]  # label i is classes[i]
    shape: Shape  # of every image
    fingerprint: str  # sha256 of content and settings; the same on every machine
    mean: NDArray[np.float32]  # [channels]; input of the network = (raw value - mean) / std
    std: NDArray[np.float32]  # [channels]
    source: str  # the path as the user wrote it
    fitted_from: Shape | None = None  # of the first image file, where it is not `shape`


def check_fits(dataset: Dataset, shape: tuple[int, ...], outputs: int) -> None:
    """An error unless a network with this input and so many outputs can learn the data."""
    found = []
    if dataset.shape != shape:
        data, network = ("x".join(map(str, each)) for each in (dataset.shape, shape))
        found.append(
            Diagnostic(
                UNKNOWN,
                "WZ110",
                f"{dataset.source}: images are {data}, but the network's input is {network}",
                f"write input({data})",
            )
        )
    found += unlike_classes(dataset.source, dataset.classes, outputs)
    if found:
        raise WootzError(found)


def unlike_classes(source: str, classes: Sequence[str], outputs: int) -> Iterator[Diagnostic]:
    """What to say where a network has not as many outputs as the data has classes."""
    count = len(classes)
    if count == outputs:
        return
    named = ", ".join(classes[:5]) + (", …" if count > 5 else "")
    yield Diagnostic(
        UNKNOWN,
        "WZ111",
        f"{source}: the data has {count} classes ({named}), but the network has {outputs} outputs",
        f"end the network with dense({count}); of the zoo: over NAME(classes = {count}); "
        f'from a file: network NAME from "…" {{ classes({count}) }}',
    )
