"""The settings of benchmarks/paper_table.py: data, networks and spaces, at several sizes.

The protocol of Wootz (PLDI 2019, section 7): a network trained on much data is adapted to a small
task set, and pruned for it. Candidates have rates of 30, 50 or 70 % for every module (higher ones
on the digits), with sizes spread evenly. The much data here is a part of CIFAR-10 that the task
never sees.
"""

import io
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from paper_networks import narrow

Arrays = dict[str, NDArray[Any]]

MODULE = """
module basic(width, stride = 1) {
  add {
    { conv(3x3, width, stride = stride); norm; relu; conv(3x3, width); norm }
    { shortcut(width, stride = stride) }
  }
  relu
}
"""


RESIDUAL = """
  basic(16) as a[1..3]; basic(32, stride = 2) as b1; basic(32) as b[2..3]
  basic(64, stride = 2) as c1; basic(64) as c[2..3]
  global_pool; dense(10)
}"""


def sgd(steps: int, rate: float, every: int, decay: str = "") -> str:
    """A recipe with a cosine schedule."""
    return (
        f"{{ steps {steps}; optimizer sgd({rate}, momentum = 0.9); schedule cosine; "
        f"{decay}every {every} }}"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One size of the experiment."""

    name: str
    network: str  # text of the network `net`, where it is none of the zoo's
    task: tuple[int, int, int]  # images of the task: training, validation, test
    teacher: str  # recipe on the large part
    candidates: int
    pretrain: str  # recipe of the paper's blocks
    finetune: str  # recipe of every candidate, on all sides
    points: tuple[float, ...]  # the limits: accuracy ≥ teacher − points; none: medians only
    predicted: str = "pretrain { reconstruct 512 images }"  # what our side does instead
    over: str = "net"
    rates: str = "30%, 50%, 70%"
    widths: str = ""  # a statement about them; multiples of 8 where there is none
    seed: int = 1


SMALL = Setting(
    name="digits",
    network=MODULE
    + """
network net {
  input(8x8x1)
  conv(3x3, 16); norm; relu"""
    + RESIDUAL,
    # At rates up to 70 % every candidate of the digits recovers, and chance alone would decide.
    rates="50%, 70%, 85%, 94%",
    widths="multiple of 1",
    task=(400, 600, 297),
    teacher=sgd(400, 0.1, 200),
    candidates=100,
    pretrain="{ steps 200; optimizer sgd(0.05, momentum = 0.9) }",
    finetune=sgd(60, 0.01, 20),
    points=(1.0, 2.0, 3.0),
)
NORMAL = Setting(
    name="cifar10",
    network=MODULE
    + """
network net {
  input(32x32x3)
  conv(3x3, 16, stride = 2); norm; relu"""
    + RESIDUAL,
    task=(4_000, 2_000, 2_000),
    teacher=sgd(3_000, 0.1, 1_000, "weight_decay 5e-4; "),
    candidates=500,
    pretrain=sgd(100, 0.05, 100),
    finetune=sgd(200, 0.01, 20, "weight_decay 5e-4; "),
    points=(2.0, 3.0, 5.0),
)
RESNET = replace(
    NORMAL, name="resnet50", network=narrow("resnet50", 1 / 8), candidates=100, points=()
)
INCEPTION = replace(RESNET, name="inception", network=narrow("inception_v3", 1 / 8))
FULL = Setting(
    name="full",
    network="",
    over="cifar_resnet56(classes = 10)",
    task=(5_000, 5_000, 5_000),
    teacher="{ batch 128; " + sgd(20_000, 0.1, 2_000, "weight_decay 5e-4; ")[2:],
    candidates=500,
    pretrain=sgd(2_000, 0.05, 2_000),
    finetune=sgd(2_000, 0.01, 100, "weight_decay 5e-4; "),
    points=(1.0, 2.0, 3.0),
)
SETTINGS = {one.name: one for one in (SMALL, NORMAL, RESNET, INCEPTION, FULL)}


def quick(setting: Setting) -> Setting:
    """The same with next to no training: to see that all of it runs."""
    return replace(
        setting,
        task=(128, 64, 64),
        teacher=sgd(20, 0.1, 20),
        candidates=4,
        pretrain=sgd(2, 0.05, 2),
        finetune=sgd(4, 0.01, 2),
        predicted="pretrain { reconstruct 64 images }",
    )


def space_text(setting: Setting, points: float | None, *lines: str) -> str:
    """A space over the task; without `points` a limit that nothing meets: all runs end."""
    limit = "100%" if points is None else f"teacher - {points} points"
    explore = "" if any(line.startswith("explore") for line in lines) else "explore ascending"
    return f"""{setting.network}
space paper over {setting.over} {{
  data "task.npz"
  teacher from "teacher.safetensors"
  rates {{ {setting.rates} }}{setting.widths and "; "}{setting.widths}
  prune *
  sample {setting.candidates} stratified by params seed {setting.seed}
  minimize params
  subject to accuracy >= {limit}
  finetune {setting.finetune}
  polish off
  {explore}
  {chr(10).join("  " + line for line in lines).strip()}
}}
"""


def teacher_text(setting: Setting) -> str:
    """A space whose teacher is what we want of it; it tries a single candidate in passing."""
    text = space_text(setting, None, "blocks none", "budget 1 candidate")
    text = text.replace('"task.npz"', '"large.npz"').replace(
        'teacher from "teacher.safetensors"', f"teacher {setting.teacher}"
    )
    return text.replace(f"finetune {setting.finetune}", "finetune { steps 1 }")


def write_data(setting: Setting, source: Path, folder: Path) -> None:
    """`large.npz` and `task.npz`: two parts of the data with no image in common."""
    images, labels = _digits(source) if source.suffix == ".npz" else read_zip(source)
    order = np.random.default_rng(0).permutation(len(labels))
    images, labels = images[order], labels[order]
    ends = np.cumsum(setting.task)
    names = ("train", "val", "test")
    parts = zip(names, (0, *ends[:-1]), ends, strict=True)
    task = {key: value for n, a, b in parts for key, value in _part(n, images, labels, a, b)}
    np.savez(folder / "task.npz", **task)  # type: ignore[arg-type]
    large = dict(_part("train", images, labels, ends[-1], len(labels)))
    for name in names[1:]:
        large |= {f"{name}_{kind}": task[f"{name}_{kind}"] for kind in ("images", "labels")}
    np.savez(folder / "large.npz", **large)  # type: ignore[arg-type]


def _part(
    name: str, images: NDArray[Any], labels: NDArray[Any], start: int, stop: int
) -> list[tuple[str, NDArray[Any]]]:
    return [(f"{name}_images", images[start:stop]), (f"{name}_labels", labels[start:stop])]


def _digits(source: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    with np.load(source) as archive:
        return archive["images"].reshape(-1, 8, 8, 1), archive["labels"]


def read_zip(source: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    """Images [n, height, width, 3] and labels of a zip with a folder of images per class."""
    from PIL import Image

    with zipfile.ZipFile(source) as archive:
        names = sorted(n for n in archive.namelist() if n.endswith((".jpg", ".png")))
        classes = sorted({name.split("/")[-2] for name in names})
        images = [np.asarray(Image.open(io.BytesIO(archive.read(name)))) for name in names]
    return np.stack(images), np.array([classes.index(name.split("/")[-2]) for name in names])
