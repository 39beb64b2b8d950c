"""What torchvision and timm call the layers of the zoo's networks.

A naming lists the PyTorch modules that carry weights, in our order of execution: "layer1.0.conv1".
A branch's arms come one after the other, so a block's shortcut stands behind its convolutions.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    source: str  # "torchvision's resnet50"
    network: str  # of the zoo
    modules: tuple[str, ...]
    auxiliary: tuple[str, ...] = ()  # heads that only training uses; their tensors are left out


@cache
def namings() -> tuple[Naming, ...]:
    """All that are known. Where timm's names are torchvision's they stand once."""
    return tuple(chain(_resnets(), _vggs(), _inceptions(), _mobiles(), _others()))


def _named(source: str, modules: Iterable[str], *auxiliary: str, network: str = "") -> Naming:
    """Of the network that the source's last word names, where nothing else is said."""
    named = network or source.split()[-1]
    return Naming(source=source, network=named, modules=tuple(modules), auxiliary=auxiliary)


# ResNet

DEPTHS = {  # blocks of each stage, convolutions of a block
    "resnet18": ((2, 2, 2, 2), 2),
    "resnet34": ((3, 4, 6, 3), 2),
    "resnet50": ((3, 4, 6, 3), 3),
    "resnet101": ((3, 4, 23, 3), 3),
    "resnet152": ((3, 8, 36, 3), 3),
}


def _resnets() -> Iterator[Naming]:
    for name, (blocks, convolutions) in DEPTHS.items():
        yield _named(f"torchvision's and timm's {name}", _resnet(blocks, convolutions))
    for n in (3, 5, 7, 9, 18):
        source = f"a CIFAR ResNet-{6 * n + 2} in torchvision's style"
        yield _named(source, _resnet((n,) * 3, 2), network=f"cifar_resnet{6 * n + 2}")


def _resnet(blocks: tuple[int, ...], convolutions: int) -> Iterator[str]:
    yield from ("conv1", "bn1")
    for stage, block in _numbered(blocks, first=1):
        at = f"layer{stage}.{block}"
        for i in range(1, convolutions + 1):
            yield from (f"{at}.conv{i}", f"{at}.bn{i}")
        if block == 0 and (stage > 1 or convolutions == 3):
            yield from (f"{at}.downsample.0", f"{at}.downsample.1")
    yield "fc"


def _numbered(counts: tuple[int, ...], first: int = 0) -> Iterator[tuple[int, int]]:
    """(stage, block) one after the other; blocks are numbered from 0, stages from `first`."""
    return ((stage, i) for stage, number in enumerate(counts, first) for i in range(number))


# VGG

STAGES = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


def _vggs() -> Iterator[Naming]:
    own = ("classifier.0", "classifier.3", "classifier.6")
    timm = ("pre_logits.fc1", "pre_logits.fc2", "head.fc")
    for depth, stages in STAGES.items():
        for name, norms in ((f"vgg{depth}", False), (f"vgg{depth}_bn", True)):
            features = tuple(_vgg("features", stages, norms))
            yield _named(f"torchvision's {name}", (*features, *own))
            yield _named(f"timm's {name}", (*features, *timm))
    slim = _vgg("feature", STAGES[19], True)
    yield _named("network slimming's VGG-19", (*slim, "classifier"), network="cifar_vgg19")


def _vgg(prefix: str, stages: tuple[int, ...], norms: bool) -> Iterator[str]:
    place = 0
    for convolutions in stages:
        for _ in range(convolutions):
            yield f"{prefix}.{place}"
            if norms:
                yield f"{prefix}.{place + 1}"
            place += 3 if norms else 2  # behind it the activation
        place += 1  # the pool


# Inception


def _inceptions() -> Iterator[Naming]:
    yield _named("torchvision's googlenet", _units(_googlenet(), "fc"), "aux1.", "aux2.")
    v3 = _units(_inception_v3(), "fc")
    yield _named("torchvision's and timm's inception_v3", v3, "AuxLogits.")


def _units(units: Iterable[str], last: str) -> Iterator[str]:
    for unit in units:
        yield from (f"{unit}.conv", f"{unit}.bn")
    yield last


def _googlenet() -> Iterator[str]:
    yield from ("conv1", "conv2", "conv3")
    for module in ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b"):
        for arm in ("1", "2.0", "2.1", "3.0", "3.1", "4.1"):
            yield f"inception{module}.branch{arm}"


