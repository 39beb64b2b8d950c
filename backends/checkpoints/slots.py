"""The layers of a network that carry weights, in order of execution, with what enters them."""

from dataclasses import dataclass
from typing import TypeAlias

from wootzc.backends.parameters import layer_parameters
from wootzc.ir.layers import (
    Activation,
    Body,
    Branch,
    Conv,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalPool,
    LocalNorm,
    Norm,
    Pool,
)  # fmt: skip
from wootzc.ir.network import Network, segment_shapes
from wootzc.ir.shapes import Shape, shape_after

Weighted: TypeAlias = Conv | DepthwiseConv | Dense | Norm
Image: TypeAlias = tuple[int, ...]  # height, width, channels


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """`image`: what was flattened into the vector that enters; None where nothing was.

    PyTorch flattens channels first, we flatten them last, so weights behind it change places.
    """

    path: str  # "a1/0.0.2"
    layer: Weighted
    shapes: dict[str, Shape]  # of its arrays, by parameter
    image: Image | None


def slots(network: Network) -> tuple[Slot, ...]:
    """One slot per layer that carries weights. A branch's arms come one after the other."""
    found: list[Slot] = []
    image: Image | None = None
    for segment, shape in zip(network.segments, segment_shapes(network), strict=False):
        image = _collect(segment.body, shape, image, f"{segment.name}/", found)
    return tuple(found)


def _collect(
    body: Body, shape: Shape, image: Image | None, prefix: str, found: list[Slot]
) -> Image | None:
    """Append the slots of a body; what comes back is the `image` behind it."""
    for index, layer in enumerate(body):
        path = f"{prefix}{index}"
        match layer:
            case Conv() | DepthwiseConv() | Dense() | Norm():
                shapes = layer_parameters(layer, shape)
                found.append(Slot(path=path, layer=layer, shapes=shapes, image=image))
                image = image if isinstance(layer, Norm) else None
            case Flatten():
                image = shape
            case Branch(arms=arms):
                behind = [
                    _collect(arm, shape, image, f"{path}.{i}.", found) for i, arm in enumerate(arms)
                ]
                image = behind[0]
            case Activation() | LocalNorm() | Pool() | GlobalPool() | Dropout():
                pass
        shape = shape_after(layer, shape)
    return image
