"""Image files for commands that look at data."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


class Photos:
    """`photos("images", cat=3, dog=4)` writes images/cat/0.png and so on."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __call__(self, folder: str, size: tuple[int, int] = (8, 6), **classes: int) -> None:
        for name, count in classes.items():
            place = self.root / folder / name
            place.mkdir(parents=True, exist_ok=True)
            for number in range(count):
                pixels = np.full((*size, 3), number % 256, np.uint8)
                pixels[0, 0] = (255, 0, 0)
                Image.fromarray(pixels).save(place / f"{number}.png")


@pytest.fixture
def photos(tmp_path: Path) -> Photos:
    return Photos(tmp_path)