_TRIPLE = ("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3")
_SPLIT = ("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3a", "branch3x3dbl_3b")
_SEVENS = tuple(f"branch7x7_{i}" for i in range(1, 4))
_DOUBLE_SEVENS = tuple(f"branch7x7dbl_{i}" for i in range(1, 6))
_A = ("branch1x1", "branch5x5_1", "branch5x5_2", *_TRIPLE, "branch_pool")
_B = ("branch3x3", *_TRIPLE)
_C = ("branch1x1", *_SEVENS, *_DOUBLE_SEVENS, "branch_pool")
_D = ("branch3x3_1", "branch3x3_2", *(f"branch7x7x3_{i}" for i in range(1, 5)))
_E = ("branch1x1", "branch3x3_1", "branch3x3_2a", "branch3x3_2b", *_SPLIT, "branch_pool")
MIXED = {
    "5b": _A, "5c": _A, "5d": _A, "6a": _B, "6b": _C, "6c": _C, "6d": _C, "6e": _C,
    "7a": _D, "7b": _E, "7c": _E,
}  # fmt: skip


def _inception_v3() -> Iterator[str]:
    yield from (f"Conv2d_{i}" for i in ("1a_3x3", "2a_3x3", "2b_3x3", "3b_1x1", "4a_3x3"))
    for module, arms in MIXED.items():
        yield from (f"Mixed_{module}.{arm}" for arm in arms)


# MobileNet and EfficientNet


def _mobiles() -> Iterator[Naming]:
    yield _named("timm's mobilenetv1_100", _timm_v1(), network="mobilenet_v1")
    yield _named("torchvision's mobilenet_v2", _mobilenet_v2())
    timm_v2 = _timm((1, 2, 3, 4, 3, 3, 1), excite=False)
    yield _named("timm's mobilenetv2_100", timm_v2, network="mobilenet_v2")
    yield _named("torchvision's efficientnet_b0", _efficientnet())
    yield _named("timm's efficientnet_b0", _timm((1, 2, 2, 3, 3, 4, 1), excite=True))


def _timm_v1() -> Iterator[str]:
    yield from ("conv_stem", "bn1")
    for stage, block in _numbered((1, 2, 2, 6, 2)):
        yield from (f"blocks.{stage}.{block}.{m}" for m in ("conv_dw", "bn1", "conv_pw", "bn2"))
    yield "classifier"


def _timm(blocks: tuple[int, ...], *, excite: bool) -> Iterator[str]:
    """The first block does not expand, so its names are others."""
    excited = ("se.conv_reduce", "se.conv_expand") if excite else ()
    first = ("conv_dw", "bn1", *excited, "conv_pw", "bn2")
    others = ("conv_pw", "bn1", "conv_dw", "bn2", *excited, "conv_pwl", "bn3")
    yield from ("conv_stem", "bn1")
    for stage, block in _numbered(blocks):
        modules = others if stage else first
        yield from (f"blocks.{stage}.{block}.{module}" for module in modules)
    yield from ("conv_head", "bn2", "classifier")


def _mobilenet_v2() -> Iterator[str]:
    yield from ("features.0.0", "features.0.1")
    yield from (f"features.1.conv.{module}" for module in ("0.0", "0.1", "1", "2"))
    for block in range(2, 18):
        modules = ("0.0", "0.1", "1.0", "1.1", "2", "3")
        yield from (f"features.{block}.conv.{module}" for module in modules)
    yield from ("features.18.0", "features.18.1", "classifier.1")


def _efficientnet() -> Iterator[str]:
    first = ("0.0", "0.1", "1.fc1", "1.fc2", "2.0", "2.1")
    others = ("0.0", "0.1", "1.0", "1.1", "2.fc1", "2.fc2", "3.0", "3.1")
    yield from ("features.0.0", "features.0.1")
    for stage, block in _numbered((1, 2, 2, 3, 3, 4, 1), first=1):
        modules = first if stage == 1 else others
        yield from (f"features.{stage}.{block}.block.{module}" for module in modules)
    yield from ("features.8.0", "features.8.1", "classifier.1")


# DenseNet and SqueezeNet


def _others() -> Iterator[Naming]:
    yield _named("torchvision's and timm's densenet121", _densenet((6, 12, 24, 16)))
    yield _named("torchvision's squeezenet1_0", _squeezenet((3, 4, 5, 7, 8, 9, 10, 12)))
    yield _named("torchvision's squeezenet1_1", _squeezenet((3, 4, 6, 7, 9, 10, 11, 12)))


def _densenet(blocks: tuple[int, ...]) -> Iterator[str]:
    yield from ("features.conv0", "features.norm0")
    for block, layers in enumerate(blocks, 1):
        for layer in range(1, layers + 1):
            at = f"features.denseblock{block}.denselayer{layer}"
            yield from (f"{at}.{module}" for module in ("norm1", "conv1", "norm2", "conv2"))
        if block < len(blocks):
            yield from (f"features.transition{block}.norm", f"features.transition{block}.conv")
    yield from ("features.norm5", "classifier")


def _squeezenet(fires: tuple[int, ...]) -> Iterator[str]:
    yield "features.0"
    for place in fires:
        yield from (f"features.{place}.{m}" for m in ("squeeze", "expand1x1", "expand3x3"))
    yield "classifier.1"
