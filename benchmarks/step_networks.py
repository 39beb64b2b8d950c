"""What step.py compares: networks, and the layers that their steps are made of."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import wootzc
from wootzc.ir.layers import Activation, Body, Branch, Conv, Dense, DepthwiseConv, GlobalPool, Norm
from wootzc.ir.layers.shapes import Shape
from wootzc.ir.net.network import Module, Network, Plain, Segment, segment_shapes
from wootzc.ir.net.prune import prune_network

CLASSES = 10


def through(*layers: Any) -> Body:
    return (*layers, Norm(), Activation())


def residual(width: int, stride: int) -> Body:
    strides = (stride, stride)
    inner = (*through(Conv(width=width, stride=strides)), Conv(width=width), Norm())
    shortcut = (Conv(width=width, kernel=(1, 1), stride=strides), Norm()) if stride > 1 else ()
    return (Branch(join="add", arms=(inner, shortcut)), Activation())


def separable(width: int, stride: int) -> Body:
    depthwise = DepthwiseConv(stride=(stride, stride))
    return (*through(depthwise), *through(Conv(width=width, kernel=(1, 1))))


def staged(name: str, shape: Shape, block: Callable[[int, int], Body]) -> Network:
    """Nine modules of 16, 32 and 64 channels."""
    segments: list[Segment] = [Plain(name="stem", body=through(Conv(width=16)))]
    for width in (16, 32, 64):
        for number in range(3):
            stride = 2 if width > 16 and number == 0 else 1
            segments.append(Module(name=f"m{width}_{number}", body=block(width, stride)))
    segments.append(Plain(name="head", body=(GlobalPool(), Dense(width=CLASSES))))
    return Network(name=name, input=shape, segments=tuple(segments))


def narrow(network: Network, parts: int) -> Network:
    """The network with a `parts`-th of the channels of every convolution."""

    def narrowed(body: Body) -> Body:
        return tuple(
            replace(layer, width=layer.width // parts)
            if isinstance(layer, Conv)
            else replace(layer, arms=tuple(map(narrowed, layer.arms)))
            if isinstance(layer, Branch)
            else layer
            for layer in body
        )

    segments = tuple(replace(one, body=narrowed(one.body)) for one in network.segments)
    return replace(network, segments=segments)


def pruned(network: Network, rate: float) -> Network:
    return prune_network(network, (rate,) * len(network.modules))


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    network: Network
    batch: int = 64


def cases() -> dict[str, Case]:
    digits, cifar = staged("digits", (8, 8, 1), residual), staged("cifar", (32, 32, 3), residual)
    mobile = staged("mobile", (32, 32, 3), separable)
    resnet = narrow(wootzc.zoo("resnet50", classes=CLASSES, input=(32, 32, 3)), 4)
    return {
        "digits 8×8": Case(network=digits),
        "digits 8×8, 85 % gone": Case(network=pruned(digits, 0.85)),
        "residual 32×32": Case(network=cifar),
        "residual 32×32, 70 % gone": Case(network=pruned(cifar, 0.7)),
        "depthwise 32×32": Case(network=mobile),
        "resnet50 / 4 32×32": Case(network=resnet, batch=8),
    }


# Layers


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A few layers, and what enters them."""

    body: Body
    shape: Shape

    @property
    def network(self) -> Network:
        return Network(name="piece", input=self.shape, segments=(Plain(name="p", body=self.body),))

    @property
    def leaving(self) -> Shape:
        shape = self.shape
        for layer in self.body:
            shape = layer.after(shape)
        return shape

    def __str__(self) -> str:
        shapes = ["×".join(map(str, shape)) for shape in (self.shape, self.leaving)]
        names = [type(layer).__name__.lower() for layer in self.body]
        kernel = getattr(self.body[0], "kernel", None)
        window = f" {kernel[0]}×{kernel[1]}" if kernel else ""
        return f"{', '.join(names)}{window}, {' → '.join(dict.fromkeys(shapes))}"


def made_of(network: Network) -> Counter[Piece]:
    """The layers on images with weights that it is made of, a norm with the relu behind it."""
    shapes = segment_shapes(network)
    return Counter(
        piece
        for segment, shape in zip(network.segments, shapes, strict=False)
        for piece in _made_of(segment.body, shape)
    )


def _made_of(body: Body, shape: Shape) -> Iterator[Piece]:
    for index, layer in enumerate(body):
        if isinstance(layer, Branch):
            for arm in layer.arms:
                yield from _made_of(arm, shape)
        elif layer.arrays() and len(shape) == 3:
            behind = body[index + 1 : index + 2] if isinstance(layer, Norm) else ()
            yield Piece(body=(layer, *(b for b in behind if b == Activation())), shape=shape)
        shape = layer.after(shape)


def pieces() -> dict[str, Piece]:
    norm, pixel = (Norm(), Activation()), (1, 1)
    return {
        "conv 3×3, 8×8×16": Piece(body=(Conv(width=16),), shape=(8, 8, 16)),
        "conv 3×3, 4×4×32": Piece(body=(Conv(width=32),), shape=(4, 4, 32)),
        "conv 3×3, 4×4×8": Piece(body=(Conv(width=8),), shape=(4, 4, 8)),
        "conv 3×3, 2×2×64": Piece(body=(Conv(width=64),), shape=(2, 2, 64)),
        "conv 3×3, 2×2×16": Piece(body=(Conv(width=16),), shape=(2, 2, 16)),
        "conv 3×3 by 2, 4×4×32": Piece(body=(Conv(width=64, stride=(2, 2)),), shape=(4, 4, 32)),
        "conv 3×3, 32×32×16": Piece(body=(Conv(width=16),), shape=(32, 32, 16)),
        "conv 3×3, 16×16×32": Piece(body=(Conv(width=32),), shape=(16, 16, 32)),
        "conv 1×1, 32×32×16": Piece(body=(Conv(width=16, kernel=pixel),), shape=(32, 32, 16)),
        "depthwise 3×3, 32×32×16": Piece(body=(DepthwiseConv(),), shape=(32, 32, 16)),
        "depthwise 3×3, 8×8×64": Piece(body=(DepthwiseConv(),), shape=(8, 8, 64)),
        "norm, relu, 32×32×16": Piece(body=norm, shape=(32, 32, 16)),
        "norm, relu, 8×8×16": Piece(body=norm, shape=(8, 8, 16)),
    }
