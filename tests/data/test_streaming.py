"""Streamed or in memory: the same batches, the same statistics, no thread left behind."""

import itertools
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wootzc.backends.data import Dataset, load, loading
from wootzc.backends.data.images import Stored
from wootzc.diagnostics import WootzError
from wootzc.ir.space.recipe import Data


@pytest.fixture(params=["folder", "zip", "parquet", "npz", "float npz"])
def path(request: pytest.FixtureRequest, tmp_path: Path, pictures: Any, arrays: Any) -> Path:
    match request.param:
        case "folder":
            return Path(pictures.tree(cat=20, dog=30))
        case "zip":
            return Path(shutil.make_archive(str(tmp_path / "a"), "zip", pictures.tree(a=20, b=30)))
        case "parquet":
            blobs = [pictures.png() for _ in range(40)]
            pictures.parquet(tmp_path / "a.parquet", blobs, [i % 2 for i in range(40)])
            return tmp_path / "a.parquet"
        case "npz":
            np.savez(tmp_path / "a.npz", images=arrays[0], labels=arrays[1])
        case _:
            images = np.asfortranarray(arrays[0] / 255)  # float64, and in the other order
            np.savez(tmp_path / "a.npz", images=images, labels=arrays[1])
    return tmp_path / "a.npz"


def indices(dataset: Dataset, count: int) -> list[Any]:
    generator = np.random.default_rng(0)
    return [generator.integers(0, len(dataset.train), 7) for _ in range(count)]


def wait_for_threads(count: int) -> None:
    deadline = time.monotonic() + 5
    while threading.active_count() > count and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= count


def test_streamed_batches_are_those_from_memory(path: Path) -> None:
    held = load(Data(path=str(path)), seed=5)
    streamed = load(Data(path=str(path), stream=True), seed=5)
    assert streamed.train.streamed and not held.train.streamed
    assert streamed.fingerprint == held.fingerprint
    np.testing.assert_array_equal(streamed.mean, held.mean)
    np.testing.assert_array_equal(streamed.std, held.std)
    for name in ("train", "validation", "test"):
        one, two = getattr(held, name), getattr(streamed, name)
        everything = np.arange(len(one))
        np.testing.assert_array_equal(one.batch(everything).images, two.batch(everything).images)
        np.testing.assert_array_equal(one.labels, two.labels)
    wanted = indices(held, 20)
    pairs = zip(held.train.batches(wanted), streamed.train.batches(wanted), wanted, strict=True)
    for one, two, positions in pairs:
        np.testing.assert_array_equal(one.images, two.images)
        np.testing.assert_array_equal(two.labels, held.train.labels[positions])


def test_data_beyond_the_budget_is_streamed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "memory_budget", lambda: 1000)
    dataset = load(Data(path=str(path)), seed=0)
    assert dataset.train.streamed
    if isinstance(dataset.train.images, Stored):
        assert isinstance(dataset.train.images.array.base, np.memmap)


def test_statistics_of_a_sample_agree_too(
    tmp_path: Path, pictures: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "SAMPLE", 10)
    path = str(pictures.tree(a=20, b=20))
    held, streamed = (load(Data(path=path, stream=stream), seed=0) for stream in (False, True))
    np.testing.assert_array_equal(held.mean, streamed.mean)
    every = held.train.batch(np.arange(len(held.train))).images
    assert abs(every.mean()) > 1e-6  # a sample's mean, not everybody's


def test_indices_without_end_and_leaving_early(path: Path) -> None:
    dataset = load(Data(path=str(path), stream=True), seed=0)
    before = threading.active_count()
    endless = itertools.cycle(indices(dataset, 3))
    batches = dataset.train.batches(endless)
    taken = list(itertools.islice(batches, 300))
    np.testing.assert_array_equal(taken[0].images, taken[297].images)
    del batches
    wait_for_threads(before)


def test_a_broken_image_is_named_from_the_reading_thread(pictures: Any) -> None:
    root = pictures.tree(cat=20, dog=20)
    dataset = load(Data(path=str(root), stream=True), seed=0)
    (root / "dog" / "7.png").write_bytes(b"\x89PNG\r\n")
    before = threading.active_count()
    with pytest.raises(WootzError) as caught:
        for split in (dataset.train, dataset.validation, dataset.test):
            list(split.batches([np.arange(len(split))]))
    assert caught.value.diagnostics[0].code == "WZ112"
    assert str(root / "dog" / "7.png") in str(caught.value)
    assert caught.tb is not None  # it keeps every frame, but no thread
    wait_for_threads(before)


def test_a_bad_value_in_a_mapped_array_is_found_when_read(tmp_path: Path) -> None:
    images = np.random.default_rng(0).normal(size=(8000, 2, 2)).astype(np.float32)
    images[7001] = np.nan
    labels = np.arange(8000) % 2
    np.savez(tmp_path / "a.npz", images=images, labels=labels)
    dataset = load(Data(path=str(tmp_path / "a.npz"), stream=True, normalize=False), seed=0)
    with pytest.raises(WootzError, match=r"WZ113.*image 7001"):
        for split in (dataset.train, dataset.validation, dataset.test):
            list(split.batches([np.arange(len(split))]))


def test_compressed_arrays_cannot_be_streamed(tmp_path: Path, arrays: Any) -> None:
    np.savez_compressed(tmp_path / "a.npz", images=arrays[0], labels=arrays[1])
    with pytest.raises(WootzError, match=r"WZ116.*compressed(.|\n)*np\.savez "):
        load(Data(path=str(tmp_path / "a.npz"), stream=True), seed=0)


def test_loading_needs_neither_jax_nor_pyarrow(pictures: Any) -> None:
    program = (
        "import sys\n"
        "from wootzc.backends.data import load\n"
        "from wootzc.ir.space.recipe import Data\n"
        f"load(Data(path={str(pictures.tree(a=9, b=9))!r}), seed=0)\n"
        "print([n for n in ('jax', 'flax', 'pyarrow') if n in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")
