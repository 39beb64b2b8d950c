"""The layers of a network that carry weights, in order of execution, with what enters them."""

from dataclasses import dataclass
from typing import TypeAlias, assert_never

from wootzc.ir.layers import Body, Branch, Layer, Shape
from wootzc.ir.net.network import Network, segment_shapes

Image: TypeAlias = tuple[int, ...]  # height, width, channels


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """`image`: what was flattened into the vector that enters; None where nothing was.

    PyTorch flattens channels first, we flatten them last, so weights behind it change places.
    """

    path: str  # "a1/0.0.2"
    layer: Layer
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
        if isinstance(layer, Branch):
            behind = [
                _collect(arm, shape, image, f"{path}.{i}.", found)
                for i, arm in enumerate(layer.arms)
            ]
            image = behind[0]
        else:
            leaving = layer.after(shape)
            if arrays := layer.arrays():
                shapes = {array.name: array.sizes(shape[-1], leaving[-1]) for array in arrays}
                found.append(Slot(path=path, layer=layer, shapes=shapes, image=image))
            image = _image_behind(layer, shape, image)
        shape = layer.after(shape)
    return image


def _image_behind(layer: Layer, shape: Shape, image: Image | None) -> Image | None:
    match layer.channels:
        case "makes":
            return None
        case "flattens":
            return shape
        case "passes" | "mixes" | "joins":
            return image
        case _:
            assert_never(layer.channels)
