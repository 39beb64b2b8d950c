"""The same steps written plainly in PyTorch: what accelerator.py compares wootzc with.

Knows no wootzc. Channels last; in bfloat16 under autocast, with float32 parameters.
"""

from itertools import cycle, islice

import torch
from accelerator_job import (
    LEARNING_RATE,
    MODULES,
    MOMENTUM,
    Job,
    introduce,
    read_job,
    tell,
    timed,
)
from torch import nn
from torch.nn import functional


class Bottleneck(nn.Module):
    def __init__(self, inputs, width, inner, stride):
        super().__init__()

        def conv(inputs, outputs, kernel, stride=1):
            return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)

        self.conv1, self.norm1 = conv(inputs, inner, 1), nn.BatchNorm2d(inner)
        self.conv2, self.norm2 = conv(inner, inner, 3, stride), nn.BatchNorm2d(inner)
        self.conv3, self.norm3 = conv(inner, width, 1), nn.BatchNorm2d(width)
        self.shortcut = nn.Identity()
        if inputs != width or stride > 1:
            self.shortcut = nn.Sequential(conv(inputs, width, 1, stride), nn.BatchNorm2d(width))

    def forward(self, x):
        y = functional.relu(self.norm1(self.conv1(x)), inplace=True)
        y = functional.relu(self.norm2(self.conv2(y)), inplace=True)
        return functional.relu(self.norm3(self.conv3(y)) + self.shortcut(x), inplace=True)


def bottlenecks(kept):
    blocks, inputs = [], 64
    for stage, count in enumerate(MODULES):
        width = 256 * 2**stage
        for number in range(count):
            stride = 2 if stage and number == 0 else 1
            blocks.append(Bottleneck(inputs, width, kept(width // 4), stride))
            inputs = width
    return nn.ModuleList(blocks)


class ResNet(nn.Module):
    def __init__(self, kept, classes):
        super().__init__()
        self.stem = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.norm = nn.BatchNorm2d(64)
        self.blocks = bottlenecks(kept)
        self.head = nn.Linear(2048, classes)

    def boundaries(self, x):
        """What enters each block, and what leaves the last."""
        x = functional.relu(self.norm(self.stem(x)), inplace=True)
        found = [functional.max_pool2d(x, 3, 2, 1)]
        for block in self.blocks:
            found.append(block(found[-1]))
        return found

    def forward(self, x):
        return self.head(self.boundaries(x)[-1].mean(dim=(2, 3)))


def whole(width):
    return width


class Side:
    def __init__(self, job: Job, kind):
        self.job, self.kind = job, kind
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        full = ResNet(whole, job.classes)
        match kind:
            case "teacher":
                model = full
            case "finetune":
                model = ResNet(job.kept, job.classes)
            case "blocks":
                model = bottlenecks(job.kept)
        self.teacher = self.placed(full).eval() if kind == "blocks" else None
        self.model = self.placed(model).train()
        self.optimizer = torch.optim.SGD(self.model.parameters(), LEARNING_RATE, MOMENTUM)
        self.batches = cycle([(self.pinned(x), self.pinned(y).long()) for x, y in job.batches()])

    def placed(self, model):
        return model.to(self.device, memory_format=torch.channels_last)

    def pinned(self, array):
        tensor = torch.from_numpy(array)
        return tensor.pin_memory() if self.device.type == "cuda" else tensor

    def autocast(self):
        enabled = self.job.precision == "bfloat16"
        return torch.autocast(self.device.type, torch.bfloat16, enabled=enabled)

    def loss(self, images, labels):
        with self.autocast():
            if self.teacher is None:
                return functional.cross_entropy(self.model(images), labels)
            with torch.no_grad():
                found = self.teacher.boundaries(images)
            outputs = [block(x) for block, x in zip(self.model, found[:-1], strict=True)]
        pairs = zip(outputs, found[1:], strict=True)
        return sum(functional.mse_loss(out.float(), goal.float()) for out, goal in pairs)

    def round_of_steps(self):
        for images, labels in islice(self.batches, self.job.steps):
            images = images.to(self.device, non_blocking=True).permute(0, 3, 1, 2)
            self.optimizer.zero_grad(set_to_none=True)
            loss = self.loss(images, labels.to(self.device, non_blocking=True))
            loss.backward()
            self.optimizer.step()
        return loss.item()  # waits for the device


def main() -> None:
    job = read_job()
    torch.backends.cudnn.benchmark = True
    torch.manual_seed(0)
    cuda = torch.cuda.is_available()
    introduce(torch.cuda.get_device_name() if cuda else "cpu", "torch", "numpy")
    for kind in job.kinds:
        side = Side(job, kind)
        params = sum(p.numel() for p in side.model.parameters())
        tell(kind, timed(job, side.round_of_steps), params, "eager")


if __name__ == "__main__":
    main()
