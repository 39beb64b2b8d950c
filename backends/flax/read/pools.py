"""Sums and maxima over pixels of a traced model, as pools."""

from dataclasses import replace
from typing import Any

import numpy as np

from wootzc.backends.flax.read import softmax
from wootzc.backends.flax.read.curves import POINTS
from wootzc.backends.flax.read.nodes import Nodes
from wootzc.backends.flax.read.trace import scope_of, where
from wootzc.backends.flax.read.traced_values import (
    Content,
    Origin,
    Tensor,
    Value,
    fits,
    unknown,
    window_counts,
)
from wootzc.ir.layers import GlobalPool, Pool
from wootzc.ir.layers.shapes import shape_after


def reduced(nodes: Nodes, eqn: Any, outer: Any, tensor: Tensor) -> Tensor:
    """A sum or maximum over height and width; over channels it may be part of a softmax.

    `outer`: the operation of the model that `eqn` stands in.
    """
    name, shape = eqn.primitive.name, eqn.outvars[0].aval.shape
    over = "".join(tensor.axes[axis] for axis in eqn.params["axes"]).replace("-", "")
    axes = "".join(a for i, a in enumerate(tensor.axes) if i not in eqn.params["axes"])
    if step := softmax.reduced(name, tensor, axes, over):
        return step
    if set(over) != {"H", "W"} or not fits(tensor) or tensor.softmax:
        what = f"a reduction over other axes than height and width ({over})"
        raise unknown(name, where(outer), what)
    is_max = name == "reduce_max"
    pool = GlobalPool(kind="max" if is_max else "avg", keep_dims=True)
    pooled = nodes.named(scope_of(outer), "global_pool")
    made = nodes.made(pool, tensor.content, pooled, {})
    if is_max:
        return Tensor(made, axes, shape)
    pixels = np.asarray(np.prod(tensor.content.image[:2]), np.float32)
    return Tensor(_times(made, pixels, outer), axes, shape)


def windowed(nodes: Nodes, eqn: Any, outer: Any, tensor: Tensor) -> Tensor:
    """A maximum or sum over windows: the latter is their average times their size."""
    p, ones = eqn.params, (1, 1, 1, 1)
    straight = tensor.axes == "NHWC" and fits(tensor)
    undilated = tuple(p["base_dilation"]) == tuple(p["window_dilation"]) == ones
    size, stride, padding = p["window_dimensions"], p["window_strides"], p["padding"]
    if not straight or not undilated or {size[0], size[-1], stride[0], stride[-1]} != {1}:
        what = "windows over other axes, or dilated ones"
        raise unknown(eqn.primitive.name, where(outer), what)
    is_max = eqn.primitive.name == "reduce_window_max"
    (top, bottom), (left, right) = padding[1], padding[2]
    padded = any((top, bottom, left, right))
    pool = Pool(
        kind="max" if is_max else "avg",
        size=(size[1], size[2]),
        stride=(stride[1], stride[2]),
        padding=((top, bottom), (left, right)) if padded else "valid",
        count_padding=padded and not is_max,
    )
    shape = eqn.outvars[0].aval.shape
    if is_max:
        name = nodes.named(scope_of(outer), "max_pool")
        return Tensor(nodes.made(pool, tensor.content, name, {}), "NHWC", shape)
    nodes.materialised(tensor.content)
    average = Content(shape_after(pool, tensor.content.image))
    average.windows = (tensor.content, pool)
    average.origin = Origin(eqn.primitive.name, (), where(outer), scope_of(outer))
    average.curves[average] = POINTS
    pixels = np.asarray(size[1] * size[2], np.float32)
    return Tensor(_times(average, pixels, outer), "NHWC", shape)


def averaged(nodes: Nodes, scope: str, name: str, inputs: list[Value]) -> Content | None:
    """A sum over windows, divided by how many pixels of the image each of them has."""
    if name != "div" or not isinstance(inputs[0], Tensor) or not inputs[0].content.windows:
        return None
    source, pool = inputs[0].content.windows
    divisor = inputs[1]
    if not isinstance(divisor, np.ndarray) or divisor.ndim != 4:
        return None
    counts = window_counts(pool, source.image)[None]
    if divisor.shape[-1] != 1 and (divisor == divisor[..., :1]).all():
        divisor = divisor[..., :1]
    if not np.array_equal(divisor[:1], counts):
        return None
    counted = replace(pool, count_padding=False)
    return nodes.made(counted, source, nodes.named(scope, "avg_pool"), {})


def _times(mean: Content, count: Any, outer: Any) -> Content:
    """The sum of so many numbers, of which the mean is known."""
    total = Content(mean.image, windows=mean.windows)
    total.curves = {mean: POINTS * count, total: POINTS}
    total.origin = Origin("mul", (mean, count), where(outer), scope_of(outer))
    return total
