"""Shape inference: what layers make of their input. Shapes leave the batch axis out."""

from functools import lru_cache

from wootzc.ir.layers import Body, Layer
from wootzc.ir.layers.layer_page import ShapeError as ShapeError
from wootzc.ir.layers.sizes import Shape as Shape
from wootzc.ir.layers.sizes import shape_text as shape_text
from wootzc.ir.layers.windows import overhang as overhang
from wootzc.ir.layers.windows import padding_of as padding_of
from wootzc.ir.layers.windows import resolved_padding as resolved_padding


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
