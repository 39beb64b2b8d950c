"""Runs of consecutive pieces of a chain, and whether one would be a module worth pruning."""

from collections.abc import Sequence
from typing import TypeAlias

from wootzc.ir.graph.graph import Chain
from wootzc.ir.layers import Body, Branch, Layer, has_filters, walk
from wootzc.ir.layers.shapes import Shape
from wootzc.ir.net.coupling import couple

Run: TypeAlias = tuple[int, int]  # the first piece, and the one after the last


def prunable_groups(chain: Chain, shapes: Sequence[Shape], run: Run) -> int:
    """How many channel groups of a run could lose filters if it were a module.

    `shapes`: what enters each piece.
    """
    start, stop = run
    body: Body = tuple(piece.layer for piece in chain[start:stop])
    return sum(group.can_go for group in couple(body, shapes[start]).groups)


def makes_channels(layer: Layer) -> bool:
    """Whether a layer's output is made by filters, its own or those of layers inside of it.

    Squeeze and excite only weighs the channels that enter.
    """
    if not isinstance(layer, Branch):
        return has_filters(layer)
    arms = layer.arms[:1] if layer.join == "scale" else layer.arms
    return any(has_filters(inner) for arm in arms for _, inner in walk(arm))
