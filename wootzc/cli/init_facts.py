"""What `wootzc init` finds out of a model and of images."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from wootzc.backends.data import Survey
from wootzc.ir.layers.shapes import Shape
from wootzc.ir.net.network import Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Pixels:
    """What the network's input is: (pixel − mean) / std, of pixels from 0 to 1."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


# Of pretrained weights, as their makers have it: docs/models.md#pytorch-checkpoints.
Customary: TypeAlias = Literal["imagenet", "inception"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A network of the zoo, or one that `network NAME from "…"` reads."""

    network: Network
    name: str  # an identifier
    zoo: str | None  # which one of the zoo
    path: str | None  # as the .wz file says it: of what is read, of the zoo a checkpoint
    weights: bool  # it holds some: then there is a teacher to start from
    input: Shape | None  # where the file leaves it open, or it is not the zoo's own
    modules: str  # how they come about: "found by structure"
    outputs: int
    recognised: str | None = None  # "torchvision's and timm's resnet18": what a checkpoint holds
    notes: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()  # their names in order, where the file has them
    pixels: Pixels | Customary | None  # None: nothing tells


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    model: Model
    data: str  # its path as the .wz file says it
    images: Survey
    minimize: str
    file: str  # the .wz file, as one types it
    command: str  # as it was given
