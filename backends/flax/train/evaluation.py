"""Accuracy and logits. Networks run segment by segment, so that module variants compile once."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wootzc.backends.bits import Right
from wootzc.backends.flax.device.parallel import Devices, all_devices
from wootzc.backends.flax.net.model import Structure, structures
from wootzc.backends.flax.train.segments import compiled, evaluate_segments
from wootzc.backends.flax.train.step import Trees, correct
from wootzc.backends.weights.parameters import Weights
from wootzc.backends.weights.stored import check_fits, split
from wootzc.ir.net.network import Network, segment_shapes

if TYPE_CHECKING:
    from wootzc.backends.data import Dataset, Split

BATCH = 256  # at most; one size for splits of about one size, or each compiles all segments anew
EVEN = 32  # images that sizes are multiples of


def evaluate(
    network: Network,
    weights: Weights,
    images: "Split",
    batch: int | None = None,  # `batch_for` so many images, if none is named
) -> float:
    """The fraction of images that the network labels right."""
    return float(labelled_right(network, weights, images, batch).mean())


def tested(network: Network, weights: Weights, dataset: "Dataset") -> float:
    """The fraction of test images labelled right, by the programs that looked at the others."""
    return evaluate(network, weights, dataset.test, batch_for(len(dataset.validation)))


def labelled_right(
    network: Network,
    weights: Weights,
    images: "Split",
    batch: int | None = None,  # `batch_for` so many images, if none is named
) -> Right:
    """Which images the network labels right."""
    check_fits(network, weights)
    devices = all_devices()
    values = devices.replicate(split(network, weights))
    return right_of(structures(network), values, images, devices, batch)


def predict(
    network: Network,
    weights: Weights,
    images: NDArray[np.float32],  # [n, height, width, channels], normalised
    batch: int = BATCH,
) -> NDArray[np.float32]:  # [n, classes] logits
    """Logits of a network as it is used: norms by their moving statistics, no dropout.

    Raises `WootzError` where the weights do not fit the network.
    """
    check_fits(network, weights)
    rows = np.arange(len(images))
    return predicted(network, weights, np.asarray(images), rows, batch, all_devices())


def predicted(
    network: Network,
    weights: Weights,
    images: "Split | NDArray[np.float32]",
    rows: NDArray[np.int64],  # positions among them
    batch: int,
    devices: Devices,
) -> NDArray[np.float32]:  # [rows, classes] logits
    """As `predict`, of some images, which a split reads as they are needed."""
    values, graphs = devices.replicate(split(network, weights)), structures(network)
    size = rounded_up(batch, devices.count)
    parts = (rows[start : start + size] for start in range(0, len(rows), size))
    pixels = (
        (images[part] for part in parts)
        if isinstance(images, np.ndarray)
        else (batch.images for batch in images.batches(parts))
    )
    logits = [devices.gather(_logits(graphs, values, one, size, devices)) for one in pixels]
    none = np.empty((0, *segment_shapes(network)[-1]), np.float32)
    return np.concatenate([none, *logits])[: len(rows)]


def right_of(
    segments: tuple[Structure, ...],
    values: Trees,  # on the devices
    images: "Split",
    devices: Devices,
    batch: int | None = None,  # `batch_for` so many images, if none is named
) -> Right:
    """Which images are labelled right. The last batch is filled up; what fills it is dropped."""
    size = rounded_up(batch or batch_for(len(images)), devices.count)
    right = []
    for part in images.batches(_parts(len(images), size)):
        labels = devices.spread(_filled(part.labels, size))
        logits = _logits(segments, values, part.images, size, devices)
        right.append(compiled(correct, devices)(logits, labels))
    return np.concatenate([devices.gather(one) for one in right])[: len(images)]


def _logits(
    segments: tuple[Structure, ...],
    values: Trees,
    images: NDArray[np.float32],  # at most `size`
    size: int,
    devices: Devices,
) -> Any:
    """On the devices, `size` of them."""
    return evaluate_segments(segments, values, devices.spread(_filled(images, size)), devices)


def _parts(count: int, size: int) -> Iterator[NDArray[np.int64]]:
    for start in range(0, count, size):
        yield np.arange(start, min(start + size, count))


def batch_for(images: int) -> int:
    """The size of batches that leaves little to be filled up.

    Of more than two full batches it is a full one, whatever is left over: then whoever looks at
    some of the images and whoever looks at all run the same programs.
    """
    if images > 2 * BATCH:
        return BATCH
    return rounded_up(-(-images // (1 + (images > BATCH))), EVEN)


def rounded_up(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple


def _filled(array: NDArray[Any], size: int) -> NDArray[Any]:
    """`array` with zeros appended along its first axis."""
    return np.pad(array, [(0, size - len(array)), *[(0, 0)] * (array.ndim - 1)])
