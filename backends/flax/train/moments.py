"""Second moments of what enters layers, from one sweep of images through the teacher.

Moments are summed in float32 within a batch on the device, in float64 over batches on the host.
Which positions are looked at is drawn on the host: XLA would compile its random numbers for longer
than all the rest.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from math import ceil, prod
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from numpy.typing import NDArray

from wootzc.backends.flax.device.parallel import Devices, Function, all_devices
from wootzc.backends.flax.net.layer_functions import joined
from wootzc.backends.flax.net.model import Values, structure, structures
from wootzc.backends.flax.train.evaluation import BATCH
from wootzc.backends.flax.train.segments import compiled_evaluate
from wootzc.backends.weights.parameters import Weights
from wootzc.backends.weights.refit import MOST, Moments
from wootzc.backends.weights.stored import check_fits, split
from wootzc.ir.layers import Body, Branch, Conv, Dense, Layer, walk_shapes
from wootzc.ir.layers.shapes import Shape, padding_of, shape_after
from wootzc.ir.net.network import Network, segment_shapes

if TYPE_CHECKING:
    from wootzc.backends.data import Split

SAMPLES = 40  # output positions per feature, about, where the images have as many


def input_moments(
    network: Network,
    weights: Weights,
    layers: Mapping[int, tuple[str, ...]],  # by number of the segment: paths of Conv and Dense
    images: "Split",
    count: int,  # of the images; the seed says which
    samples: int = SAMPLES,
    *,
    seed: int,
) -> dict[int, dict[str, Moments]]:
    """By segment and path; without layers of more than `MOST` features."""
    devices, count = all_devices(), min(count, len(images))
    segments, shapes = network.segments, segment_shapes(network)
    drawn = {
        position: _drawn(segments[position].body, shapes[position], paths, count, samples, where)
        for position, paths in layers.items()
        for where in [(seed, position)]
    }

    def positions(segment: int, place: NDArray[np.intp]) -> dict[str, Any]:
        return {path: devices.spread(at[place]) for path, at in drawn[segment].items()}

    measured = {position: _compiled(segments[position].body, devices) for position in layers}
    total: dict[int, dict[str, Moments]] = {position: {} for position in layers}
    for position, found in sweep(network, weights, images, count, measured, positions, seed=seed):
        for path, sums in found.items():
            so_far = total[position].get(path, 0)
            total[position][path] = so_far + np.asarray(sums, np.float64)
    return total


def sweep(
    network: Network,
    weights: Weights,
    images: "Split",
    count: int,  # of the images
    measured: Mapping[int, Function],  # by number of the segment
    given: Callable[[int, NDArray[np.intp]], Any],  # segment, places among the images: for it
    *,
    seed: int,  # which images
) -> Iterator[tuple[int, Any]]:
    """What is found in segments, one batch of images after the other; on the host.

    `measured`: (values, x, what is given, [batch] 1 for an image and 0 for one that fills the
    batch) → what leaves the segment, and what was found in it.
    """
    check_fits(network, weights)
    devices, stop = all_devices(), max(measured, default=-1) + 1
    graphs = structures(network)[:stop]
    values = [devices.replicate(part) for part in split(network, weights)[:stop]]
    rows = np.sort(np.random.default_rng(seed).permutation(len(images))[:count])
    parts = np.array_split(np.arange(count), ceil(count / BATCH))
    size = -(-len(parts[0]) // devices.count) * devices.count
    filled = [np.resize(part, size) for part in parts]  # what fills a batch weighs nothing
    batches = images.batches(rows[one] for one in filled)
    for part, place, batch in zip(parts, filled, batches, strict=True):
        x: Any = devices.spread(batch.images)
        counted = devices.spread((np.arange(size) < len(part)).astype(np.float32))
        for position, own in enumerate(values):
            if position in measured:
                x, found = measured[position](own, x, given(position, place), counted)
                yield position, devices.first(found)
            else:
                x = compiled_evaluate(graphs[position], devices)(own, x)


@cache
def _compiled(body: Body, devices: Devices) -> Function:
    """(values, x, positions by path, weights) → what leaves the body, and the moments by path.

    Moments are sums over all devices.
    """

    def run(
        values: Values,
        x: jax.Array,
        drawn: Mapping[str, jax.Array],  # [batch, positions]
        weights: jax.Array,  # [batch] 1 for an image, 0 for one that fills the batch
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        found: dict[str, jax.Array] = {}

        def measure(path: str, layer: Layer, x: jax.Array) -> jax.Array:
            if path in drawn and isinstance(layer, Conv | Dense):
                patches = sampled_patches(layer, x, drawn[path])
                found[path] = second_moments(patches, weights)
            return x

        leaving = watched(body, values, x, measure)
        if devices.axis_name is not None:
            found = lax.psum(found, devices.axis_name)
        return leaving, found

    return devices.compile(run)


def watched(
    body: Body,
    values: Values,
    x: jax.Array,
    watch: Callable[[str, Layer, jax.Array], jax.Array],
    prefix: str = "",
) -> jax.Array:
    """What leaves a body in evaluation mode; what enters each of its layers goes by `watch`."""
    for index, layer in enumerate(body):
        path, shape = f"{prefix}{index}", x.shape[1:]
        x = watch(path, layer, x)
        if isinstance(layer, Branch):
            arms = enumerate(layer.arms)
            x = joined(layer, [watched(a, values, x, watch, f"{path}.{i}.") for i, a in arms])
        else:
            own = {f"0/{a.name}": values[f"{path}/{a.name}"] for a in layer.arrays()}
            x = structure((layer,), shape).evaluate(own, x)
    return x


def _features(layer: Conv | Dense, shape: Shape) -> int:
    """Numbers that one group's kernel sees."""
    if isinstance(layer, Dense):
        return shape[-1]
    return prod(layer.kernel) * shape[-1] // layer.groups


