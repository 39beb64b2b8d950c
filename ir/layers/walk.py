"""Every layer of a body, in order of execution."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from wootzc.ir.layers.branch import Body, Branch, Layer
from wootzc.ir.layers.sizes import Shape


def walk(body: Body, prefix: str = "") -> Iterator[tuple[str, Layer]]:
    """Every layer with its path, in execution order; a branch comes before its arms.

    A path is positions joined by dots: "2" is the third layer of the body, "0.1.3" the fourth
    layer in the second arm of the branch at position 0.
    """
    for index, layer in enumerate(body):
        path = f"{prefix}{index}"
        yield path, layer
        if isinstance(layer, Branch):
            for arm, arm_body in enumerate(layer.arms):
                yield from walk(arm_body, f"{path}.{arm}.")


def walk_shapes(body: Body, shape: Shape, prefix: str = "") -> Iterator[tuple[str, Layer, Shape]]:
    """`walk`, with the shape that enters each layer. Raises `ShapeError`."""
    for index, layer in enumerate(body):
        path = f"{prefix}{index}"
        yield path, layer, shape
        if isinstance(layer, Branch):
            for arm, arm_body in enumerate(layer.arms):
                yield from walk_shapes(arm_body, shape, f"{path}.{arm}.")
        shape = layer.after(shape)


def rewritten(body: Body, change: Callable[[str, Layer], Layer], prefix: str = "") -> Body:
    """The body with every layer replaced by what `change` makes of it and its path.

    Arms first: a branch is changed with what its layers have become.
    """
    return tuple(_rewritten(layer, change, f"{prefix}{i}") for i, layer in enumerate(body))


def _rewritten(layer: Layer, change: Callable[[str, Layer], Layer], path: str) -> Layer:
    if isinstance(layer, Branch):
        arms = (rewritten(arm, change, f"{path}.{i}.") for i, arm in enumerate(layer.arms))
        layer = replace(layer, arms=tuple(arms))
    return change(path, layer)
