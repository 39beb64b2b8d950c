"""What a body becomes where it is exported, as far as memory and size go. Nothing is written.

A norm right behind a convolution is a part of it; which steps the other layers take is told by
their pages.
"""

from math import prod

from wootzc.ir import layers as ir
from wootzc.ir.layers.steps import NUMBER, Steps, Tensor
from wootzc.ir.net.liveness import peak_bytes

# Bytes of a file for a node, and for an array beside its numbers: names, sizes, attributes. In the
# zoo they take 75 to 129 and 32 on average; with these a limit on the file is kept.
NODE, ARRAY = 120, 64


def body_memory(body: ir.Body, shape: ir.Shape) -> int:
    """Bytes of activations that a body needs at its most, for one image.

    What enters may be written over, as it is between two parts of a network.
    """
    out = Steps()
    leaving = _body(body, out.entering(shape), out, [])
    return peak_bytes(out.steps, out.sizes, [0], [leaving.name], lent=False)


def body_size(body: ir.Body, shape: ir.Shape) -> int:
    """Bytes of a body in a file: a little more than it takes, while names are short."""
    out, arrays = Steps(), list[int]()
    _body(body, out.entering(shape), out, arrays)
    return NUMBER * sum(arrays) + ARRAY * len(arrays) + NODE * len(out.steps)


def _body(body: ir.Body, x: Tensor, out: Steps, arrays: list[int]) -> Tensor:
    """Add the body's steps to `out`, and to `arrays` how many numbers each of its arrays has."""
    before: ir.Layer | None = None
    for layer in body:
        if isinstance(layer, ir.Branch):
            x = layer.joined([_body(arm, x, out, arrays) for arm in layer.arms], out)
        elif isinstance(layer, ir.Norm) and isinstance(before, ir.Conv | ir.DepthwiseConv):
            if not before.bias:  # where it adds what it adds
                arrays.append(x.shape[-1])
        else:
            leaving = layer.after(x.shape)[-1]
            arrays += [prod(array.sizes(x.shape[-1], leaving)) for array in layer.arrays()]
            x = layer.steps(x, out)
        before = layer
    return x
