"""Small image files to load, each with a colour of its own."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from numpy.typing import NDArray
from PIL import Image

SIDE = 6  # pixels


class Pictures:
    """Writes PNG files whose content no other file of the test has."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.count = 0

    def png(self, size: tuple[int, int] = (SIDE, SIDE), mode: str = "RGB") -> bytes:
        self.count += 1
        noise = np.random.default_rng(self.count).integers(0, 256, (*size[::-1], 3), np.uint8)
        file = io.BytesIO()
        Image.fromarray(noise).convert(mode).save(file, "png")
        return file.getvalue()

    def tree(self, **counts: int) -> Path:
        """`cat=3` writes cat/0.png to cat/2.png; `train__cat=3` writes train/cat/0.png, …"""
        for folder, count in counts.items():
            here = self.root / folder.replace("__", "/")
            here.mkdir(parents=True, exist_ok=True)
            for number in range(count):
                (here / f"{number}.png").write_bytes(self.png())
        return self.root

    def parquet(
        self, path: Path, blobs: list[bytes], labels: list[int], named: bool = False
    ) -> None:
        """One file as `datasets` writes it, four images to a row group."""
        images = [{"bytes": blob, "path": None} for blob in blobs]
        table = pa.table({"image": images, "label": labels})
        if named:
            features = '{"info": {"features": {"label": {"names": ["cat", "dog"]}}}}'
            table = table.replace_schema_metadata({"huggingface": features})
        pyarrow.parquet.write_table(table, path, row_group_size=4)


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    return Pictures(tmp_path / "pictures")


@pytest.fixture
def arrays() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """60 distinct images of 3 classes: [60, 5, 4, 3] and [60]."""
    images = np.random.default_rng(7).integers(0, 256, (60, 5, 4, 3), np.uint8)
    return images, np.arange(60) % 3
