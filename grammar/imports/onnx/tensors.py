"""What flows between the operators of an ONNX graph, as far as it is known before any of them runs.

Our layers keep images as height x width x channels. An ONNX tensor has axes of its own, which
reshapes and transpositions move about without a number changing. So a tensor says for each of its
ONNX axes which of ours run along it, in letters: an image is ("N", "C", "H", "W"), and after
flattening ("N", "CHW"). An axis of size 1 has no letter (the batch's excepted): what only adds or
drops such axes changes nothing here, and ("N", "C", "", "") is ("N", "C") to every layer.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wootzc.ir.graph import Refused
from wootzc.ir.layers import Pair
from wootzc.ir.layers.curves import Curve
from wootzc.ir.layers.shapes import Shape

Layout: TypeAlias = tuple[str, ...]
Pads: TypeAlias = tuple[Pair, Pair]  # ((top, bottom), (left, right))

NO_PADS: Pads = ((0, 0), (0, 0))

MOVES_BATCH = "it moves the axis of the batch"
PIXELS_APART = "it takes rows of pixels apart, as space to depth does"
SPLITS = "it splits an axis, as a channel shuffle or attention does"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    node: str | None  # the draft that makes it; None where no layer of ours does
    image: Shape  # (height, width, channels), flattened or not
    layout: Layout
    batch: int = 1
    flat: bool = False  # ours is a vector already, channels fastest
    refusal: Refused | None = None  # why no layer may read it: no node, padding, repeated, softmax
    pads: Pads = NO_PADS  # zeros around it that no layer has added yet
    repeated: tuple[int, ...] = ()  # its sizes in ONNX where an Expand repeats one pixel
    order: NDArray[np.intp] | None = (
        None  # of a vector in another order: ONNX's place of each of ours
    )
    readers: Collection[str] = ()  # operators that may read it although it has a refusal
    softmax: bool = False  # a softmax that is left out: only the network's end may read it
    positive: bool = False  # no number in it is below zero
    lines: Mapping[str, "Line"] = field(default_factory=dict)  # by the base's node, oldest first

    @property
    def dims(self) -> tuple[int, ...]:
        """The sizes of its axes in ONNX."""
        sizes = tuple(prod(map(self.size, letters)) for letters in self.layout)
        return self.repeated or sizes

    @property
    def features(self) -> int:
        """The size of the last axis of ours."""
        return prod(self.image) if self.flat else self.image[2]

    def size(self, letter: str) -> int:
        """Of the axis of a letter, with the zeros around it that no layer has added yet."""
        height, width, channels = self.image
        sizes = {
            "N": self.batch,
            "C": channels,
            "H": height + sum(self.pads[0]),
            "W": width + sum(self.pads[1]),
        }
        return sizes[letter]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A tensor as a function, number by number, of an earlier one."""

    base: Tensor
    curve: Curve


def inner(tensor: Tensor) -> Tensor:
    """The tensor without the zeros around it, for layers that keep or add them."""
    if tensor.pads == NO_PADS:
        return tensor
    return replace(tensor, pads=NO_PADS, refusal=None, readers=())


def letters(axes: str, image: Shape) -> Layout:
    """A layout of one axis a letter: ("N", "C", "H", "W") without the letters of size 1."""
    sizes = dict(zip("HWC", image, strict=True))
    return tuple(a if sizes.get(a, 2) > 1 else "" for a in axes)


def reshaped(tensor: Tensor, dims: Sequence[int]) -> Tensor:
    """The same numbers in the same order with other axes. Raises `ValueError` with the reason.

    Before: ("N", "C", "H", "W") of 1x8x4x4, to 1x128
    After:  ("N", "CHW")

    To 128 it becomes ("NCHW",), which no layer reads: it has to be taken apart again.
    """
    rest = list("".join(tensor.layout))
    if not dims or rest[:1] != ["N"]:
        raise ValueError(MOVES_BATCH)
    layout = []
    for number, size in enumerate(dims):
        taken = rest.pop(0) if number == 0 else ""
        while rest and prod(map(tensor.size, taken)) < size:
            taken += rest.pop(0)
        if prod(map(tensor.size, taken)) != size:
            if taken[:1] in ("H", "W"):
                raise ValueError(PIXELS_APART)
            raise ValueError(SPLITS if number else MOVES_BATCH)
        layout.append(taken)
    if rest:
        raise ValueError("it leaves numbers out")
    return replace(tensor, layout=tuple(layout))


