"""How much memory training a block takes, and how much there is.

Estimates: they decide what runs side by side, so they rather say too much.
"""

from collections.abc import Sequence
from math import prod
from typing import Any

import jax
import numpy as np

from wootzc.backends.flax.device.parallel import Devices
from wootzc.backends.flax.train.block_parts import block_parts
from wootzc.backends.flax.train.blocks import running_recipe
from wootzc.backends.flax.train.recipes import transformation
from wootzc.backends.weights.parameters import is_statistic, parameters
from wootzc.ir.layers import Body, walk_shapes
from wootzc.ir.layers.shapes import Shape, shape_after_body
from wootzc.ir.net.network import Module, Network
from wootzc.ir.net.rate import Rate
from wootzc.ir.space.recipe import Recipe

NUMBER = 4  # bytes


def block_bytes(
    network: Network, start: int, rates: Sequence[Rate], recipe: Recipe, devices: Devices
) -> int:
    """Bytes that a block of these modules holds while it is trained: on each device, if they have
    memory of their own; on all together, if they share the machine's.

    Per device its weights, their gradients and the optimiser's moments. Per image what its layers
    give out, once more for the gradients, and the teacher's activations at both ends. Steps of
    blocks in flight may run at the same time, so each block is taken to hold all of it.
    """
    optimizer = transformation(running_recipe(recipe).optimizer, 1.0)
    parts = list(block_parts(network, start, rates))
    copies = images = 0
    for segment, _, shape in parts:
        sizes = parameters(segment.body, shape)
        copies += sum(prod(size) for size in sizes.values())
        images += activation_size(segment.body, shape) * (2 if isinstance(segment, Module) else 1)
        if isinstance(segment, Module):
            learned = {
                name: np.broadcast_to(np.float32(0), size)  # of this shape, but no memory
                for name, size in sizes.items()
                if not is_statistic(name)
            }
            copies += _numbers(learned) + _numbers(jax.eval_shape(optimizer.init, learned))
    last = parts[-1]
    images += prod(parts[0].shape) + prod(shape_after_body(last.segment.body, last.shape))
    if devices.accelerated:
        return NUMBER * (copies + images * recipe.batch // devices.count)
    return NUMBER * (copies * devices.count + images * recipe.batch)


def activation_size(body: Body, shape: Shape) -> int:
    """Numbers that all layers of a body give out for one image of this shape."""
    return sum(prod(layer.after(entering)) for _, layer, entering in walk_shapes(body, shape))


def _numbers(tree: Any) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(tree))