def _drawn(
    body: Body, shape: Shape, paths: Sequence[str], images: int, samples: int, seed: Sequence[int]
) -> dict[str, NDArray[np.int32]]:  # by path: [images, positions]
    """What is drawn of a layer is its own, whoever else is asked for."""
    return {
        path: drawn_positions(layer, entering, images, samples / images, [*seed, *path.encode()])
        for path, layer, entering in walk_shapes(body, shape)
        if path in paths and isinstance(layer, Conv | Dense)
        if _features(layer, entering) <= MOST
    }


def drawn_positions(
    layer: Conv | Dense,
    shape: Shape,  # that enters
    images: int,
    density: float,  # positions per feature and image; all positions, where there are fewer
    seed: Sequence[int],
) -> NDArray[np.int32]:  # [images, positions]
    """Output positions to look at, row by row of the image.

    The output is cut into equal runs of positions and one is drawn of each, so that none comes
    twice, and all come once if they shall.
    """
    pixels = 1 if isinstance(layer, Dense) else prod(shape_after(layer, shape)[:2])
    wanted = min(pixels, ceil(density * _features(layer, shape)))
    bounds = np.arange(wanted + 1) * pixels // wanted
    rng = np.random.default_rng(seed)
    return rng.integers(bounds[:-1], bounds[1:], (images, wanted), dtype=np.int32)


def sampled_patches(
    layer: Conv | Dense,
    x: jax.Array,  # [batch, height, width, channels] or [batch, channels]
    drawn: jax.Array,  # [batch, positions] output positions
) -> jax.Array:  # [batch, positions, groups, features]
    """What the layer's kernel sees at these positions, in the order of its own axes."""
    batch, channels = x.shape[0], x.shape[-1]
    if isinstance(layer, Dense):
        return x.reshape(batch, 1, 1, channels)
    taps, wanted = prod(layer.kernel), drawn.shape[1]
    _, width, _ = shape_after(layer, x.shape[1:])
    top, left = (
        first[..., None] * stride + dilation * offset
        for first, stride, dilation, offset in zip(
            (drawn // width, drawn % width),
            layer.stride,
            layer.dilation,
            np.indices(layer.kernel).reshape(2, taps),
            strict=True,
        )
    )
    padding = padding_of(layer, (x.shape[1], x.shape[2]))
    padded = jnp.pad(x, ((0, 0), *padding, (0, 0)))
    patches = padded[np.arange(batch)[:, None, None], top, left]  # [batch, wanted, taps, channels]
    by_group = patches.reshape(batch, wanted, taps, layer.groups, channels // layer.groups)
    return by_group.swapaxes(2, 3).reshape(batch, wanted, layer.groups, taps * by_group.shape[-1])


def second_moments(
    patches: jax.Array,  # [batch, positions, groups, features]
    weights: jax.Array,  # [batch]
) -> jax.Array:  # [groups, features + 1, features + 1]
    """Sums of products over batch and positions, with a constant 1 as last feature."""
    rows = jnp.pad(patches, ((0, 0), (0, 0), (0, 0), (0, 1)), constant_values=1)
    weighted = rows * weights[:, None, None, None]
    return jnp.einsum("bpgf,bpgh->gfh", weighted, rows, precision="highest")
