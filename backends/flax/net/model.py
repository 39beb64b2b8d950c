"""IR → flax.nnx: one `SegmentNet` per segment, a network is the list of them.

Assembling a candidate is putting segments in a list; a pre-trained block is such a segment with its
weights. Segments of equal shape have equal graph definitions (nothing in them has a name), so that
whatever is jitted for one serves all of them.

In bfloat16 a segment takes, keeps and leaves activations in bfloat16; its parameters stay float32.
Convolutions and dense layers compute in bfloat16; norms and means over pixels in float32, and then
round. See docs/decisions/008-bfloat16.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import Any, TypeAlias, assert_never

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax
from numpy.typing import NDArray

from wootzc.backends.flax.net.batch_norm import normalized
from wootzc.backends.flax.net.convolution import convolved, form_of
from wootzc.backends.flax.net.layer_functions import (
    ACTIVATIONS,
    dropout,
    joined,
    local_norm,
    pool,
)
from wootzc.backends.weights.parameters import is_statistic
from wootzc.ir.layers import (
    Activation,
    Body,
    Branch,
    Conv,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalPool,
    GroupNorm,
    Layer,
    Learned,
    LocalNorm,
    Norm,
    Pool,
    PRelu,
    walk,
    walk_shapes,
)  # fmt: skip
from wootzc.ir.layers.shapes import Shape
from wootzc.ir.net.network import Network, segment_shapes
from wootzc.ir.space.recipe import Precision

Array: TypeAlias = jax.Array | NDArray[Any]  # on a device, or on its way there
Values: TypeAlias = Mapping[str, Array]  # "path/parameter" of one segment → array

_lock = Lock()


class SegmentNet(nnx.Module):
    """One segment. What its layers learn is held in nnx modules, under their IR path."""

    def __init__(
        self,
        body: Body,
        shape: Shape,
        *,
        axis_name: str | None,
        precision: Precision = "float32",
        plain: bool = False,
    ):
        self.body = nnx.static(body)
        self.axis_name = axis_name
        self.plain = plain
        self.dtype = np.dtype(precision)
        self.layers = nnx.Dict({
            path: _module(layer, entering)
            for path, layer, entering in walk_shapes(body, shape)
            if isinstance(layer, Learned)
        })  # fmt: skip

    def __call__(
        self,
        x: jax.Array,  # [batch, height, width, channels] or [batch, channels]
        *,
        train: bool = False,
        keys: jax.Array | None = None,  # [batch] random keys, one a sample; dropout needs them
    ) -> jax.Array:
        return self._run(self.body, "", x.astype(self.dtype), train, keys)

    def _run(
        self, body: Body, prefix: str, x: jax.Array, train: bool, keys: jax.Array | None
    ) -> jax.Array:
        rest = iter(enumerate(body))
        for index, layer in rest:
            path = f"{prefix}{index}"
            if train and isinstance(layer, Norm):
                rectified = body[index + 1 : index + 2] == (Activation(kind="relu"),)
                x = self._normalized(layer, path, x, rectified)
                if rectified:  # it is done
                    next(rest)
            else:
                x = self._apply(layer, path, x, train, keys)
        return x

    def _normalized(self, layer: Norm, path: str, x: jax.Array, rectified: bool) -> jax.Array:
        """A batch norm in training mode, and the relu behind it; its running statistics move."""
        own: Any = self.layers[path]
        x, *found = normalized(
            x, own.scale[...], own.bias[...], layer.epsilon, rectified, self.axis_name
        )
        for running, now in zip((own.mean, own.var), found, strict=True):
            running[...] = layer.momentum * running[...] + (1 - layer.momentum) * now
        return x

    def _apply(
        self, layer: Layer, path: str, x: jax.Array, train: bool, keys: jax.Array | None
    ) -> jax.Array:
        own: Any = self.layers.get(path)
        match layer:
            case Conv() | DepthwiseConv():
                form = form_of(layer, x.shape[1:], jax.default_backend())
                kernel = own.kernel[...].astype(self.dtype)
                y = convolved(layer, x, kernel, "convolution" if self.plain else form)
                return y + own.bias[...].astype(self.dtype) if layer.bias else y
            case Dense():
                along = ((x.ndim - 1,), (0,)), ((), ())
                y = lax.dot_general(x, own.kernel[...].astype(self.dtype), along)
                return y + own.bias[...].astype(self.dtype) if layer.bias else y
            case GroupNorm():  # in float32, as all norms and slopes
                return self.layers[path](x).astype(self.dtype)
            case Norm(epsilon=epsilon):  # in evaluation mode
                factor = lax.rsqrt(own.var[...] + epsilon) * own.scale[...]
                return ((x - own.mean[...]) * factor + own.bias[...]).astype(self.dtype)
            case PRelu():
                return jnp.where(x >= 0, x, own.slope[...] * x).astype(self.dtype)
            case LocalNorm():
                return local_norm(layer, x.astype(np.float32)).astype(self.dtype)
            case Activation(kind="leaky_relu", slope=slope):
                return jax.nn.leaky_relu(x, slope)
            case Activation(kind=kind):
                return ACTIVATIONS[kind](x)
            case Pool(kind="avg"):
                return pool(layer, x.astype(np.float32)).astype(self.dtype)
            case Pool():
                return pool(layer, x)
            case GlobalPool(kind=kind, keep_dims=keep):  # a mean of bfloat16 adds up in float32
                return (jnp.max if kind == "max" else jnp.mean)(x, axis=(1, 2), keepdims=keep)
            case Dropout(rate=rate):
                return dropout(x, rate, keys, path) if train and rate > 0 else x
            case Flatten():
                return x.reshape(x.shape[0], -1)
            case Branch(arms=arms):
                outputs = [
                    self._run(arm, f"{path}.{i}.", x, train, keys) for i, arm in enumerate(arms)
                ]
                return joined(layer, outputs)
            case _:
                assert_never(layer)


class Held(nnx.Module):
    """What a layer learns, and its running statistics, under the names that its page gives them."""

    def __init__(self, layer: Learned, shape: Shape):
        leaving = layer.after(shape)[-1]
        for array in layer.arrays():
            setattr(self, array.name, nnx.Param(jnp.zeros(array.sizes(shape[-1], leaving))))


def _module(layer: Learned, shape: Shape) -> nnx.Module:
    if not isinstance(layer, GroupNorm):
        return Held(layer, shape)
    options: dict[str, Any] = {
        "epsilon": layer.epsilon,
        "use_fast_variance": False,
        "dtype": np.float32,
        "rngs": nnx.Rngs(0),
    }
    if layer.pixelwise:
        return nnx.LayerNorm(shape[-1], **options)
    return nnx.GroupNorm(shape[-1], layer.groups, **options)


@dataclass(frozen=True, slots=True, eq=False)
class Structure:
    """A segment without its weights, made by `structure`: equal segments share one object.

    So it compares and hashes by identity, at once, and keys everything that is compiled.
    """

    graph: nnx.GraphDef[SegmentNet]
    draws: bool  # whether training it needs random keys

    def module(self, values: Values) -> SegmentNet:
        """The module object that holds `values`."""
        state = nnx.from_flat_state(
            (("layers", *name.split("/")), jnp.asarray(value))  # or nnx writes into NumPy's memory
            for name, value in values.items()
        )
        return nnx.merge(self.graph, state)

    def evaluate(self, values: Values, x: Array) -> jax.Array:
        """What leaves the segment in evaluation mode: [batch, …, channels]."""
        return self.module(values)(jnp.asarray(x))

    def train(
        self, values: Values, x: Array, keys: jax.Array | None
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """What leaves the segment in training mode, and its new running statistics."""
        module = self.module(values)
        y = module(jnp.asarray(x), train=True, keys=keys)
        _, state = nnx.split(module)
        return y, {
            name: variable[...]
            for (_, *path), variable in nnx.to_flat_state(state)
            if is_statistic(name := "/".join(map(str, path)))
        }


@cache
def structure(
    body: Body,
    shape: Shape,
    axis_name: str | None = None,
    precision: Precision = "float32",
    plain: bool = False,
) -> Structure:
    """The structure of a segment that `shape` enters.

    `axis_name`: the device axis over which batch norms average their statistics. `plain`: every
    convolution is one, for whoever compiles it for another machine.
    """
    net = nnx.eval_shape(
        lambda: SegmentNet(body, shape, axis_name=axis_name, precision=precision, plain=plain)
    )
    graph, _ = nnx.split(net)
    draws = any(isinstance(layer, Dropout) and layer.rate > 0 for _, layer in walk(body))
    return Structure(graph=graph, draws=draws)


def structures(
    network: Network,
    axis_name: str | None = None,
    precision: Precision = "float32",
    plain: bool = False,
) -> tuple[Structure, ...]:
    """The network as a list of segments."""
    with _lock:  # or threads that ask at once get objects of their own, and compile all anew
        return tuple(
            structure(segment.body, shape, axis_name, precision, plain)
            for segment, shape in zip(network.segments, segment_shapes(network), strict=False)
        )


def evaluate_all(structures: tuple[Structure, ...], values: Sequence[Values], x: Any) -> jax.Array:
    """Logits of a whole network in evaluation mode."""
    x = jnp.asarray(x)
    for structure, own in zip(structures, values, strict=True):
        x = structure.evaluate(own, x)
    return x
