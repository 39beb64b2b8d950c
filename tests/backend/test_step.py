"""Losses against NumPy, augmentation by what it may do, batch order by what it must keep."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray

from wootzc.backends.flax.train.augment import augmented
from wootzc.backends.flax.train.batches import batch_indices, batch_order, fixed_batches, looks
from wootzc.backends.flax.train.recipes import told
from wootzc.backends.flax.train.step import (
    Images,
    block_loss,
    classification_loss,
    clipped,
    count_correct,
    distillation_loss,
    prepare,
)
from wootzc.ir.space.recipe import Augment, Recipe

LOGITS = np.array([[2.0, 0.0, -1.0], [0.5, 0.5, 3.0]], np.float32)
LABELS = np.array([0, 1], np.int32)
KEYS = jax.random.split(jax.random.key(0), 2)


def log_softmax(logits: NDArray[Any]) -> NDArray[Any]:
    total = np.exp(logits).sum(axis=1, keepdims=True)
    return np.asarray(logits - np.log(total))


def batch(soft: NDArray[Any] | None = None) -> Images:
    given = None if soft is None else jnp.asarray(soft)
    return Images(jnp.zeros((2, 1, 1, 1)), jnp.asarray(LABELS), given, KEYS)


def test_cross_entropy_and_label_smoothing() -> None:
    recipe = Recipe(steps=1)
    logs = log_softmax(LOGITS)
    hard = -logs[[0, 1], LABELS].mean()
    logits = jnp.asarray(LOGITS)
    assert classification_loss(logits, batch(), told(recipe, 0)) == pytest.approx(hard, rel=1e-5)
    smooth = 0.9 * hard - 0.1 * logs.mean()
    recipe = replace(recipe, label_smoothing=0.1)
    assert classification_loss(logits, batch(), told(recipe, 0)) == pytest.approx(smooth, rel=1e-5)


def test_distillation_is_a_divergence() -> None:
    teacher = LOGITS[::-1] * 2
    p, q = log_softmax(teacher / 3), log_softmax(LOGITS / 3)
    expected = 9 * (np.exp(p) * (p - q)).sum(axis=1).mean()
    student = jnp.asarray(LOGITS)
    got = distillation_loss(student, jnp.asarray(teacher), 3.0)
    assert got == pytest.approx(expected, rel=1e-5)
    assert distillation_loss(student, student, 3.0) == pytest.approx(0, abs=1e-6)
    recipe = Recipe(steps=1, distill=0.25, temperature=3.0)
    hard = float(classification_loss(student, batch(), told(recipe, 0)))
    mixed = classification_loss(student, batch(teacher), told(recipe, 0))
    assert mixed == pytest.approx(0.75 * hard + 0.25 * expected, rel=1e-5)


def test_block_loss_is_the_mean_square_and_spares_the_teacher() -> None:
    one, other = jnp.array([[1.0, 2.0]]), jnp.array([[0.0, 4.0]])
    assert block_loss(one, other) == pytest.approx(2.5)
    to_student, to_teacher = jax.grad(block_loss, argnums=(0, 1))(one, other)
    np.testing.assert_allclose(to_student, [[1.0, -2.0]])
    np.testing.assert_array_equal(to_teacher, 0)


def test_padding_is_never_right() -> None:
    logits = jnp.asarray(LOGITS)
    labels = jnp.array([0, 2])
    assert count_correct(logits, labels, jnp.array([1.0, 1.0])) == 2
    assert count_correct(logits, labels, jnp.array([1.0, 0.0])) == 1


def test_clipping_scales_all_gradients_by_their_joint_norm() -> None:
    gradients = ({"a/kernel": jnp.array([3.0])}, {"b/kernel": jnp.array([4.0])})
    one, two = clipped(gradients, 1.0)
    np.testing.assert_allclose([one["a/kernel"][0], two["b/kernel"][0]], [0.6, 0.8], rtol=1e-5)
    one, two = clipped(gradients, 10.0)
    np.testing.assert_allclose([one["a/kernel"][0], two["b/kernel"][0]], [3, 4], rtol=1e-5)


def test_flips_and_crops() -> None:
    images = jnp.asarray(np.random.default_rng(0).normal(size=(64, 4, 5, 2)), jnp.float32)
    keys = jax.random.split(jax.random.key(1), 64)
    assert augmented(images, Augment(), keys) is images
    flipped = np.asarray(augmented(images, Augment(flip=True), keys))
    turned = [np.array_equal(f, i[:, ::-1]) for f, i in zip(flipped, images, strict=True)]
    same = [np.array_equal(f, i) for f, i in zip(flipped, images, strict=True)]
    assert all(t ^ s for t, s in zip(turned, same, strict=True))
    assert 16 < sum(turned) < 48

    cropped = np.asarray(augmented(images, Augment(crop=2), keys))
    seen = set()
    for got, image in zip(cropped, np.asarray(images), strict=True):
        padded = np.pad(image, ((2, 2), (2, 2), (0, 0)))
        places = [
            (top, left)
            for top in range(5)
            for left in range(5)
            if np.array_equal(padded[top : top + 4, left : left + 5], got)
        ]
        assert len(places) == 1
        seen.add(places[0])
    assert {0, 4} <= {top for top, _ in seen}
    assert {0, 4} <= {left for _, left in seen}


def test_randomness_comes_of_seed_step_and_place() -> None:
    images = Images(np.random.default_rng(0).normal(size=(8, 4, 4, 1)), np.zeros(8, np.int32))
    step, seed = np.array(3, np.int32), np.array(5, np.uint32)
    augment = Augment(crop=3)
    one = prepare(images, step, seed, augment)
    np.testing.assert_array_equal(one.images, prepare(images, step, seed, augment).images)
    other_step, other_seed = np.array(4, np.int32), np.array(6, np.uint32)
    assert not np.array_equal(one.images, prepare(images, other_step, seed, augment).images)
    assert not np.array_equal(one.images, prepare(images, step, other_seed, augment).images)


def test_every_epoch_sees_every_image_once() -> None:
    stream = np.concatenate(list(batch_indices(images=10, batch=4, steps=10, seed=0)))
    assert len(stream) == 40
    epochs = stream.reshape(4, 10)
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert not np.array_equal(epochs[0], epochs[1])
    again = np.concatenate(list(batch_indices(images=10, batch=4, steps=10, seed=0)))
    np.testing.assert_array_equal(stream, again)
    other = np.concatenate(list(batch_indices(images=10, batch=4, steps=10, seed=1)))
    assert not np.array_equal(stream, other)


def test_a_batch_may_be_larger_than_the_data() -> None:
    (batch_,) = batch_indices(images=3, batch=8, steps=1, seed=0)
    assert sorted(batch_[:3]) == sorted(batch_[3:6]) == [0, 1, 2]
    assert len(batch_) == 8


@pytest.mark.parametrize(("images", "batch"), [(10, 4), (12, 4), (3, 8), (1, 1), (7, 7)])
def test_fixed_batches_hold_every_image_and_have_one_size(images: int, batch: int) -> None:
    batches = fixed_batches(images, batch, seed=0)
    assert batches.shape == (-(-images // batch), batch)
    assert sorted(batches.ravel()[:images]) == list(range(images))
    filled = batches.ravel()[images:]
    np.testing.assert_array_equal(filled, batches.ravel()[: len(filled)])
    np.testing.assert_array_equal(batches, fixed_batches(images, batch, seed=0))


def test_fixed_batches_go_by_the_seed() -> None:
    assert not np.array_equal(fixed_batches(40, 4, seed=0), fixed_batches(40, 4, seed=1))


def test_every_epoch_visits_every_batch_once() -> None:
    order = batch_order(batches=10, steps=35, seed=0)
    assert len(order) == 35
    assert [sorted(epoch) for epoch in order[:30].reshape(3, 10)] == [list(range(10))] * 3
    assert len(set(order[30:])) == 5
    assert order[:10].tolist() == list(range(10))  # as they were drawn
    assert not np.array_equal(order[10:20], order[20:30])
    np.testing.assert_array_equal(order[:23], batch_order(10, 23, seed=0))
    assert not np.array_equal(order, batch_order(10, 35, seed=1))


def test_a_run_within_an_epoch_visits_the_first_batches() -> None:
    assert batch_order(batches=10, steps=4, seed=0).tolist() == [0, 1, 2, 3]


def test_looks_end_with_the_last_step() -> None:
    assert looks(100, 50) == [50, 100]
    assert looks(120, 50) == [50, 100, 120]
    assert looks(20, 50) == [20]
    assert looks(0, 50) == []
