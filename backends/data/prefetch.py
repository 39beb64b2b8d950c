"""Read ahead: threads prepare the next batches while one is in use."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Item = TypeVar("Item")
AHEAD = 2  # batches that wait for their turn, per thread


def prefetched(
    read: Callable[[NDArray[np.integer]], Item], indices: Iterable[NDArray[np.integer]]
) -> Iterator[Item]:
    """`map(read, indices)`, in order, computed ahead by threads; `indices` may have no end."""
    threads = max(2, os.cpu_count() or 2)
    remaining, waiting = iter(indices), deque[Future[Item]]()
    pool = ThreadPoolExecutor(threads)
    try:
        while True:
            more = islice(remaining, AHEAD * threads - len(waiting))
            waiting.extend(pool.submit(read, one) for one in more)
            if not waiting:
                return
            yield waiting.popleft().result()
    finally:  # the consumer may leave early; the threads must not stay
        pool.shutdown(cancel_futures=True)
