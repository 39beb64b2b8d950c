"""The layers of a network that carry weights, in order of execution, with what enters them."""

from dataclasses import dataclass

from wootzc.backends.python_source.classes import classes_of
from wootzc.backends.torch.layers import TORCH
from wootzc.backends.weights.channels_first import Order
from wootzc.ir.layers import Layer, Shape
from wootzc.ir.net.network import Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """`order`: of the vector that enters, where an image was flattened into it.

    PyTorch flattens channels first, we flatten them last, so weights behind it change places.
    """

    path: str  # "a1/0.0.2"
    layer: Layer
    shapes: dict[str, Shape]  # of its arrays, by parameter
    order: Order


def slots(network: Network) -> tuple[Slot, ...]:
    """One slot per layer that carries weights. A branch's arms come one after the other."""
    return tuple(
        Slot(
            path=f"{segment}/{one.path}",
            layer=one.layer,
            shapes={
                array.name: array.sizes(one.shape[-1], one.layer.after(one.shape)[-1])
                for array in one.layer.arrays()
            },
            order=one.order,
        )
        for segment, made in classes_of(network, TORCH).of.items()
        for one in made.body.learned
    )
