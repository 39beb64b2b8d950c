"""Make samples/digits.onnx: a residual network, trained and exported by PyTorch.

    pip install torch onnx onnxscript && python benchmarks/onnx_sample.py

It trains on the training part that samples/onnx.wz gives its search, so validation and test stay
unseen. Any other model can take its place: wootzc reads the file, not this script.
"""

from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

from wootzc.backends.data import load
from wootzc.driver import analyze_file, choose_space

ROOT = Path(__file__).parents[1]
STEPS, BATCH = 800, 64


class Block(nn.Module):
    def __init__(self, inputs: int, width: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        same = inputs == width and stride == 1
        self.shortcut = nn.Identity() if same else nn.Conv2d(inputs, width, 1, stride)

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


def model() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 12, 3, 1, 1), nn.ReLU(),
        Block(12, 12, 1), Block(12, 12, 1),
        Block(12, 24, 2), Block(24, 24, 1),
        Block(24, 48, 2), Block(48, 48, 1),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(48, 10),
    )  # fmt: skip


def main() -> None:
    torch.manual_seed(0)
    # A space over a network of the same input: the .onnx file is what this script makes.
    space = choose_space(analyze_file(ROOT / "samples" / "digits.wz"))
    dataset = load(space.data, seed=space.seed)
    net = model()
    optimizer = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    rng = np.random.default_rng(0)
    for _ in range(STEPS):
        x, y = batch(dataset.train, rng.choice(len(dataset.train), BATCH, replace=False))
        loss = nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    net.eval()
    x, y = batch(dataset.validation, np.arange(len(dataset.validation)))
    print(f"validation accuracy {(net(x).argmax(1) == y).float().mean():.2%}")
    out = ROOT / "samples" / "digits.onnx"
    torch.onnx.export(
        net, (torch.zeros(2, 1, 8, 8),), out, dynamo=True,
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        input_names=["image"], output_names=["scores"], external_data=False,
    )  # fmt: skip
    without_traces(out)
    print(f"{out.name}: {out.stat().st_size:,} bytes")


def without_traces(path: Path) -> None:
    """The exporter notes where in whose files each node comes from: nobody's business."""
    exported = onnx.load(path)
    for node in exported.graph.node:
        node.doc_string = ""
        for entry in [e for e in node.metadata_props if "stack_trace" in e.key]:
            node.metadata_props.remove(entry)
    onnx.save(exported, path)


def batch(split, rows):
    """Images [n, 1, 8, 8] as samples/onnx.wz normalises them, and labels [n]."""
    raw = split.images.take(split.rows[rows]).astype(np.float32)
    images = (raw / 255 - 0.019) / 0.024
    return torch.from_numpy(images.transpose(0, 3, 1, 2).copy()), torch.from_numpy(
        split.labels[rows].astype(np.int64)
    )


if __name__ == "__main__":
    main()
