"""Read ahead with grain: threads prepare the next batches while one is in use."""

import importlib.util
import os
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from wootzc.diagnostics import fail

Item = TypeVar("Item")
WINDOW = 256  # batches that grain is given at a time: `indices` may have no end
AHEAD = 2  # batches that wait for their turn, per thread


def check_grain(name: str) -> None:
    """An error now, rather than at the first batch, if grain is not installed."""
    if importlib.util.find_spec("grain") is None:  # importing it takes most of a second
        raise fail(
            "WZ114",
            f"{name}: streaming needs grain, which is not installed",
            'pip install "wootzc[stream]", or use fewer images (limit) so that they fit in memory',
        )


def prefetched(
    read: Callable[[NDArray[np.integer]], Item], indices: Iterable[NDArray[np.integer]]
) -> Iterator[Item]:
    """`map(read, indices)`, in order, computed ahead by threads."""
    import grain  # here, because it brings JAX along

    threads = max(2, os.cpu_count() or 2)
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=AHEAD * threads)
    remaining = iter(indices)
    while window := list(islice(remaining, WINDOW)):
        batches = iter(grain.MapDataset.source(window).map(read).to_iter_dataset(options))
        try:
            yield from batches
        finally:  # the consumer may leave early; the threads must not stay
            batches.close()
