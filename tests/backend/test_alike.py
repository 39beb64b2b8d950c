"""Scores agree where they are those of the logits, whatever they end in."""

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from wootzc.backends.alike import alike, random_images

LOGITS = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
TOTAL = np.exp(LOGITS).sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    "end",
    [
        lambda x: x,
        lambda x: np.exp(x) / TOTAL,
        lambda x: x - np.log(TOTAL),
        lambda x: 1 / (1 + np.exp(-x)),
        lambda x: x.reshape(4, 1, 5),
        lambda x: x.astype(ml_dtypes.bfloat16),
        lambda x: x.astype(np.float64),
    ],
)
def test_ends_and_types_do_not_count(end: Callable[[Any], Any]) -> None:
    assert alike(LOGITS, end(LOGITS))
    assert not alike(LOGITS[:, ::-1], end(LOGITS))


def test_what_overflows_tells_nothing_and_the_rest_does() -> None:
    scores = LOGITS.copy()
    scores[0, 0] = np.inf
    assert alike(LOGITS, scores)
    scores[1, 1] += 0.1
    assert not alike(LOGITS, scores)


@pytest.mark.parametrize("scores", [LOGITS[:, :4], LOGITS.argmax(axis=1), LOGITS.astype(np.int64)])
def test_what_is_no_score_for_each_class_agrees_with_nothing(scores: Any) -> None:
    assert not alike(LOGITS, scores)


def test_random_images_have_the_type_that_is_asked_for() -> None:
    assert random_images((2, 3), np.uint8).dtype == np.uint8
    half = random_images((2, 3), ml_dtypes.bfloat16)
    assert half.dtype == ml_dtypes.bfloat16 and np.isfinite(half.astype(np.float32)).all()
