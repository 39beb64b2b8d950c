"""Small networks of each family through PyTorch's exporters: the fixtures of the ONNX tests.

    python benchmarks/onnx_families.py tests/imports/onnx_fixtures

writes FAMILY_VARIANT.onnx and expected.npz: images, and PyTorch's logits for each family. Needs
torch, onnx and onnxscript. Variants: `ts11` and `ts13` are the TorchScript exporter with norms kept
as they are, and folded into convolutions; `dynamo` is today's exporter.
"""

import argparse
import io
import warnings
from collections import OrderedDict
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

SIZE, CLASSES, IMAGES = 32, 5, 2


def conv(inputs: int, width: int, kernel: int = 3, act: type[nn.Module] | None = nn.ReLU, **kw):
    layers = [
        nn.Conv2d(inputs, width, kernel, padding=kernel // 2, bias=False, **kw),
        nn.BatchNorm2d(width),
    ]
    return nn.Sequential(*layers, *([act()] if act else []))


class Basic(nn.Module):
    def __init__(self, inputs: int, width: int, stride: int = 1):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        same = stride == 1 and inputs == width
        self.downsample = None if same else conv(inputs, width, 1, None, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(y + (self.downsample(x) if self.downsample else x))


class Bottleneck(nn.Module):
    def __init__(self, inputs: int, width: int, stride: int = 1, groups: int = 1):
        super().__init__()
        self.body = nn.Sequential(
            conv(inputs, width, 1),
            conv(width, width, 3, stride=stride, groups=groups),
            conv(width, 2 * width, 1, None),
        )
        same = stride == 1 and inputs == 2 * width
        self.downsample = nn.Identity() if same else conv(inputs, 2 * width, 1, None, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.downsample(x))


class ResNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = nn.Sequential(Basic(8, 8), Basic(8, 8))
        self.layer2 = nn.Sequential(Bottleneck(8, 8, 2), Bottleneck(16, 8, groups=2))
        self.fc = nn.Linear(16, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
        x = self.layer2(self.layer1(x))
        return self.fc(torch.flatten(nn.functional.adaptive_avg_pool2d(x, 1), 1))


def vgg() -> nn.Module:
    features = [
        *conv(3, 8), *conv(8, 8), nn.MaxPool2d(2), *conv(8, 12), nn.MaxPool2d(2),
        nn.Conv2d(12, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    ]  # fmt: skip
    head = [nn.Linear(12 * 16, 16), nn.ReLU(), nn.Dropout(), nn.Linear(16, CLASSES)]
    return nn.Sequential(
        OrderedDict(
            features=nn.Sequential(*features),
            avgpool=nn.AdaptiveAvgPool2d(4),
            flatten=nn.Flatten(),
            classifier=nn.Sequential(*head),
        )
    )


class Mixed(nn.Module):
    """Arms of asymmetric kernels, one of which splits again, as in Inception-V3's last modules."""

    def __init__(self, inputs: int, width: int):
        super().__init__()
        self.branch1 = conv(inputs, width, 1)
        self.branch3 = conv(inputs, width, 1)
        self.branch3a = nn.Conv2d(width, width, (1, 3), padding=(0, 1))
        self.branch3b = nn.Conv2d(width, width, (3, 1), padding=(1, 0))
        self.branch5 = nn.Sequential(conv(inputs, width, 1), conv(width, width, 5))
        self.pool = conv(inputs, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.branch3(x)
        split = torch.cat([torch.relu(self.branch3a(y)), torch.relu(self.branch3b(y))], 1)
        pooled = self.pool(nn.functional.avg_pool2d(x, 3, 1, 1))
        return torch.cat([self.branch1(x), split, self.branch5(x), pooled], 1)


class Inception(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = conv(3, 8, 3, stride=2)
        self.mixed1, self.mixed2 = Mixed(8, 4), Mixed(20, 4)
        self.reduce = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.fc = nn.Linear(20, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        reds, greens, blues = (x[:, i : i + 1] * (0.4 + 0.1 * i) + 0.05 * i for i in range(3))
        x = self.mixed1(self.stem(torch.cat((reds, greens, blues), 1)))
        x = self.mixed2(self.reduce(x))
        return self.fc(x.mean([2, 3]))


class DenseLayer(nn.Module):
    def __init__(self, inputs: int, growth: int):
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(inputs), nn.BatchNorm2d(2 * growth)
        self.conv1 = nn.Conv2d(inputs, 2 * growth, 1, bias=False)
        self.conv2 = nn.Conv2d(2 * growth, growth, 3, padding=1, bias=False)

    def forward(self, features: list[Tensor]) -> Tensor:
        x = self.conv1(torch.relu(self.norm1(torch.cat(features, 1))))
        return self.conv2(torch.relu(self.norm2(x)))


class DenseBlock(nn.Module):
    """As torchvision writes it: each layer reads a concatenation of all the ones before."""

    def __init__(self, inputs: int, growth: int, layers: int):
        super().__init__()
        self.layers = nn.ModuleList(DenseLayer(inputs + i * growth, growth) for i in range(layers))

    def forward(self, x: Tensor) -> Tensor:
        features = [x]
        for layer in self.layers:
            features.append(layer(features))
        return torch.cat(features, 1)


def densenet() -> nn.Module:
    return nn.Sequential(
        OrderedDict(
            conv0=conv(3, 8, 3, stride=2),
            denseblock1=DenseBlock(8, 4, 3),
            norm1=nn.BatchNorm2d(20),
            transition1=nn.Sequential(nn.ReLU(), nn.Conv2d(20, 10, 1, bias=False), nn.AvgPool2d(2)),
            denseblock2=DenseBlock(10, 4, 2),
            norm2=nn.BatchNorm2d(18),
            relu=nn.ReLU(),
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            classifier=nn.Linear(18, CLASSES),
        )
    )


class Inverted(nn.Module):
    """Inverted residual: expand, filter each channel, (squeeze and excite,) project."""

    def __init__(self, inputs: int, width: int, stride: int, act: type[nn.Module], excite: bool):
        super().__init__()
        wide = 3 * inputs
        self.expand = conv(inputs, wide, 1, act)
        self.depthwise = conv(wide, wide, 3, act, stride=stride, groups=wide)
        self.fc1 = nn.Conv2d(wide, 4, 1) if excite else None
        self.fc2 = nn.Conv2d(4, wide, 1) if excite else None
        self.project = conv(wide, width, 1, None)
        self.skips = stride == 1 and inputs == width

    def forward(self, x: Tensor) -> Tensor:
        y = self.depthwise(self.expand(x))
        if self.fc1 is not None:
            squeezed = nn.functional.silu(self.fc1(nn.functional.adaptive_avg_pool2d(y, 1)))
            y = y * torch.sigmoid(self.fc2(squeezed))
        y = self.project(y)
        return x + y if self.skips else y


def mobile(act: type[nn.Module], excite: bool) -> nn.Module:
    blocks = [
        conv(3, 6, 3, act, stride=2),
        Inverted(6, 6, 1, act, excite),
        Inverted(6, 8, 2, act, excite),
        Inverted(8, 8, 1, act, excite),
        conv(8, 16, 1, act),
    ]
    return nn.Sequential(
        OrderedDict(
            features=nn.Sequential(*blocks),
            avgpool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            classifier=nn.Sequential(nn.Dropout(0.2), nn.Linear(16, CLASSES)),
        )
    )


class Fire(nn.Module):
    def __init__(self, inputs: int, squeeze: int, width: int):
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, width, 1)
        self.expand3x3 = nn.Conv2d(squeeze, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.squeeze(x))
        return torch.cat([torch.relu(self.expand1x1(x)), torch.relu(self.expand3x3(x))], 1)


def squeezenet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True),
        Fire(8, 4, 6), Fire(12, 4, 6), nn.MaxPool2d(3, 2, ceil_mode=True), Fire(12, 4, 8),
        nn.Dropout(), nn.Conv2d(16, CLASSES, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    )  # fmt: skip


FAMILIES = {
    "vgg": vgg,
    "resnet": ResNet,
    "inception": Inception,
    "densenet": densenet,
    "mobilenet": lambda: mobile(nn.ReLU6, excite=False),
    "efficientnet": lambda: mobile(nn.SiLU, excite=True),
    "squeezenet": squeezenet,
}


def randomised(model: nn.Module) -> nn.Module:
    """With numbers that let logits tell images apart, and show a wrong order or epsilon."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.2)
        elif isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight)
            if module.bias is not None:
                nn.init.normal_(module.bias, 0, 0.1)
    return model.eval()


def exported(model: nn.Module, variant: str) -> onnx.ModelProto:
    image = torch.zeros(1, 3, SIZE, SIZE)
    if variant == "dynamo":
        program = torch.onnx.export(model, (image,), dynamo=True, verbose=False)
        return program.model_proto
    file = io.BytesIO()
    kept = {"training": torch.onnx.TrainingMode.PRESERVE, "do_constant_folding": False}
    torch.onnx.export(
        model, (image,), file, dynamo=False, opset_version=int(variant[2:]), input_names=["image"],
        output_names=["logits"], dynamic_axes={"image": {0: "batch"}},
        **(kept if variant == "ts11" else {}),
    )  # fmt: skip
    return onnx.load_from_string(file.getvalue())


def without_traces(model: onnx.ModelProto) -> onnx.ModelProto:
    """Drop the lines of this file that the newer exporter writes into each node."""
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    for node in model.graph.node:
        kept = [p for p in node.metadata_props if p.key == "pkg.torch.onnx.name_scopes"]
        del node.metadata_props[:]
        node.metadata_props.extend(kept)
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    for tensor in model.graph.initializer:
        del tensor.metadata_props[:]
    del model.graph.value_info[:]
    return model


def main(folder: Path) -> None:
    warnings.filterwarnings("ignore")
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    patches = torch.randn(IMAGES, 3, SIZE // 8, SIZE // 8)
    images = nn.functional.interpolate(2 * patches, size=SIZE)
    expected = {"images": images.numpy().transpose(0, 2, 3, 1)}
    for family, make in FAMILIES.items():
        model = randomised(make())
        with torch.no_grad():
            expected[family] = model(images).numpy()
        for variant in ("ts11", "ts13", "dynamo"):
            path = folder / f"{family}_{variant}.onnx"
            onnx.save(without_traces(exported(model, variant)), path)
            print(path.name, path.stat().st_size)
    np.savez_compressed(folder / "expected.npz", **expected)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the files go")
    main(parser.parse_args().folder)
