"""Modules left out whole: their last rate.

A module that begins with a sum of its input and of what its layers make of it is left out by
leaving out the sum: its input goes on. What follows the sum stays, an activation as a rule; it must
have no weights, so that none moves to another place.
"""

from typing import Final

from wootzc.ir.layers import Activation, Body, Branch, Layer
from wootzc.ir.net.network import Module
from wootzc.ir.net.rate import Rate, removed

SKIP: Final = 1.0  # the rate, of what is inside


def is_skipped(rate: Rate) -> bool:
    return removed(rate, "inside") == SKIP


def can_be_skipped(module: Module) -> bool:
    """Whether its input may go on in its place, and layers of zeros would come to the same."""
    if module.outside or not module.body:
        return False
    first, *rest = module.body
    return (
        isinstance(first, Branch)
        and first.join == "add"
        and () in first.arms
        and any(first.arms)
        and all(_vanishes(arm) for arm in first.arms if arm)
        and not any(isinstance(layer, Branch) or layer.arrays() for layer in rest)
    )


def without_sum(module: Module) -> Body:
    """What is left of it."""
    return module.body[1:]


def _vanishes(arm: Body) -> bool:
    """Whether nothing comes of an arm whose weights are all zero."""
    zero = False  # whether what enters a layer is
    for layer in arm:
        zero = _gives_zero(layer, zero)
    return zero


def _gives_zero(layer: Layer, zero: bool) -> bool:
    if isinstance(layer, Branch):
        arms = [zero if not arm else _vanishes(arm) for arm in layer.arms]
        return any(arms) if layer.join == "scale" else all(arms)
    if isinstance(layer, Activation) and layer.kind in ("sigmoid", "hard_sigmoid"):
        return False
    return zero or (bool(layer.arrays()) and layer.channels != "mixes")
