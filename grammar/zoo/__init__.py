"""The networks that come with wootzc: which file of `zoo/` defines each. Nothing is parsed here."""

from pathlib import Path

_FOLDER = Path(__file__).parent

_NETWORKS = {
    "cifar_resnet": (
        "cifar_resnet20", "cifar_resnet32", "cifar_resnet44", "cifar_resnet56", "cifar_resnet110",
    ),
    "densenet": ("densenet121",),
    "efficientnet": ("efficientnet_b0",),
    "googlenet": ("googlenet",),
    "inception_v2": ("inception_v2",),
    "inception_v3": ("inception_v3",),
    "mobilenet_v1": ("mobilenet_v1",),
    "mobilenet_v2": ("mobilenet_v2",),
    "resnet": ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
    "squeezenet": ("squeezenet1_0", "squeezenet1_1"),
    "vgg": ("vgg11", "vgg13", "vgg16", "vgg19"),
    "vgg_bn": ("vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn", "cifar_vgg19"),
}  # fmt: skip

_FILES = {name: file for file, names in _NETWORKS.items() for name in names}


def zoo_names() -> tuple[str, ...]:
    """The names that `space NAME over NETWORK` knows without a definition, sorted."""
    return tuple(sorted(_FILES))


def zoo_path(name: str) -> str:
    """The `.wz` file that defines this network, one of `zoo_names()`."""
    return str(_FOLDER / f"{_FILES[name]}.wz")
