"""A space that builds in seconds: four classes of bright quadrants, three small modules."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from wootzc.builder import Options, build

SPACE = """
module basic(width, stride = 1) {
  add {
    { conv(3x3, width, stride = stride); norm; relu; conv(3x3, width); norm }
    { shortcut(width, stride = stride) }
  }
  relu
}

network tiny {
  input(8x8x1)
  conv(3x3, 8); norm; relu
  basic(8) as a[1..2]
  basic(16, stride = 2) as b1
  global_pool
  dense(4)
}

space quadrants over tiny {
  data "quadrants.npz" { validation 25%; test 25% }
  teacher { steps 60; optimizer sgd(0.05, momentum = 0.9); batch 32; every 20 }
  rates { RATES }
  prune a*, b* by l1
  multiple of 1
  all
  minimize params
  subject to accuracy >= TARGET
  blocks modules
  pretrain { steps 10; optimizer sgd(0.02); batch 32 }
  finetune { steps 20; optimizer sgd(0.02, momentum = 0.9); batch 32; every 10 }
  explore ascending
}
"""


def quadrants(count: int = 320, seed: int = 0) -> dict[str, np.ndarray]:
    """Noise images with one brighter quadrant, whose number is the label."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 4
    images = rng.integers(0, 120, (count, 8, 8, 1)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        row, column = divmod(int(label), 2)
        image[4 * row : 4 * row + 4, 4 * column : 4 * column + 4] += 60
    return {"images": images, "labels": labels}


Make = Callable[..., Path]


@pytest.fixture(scope="session")
def make_space(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Write the space into a folder of its own; returns the .wz file."""

    def make(rates: str = "50%, 75%", target: str = "97%") -> Path:
        folder = tmp_path_factory.mktemp("space")
        np.savez(folder / "quadrants.npz", **quadrants())  # type: ignore[arg-type]
        file = folder / "quadrants.wz"
        file.write_text(SPACE.replace("RATES", rates).replace("TARGET", target))
        return file

    return make


@pytest.fixture(scope="session")
def quick_result(make_space: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The result folder of a build of few steps, whole; nobody may change it."""
    file, store = make_space(target="40%"), tmp_path_factory.mktemp("store")
    quick = {"teacher.steps": "20", "pretrain.steps": "5", "finetune.steps": "5"}
    return build(file, Options(out=file.parent / "out", store=store, overrides=quick)).out
