"""What a body becomes where it is exported, as far as memory and size go. Nothing is written.

A norm right behind a convolution is a part of it; which steps the other layers take is told by
their pages. Numbers are float32, or those that onnxruntime's static quantisation leaves:
activations and kernels of int8, biases of int32. It writes a pair of nodes behind every step, to
quantise what it makes and back, and one for every weight; a ReLU behind a step goes into the range
of what that makes.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Literal, NamedTuple, assert_never

from wootzc.ir import layers as ir
from wootzc.ir.layers.steps import NUMBER, Step, Steps, Tensor
from wootzc.ir.net.liveness import peak_bytes

# Bytes of a file for a node, and for an array beside its numbers: names, sizes, attributes. In the
# zoo they take 75 to 129 and 32 on average; with these a limit on the file is kept.
NODE, ARRAY = 120, 64
# The same of a quantised file, where names are longer and arrays come in threes: numbers, scales
# and zero points. In the zoo they take 183 to 202 and 37, with the rest of the file.
NODE_INT8, ARRAY_INT8 = 205, 40
PAIR = 5  # bytes of a scale, float32, and a zero point, int8


def body_memory(body: ir.Body, shape: ir.Shape, *, int8: bool = False) -> int:
    """Bytes of activations that a body needs at its most, for one image.

    What enters may be written over, as it is between two parts of a network.
    """
    made = _Exported.of(int8=int8)
    leaving = made.body(body, made.out.entering(shape))
    steps = _in_int8(made.out.steps) if int8 else made.out.steps
    return peak_bytes(steps, made.out.sizes, [0], [leaving.name], lent=False)


def entering_memory_int8(shape: ir.Shape) -> int:
    """An image as it enters a quantised network, and what is made of it."""
    return (NUMBER + 1) * prod(shape)


def _in_int8(steps: Sequence[Step[int]]) -> list[Step[int]]:
    """What several steps read is made float32 again for each: none of them writes over it."""
    readers = Counter(value for step in steps for value in step.reads)
    return [
        step._replace(how="new") if step.how == "over" and readers[step.reads[0]] > 1 else step
        for step in steps
    ]


def body_size(body: ir.Body, shape: ir.Shape) -> int:
    """Bytes of a body in a file: a little more than it takes, while names are short."""
    made = _Exported.of(int8=False)
    made.body(body, made.out.entering(shape))
    numbers = sum(array.numbers for array in made.arrays)
    return NUMBER * numbers + ARRAY * len(made.arrays) + NODE * len(made.out.steps)


def body_size_int8(body: ir.Body, shape: ir.Shape) -> int:
    """Bytes of a quantised body in a file, likewise."""
    made = _Exported.of(int8=True)
    made.body(body, made.out.entering(shape))
    own = len(made.out.steps) - made.sharing  # of these, what has a scale of its own
    nodes, arrays, numbers = 3 * len(made.out.steps), 2 * own, PAIR * own
    for array in made.arrays:
        match array.role:
            case "kernel":  # a scale and a zero point for each filter
                numbers += array.numbers + PAIR * array.filters
            case "bias":  # these three all of four bytes
                numbers += 3 * NUMBER * array.numbers
            case "float":
                numbers += NUMBER * array.numbers
            case _:
                assert_never(array.role)
        quantised = array.role != "float"
        nodes += quantised
        arrays += 3 if quantised else 1
    return numbers + ARRAY_INT8 * arrays + NODE_INT8 * nodes


def entering_size_int8(shape: ir.Shape) -> int:
    """What a file holds to quantise the image that enters."""
    return 2 * NODE_INT8 + 2 * ARRAY_INT8 + PAIR


def _is_relu(layer: ir.Layer) -> bool:
    return isinstance(layer, ir.Activation) and layer.kind in ("relu", "relu6")


class _Array(NamedTuple):
    numbers: int
    filters: int  # of the layer
    role: Literal["kernel", "bias", "float"]  # float: is not quantised


@dataclass(slots=True, kw_only=True)
class _Exported:
    """Steps and arrays, as layers are added to them."""

    int8: bool
    out: Steps
    arrays: list[_Array] = field(default_factory=list)
    sharing: int = 0  # steps whose outputs are quantised as what they read

    @classmethod
    def of(cls, *, int8: bool) -> "_Exported":
        return cls(int8=int8, out=Steps(number=1 if int8 else NUMBER))

    def body(self, body: ir.Body, x: Tensor, *, alone: bool = True) -> Tensor:
        """`alone`: nothing else reads what enters."""
        before: ir.Layer | None = None
        for layer in body:
            if isinstance(layer, ir.Branch):
                arms = [self.body(arm, x, alone=False) for arm in layer.arms]
                x = layer.joined(arms, self.out)
            elif isinstance(layer, ir.Norm) and isinstance(before, ir.Conv | ir.DepthwiseConv):
                if not before.bias:  # where it adds what it adds
                    self.arrays.append(_Array(x.shape[-1], x.shape[-1], "bias"))
            elif self.int8 and _is_relu(layer) and (alone or before is not None):
                pass
            else:
                self._weights(layer, x.shape)
                steps = len(self.out.steps)
                x = layer.steps(x, self.out)
                if isinstance(layer, ir.Flatten | ir.Pool):
                    self.sharing += len(self.out.steps) - steps
                elif isinstance(layer, ir.GlobalPool) and not layer.keep_dims:
                    self.sharing += 1
            before = layer
        return x

    def _weights(self, layer: ir.Layer, shape: ir.Shape) -> None:
        for array in layer.arrays():
            filters = layer.after(shape)[-1]
            role: Literal["kernel", "bias", "float"] = "float"
            if isinstance(layer, ir.Conv | ir.DepthwiseConv | ir.Dense):
                role = "bias" if array.name == "bias" else "kernel"
            elif isinstance(layer, ir.Norm) and array.name in ("scale", "bias"):
                role = "kernel" if array.name == "scale" else "bias"
            self.arrays.append(_Array(prod(array.sizes(shape[-1], filters)), filters, role))
