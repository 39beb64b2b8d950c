"""A network that wootzc did not make: trained and exported by PyTorch, with its images in folders.

    pip install torch onnx onnxscript pillow
    python benchmarks/stranger.py cifar10-train.zip --out stranger

A classifier of 10 kinds of images, 32 × 32, of about 400 k parameters in residual, squeeze-excite
and inverted residual blocks. Written to the folder `--out`: `data/train`, `data/val`, `data/test`,
each with a folder of PNGs per class; `model.onnx` as `torch.onnx.export` writes it when asked for
nothing, which folds the batch norms; `norms.onnx`, which keeps them; `stranger.json` with its
accuracies. The network saw the training images alone, with ImageNet's mean and deviation.
"""

import argparse
import io
import json
import platform
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SPLITS = {"train": 10_000, "val": 2_000, "test": 2_000}
BATCH = 100

Part = tuple[NDArray[np.uint8], NDArray[np.int64]]  # images [n, 32, 32, 3], labels [n]


class Squeeze(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.reduce = nn.Conv2d(width, width // 4, 1)
        self.expand = nn.Conv2d(width // 4, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.reduce(x.mean((2, 3), keepdim=True)))
        return x * torch.sigmoid(self.expand(y))


class Residual(nn.Module):
    """Two 3x3 convolutions beside a shortcut; with `excite` the sum's arm is weighed by channel."""

    def __init__(self, inputs: int, width: int, stride: int = 1, excite: bool = True):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.squeeze = Squeeze(width) if excite else nn.Identity()
        self.shortcut: nn.Module = nn.Identity()
        if inputs != width or stride > 1:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, width, 1, stride, bias=False), nn.BatchNorm2d(width)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.squeeze(self.bn2(self.conv2(y))) + self.shortcut(x))


class Inverted(nn.Module):
    """1x1 up to four times the width, depthwise 3x3, 1x1 down."""

    def __init__(self, inputs: int, width: int, stride: int = 1):
        super().__init__()
        inner = 4 * inputs
        self.same = inputs == width and stride == 1
        self.body = nn.Sequential(
            nn.Conv2d(inputs, inner, 1, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU6(),
            nn.Conv2d(inner, inner, 3, stride, 1, groups=inner, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU6(),
            nn.Conv2d(inner, width, 1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x) if self.same else self.body(x)


class Stranger(nn.Module):
    def __init__(self, classes: int = 10):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()
        )
        self.blocks = nn.Sequential(
            Residual(16, 16, excite=False),
            Residual(16, 40, 2),
            Residual(40, 40),
            Inverted(40, 40),
            Inverted(40, 80, 2),
            Inverted(80, 80),
            Inverted(80, 80),
            Residual(80, 112),
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(112, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.pool(self.blocks(self.stem(x))).flatten(1))


def read(source: Path, seed: int) -> tuple[dict[str, Part], list[str]]:
    """Three parts with no image in common, as many of every class in each, and the classes."""
    rng = np.random.default_rng(seed)
    found: dict[str, list[tuple[NDArray[np.uint8], int]]] = {name: [] for name in SPLITS}
    with zipfile.ZipFile(source) as archive:
        names = sorted(n for n in archive.namelist() if n.endswith((".jpg", ".png")))
        classes = sorted({name.split("/")[-2] for name in names})
        for label, kind in enumerate(classes):
            own = [name for name in names if name.split("/")[-2] == kind]
            drawn = iter(rng.permutation(own).tolist())
            for split, count in SPLITS.items():
                for _ in range(count // len(classes)):
                    image = Image.open(io.BytesIO(archive.read(next(drawn)))).convert("RGB")
                    found[split].append((np.asarray(image), label))
    parts = {
        name: (np.stack([image for image, _ in rows]), np.array([label for _, label in rows]))
        for name, rows in found.items()
    }
    return parts, classes


def write_folders(parts: dict[str, Part], classes: list[str], out: Path) -> None:
    for split, (images, labels) in parts.items():
        for kind in classes:
            (out / split / kind).mkdir(parents=True, exist_ok=True)
        for number, (image, label) in enumerate(zip(images, labels, strict=True)):
            Image.fromarray(image).save(out / split / classes[label] / f"{number:05}.png")


def pixels(images: NDArray[np.uint8]) -> Tensor:  # [n, 3, 32, 32]
    scaled = (images.astype(np.float32) / 255 - MEAN) / STD
    return torch.from_numpy(scaled.astype(np.float32).transpose(0, 3, 1, 2).copy())


def augmented(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirrored half of the time and shifted by up to four pixels, image by image."""
    padded = nn.functional.pad(images, (4, 4, 4, 4))
    places = torch.randint(0, 9, (len(images), 2), generator=generator).tolist()
    flips = torch.rand(len(images), generator=generator) < 0.5
    cut = [padded[i, :, y : y + 32, x : x + 32] for i, (y, x) in enumerate(places)]
    return torch.stack([c.flip(2) if f else c for c, f in zip(cut, flips.tolist(), strict=True)])


def fit(model: nn.Module, part: Part, epochs: int, seed: int) -> None:
    images, labels = pixels(part[0]), torch.from_numpy(part[1])
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, 0.9, weight_decay=5e-4, nesterov=True)
    steps = epochs * (len(labels) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=steps)
    for epoch in range(epochs):
        model.train()
        total = 0.0
        for rows in torch.randperm(len(labels), generator=generator).split(BATCH):
            scores = model(augmented(images[rows], generator))
            loss = nn.functional.cross_entropy(scores, labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += float(loss.detach()) * len(rows)
        print(f"epoch {epoch + 1}: loss {total / len(labels):.3f}", file=sys.stderr, flush=True)


@torch.no_grad()
def accuracy(model: nn.Module, part: Part) -> float:
    model.eval()
    scores = torch.cat([model(batch) for batch in pixels(part[0]).split(500)])
    return float((scores.argmax(1) == torch.from_numpy(part[1])).float().mean())


def export(model: nn.Module, out: Path) -> None:
    model.eval()
    example = torch.zeros(1, 3, 32, 32)
    torch.onnx.export(model, (example,), out / "model.onnx")
    torch.onnx.export(
        model, (example,), out / "norms.onnx", dynamo=False, do_constant_folding=False
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("images", type=Path, help="a zip of CIFAR-10's training images")
    parser.add_argument("--out", type=Path, default=Path("stranger"))
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    print("command:", " ".join(["python", *sys.argv]))
    print(
        f"machine: {platform.platform()}, Python {platform.python_version()}, "
        f"torch {torch.__version__}, {options.threads} threads"
    )
    parts, classes = read(options.images, options.seed)
    write_folders(parts, classes, options.out / "data")
    model, started = Stranger(len(classes)), time.perf_counter()
    fit(model, parts["train"], options.epochs, options.seed)
    about: dict[str, Any] = {name: accuracy(model, part) for name, part in parts.items()}
    about |= {"params": sum(p.numel() for p in model.parameters()), "epochs": options.epochs}
    about |= {"seconds": time.perf_counter() - started}
    (out := options.out / "stranger.json").write_text(json.dumps(about, indent=1) + "\n")
    torch.save(model.state_dict(), options.out / "model.pt")
    export(model, options.out)
    print(f"{out}: {about}")


if __name__ == "__main__":
    main()
