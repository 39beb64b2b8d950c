"""Every format gives the same dataset from the same images."""

import io
import shutil
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from wootzc.backends.data import Dataset, Split, check_fits, load
from wootzc.backends.data.images import Encoded
from wootzc.backends.data.tree import ZipBlobs, open_zip
from wootzc.diagnostics import WootzError
from wootzc.ir.space.recipe import Data


def raw(dataset: Dataset, split: Split) -> NDArray[np.float32]:
    """Images of a split before they were normalised."""
    images = split.batch(np.arange(len(split))).images
    return np.round(images * dataset.std + dataset.mean, 3)


def labelled(dataset: Dataset) -> set[tuple[bytes, int]]:
    """All images of all splits, with labels."""
    splits = (dataset.train, dataset.validation, dataset.test)
    return {
        (image.astype(np.uint8).tobytes(), int(label))
        for split in splits
        for image, label in zip(raw(dataset, split), split.labels, strict=True)
    }


@pytest.mark.parametrize(
    "keys",
    [
        ("images", "labels"),
        ("x_train", "y_train"),
        ("train_images", "train_labels"),
    ],
)
def test_npz_keys_of_three_conventions(tmp_path: Path, arrays: Any, keys: tuple[str, str]) -> None:
    images, labels = arrays
    path = tmp_path / "a.npz"
    np.savez(path, **{keys[0]: images, keys[1]: labels[:, None]})
    dataset = load(Data(path=str(path)), seed=0)
    assert dataset.shape == (5, 4, 3)
    assert dataset.classes == ("0", "1", "2")
    assert labelled(dataset) == {(i.tobytes(), int(n)) for i, n in zip(images, labels, strict=True)}


@pytest.mark.parametrize("names", [("x_{}", "y_{}"), ("{}_images", "{}_labels")])
def test_own_splits_are_used(tmp_path: Path, arrays: Any, names: tuple[str, str]) -> None:
    images, labels = arrays
    cuts = {"train": slice(0, 30), "val": slice(30, 45), "test": slice(45, 60)}
    saved = {names[0].format(part): images[cut] for part, cut in cuts.items()}
    saved |= {names[1].format(part): labels[cut] for part, cut in cuts.items()}
    np.savez_compressed(tmp_path / "a.npz", **saved)
    dataset = load(Data(path=str(tmp_path / "a.npz"), validation=0.5, test=0.4), seed=0)
    assert [len(s) for s in (dataset.train, dataset.validation, dataset.test)] == [30, 15, 15]
    np.testing.assert_array_equal(raw(dataset, dataset.validation), images[cuts["val"]])
    np.testing.assert_array_equal(dataset.test.labels, labels[cuts["test"]])


def test_grey_floats_get_a_channel_and_keep_their_values(tmp_path: Path) -> None:
    images = np.random.default_rng(0).normal(5, 2, (40, 3, 3))
    np.savez(tmp_path / "a.npz", images=images, labels=np.arange(40) % 2)
    dataset = load(Data(path=str(tmp_path / "a.npz"), normalize=False), seed=0)
    assert dataset.shape == (3, 3, 1)
    assert dataset.mean.tolist() == [0] and dataset.std.tolist() == [1]
    stored = {image.astype(np.float32).tobytes() for image in images}
    batch = dataset.train.batch(np.arange(len(dataset.train)))
    assert batch.images.dtype == np.float32 and batch.labels.dtype == np.int32
    assert {image.tobytes() for image in batch.images} <= stored


def test_without_normalisation_bytes_become_fractions(tmp_path: Path, arrays: Any) -> None:
    np.savez(tmp_path / "a.npz", images=arrays[0], labels=arrays[1])
    dataset = load(Data(path=str(tmp_path / "a.npz"), normalize=False), seed=0)
    images = dataset.train.batch(np.arange(len(dataset.train))).images
    assert images.min() >= 0 and images.max() == 1


