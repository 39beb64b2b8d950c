"""Whether a network gives the scores of what it was read from. NumPy only."""

from collections.abc import Iterator
from typing import Any, TypeAlias

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]

CLOSE = 1e-3  # of the largest score: what scores may differ by
STEPS = 8  # of their own precision, where that is coarser


def random_images(shape: tuple[int, ...], kind: Any) -> Array:
    """Images of this shape and type: bytes, or numbers around zero."""
    draw = np.random.default_rng(0)
    if np.dtype(kind).kind in "iu":
        return draw.integers(0, 256, shape).astype(kind)
    return draw.standard_normal(shape).astype(kind)


def alike(
    logits: NDArray[np.float32],  # [batch, classes]
    scores: Array,  # as many, perhaps with axes of one element between
) -> bool:
    """A softmax or sigmoid that the scores end in does not count; what overflows tells nothing."""
    try:
        close = max(CLOSE, STEPS * float(ml_dtypes.finfo(scores.dtype).eps))  # type: ignore[no-untyped-call]
    except ValueError:  # whole numbers are no scores
        return False
    if scores.size != logits.size:
        return False
    expected = scores.astype(np.float32).reshape(logits.shape)
    told = np.isfinite(expected)
    expected = expected[told]
    bound = close * max(float(np.abs(expected).max(initial=0)), float(np.finfo(np.float32).tiny))
    with np.errstate(all="ignore"):
        return any((np.abs(end[told] - expected) <= bound).all() for end in _ends(logits))


def _ends(logits: Array) -> Iterator[Array]:
    """The logits, and what may be left out behind them."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_softmax = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    yield from (logits, np.exp(log_softmax), log_softmax, 0.5 * (1 + np.tanh(logits / 2)))
