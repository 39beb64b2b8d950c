"""What a traced model computes with: tensors of the network, and constants."""

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from wootzc.backends.flax.read.curves import Curve
from wootzc.ir.graph import Refused
from wootzc.ir.layers import Pool
from wootzc.ir.layers.shapes import Shape

Constant: TypeAlias = NDArray[Any]


@dataclass(slots=True, eq=False)
class Content:
    """What a tensor holds. `node` is None while nothing but arithmetic has read it."""

    image: Shape  # (height, width, channels), 1x1 for a vector of channels; or (features,)
    node: str | None = None
    curves: dict["Content", Curve] = field(default_factory=dict)  # it as a function of others
    origin: "Origin | None" = None
    windows: "tuple[Content, Pool] | None" = None  # it is the sum over windows of another


@dataclass(frozen=True, slots=True)
class Origin:
    """The operation that made a content."""

    name: str  # of the primitive
    operands: tuple["Content | Constant", ...]
    line: str  # of the source
    scope: str  # the module of the model


@dataclass(frozen=True, slots=True)
class Tensor:
    """A content as JAX sees it. `axes`: N, H, W, C, or - for one that was added."""

    content: Content
    axes: str
    shape: tuple[int, ...]
    softmax: str = ""  # how far a softmax of it has got: max, shifted, exp, sum, log, done


Value: TypeAlias = Tensor | Constant


def unknown(name: str, line: str, what: str = "it") -> Refused:
    """A refusal that names the primitive and where it comes from."""
    return Refused(f"`{name}` at {line}: wootzc has no layer for {what}")


def constant(value: Any) -> Constant:
    """An array of JAX's as one of NumPy's; keys of random numbers are none and stay."""
    return value if is_key(value) else np.asarray(value)


def is_key(value: Any) -> bool:
    return jnp.issubdtype(value.dtype, jax.dtypes.prng_key)


def number(value: Constant) -> float | None:
    """The one number that a constant holds, however often."""
    if value.size == 0 or not (value == value.flat[0]).all():
        return None
    return float(value.flat[0])


def alike(a: Tensor, b: Tensor) -> bool:
    """Whether axes agree, or have one element."""
    if len(a.axes) != len(b.axes):
        return False
    pairs = zip(a.axes, b.axes, a.shape, strict=True)
    return all(x == y or x == "-" or (x in "HW" and size == 1) for x, y, size in pairs)


def fits(tensor: Tensor) -> bool:
    """Whether JAX sees the image, or the vector, that the content is."""
    image = tensor.content.image
    if len(tensor.shape) == 2:
        return tensor.axes == "NC" and (len(image) == 1 or image[:2] == (1, 1))
    if len(tensor.shape) != 4 or tensor.shape[1:] != image:
        return False
    return all(x in (y, "-") for x, y in zip(tensor.axes, "NHWC", strict=True))


def relabelled(tensor: Tensor, shape: tuple[int, ...]) -> str | None:
    """The axes after a reshape that only adds or drops axes of one element."""
    if shape[:1] != tensor.shape[:1]:
        return None
    axes = zip(tensor.axes[1:], tensor.shape[1:], strict=True)
    left = [(axis, size) for axis, size in axes if size != 1 or axis == "C"]
    result = "N"
    for size in shape[1:]:
        if left and left[0][1] == size:
            result += left.pop(0)[0]
        elif size == 1:
            result += "-"
        else:
            return None
    return None if left else result


def window_counts(pool: Pool, image: Shape) -> NDArray[np.float32]:
    """How many pixels of the image each window has, [height, width, 1]."""
    assert not isinstance(pool.padding, str) or pool.padding == "valid"
    padding = ((0, 0), (0, 0)) if isinstance(pool.padding, str) else pool.padding
    counts = jax.lax.reduce_window(
        np.ones((*image[:2], 1), np.float32), 0.0, jax.lax.add, (*pool.size, 1), (*pool.stride, 1),
        (*padding, (0, 0)),
    )  # fmt: skip
    return np.asarray(counts)
