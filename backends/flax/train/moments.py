"""Second moments of what enters layers, from one sweep of images through the teacher.

Moments are summed in float32 within a batch on the device, in float64 over batches on the host.
"""

from collections.abc import Callable, Mapping
from functools import cache
from math import ceil
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from wootzc.backends.flax.device.parallel import Devices, Function, all_devices
from wootzc.backends.flax.net.model import Values, joined, structure, structures
from wootzc.backends.flax.train.evaluation import BATCH
from wootzc.backends.flax.train.segments import compiled_evaluate
from wootzc.backends.weights.parameters import Weights
from wootzc.backends.weights.refit import MOST, Moments
from wootzc.backends.weights.stored import check_fits, split
from wootzc.ir.layers import Body, Branch, Conv, Dense, Layer
from wootzc.ir.layers.shapes import padding_of, shape_after
from wootzc.ir.net.network import Network

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
    check_fits(network, weights)
    devices = all_devices()
    count = min(count, len(images))
    stop = max(layers, default=-1) + 1
    segments, graphs = network.segments[:stop], structures(network)[:stop]
    values = [devices.replicate(part) for part in split(network, weights)[:stop]]
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(len(images))[:count])
    seeds = rng.integers(2**32, size=count, dtype=np.uint32)  # one an image
    parts = np.array_split(np.arange(count), ceil(count / BATCH))
    size = -(-len(parts[0]) // devices.count) * devices.count
    filled = [np.resize(part, size) for part in parts]  # what fills a batch weighs nothing
    total: dict[int, dict[str, Moments]] = {position: {} for position in layers}
    for part, batch in zip(parts, images.batches(rows[one] for one in filled), strict=True):
        x: Any = devices.spread(batch.images)
        drawn = devices.spread(np.resize(seeds[part], size))
        counted = devices.spread((np.arange(size) < len(part)).astype(np.float32))
        for position, own in enumerate(values):
            if position not in layers:
                x = compiled_evaluate(graphs[position], devices)(own, x)
                continue
            run = _compiled(segments[position].body, layers[position], samples / count, devices)
            x, found = run(own, x, drawn, counted)
            for path, sums in devices.first(found).items():
                so_far = total[position].get(path, 0)
                total[position][path] = so_far + np.asarray(sums, np.float64)
    return total


@cache
def _compiled(body: Body, paths: tuple[str, ...], density: float, devices: Devices) -> Function:
    """(values, x, seeds, weights) → what leaves the body, and the moments by path.

    Moments are sums over all devices.
    """

    def run(
        values: Values,
        x: jax.Array,
        seeds: jax.Array,  # [batch] uint32
        weights: jax.Array,  # [batch] 1 for an image, 0 for one that fills the batch
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        keys = jax.vmap(jax.random.key)(seeds)
        found: dict[str, jax.Array] = {}

        def measure(path: str, layer: Layer, x: jax.Array) -> None:
            if path in paths and isinstance(layer, Conv | Dense):
                patches = sampled_patches(layer, x, keys, density)
                if patches.shape[-1] <= MOST:
                    found[path] = second_moments(patches, weights)

        leaving = watched(body, values, x, measure)
        if devices.axis_name is not None:
            found = lax.psum(found, devices.axis_name)
        return leaving, found

    return devices.compile(run)


def watched(
    body: Body,
    values: Values,
    x: jax.Array,
    watch: Callable[[str, Layer, jax.Array], None],
    prefix: str = "",
) -> jax.Array:
    """What leaves a body in evaluation mode; `watch` sees what enters each of its layers."""
    for index, layer in enumerate(body):
        path, shape = f"{prefix}{index}", x.shape[1:]
        watch(path, layer, x)
        if isinstance(layer, Branch):
            arms = enumerate(layer.arms)
            x = joined(layer, [watched(a, values, x, watch, f"{path}.{i}.") for i, a in arms])
        else:
            own = {f"0/{a.name}": values[f"{path}/{a.name}"] for a in layer.arrays()}
            x = structure((layer,), shape).evaluate(own, x)
    return x


def sampled_patches(
    layer: Conv | Dense,
    x: jax.Array,  # [batch, height, width, channels] or [batch, channels]
    keys: jax.Array,  # [batch] random keys
    density: float,  # positions per feature and image; all positions, where there are fewer
) -> jax.Array:  # [batch, positions, groups, features]
    """What the layer's kernel sees at random output positions, in the order of its own axes.

    The output is cut into equal runs of positions and one is drawn of each, so that none comes
    twice, and all come once if they shall.
    """
    batch, channels = x.shape[0], x.shape[-1]
    if isinstance(layer, Dense):
        return x.reshape(batch, 1, 1, channels)
    taps = layer.kernel[0] * layer.kernel[1]
    features = taps * channels // layer.groups
    height, width, _ = shape_after(layer, x.shape[1:])
    wanted = min(height * width, ceil(density * features))
    bounds = np.arange(wanted + 1) * (height * width) // wanted

    def patches_of(image: jax.Array, key: jax.Array) -> jax.Array:
        drawn = jax.random.randint(key, (wanted,), bounds[:-1], bounds[1:])
        top, left = (
            first[:, None] * stride + dilation * offset
            for first, stride, dilation, offset in zip(
                (drawn // width, drawn % width),
                layer.stride,
                layer.dilation,
                np.indices(layer.kernel).reshape(2, taps),
                strict=True,
            )
        )
        return image[top, left]  # [wanted, taps, channels]

    padding = padding_of(layer, (x.shape[1], x.shape[2]))
    patches = jax.vmap(patches_of)(jnp.pad(x, ((0, 0), *padding, (0, 0))), keys)
    by_group = patches.reshape(batch, wanted, taps, layer.groups, channels // layer.groups)
    return by_group.swapaxes(2, 3).reshape(batch, wanted, layer.groups, features)


def second_moments(
    patches: jax.Array,  # [batch, positions, groups, features]
    weights: jax.Array,  # [batch]
) -> jax.Array:  # [groups, features + 1, features + 1]
    """Sums of products over batch and positions, with a constant 1 as last feature."""
    rows = jnp.pad(patches, ((0, 0), (0, 0), (0, 0), (0, 1)), constant_values=1)
    weighted = rows * weights[:, None, None, None]
    return jnp.einsum("bpgf,bpgh->gfh", weighted, rows, precision="highest")
