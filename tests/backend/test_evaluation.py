"""Batches of images that are looked at: one size for all who look, and little to fill up."""

from types import SimpleNamespace
from typing import Any

import pytest

from wootzc.backends.flax.train import evaluation
from wootzc.backends.flax.train.evaluation import BATCH, batch_for, rounded_up


@pytest.mark.parametrize(
    ("images", "size"),
    [(1, 32), (100, 128), (256, 256), (257, 160), (359, 192), (512, 256), (513, 256), (9_999, 256)],
)
def test_the_size_of_batches(images: int, size: int) -> None:
    assert batch_for(images) == size <= BATCH


def test_splits_of_about_one_size_share_it() -> None:
    assert batch_for(359) == batch_for(360) == batch_for(371)


def test_some_images_of_many_are_looked_at_as_all_are() -> None:
    assert batch_for(512) == batch_for(10_000)


def test_little_is_filled_up() -> None:
    for images in range(1, 2 * BATCH + 1):
        assert rounded_up(images, batch_for(images)) < images + 64


def test_sizes_are_rounded_up_to_the_devices() -> None:
    assert [rounded_up(192, count) for count in (1, 5, 8)] == [192, 195, 192]


def test_test_images_come_in_batches_of_the_validation_images(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[object] = []

    def evaluate(*given: object) -> float:
        asked.extend(given)
        return 0.5

    monkeypatch.setattr(evaluation, "evaluate", evaluate)
    parts: Any = SimpleNamespace(test=range(700), validation=range(359))
    network: Any = None
    assert evaluation.tested(network, {}, parts) == 0.5
    assert asked == [None, {}, range(700), 192]
