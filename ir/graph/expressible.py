"""Whether the language can say a network: a file may hold values that it refuses.

Builds write the best network as text and read it back, so what an importer takes must be sayable.
"""

import re

from wootzc.ir.graph.graph import Refused
from wootzc.ir.layers import Layer, Shape, shape_text, walk
from wootzc.ir.layers.maxima import MAX_COST, MAX_LAYERS, MAX_MODULES, MAX_SIDE
from wootzc.ir.layers.signature import flaws as flaws
from wootzc.ir.net.cost import network_cost
from wootzc.ir.net.network import Network

_SMALLER = "describe a smaller network"


def check_layer(name: str, layer: Layer) -> None:
    """Raises `Refused`, naming the node."""
    for flaw in flaws(layer):
        raise Refused(f"`{name}` {flaw}")


def check_input(shape: Shape, what: str = "the input") -> None:
    """Raises `Refused` for sizes that no image has, or too large ones."""
    if len(shape) not in (1, 3):
        raise Refused(
            f"{what} has {len(shape)} sizes; wootzc takes height, width and channels",
            "such as 224x224x3",
        )
    if min(shape) < 1:
        raise Refused(f"{what}, {shape_text(shape)}, has a size of {min(shape)}; sizes are above 0")
    if max(shape) > MAX_SIDE:
        raise Refused(f"{what}, {shape_text(shape)}, is too large; sizes are at most {MAX_SIDE:,}")


def check_network(network: Network) -> None:
    """The network as a whole, after its layers: how many there are, and what it is called.

    Raises `Refused`.
    """
    for name in (network.name, *(module.name for module in network.modules)):
        if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
            raise Refused(
                f"`{name}` cannot be a network's or module's name",
                "a name is letters, digits and `_`, and begins with no digit",
            )
    if not network.segments:
        raise Refused("the network has no layers")
    layers = sum(1 for segment in network.segments for _ in walk(segment.body))
    if layers > MAX_LAYERS:
        raise Refused(f"the network has {layers:,} layers, more than {MAX_LAYERS:,}", _SMALLER)
    if len(network.modules) > MAX_MODULES:
        raise Refused(
            f"{len(network.modules):,} modules are found, more than {MAX_MODULES:,}",
            'name fewer, larger ones: `module NAME { "…" }` with patterns of the layers\' names',
        )
    if max(network_cost(network)) > MAX_COST:
        raise Refused("the network has more parameters or MACs than can be counted", _SMALLER)