def gathered(tensor: Tensor, axis: int, indices: NDArray[Any]) -> Layout | None:
    """The layout behind a Gather that takes every number along `axis` once; None behind others.

    PyTorch's exporter writes so what only changes the strides of a tensor.

    Before: ("NC",) of 128, the batch being 2, at the indices [[0, 1, …, 63], [64, 65, …, 127]]
    After:  ("N", "C")
    """
    along = [x for x in tensor.layout[axis] if tensor.size(x) > 1]
    sizes = [tensor.size(letter) for letter in along]
    if not indices.size or indices.size != prod(sizes):
        return None
    steps = [prod(sizes[number + 1 :]) for number in range(len(sizes))]
    layout = []
    for number, size in enumerate(indices.shape):
        if size == 1:
            layout.append("")
            continue
        neighbour = indices[tuple(int(other == number) for other in range(indices.ndim))]
        ends = [end for end, step in enumerate(steps) if step == neighbour - indices.flat[0]]
        runs = ("".join(along[start : end + 1]) for end in ends for start in range(end + 1))
        layout.append(next((r for r in runs if prod(map(tensor.size, r)) == size), "?"))
    order = [along.index(letter) for letter in "".join(layout) if letter in along]
    if len(order) != len(along) or len(set(order)) != len(along):
        return None
    numbers = np.arange(indices.size).reshape(sizes).transpose(order)
    if not np.array_equal(numbers.reshape(indices.shape), indices):
        return None
    if tensor.batch == 1 and "N" in tensor.layout[axis]:
        if not layout:
            return None
        layout[0] = f"N{layout[0]}"
    return (*tensor.layout[:axis], *layout, *tensor.layout[axis + 1 :])


def target_dims(tensor: Tensor, target: Sequence[int], *, zero_copies: bool) -> list[int]:
    """What the sizes in a Reshape stand for: 0 is the input's, -1 whatever is left."""
    old = tensor.dims
    dims = [old[i] if size == 0 and zero_copies else size for i, size in enumerate(target)]
    if -1 in dims:
        at = dims.index(-1)
        dims[at] = 1
        dims[at] = prod(old) // prod(dims)
    return dims


def transposed(tensor: Tensor, order: Sequence[int]) -> Tensor:
    """With the axes in this order. Raises `ValueError` where that is not all of them."""
    if sorted(order) != list(range(len(tensor.layout))):
        raise ValueError("its axes are not those of its input")
    return replace(tensor, layout=tuple(tensor.layout[axis] for axis in order))


def in_our_order(values: NDArray[Any], letters: str, image: Shape) -> NDArray[Any]:
    """Values along axis 0 in ONNX's order of flattening, "CHW" say, put into ours, "HWC"."""
    sizes = dict(zip("HWC", image, strict=True))
    apart = values.reshape((*(sizes[letter] for letter in letters), *values.shape[1:]))
    order = [letters.index(letter) for letter in "HWC" if letter in letters]
    rest = range(len(letters), apart.ndim)
    return apart.transpose(*order, *rest).reshape(values.shape)


def matrix_turned(matrix: NDArray[Any]) -> NDArray[Any]:
    """The transpose, in strips: NumPy takes six times as long over VGG's 4096 x 25088 at once."""
    turned = np.empty(matrix.shape[::-1], matrix.dtype)
    for start in range(0, len(matrix), 64):
        turned[:, start : start + 64] = matrix[start : start + 64].T
    return turned
