"""Runs of consecutive pieces of a chain, and whether one would be a module worth pruning."""

from collections.abc import Sequence
from typing import TypeAlias

from wootzc.ir.graph.graph import Chain
from wootzc.ir.layers import Branch, Layer, has_filters, walk
from wootzc.ir.layers.shapes import Shape
from wootzc.ir.net.coupling import Coupling, couple

Run: TypeAlias = tuple[int, int]  # the first piece, and the one after the last


def prunable_groups(chain: Chain, shapes: Sequence[Shape], run: Run) -> int:
    """How many channel groups of a run could lose filters if it were a module.

    `shapes`: what enters each piece.
    """
    return sum(group.can_go for group in coupling_of(chain, shapes, run).groups)


def coupling_of(chain: Chain, shapes: Sequence[Shape], run: Run) -> Coupling:
    """The groups of channels of a run as a module. `shapes`: likewise."""
    start, stop = run
    return couple(tuple(piece.layer for piece in chain[start:stop]), shapes[start])


def makes_channels(layer: Layer) -> bool:
    """Whether a layer's output is made by filters, its own or those of layers inside of it.

    Squeeze and excite only weighs the channels that enter.
    """
    if not isinstance(layer, Branch):
        return has_filters(layer)
    arms = layer.arms[:1] if layer.join == "scale" else layer.arms
    return any(has_filters(inner) for arm in arms for _, inner in walk(arm))
