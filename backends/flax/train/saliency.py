"""What training images say of a teacher's channels: one sweep for all criteria that read images.

A channel is judged where it is read: by what enters each convolution or dense layer that it goes
into, behind its norms and activations. So what is judged is what pruning takes away.

- taylor: the mean over images of (Σ x · ∂L/∂x)², L the image's cross entropy and the sum over the
  channel's pixels: to first order, the square of what the loss changes by if the channel goes. It
  is that of a gate on the channel, (∂L/∂z)², and equals (Σ w · ∂L/∂w)² over the weights that read
  it (Molchanov et al., "Importance Estimation for Neural Network Pruning", CVPR 2019, eq. 8 with
  the gates of its §3.1).
- activation: the mean of |x| over images and pixels (Polyak, Wolf 2015; of a ReLU's outputs it is
  the mean that zeros pull down, which APoZ counts: Hu et al. 2016).
- entropy: of the channel's mean over pixels, an image a sample, in bits (Luo, Wu, "An Entropy-based
  Method for CNN Compression", 2017). Its `BINS` bins are equal parts of the range that all channels
  of the layer have together, so that one that hardly varies falls into one of them.
"""

from collections.abc import Mapping
from functools import cache
from math import ceil
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray

from wootzc.backends.flax.device.parallel import Function
from wootzc.backends.flax.net.model import Values
from wootzc.backends.flax.train.moments import watched
from wootzc.backends.flax.train.segments import ONE, compiled
from wootzc.backends.weights.parameters import Weights
from wootzc.backends.weights.stored import check_fits, split
from wootzc.ir.layers import Body, Layer, Shape, has_filters, walk_shapes
from wootzc.ir.net.network import Network, segment_shapes

if TYPE_CHECKING:
    from wootzc.backends.data import Split

AT_ONCE = 32  # images whose activations are held for the way back
BINS = 100  # of an entropy, at most one for two images


def channel_saliencies(
    network: Network,
    teacher: Weights,
    images: "Split",  # of training
    *,
    count: int,  # of them that are looked at
    seed: int,  # which
) -> Weights:
    """By layer that reads channels and by criterion: segment/path/taylor → float32 [channels]."""
    check_fits(network, teacher)
    count = min(count, len(images))
    rows = np.sort(np.random.default_rng(seed).permutation(len(images))[:count])
    bodies = [segment.body for segment in network.segments]
    steps = list(zip(bodies, segment_shapes(network), strict=False))
    values = [ONE.replicate(part) for part in split(network, teacher)]
    parts = np.array_split(np.arange(count), ceil(count / AT_ONCE))
    filled = [np.resize(part, len(parts[0])) for part in parts]  # one size, one program
    means: dict[str, list[NDArray[np.float32]]] = {}  # [images, channels]
    sums: dict[str, NDArray[np.float64]] = {}  # of magnitudes and squares: [2, channels]
    batches = images.batches(rows[one] for one in filled)
    for part, batch in zip(parts, batches, strict=True):
        x: Any = ONE.replicate(batch.images)
        backs: list[Any] = []
        seen: dict[str, Any] = {}
        for segment, (body, shape), own in zip(network.segments, steps, values, strict=True):
            x, back, found = _forward(body, shape)(own, x)
            backs.append(back)
            seen |= {f"{segment.name}/{path}": one for path, one in found.items()}
        gradient = compiled(_loss_gradient)(x, ONE.replicate(batch.labels))
        changes: dict[str, Any] = {}
        for segment, back in zip(reversed(network.segments), reversed(backs), strict=True):
            gradient, own_changes = compiled(_backward)(back, gradient)
            changes |= {f"{segment.name}/{path}": one for path, one in own_changes.items()}
        seen, changes = ONE.first((seen, changes))
        for path, (mean, magnitude) in seen.items():
            means.setdefault(path, []).append(mean[: len(part)])
            change = changes[path][: len(part)].astype(np.float64)
            both = np.stack([magnitude[: len(part)].sum(axis=0), (change**2).sum(axis=0)])
            sums[path] = sums.get(path, 0) + both
    found_of: Weights = {}
    for path, of_images in means.items():
        found_of[f"{path}/activation"], found_of[f"{path}/taylor"] = (
            (total / count).astype(np.float32) for total in sums[path]
        )
        found_of[f"{path}/entropy"] = entropies(np.concatenate(of_images)).astype(np.float32)
    return found_of


def entropies(
    means: NDArray[np.float32],  # [images, channels]
) -> NDArray[np.float64]:  # [channels], in bits
    """How much each channel's mean varies from image to image."""
    images, channels = means.shape
    low, high = float(means.min()), float(means.max())
    bins = max(1, min(BINS, images // 2))
    places = (means.astype(np.float64) - low) / ((high - low) or 1.0) * bins
    places = np.minimum(places.astype(np.intp), bins - 1)
    flat = (places + np.arange(channels) * bins).ravel()
    shares = np.bincount(flat, minlength=channels * bins).reshape(channels, bins) / images
    logs = np.log2(shares, out=np.zeros_like(shares), where=shares > 0)
    return np.asarray(np.abs((shares * logs).sum(axis=1)))


@cache
def _forward(body: Body, shape: Shape) -> Function:
    """(values, x) → what leaves the segment, the way back, and by layer that reads channels the
    means and the magnitudes of each, [batch, channels]. The way back gives what each change of a
    channel, in shares of it, does to the loss of its image.
    """
    read = {path: one[-1] for path, layer, one in walk_shapes(body, shape) if has_filters(layer)}

    def run(values: Values, x: jax.Array) -> Any:
        def apply(x: jax.Array, gates: Mapping[str, jax.Array]) -> Any:
            seen: dict[str, tuple[jax.Array, jax.Array]] = {}

            def gated(path: str, _: Layer, x: jax.Array) -> jax.Array:
                if path not in gates:
                    return x
                pixels = tuple(range(1, x.ndim - 1))
                seen[path] = jnp.mean(x, axis=pixels), jnp.mean(jnp.abs(x), axis=pixels)
                return x * jnp.expand_dims(gates[path], pixels)

            return watched(body, values, x, gated), seen

        gates = {path: jnp.ones((len(x), channels)) for path, channels in read.items()}
        return jax.vjp(apply, x, gates, has_aux=True)

    return ONE.compile(run)


def _backward(back: Any, gradient: jax.Array) -> Any:
    """→ gradients of what enters, and of the gates."""
    return back(gradient)


@jax.grad
def _loss_gradient(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Of the sum of all images' losses."""
    return jnp.sum(optax.softmax_cross_entropy_with_integer_labels(logits, labels))
