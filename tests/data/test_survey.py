"""What `survey` says is what `load` does, and it reads no image but the first."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wootzc.backends.data import load, survey
from wootzc.diagnostics import WootzError
from wootzc.ir.space.recipe import Data


def agrees(path: Path, shape: tuple[int, int, int], own: set[str]) -> None:
    spec = Data(path=str(path))
    found = survey(spec)
    dataset = load(spec, seed=3)
    assert found.images == {
        "train": len(dataset.train),
        "validation": len(dataset.validation),
        "test": len(dataset.test),
    }
    assert found.classes == dataset.classes
    assert found.shape == shape == dataset.shape
    assert found.own == {"train", *own}


@pytest.mark.parametrize("parts", [(), ("val",), ("val", "test")])
def test_folders_and_zips(parts: tuple[str, ...], pictures: Any, tmp_path: Path) -> None:
    counts = {f"{part}__{pet}": 9 for part in ("train", *parts) for pet in ("cat", "dog")}
    root = pictures.tree(**counts) if parts else pictures.tree(cat=20, dog=11)
    own = {{"val": "validation"}.get(part, part) for part in parts}
    agrees(root, (6, 6, 3), own)
    with zipfile.ZipFile(tmp_path / "pets.zip", "w") as archive:
        for file in root.rglob("*.png"):
            archive.write(file, file.relative_to(root.parent))
    agrees(tmp_path / "pets.zip", (6, 6, 3), own)
    assert survey(Data(path=str(tmp_path / "pets.zip"))).fitted


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_arrays(write: Any, arrays: Any, tmp_path: Path) -> None:
    images, labels = arrays
    write(tmp_path / "a.npz", images=images, labels=labels)
    agrees(tmp_path / "a.npz", (5, 4, 3), set())
    write(
        tmp_path / "b.npz",
        x_train=images / 255, y_train=labels, x_test=images[:9] / 255, y_test=labels[:9],
    )  # fmt: skip
    agrees(tmp_path / "b.npz", (5, 4, 3), {"test"})
    assert survey(Data(path=str(tmp_path / "a.npz"))).bytes_each
    fractions = survey(Data(path=str(tmp_path / "b.npz")))
    assert not fractions.bytes_each and not fractions.fitted


def test_parquet(pictures: Any, tmp_path: Path) -> None:
    (tmp_path / "pets").mkdir()
    for part, count in (("train", 20), ("test", 6)):
        blobs = [pictures.png() for _ in range(count)]
        labels = [row % 2 for row in range(count)]
        pictures.parquet(tmp_path / "pets" / f"{part}-0.parquet", blobs, labels, named=True)
    agrees(tmp_path / "pets", (6, 6, 3), {"test"})


def test_images_are_not_read(pictures: Any, tmp_path: Path) -> None:
    root = pictures.tree(cat=9, dog=9)
    (root / "dog" / "3.png").write_bytes(b"broken")
    assert sum(survey(Data(path=str(root))).images.values()) == 18
    np.savez(tmp_path / "a.npz", images=np.full((9, 4, 4), np.nan), labels=np.arange(9) % 2)
    assert sum(survey(Data(path=str(tmp_path / "a.npz"))).images.values()) == 9


def test_mistakes_are_those_of_load(pictures: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=np.zeros((9, 4, 4), np.uint8), labels=np.arange(8))
    for path, code in ((tmp_path / "a.npz", "WZ106"), (pictures.tree(cat=3), "WZ108")):
        for look in (lambda p: load(Data(path=p), seed=0), lambda p: survey(Data(path=p))):
            with pytest.raises(WootzError) as caught:
                look(str(path))
            assert caught.value.diagnostics[0].code == code
