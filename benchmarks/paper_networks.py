"""Networks of the paper's experiment out of the zoo: made narrow, for images of 32×32 pixels."""

from dataclasses import replace

import wootzc
from wootzc.grammar.text.print_network import print_network
from wootzc.ir.layers import Conv, Layer, Pool
from wootzc.ir.layers.walk import rewritten
from wootzc.ir.net.network import Module, Network

LEAST = 4  # channels


def narrow(name: str, share: float, classes: int = 10) -> str:
    """The text of the network `net`: the zoo's with this share of its channels, no auxiliary heads.

    Convolutions before the first module keep the image, but for the first, which halves it; pools
    there are left out: after them an image of 32×32 would be too small for what follows.
    """
    full = wootzc.zoo(name, classes=classes)
    begun = False
    segments = []
    for segment in full.segments:
        begun = begun or isinstance(segment, Module)
        body = segment.body if begun else _stem(segment.body)
        segments.append(
            replace(segment, body=rewritten(body, lambda _, layer: _narrowed(layer, share)))
        )
    return print_network(
        Network(name="net", input=(32, 32, 3), segments=tuple(segments), auxiliaries=())
    )


def _stem(body: tuple[Layer, ...]) -> tuple[Layer, ...]:
    kept = [layer for layer in body if not isinstance(layer, Pool)]
    first = next(i for i, layer in enumerate(kept) if isinstance(layer, Conv))
    return tuple(
        replace(
            layer,
            kernel=(min(layer.kernel[0], 3), min(layer.kernel[1], 3)),
            stride=(2, 2) if i == first else (1, 1),
            padding="same",
        )
        if isinstance(layer, Conv)
        else layer
        for i, layer in enumerate(kept)
    )


def _narrowed(layer: Layer, share: float) -> Layer:
    if not isinstance(layer, Conv):
        return layer
    return replace(layer, width=max(LEAST, round(layer.width * share)))
