"""Checkpoints against the real thing: PyTorch's models on one side, wootzc's on the other.

    python benchmarks/checkpoints.py [NETWORK …] [--fixtures tests/zoo]

For every network of the zoo that torchvision or timm has: a model with random weights and random
running statistics, its state_dict saved as safetensors, read by `read_checkpoint`, and the logits
of both for the same images, in evaluation mode. Needs torch, torchvision and timm; tests do not.
`--fixtures` writes what the tests are held against: the names and shapes of the state_dicts, and
logits of a few models whose tensors are drawn by their names.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import timm
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import nn
from torchvision import models
from torchvision.models.resnet import BasicBlock

from wootzc.backends.checkpoints import read_checkpoint
from wootzc.backends.flax.train.evaluation import predict
from wootzc.backends.weights.stored import read
from wootzc.grammar.lower.named_networks import zoo_network
from wootzc.grammar.zoo import zoo_names
from wootzc.ir.net.network import Network

TIMM = {
    "resnet18": "resnet18", "resnet34": "resnet34", "resnet50": "resnet50",
    "resnet101": "resnet101", "resnet152": "resnet152", "vgg11": "vgg11", "vgg13": "vgg13",
    "vgg16": "vgg16", "vgg19": "vgg19", "vgg11_bn": "vgg11_bn", "vgg13_bn": "vgg13_bn",
    "vgg16_bn": "vgg16_bn", "vgg19_bn": "vgg19_bn", "inception_v3": "inception_v3",
    "mobilenet_v1": "mobilenetv1_100", "mobilenet_v2": "mobilenetv2_100",
    "densenet121": "densenet121", "efficientnet_b0": "efficientnet_b0",
}  # fmt: skip


FEW = {  # whose logits the tests compare: small images, so that it takes seconds
    ("resnet18", "torchvision"): (64, 64, 3),
    ("googlenet", "torchvision"): (80, 80, 3),
    ("mobilenet_v2", "timm"): (64, 64, 3),
    ("efficientnet_b0", "torchvision"): (64, 64, 3),
    ("squeezenet1_1", "torchvision"): (64, 64, 3),
}


class CifarResNet(nn.Module):
    """He et al. 2016, §4.2, of torchvision's blocks, named as checkpoints for CIFAR are."""

    def __init__(self, n: int):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(*(BasicBlock(16, 16) for _ in range(n)))
        self.layer2 = nn.Sequential(*self.stage(16, 32, n))
        self.layer3 = nn.Sequential(*self.stage(32, 64, n))
        self.fc = nn.Linear(64, 10)

    def stage(self, entering: int, width: int, n: int) -> Any:
        conv = nn.Conv2d(entering, width, 1, stride=2, bias=False)
        yield BasicBlock(entering, width, 2, nn.Sequential(conv, nn.BatchNorm2d(width)))
        for _ in range(n - 1):
            yield BasicBlock(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.bn1(self.conv1(x)).relu()
        return self.fc(self.layer3(self.layer2(self.layer1(x))).mean((2, 3)))


class CifarVGG(nn.Module):
    """VGG-19 for CIFAR under the names of Liu et al. 2017's code."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        entering = 3
        for stage, (width, count) in enumerate([(64, 2), (128, 2), (256, 4), (512, 4), (512, 4)]):
            layers += [nn.MaxPool2d(2)] if stage else []
            for _ in range(count):
                conv = nn.Conv2d(entering, width, 3, padding=1, bias=False)
                layers += [conv, nn.BatchNorm2d(width), nn.ReLU()]
                entering = width
        self.feature = nn.Sequential(*layers)
        self.classifier = nn.Linear(512, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.feature(x).mean((2, 3)))


def references(name: str) -> dict[str, Callable[[], nn.Module]]:
    """What makes the PyTorch models of a network, by whose names they have."""
    if name.startswith("cifar_resnet"):
        return {"cifar": lambda: CifarResNet((int(name.removeprefix("cifar_resnet")) - 2) // 6)}
    if name == "cifar_vgg19":
        return {"slimming": CifarVGG}
    makers: dict[str, Callable[[], nn.Module]] = {}
    if name in models.list_models():
        options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
        makers["torchvision"] = lambda: models.get_model(name, **options)
    if name in TIMM:
        makers["timm"] = lambda: timm.create_model(TIMM[name])
    return makers


def randomise(model: nn.Module, images: torch.Tensor) -> None:
    """Nothing stays at its neutral value. Running statistics are near those of the images, so that
    what leaves the model depends on what enters it."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for parameter in model.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=(2 / parameter[0].numel()) ** 0.5)
        else:
            nn.init.normal_(parameter, std=0.1)
    for norm in norms:
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        norm.momentum = 1.0
    with torch.inference_mode():
        model.train()(images)
        for norm in norms:
            norm.running_mean += (
                0.2 * torch.randn(norm.running_mean.shape) * norm.running_var.sqrt()
            )
            norm.running_var *= torch.empty_like(norm.running_var).uniform_(0.7, 1.4)
    model.eval()


def pictures(network: Network) -> NDArray[np.float32]:
    """Two images of a few large random patches with noise on top."""
    height, width, channels = network.input
    rng = np.random.default_rng(1)
    rows, columns = np.arange(height) * 5 // height, np.arange(width) * 5 // width
    coarse = rng.normal(size=(2, 5, 5, channels))[:, rows][:, :, columns]
    return (coarse + 0.5 * rng.normal(size=coarse.shape)).astype(np.float32)


def deviation(network: Network, model: nn.Module, folder: Path) -> tuple[float, float]:
    """The largest difference of the two sides' logits, and of the two images' logits for scale,
    both relative to the largest logit."""
    images = pictures(network)
    entering = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
    randomise(model, entering)
    file = folder / "weights.safetensors"
    save_file({name: t.contiguous() for name, t in model.state_dict().items()}, file)
    ours = predict(network, read_checkpoint(network, read(file)), images, batch=2)
    with torch.inference_mode():
        theirs = model(entering).numpy()
    largest = np.abs(theirs).max()
    return (
        float(np.abs(ours - theirs).max() / largest),
        float(np.abs(theirs[0] - theirs[1]).max() / largest),
    )


def shapes(model: nn.Module) -> dict[str, str]:
    """Tensor shapes by PyTorch module: "weight 64x3x7x7, bias 64", or "norm 64" for its five."""
    found: dict[str, str] = {}
    for name, module in model.named_modules():
        tensors = module.state_dict()
        if isinstance(module, nn.BatchNorm2d):
            found[name] = f"norm {module.num_features}"
        elif tensors and not list(module.children()):
            sizes = (f"{p} {'x'.join(map(str, t.shape))}" for p, t in tensors.items())
            found[name] = ", ".join(sizes)
    return found


def drawn(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """A tensor that depends on its name alone; the tests draw the same."""
    random = np.random.RandomState(crc32(name.encode()))  # its numbers never change
    if len(shape) > 1:
        return random.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape).astype(np.float32)
    if name.endswith("running_var"):
        return random.uniform(0.8, 1.5, shape).astype(np.float32)
    return (random.uniform(-0.1, 0.1, shape) + name.endswith("weight")).astype(np.float32)


def first_logits(make: Callable[[], nn.Module], shape: tuple[int, int, int]) -> list[list[float]]:
    """Eight logits of each of two images, of a model with drawn tensors."""
    model = make().eval()
    tensors = {
        name: torch.from_numpy(drawn(name, tuple(t.shape))) if t.ndim else t
        for name, t in model.state_dict().items()
    }
    model.load_state_dict(tensors)
    images = np.random.RandomState(1).normal(size=(2, *shape)).astype(np.float32)
    images[1, : shape[0] // 2] += 1
    with torch.inference_mode():
        logits = model(torch.from_numpy(images.transpose(0, 3, 1, 2).copy()))
    return [[float(f"{value:.8g}") for value in row] for row in logits[:, :8].tolist()]


def write_fixtures(folder: Path) -> None:
    shapes_by_key: dict[str, dict[str, str]] = {}
    for name in zoo_names():
        for source, make in references(name).items():
            found = shapes(make())
            same = [key for key, known in shapes_by_key.items() if known == found]
            key = same[0] if same else name
            shapes_by_key.pop(key, None)
            shapes_by_key[f"{key} {source}"] = found
    logits = {
        f"{name} {source}": {
            "input": shape,
            "logits": first_logits(references(name)[source], shape),
        }
        for (name, source), shape in FEW.items()
    }
    for file, content in (("state_dicts", shapes_by_key), ("logits", logits)):
        text = json.dumps(content, indent=0 if file == "state_dicts" else None)
        (folder / f"{file}.json").write_text(text + "\n", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("networks", nargs="*")
    parser.add_argument("--fixtures", type=Path)
    arguments = parser.parse_args()
    if arguments.fixtures:
        write_fixtures(arguments.fixtures)
        return 0
    torch.manual_seed(0)
    worst = 0.0
    for name in arguments.networks or zoo_names():
        for source, make in references(name).items():
            with tempfile.TemporaryDirectory() as folder:
                found, spread = deviation(zoo_network(name, {}), make(), Path(folder))
            worst = max(worst, found)
            print(f"{name:16} {source:12} {found:.1e} {spread:.1e}", flush=True)
    return worst > 1e-4


if __name__ == "__main__":
    sys.exit(main())
