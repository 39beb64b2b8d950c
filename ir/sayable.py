"""Whether the language can say a network: a file may hold values that it refuses.

Builds write the best network as text and read it back, so what an importer takes must be sayable.
`flaws` goes for the ranges of `grammar.operators`; a test holds the two together.
"""

import re
from collections.abc import Iterable, Iterator
from typing import assert_never

from wootzc.ir.cost import network_cost
from wootzc.ir.graph import Refused
from wootzc.ir.layers import (
    Activation,
    Branch,
    Conv,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalPool,
    Layer,
    LocalNorm,
    Norm,
    Pool,
    walk,
)  # fmt: skip
from wootzc.ir.limits import MAX_COST, MAX_COUNT, MAX_LAYERS, MAX_MODULES, MAX_NUMBER, MAX_SIDE
from wootzc.ir.network import Network
from wootzc.ir.shapes import Shape, shape_text

_SMALLER = "describe a smaller network"


def flaws(layer: Layer) -> Iterator[str]:
    """What is wrong with a layer's values, "has an epsilon of -1; …"; of a branch, not its arms."""
    match layer:
        case Conv(width=width, groups=groups):
            yield from _whole("a width", (width,), MAX_COUNT)
            yield from _whole("groups", (groups,), MAX_COUNT)
            yield from _windows(layer)
        case DepthwiseConv() | Pool():
            yield from _windows(layer)
        case Dense(width=width):
            yield from _whole("a width", (width,), MAX_COUNT)
        case Norm(epsilon=epsilon, momentum=momentum):
            yield from _amount("an epsilon", epsilon)
            if not 0 <= momentum <= 1:
                yield f"has a momentum of {momentum:g}; wootzc takes 0 to 1"
        case LocalNorm(size=size, alpha=alpha, beta=beta, k=k):
            yield from _whole("a size", (size,), MAX_COUNT)
            for name, value in (("an alpha", alpha), ("a beta", beta), ("a k", k)):
                yield from _amount(name, value)
        case Dropout(rate=rate):
            if not 0 <= rate < 1:
                yield f"drops a fraction of {rate:g}; wootzc takes 0 to below 1"
        case Activation(slope=slope):
            if not -MAX_NUMBER < slope < MAX_NUMBER:
                yield f"has a slope of {slope:g}; wootzc takes up to {MAX_NUMBER:g}"
        case GlobalPool() | Flatten() | Branch():
            pass
        case _:
            assert_never(layer)


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


def _windows(layer: Conv | DepthwiseConv | Pool) -> Iterator[str]:
    if isinstance(layer, Pool):
        yield from _whole("a window", layer.size, MAX_SIDE)
    else:
        yield from _whole("a kernel", layer.kernel, MAX_SIDE)
        yield from _whole("a dilation", layer.dilation, MAX_SIDE)
    yield from _whole("a stride", layer.stride, MAX_SIDE)
    if not isinstance(layer.padding, str):
        yield from _whole("a padding", sum(layer.padding, ()), MAX_SIDE, least=0)


def _whole(what: str, values: Iterable[int], most: int, least: int = 1) -> Iterator[str]:
    values = tuple(values)
    if not all(least <= value <= most for value in values):
        yield f"has {what} of {shape_text(values)}; wootzc takes {least} to {most:,}"


def _amount(what: str, value: float) -> Iterator[str]:
    if not 0 <= value < MAX_NUMBER:
        yield f"has {what} of {value:g}; wootzc takes 0 and more"
