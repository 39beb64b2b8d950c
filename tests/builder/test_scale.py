"""A teacher that was trained with pixels on another scale than it is shown."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

import wootzc
from wootzc.backends.bits import packed
from wootzc.backends.data import load, rescaled
from wootzc.backends.flax.train.evaluation import labelled_right
from wootzc.builder.jobs.events import Event, Warned
from wootzc.builder.jobs.jobs import Jobs
from wootzc.builder.jobs.listeners import Events
from wootzc.builder.jobs.store import Done, Outcome
from wootzc.builder.search.scale import check_scale
from wootzc.diagnostics import WootzError
from wootzc.ir.space.recipe import Data, FromFile

SPACE = wootzc.compile(
    """
module m { conv(1x1, 2); relu; conv(1x1, 1); relu }
network net { input(2x2x1); m as a; global_pool; dense(2) }
space s over net {
  data "none.npz"
  teacher from "light.safetensors"
  minimize params; subject to accuracy >= 1%
}
"""
).space

# It calls light what is above a quarter, of pixels from 0 to 1.
WEIGHTS = {
    "a/0/kernel": np.ones((1, 1, 1, 2), np.float32),
    "a/0/bias": np.zeros(2, np.float32),
    "a/2/kernel": np.full((1, 1, 2, 1), 0.5, np.float32),
    "a/2/bias": np.zeros(1, np.float32),
    "plain1/1/kernel": np.array([[-1.0, 1.0]], np.float32),
    "plain1/1/bias": np.array([0.5, 0.0], np.float32),
}


@pytest.fixture(scope="module")
def shades(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dark images, of class 0, and those that are less dark or light, of class 1."""
    return written(tmp_path_factory.mktemp("data") / "shades.npz", np.arange(300) % 3)


def written(file: Path, number: NDArray[np.int64]) -> Path:
    """Images of which the first shade, of three, is the first of two classes."""
    images = np.array([25, 76, 230], dtype=np.uint8)[number][:, None, None, None]
    images = np.broadcast_to(images, (len(number), 2, 2, 1))
    np.savez(file, images=images, labels=np.minimum(number, 1))
    return file


def checked(data: Data) -> list[Event]:
    """What is told as a warning."""
    dataset, told = load(data, seed=0), list[Event]()
    right = labelled_right(SPACE.network, WEIGHTS, dataset.validation)
    look = {"step": 0, "loss": None, "accuracy": float(right.mean()), "right": packed(right)}
    result: dict[str, Any] = {"accuracy": look["accuracy"], "history": [look]}
    done = Done(key="t", result=result, seconds=0.0, weights=WEIGHTS)
    jobs = SimpleNamespace(
        space=replace(SPACE, data=data), dataset=dataset, events=Events(listeners=[told.append])
    )
    check_scale(cast(Jobs, jobs), Outcome(done=done, reused=False))
    return told


def test_a_scale_that_a_teacher_was_not_trained_with_is_told(shades: Path) -> None:
    with pytest.raises(WootzError) as caught:
        checked(Data(path=str(shades), validation=0.4))
    (told,) = caught.value.diagnostics
    assert told.code == "WZ183" and told.span == SPACE.at("data")
    assert "100.0% with { normalize off }" in told.message
    assert told.help == "write { normalize off } behind the path of the images"


def test_the_right_scale_is_as_it_should_be(shades: Path) -> None:
    assert not checked(Data(path=str(shades), validation=0.4, normalize=False))


def test_a_scale_that_is_stated_is_only_warned_of(shades: Path) -> None:
    (told,) = checked(Data(path=str(shades), validation=0.4, mean=(0.5,), std=(0.5,)))
    assert isinstance(told, Warned) and told.code == "WZ183"


def test_images_that_are_sorted_by_class_are_looked_at_all_over(tmp_path: Path) -> None:
    """On the first class alone a network that always answers it is right with any scale."""
    file = written(tmp_path / "sorted.npz", np.repeat([0, 1, 2], 700))
    with pytest.raises(WootzError):
        checked(Data(path=str(file), validation=0.4))
    assert not checked(Data(path=str(file), validation=0.4, normalize=False))


def test_where_the_teacher_is_trained_here_nothing_is_looked_at() -> None:
    assert isinstance(SPACE.teacher, FromFile)
    jobs = SimpleNamespace(space=SimpleNamespace(teacher=None), dataset=None)
    done = Done(key="t", result={"accuracy": 0.1}, seconds=0.0, weights={})
    check_scale(cast(Jobs, jobs), Outcome(done=done, reused=False))


def test_usual_scales_are_other_figures_for_the_same_images(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (60, 4, 4, 3), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.arange(60) % 2)
    dataset = load(Data(path=str(tmp_path / "a.npz")), seed=0)
    off = load(Data(path=str(tmp_path / "a.npz"), normalize=False), seed=0)
    seen = dict(rescaled(dataset, np.arange(5)))
    assert [*seen] == [
        "normalize imagenet",
        "mean(0.5); std(0.5)",
        "normalize off",
        "mean(0); std(0.003921569)",
    ]
    first = off.validation.batch(np.arange(5)).images
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    scaled = {said: part.batch(np.arange(len(part))).images for said, part in seen.items()}
    np.testing.assert_allclose(scaled["normalize off"], first)
    np.testing.assert_allclose(scaled["mean(0.5); std(0.5)"], 2 * first - 1, atol=1e-5)
    np.testing.assert_allclose(scaled["normalize imagenet"], (first - mean) / std, atol=1e-5)
    np.testing.assert_allclose(scaled["mean(0); std(0.003921569)"], 255 * first, rtol=1e-5)
    own = dict(rescaled(off, np.arange(5)))
    assert "normalize off" not in own and "normalize" in own