def test_training_images_have_mean_0_and_deviation_1(tmp_path: Path, arrays: Any) -> None:
    images, labels = arrays
    images = images // np.array([1, 2, 50], np.uint8)
    images[..., 2] = 9  # a channel of one value stays finite
    np.savez(tmp_path / "a.npz", images=images, labels=labels)
    dataset = load(Data(path=str(tmp_path / "a.npz")), seed=0)
    seen = dataset.train.batch(np.arange(len(dataset.train))).images
    np.testing.assert_allclose(seen.mean((0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(seen.std((0, 1, 2)), [1, 1, 0], atol=1e-5)


def test_folder_zip_and_parquet_agree(tmp_path: Path, pictures: Any) -> None:
    root = pictures.tree(cat=9, dog=11)
    (root / "notes.txt").write_text("no image, no class")
    (root / ".DS_Store").write_bytes(b"")
    shutil.make_archive(str(tmp_path / "a"), "zip", root)
    shutil.make_archive(str(tmp_path / "wrapped"), "zip", tmp_path, "pictures")
    files = sorted(root.rglob("*.png"))
    labels = [["cat", "dog"].index(file.parent.name) for file in files]
    blobs = [file.read_bytes() for file in files]
    pictures.parquet(tmp_path / "a.parquet", blobs, labels, named=True)
    expected = {
        (np.asarray(Image.open(io.BytesIO(b))).tobytes(), n)
        for b, n in zip(blobs, labels, strict=True)
    }
    batches = []
    for path in (root, tmp_path / "a.zip", tmp_path / "wrapped.zip", tmp_path / "a.parquet"):
        dataset = load(Data(path=str(path)), seed=3)
        assert dataset.classes == ("cat", "dog")
        assert labelled(dataset) == expected
        batches.append(dataset.train.batch(np.arange(5)).images)
    for other in batches[1:]:
        np.testing.assert_array_equal(batches[0], other)


def test_names_of_an_archive_may_begin_with_a_dot(tmp_path: Path, pictures: Any) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number in range(20):
            archive.writestr(f"./{'cat' if number % 2 else 'dog'}/{number}.png", pictures.png())
        archive.writestr("./cat/._1.png", b"left behind by a system")
    dataset = load(Data(path=str(tmp_path / "a.zip")), seed=0)
    assert dataset.classes == ("cat", "dog")
    assert len(labelled(dataset)) == 20


@pytest.mark.parametrize("packed", [False, True])
def test_folders_for_train_val_and_test(tmp_path: Path, pictures: Any, packed: bool) -> None:
    path = pictures.tree(Train__a=4, Train__b=4, val__a=2, val__b=1, test__b=3, extra__c=2)
    if packed:
        path = Path(shutil.make_archive(str(tmp_path / "a"), "zip", path))
    dataset = load(Data(path=str(path)), seed=0)
    assert dataset.classes == ("a", "b")
    assert np.bincount(dataset.train.labels).tolist() == [4, 4]
    assert dataset.validation.labels.tolist() == [0, 0, 1]
    assert dataset.test.labels.tolist() == [1, 1, 1]


def test_classes_may_have_folders_below(pictures: Any) -> None:
    path = pictures.tree(cat__indoors=5, cat__outdoors=5, dog=10)
    dataset = load(Data(path=str(path)), seed=0)
    assert dataset.classes == ("cat", "dog")
    assert len(labelled(dataset)) == 20


def test_parquet_folder_as_the_hub_lays_it_out(tmp_path: Path, pictures: Any) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for name, count in {
        "train-00000-of-00002": 10,
        "train-00001-of-00002": 6,
        "test-00000-of-00001": 4,
    }.items():
        blobs = [pictures.png() for _ in range(count)]
        pictures.parquet(folder / f"{name}.parquet", blobs, [i % 2 for i in range(count)])
    dataset = load(Data(path=str(tmp_path), validation=0.25), seed=0)
    assert [len(s) for s in (dataset.train, dataset.validation, dataset.test)] == [12, 4, 4]
    assert len(labelled(dataset)) == 20


def test_the_kind_can_be_said(tmp_path: Path, pictures: Any, arrays: Any) -> None:
    with (tmp_path / "a.data").open("wb") as file:
        np.savez(file, images=arrays[0], labels=arrays[1])
    assert len(load(Data(path=str(tmp_path / "a.data"), kind="npz"), seed=0).train) == 42


def test_of_several_entries_of_one_name_the_last_counts(tmp_path: Path, pictures: Any) -> None:
    """As whoever unpacks the archive has it."""
    names = ("a/1.png", "a/2.png", "b/1.png", "b/2.png", "a/1.png")
    files = [pictures.png() for _ in names]
    with (
        zipfile.ZipFile(tmp_path / "a.zip", "w") as archive,
        pytest.warns(UserWarning, match="Duplicate name"),
    ):
        for name, file in zip(names, files, strict=True):
            archive.writestr(name, file)
    images = open_zip(tmp_path / "a.zip", "a.zip", None).parts["train"].images
    assert isinstance(images, Encoded)
    assert [images.blobs.read(row) for row in range(len(images))] == [files[4], *files[1:4]]


def test_reading_a_zip_from_many_threads(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(200):
            file = io.BytesIO()
            values = np.full((4, 4), number, np.uint8) ^ generator.integers(0, 2, (4, 4), np.uint8)
            Image.fromarray(values).save(file, "png")
            archive.writestr(f"{number % 2}/{number:03}.png", file.getvalue())
    images = open_zip(tmp_path / "a.zip", "a.zip", None).parts["train"].images
    once = images.take(np.arange(200))
    orders = [generator.permutation(200) for _ in range(24)]
    with ThreadPoolExecutor(8) as pool:
        for order, taken in zip(orders, pool.map(images.take, orders), strict=True):
            np.testing.assert_array_equal(taken, once[order])


def test_one_thread_at_a_time_is_inside_the_archive() -> None:
    class Watched(zipfile.ZipFile):
        inside, most = 0, 0

        def read(self, name: Any, pwd: bytes | None = None) -> bytes:
            self.inside += 1
            self.most = max(self.most, self.inside)
            time.sleep(0.001)
            self.inside -= 1
            return b""

    archive = Watched(io.BytesIO(), "w")
    archive.writestr("1.png", b"")
    blobs = ZipBlobs("a.zip", ["1.png"] * 20, archive, threading.Lock())
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(blobs.read, range(20)))
    assert archive.most == 1


def test_images_of_another_shape_are_said_to_be_fitted(pictures: Any) -> None:
    data = Data(path=str(pictures.tree(cat=9, dog=9)))
    assert load(data, seed=0).fitted_from is None
    assert load(data, seed=0, shape=(3, 3, 1)).fitted_from == load(data, seed=0).shape


def test_check_fits_says_both_mistakes_at_once(tmp_path: Path, arrays: Any) -> None:
    np.savez(tmp_path / "a.npz", images=arrays[0], labels=arrays[1])
    dataset = load(Data(path=str(tmp_path / "a.npz")), seed=0)
    check_fits(dataset, (5, 4, 3), 3)
    with pytest.raises(WootzError) as caught:
        check_fits(dataset, (5, 4, 1), 10)
    assert [d.code for d in caught.value.diagnostics] == ["WZ110", "WZ111"]
    assert "5x4x3" in str(caught.value) and "5x4x1" in str(caught.value)
    assert "3 classes" in str(caught.value) and "10 outputs" in str(caught.value)


def test_the_shipped_digits() -> None:
    path = Path(__file__).parents[2] / "samples" / "digits.npz"
    dataset = load(Data(path=str(path)), seed=0, shape=(8, 8, 1))
    counts = [len(s) for s in (dataset.train, dataset.validation, dataset.test)]
    assert counts == [1257, 270, 270] and sum(counts) == 1797
    check_fits(dataset, (8, 8, 1), 10)
    with np.load(path) as file:
        assert file["images"].dtype == np.uint8
        assert (file["images"].min(), file["images"].max()) == (0, 16)
