"""What a body becomes where it is exported, as far as memory and size go. Nothing is written.

What takes several nodes in ONNX takes several steps here, as `backends/onnx/emit.py` writes them;
a norm right behind a convolution is a part of it. Numbers are float32, or those that onnxruntime's
static quantisation leaves: activations and kernels of int8, biases of int32. It writes a pair of
nodes behind every step, to quantise what it makes and back, and one for every weight; a ReLU behind
a step goes into the range of what that makes.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Literal, NamedTuple, assert_never

from wootzc.ir import layers as ir
from wootzc.ir.layers.windows import overhang, resolved_padding
from wootzc.ir.net.liveness import How, Step, peak_bytes

NUMBER = 4  # bytes of a float32
# Bytes of a file for a node, and for an array beside its numbers: names, sizes, attributes. In the
# zoo they take 75 to 129 and 32 on average; with these a limit on the file is kept.
NODE, ARRAY = 120, 64
# The same of a quantised file, where names are longer and arrays come in threes: numbers, scales
# and zero points. In the zoo they take 183 to 202 and 37, with the rest of the file.
NODE_INT8, ARRAY_INT8 = 205, 40
PAIR = 5  # bytes of a scale, float32, and a zero point, int8


def body_memory(body: ir.Body, shape: ir.Shape) -> int:
    """Bytes of activations that a body needs at its most, for one image.

    What enters may be written over, as it is between two parts of a network.
    """
    return _memory(body, shape, int8=False)


def body_memory_int8(body: ir.Body, shape: ir.Shape) -> int:
    """The same of a quantised body."""
    return _memory(body, shape, int8=True)


def entering_memory_int8(shape: ir.Shape) -> int:
    """An image as it enters a quantised network, and what is made of it."""
    return (NUMBER + 1) * prod(shape)


def _memory(body: ir.Body, shape: ir.Shape, *, int8: bool) -> int:
    made = _Exported(int8=int8)
    leaving = made.body(body, made.entering(shape))
    steps = _in_int8(made.steps) if int8 else made.steps
    return peak_bytes(steps, made.sizes, [0], [leaving.name], lent=False)


def _in_int8(steps: Sequence[Step[int]]) -> list[Step[int]]:
    """What several steps read is made float32 again for each: none of them writes over it."""
    readers = Counter(value for step in steps for value in step.reads)
    return [
        step._replace(how="new") if step.how == "over" and readers[step.reads[0]] > 1 else step
        for step in steps
    ]


def body_size(body: ir.Body, shape: ir.Shape) -> int:
    """Bytes of a body in a file: a little more than it takes, while names are short."""
    made = _Exported(int8=False)
    made.body(body, made.entering(shape))
    numbers = sum(array.numbers for array in made.arrays)
    return NUMBER * numbers + ARRAY * len(made.arrays) + NODE * len(made.steps)


def body_size_int8(body: ir.Body, shape: ir.Shape) -> int:
    """Bytes of a quantised body in a file, likewise."""
    made = _Exported(int8=True)
    made.body(body, made.entering(shape))
    own = len(made.steps) - made.sharing  # of these, what has a scale of its own
    nodes, arrays, numbers = 3 * len(made.steps), 2 * own, PAIR * own
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


class _Tensor(NamedTuple):
    name: int
    shape: ir.Shape
    scattered: bool = False  # a flattened image, whose values stand channel by channel


@dataclass(slots=True)
class _Exported:
    """Steps and arrays, as layers are added to them."""

    int8: bool
    steps: list[Step[int]] = field(default_factory=list)
    sizes: dict[int, int] = field(default_factory=dict)  # bytes of each tensor
    arrays: list[_Array] = field(default_factory=list)
    sharing: int = 0  # steps whose outputs are quantised as what they read

    @property
    def number(self) -> int:
        """Bytes of one in activations."""
        return 1 if self.int8 else NUMBER

    def entering(self, shape: ir.Shape) -> _Tensor:
        self.sizes[0] = self.number * prod(shape)
        return _Tensor(0, shape)

    def body(self, body: ir.Body, x: _Tensor, *, alone: bool = True) -> _Tensor:
        """`alone`: nothing else reads what enters."""
        before: ir.Layer | None = None
        for layer in body:
            if isinstance(layer, ir.Branch):
                x = self._joined(layer, [self.body(arm, x, alone=False) for arm in layer.arms])
            elif isinstance(layer, ir.Norm) and isinstance(before, ir.Conv | ir.DepthwiseConv):
                if not before.bias:  # where it adds what it adds
                    self.arrays.append(_Array(x.shape[-1], x.shape[-1], "bias"))
            elif self.int8 and _is_relu(layer) and (alone or before is not None):
                pass
            else:
                self._weights(layer, x.shape)
                steps = len(self.steps)
                x = self._layer(layer, x)
                if isinstance(layer, ir.Flatten | ir.Pool):
                    self.sharing += len(self.steps) - steps
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

    def _step(self, how: How, *reads: _Tensor, shape: ir.Shape) -> _Tensor:
        made = _Tensor(len(self.sizes), shape, reads[0].scattered and how != "new")
        self.sizes[made.name] = self.number * prod(shape)
        self.steps.append(Step([one.name for one in reads], [made.name], how))
        return made

    def _in_turn(self, x: _Tensor, *how: How) -> _Tensor:
        """Steps of one shape, each of which reads the one before it."""
        for one in how:
            x = self._step(one, x, shape=x.shape)
        return x

    def _in_order(self, x: _Tensor) -> _Tensor:
        """With its values pixel by pixel."""
        return self._in_turn(x, "view", "new", "view") if x.scattered else x

    def _joined(self, branch: ir.Branch, arms: Sequence[_Tensor]) -> _Tensor:
        if branch.join == "concat" or len({one.scattered for one in arms}) > 1:
            arms = [self._in_order(arm) for arm in arms]
        if branch.join == "concat":
            channels = sum(arm.shape[-1] for arm in arms)
            return self._step("new", *arms, shape=(*arms[0].shape[:-1], channels))
        return self._step("over", *arms, shape=arms[0].shape)

    def _layer(self, layer: ir.Layer, x: _Tensor) -> _Tensor:
        shape = layer.after(x.shape)
        match layer:
            case ir.Conv() | ir.DepthwiseConv() | ir.Dense():
                return self._step("new", x, shape=shape)
            case ir.Norm() | ir.PRelu():
                return self._step("over", x, shape=shape)
            case ir.Pool():
                return self._step("new", self._padded(layer, x), shape=shape)
            case ir.GlobalPool():
                x = self._step("new", x, shape=(1, 1, shape[-1]))
                return x if layer.keep_dims else self._step("view", x, shape=shape)
            case ir.GroupNorm(pixelwise=True):
                x = self._in_turn(self._in_order(x), "new")
                return self._in_turn(x, "new", "new") if len(shape) == 3 else x
            case ir.GroupNorm():
                return self._in_turn(self._in_order(x), "view", "new", "view", "over", "over")
            case ir.LocalNorm():
                return self._local_norm(layer, self._in_order(x))
            case ir.Activation():
                return self._activation(layer, x)
            case ir.Dropout():
                return x
            case ir.Flatten():
                made = self._step("view", x, shape=shape)
                return made._replace(scattered=prod(x.shape[:-1]) > 1 < x.shape[-1])
            case ir.Branch():
                raise AssertionError("its arms are added one by one")
            case _:
                assert_never(layer)

    def _padded(self, pool: ir.Pool, x: _Tensor) -> _Tensor:
        """Where zeros count towards an average in a way that no runtime has: a padded copy."""
        height, width, channels = x.shape
        image = height, width
        rows, columns = resolved_padding(pool.padding, image, pool.size, pool.stride)
        wide = max(rows) >= pool.size[0] or max(columns) >= pool.size[1]
        if pool.kind == "max" or not pool.count_padding or not any((*rows, *columns)):
            return x
        if not wide and not any(overhang(pool, image)):
            return x
        return self._step("new", x, shape=(height + sum(rows), width + sum(columns), channels))

    def _local_norm(self, layer: ir.LocalNorm, x: _Tensor) -> _Tensor:
        if len(x.shape) == 3 and layer.size % 2:
            return self._in_turn(x, "new")
        squares = self._step("over", x, x, shape=x.shape)
        power = self._in_turn(squares, "view", "new", "view", "over", "over", "new")
        return self._step("over", x, power, shape=x.shape)

    def _activation(self, layer: ir.Activation, x: _Tensor) -> _Tensor:
        match layer.kind:
            case "swish":
                return self._step("over", x, self._in_turn(x, "over"), shape=x.shape)
            case "gelu":
                gate = self._in_turn(x, "over", "over", "over")
            case "gelu_tanh":
                small = self._in_turn(x, "new", "over")
                inner = self._step("over", x, small, shape=x.shape)
                gate = self._in_turn(inner, "over", "over", "over")
            case _:
                return self._in_turn(x, "over")
        return self._in_turn(self._step("over", x, gate, shape=x.shape), "over")
