"""What `wootzc init` finds out of a model and of images."""

from dataclasses import dataclass
from typing import Literal, TypeAlias, assert_never

from wootzc.backends.data import Survey
from wootzc.ir.layers.shapes import Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class FromFile:
    """A network that `network NAME from "…"` reads."""

    path: str  # as the .wz file says it
    input: Shape | None  # where the file leaves it open
    marked: bool  # modules are those that the file marks, not found by structure
    weights: bool  # it holds some


@dataclass(frozen=True, slots=True, kw_only=True)
class FromZoo:
    """A network of the zoo, and the checkpoint that its weights come from, if one is given."""

    network: str
    input: Shape | None  # where it is not the zoo's own
    checkpoint: str | None  # as the .wz file says it
    recognised: str | None  # "torchvision's and timm's resnet18": what the checkpoint holds


Source: TypeAlias = FromFile | FromZoo


@dataclass(frozen=True, slots=True, kw_only=True)
class Pixels:
    """What the network's input is: (pixel − mean) / std, of pixels from 0 to 1."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


# Of pretrained weights, as their makers have it: docs/models.md#pytorch-checkpoints.
Customary: TypeAlias = Literal["imagenet", "inception"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    source: Source
    name: str  # an identifier
    input: Shape
    outputs: int
    params: int
    macs: int
    modules: tuple[str, ...]
    trunks: bool  # channels between modules can go
    skippable: bool  # some module can be left out
    convolutions: int
    norms: int
    notes: tuple[str, ...]
    classes: tuple[str, ...]  # their names in order, where the file has them
    pixels: Pixels | Customary | None  # None: nothing tells


def pretrained(model: ModelFacts) -> bool:
    """Whether weights come with it: then there is a teacher to start from."""
    match model.source:
        case FromFile(weights=weights):
            return weights
        case FromZoo(checkpoint=checkpoint):
            return checkpoint is not None
        case _:
            assert_never(model.source)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    model: ModelFacts
    data: str  # its path as the .wz file says it
    images: Survey
    minimize: str
    file: str  # the .wz file, as one types it
    command: str  # as it was given
