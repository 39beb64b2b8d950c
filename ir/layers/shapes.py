"""Shape inference: what layers make of their input. Shapes leave the batch axis out."""

from functools import lru_cache

from wootzc.ir.layers import Body, Layer
from wootzc.ir.layers.layer_page import ShapeError
from wootzc.ir.layers.sizes import Shape, shape_text
from wootzc.ir.layers.windows import overhang, padding_of, resolved_padding

__all__ = [
    "Shape",
    "ShapeError",
    "overhang",
    "padding_of",
    "resolved_padding",
    "shape_after",
    "shape_after_body",
    "shape_text",
]


@lru_cache(maxsize=8_192)
def shape_after(layer: Layer, shape: Shape) -> Shape:
    """The shape that leaves `layer` when `shape` enters. Raises `ShapeError`."""
    return layer.after(shape)


@lru_cache(maxsize=8_192)
def shape_after_body(body: Body, shape: Shape) -> Shape:
    """The shape that leaves the last layer of `body`. Raises `ShapeError`."""
    for layer in body:
        shape = layer.after(shape)
    return shape
