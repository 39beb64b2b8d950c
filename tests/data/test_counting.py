"""How many images there are to train on is told without reading them, and rightly."""

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wootzc.backends.data import count_images, count_parts, load
from wootzc.ir.space.recipe import Data


def counted_as_loaded(**fields: Any) -> int:
    data = Data(**fields)
    dataset = load(data, seed=0)
    assert count_images(data) == len(dataset.train)
    return len(dataset.train)


@pytest.mark.parametrize("split", [{}, {"validation": 0.2, "test": 0.1}, {"limit": 31}])
def test_of_arrays(tmp_path: Path, arrays: Any, split: dict[str, Any]) -> None:
    images, labels = arrays
    path = tmp_path / "a.npz"
    np.savez_compressed(path, images=images, labels=labels)
    counted_as_loaded(path=str(path), **split)


def test_of_arrays_with_parts_of_their_own(tmp_path: Path, arrays: Any) -> None:
    images, labels = arrays
    path = tmp_path / "a.npz"
    np.savez(path, x_train=images[:30], y_train=labels[:30], x_val=images[30:], y_val=labels[30:])
    assert counted_as_loaded(path=str(path), test=0.2) == 24


def test_of_image_files(pictures: Any, tmp_path: Path) -> None:
    folder = pictures.tree(cat=7, dog=9)
    counted_as_loaded(path=str(folder))
    archive = shutil.make_archive(str(tmp_path / "archive"), "zip", folder)
    counted_as_loaded(path=archive)


def test_of_image_files_in_parts(pictures: Any) -> None:
    parts = {f"{part}__{name}": 3 for part in ("train", "val", "test") for name in ("cat", "dog")}
    assert counted_as_loaded(path=str(pictures.tree(**parts, other=2))) == 6


def test_of_parquet(pictures: Any, tmp_path: Path) -> None:
    images = [pictures.png() for _ in range(12)]
    pictures.parquet(tmp_path / "a.parquet", images, [0, 1] * 6)
    counted_as_loaded(path=str(tmp_path / "a.parquet"))


def test_what_cannot_be_told_is_not_guessed(
    tmp_path: Path, pictures: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.npz").write_bytes(b"PK")
    (tmp_path / "broken.zip").write_bytes(b"PK")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    names = ("gone.npz", "broken.npz", "broken.zip", "broken.parquet", "gone")
    assert [count_images(Data(path=str(tmp_path / name))) for name in names] == [None] * 5
    folder = pictures.tree(cat=7, dog=9)
    monkeypatch.setattr(sys.modules["wootzc.backends.data.survey"], "MOST", 10)
    assert count_images(Data(path=str(folder))) is None


def test_every_part_is_counted_and_whose_it_is(tmp_path: Path, arrays: Any) -> None:
    images, labels = arrays
    path = tmp_path / "a.npz"
    np.savez(path, x_train=images[:30], y_train=labels[:30], x_val=images[30:], y_val=labels[30:])
    data = Data(path=str(path), test=0.2)
    dataset, counted = load(data, seed=0), count_parts(data)
    assert counted is not None
    assert counted.own == {"train", "validation"}
    held = counted.images["validation"], counted.images["test"]
    assert held == (len(dataset.validation), len(dataset.test))
