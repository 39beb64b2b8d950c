"""Statistics of norms that were put back, measured on images: what is computed stays the same.

The network computes the same before and after, so one sweep serves norms of any depth. A batch
gives a mean and squares around it; they are put together in float64 on the host.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from numpy.typing import NDArray

from wootzc.backends.flax.device.parallel import Devices, Function, all_devices
from wootzc.backends.flax.net.model import Values
from wootzc.backends.flax.train.moments import sweep, watched
from wootzc.backends.weights.parameters import Weights
from wootzc.ir.graph.folded_norms import unmeasured
from wootzc.ir.layers import Body, Layer, Norm
from wootzc.ir.net.network import Network, walk_network

if TYPE_CHECKING:
    from wootzc.backends.data import Split

IMAGES = 2_048  # at most: running averages of training remember about as many


def with_measured_norms(
    network: Network, weights: Weights, images: "Split", *, seed: int
) -> Weights:
    """The weights with every norm that was put back at the statistics of what enters it.

    Before: scale 1, bias b, mean 0, variance 1 − ε: x + b
    After:  scale √(v + ε), bias b + m, mean m, variance v: x + b

    In evaluation the network computes what it did, up to rounding; in training a norm starts from
    what it will see. Weights without such norms come back as they are.
    """
    paths = unmeasured(weights)
    if not paths:
        return weights
    epsilons = {
        path: layer.epsilon for path, layer, _ in walk_network(network) if isinstance(layer, Norm)
    }
    result = dict(weights)
    for path, sums in _entering(network, weights, frozenset(paths), images, seed).items():
        mean, var = sums.mean, np.maximum(sums.squares / sums.count, 0)
        new = {
            "scale": np.sqrt(var + epsilons[path]),
            "bias": weights[f"{path}/bias"] + mean,
            "mean": mean,
            "var": var,
        }
        result |= {f"{path}/{name}": value.astype(np.float32) for name, value in new.items()}
    return result


@dataclass(frozen=True, slots=True)
class _Sums:
    """Of some numbers of each channel. `squares`: of their distance to the mean, added up."""

    count: float
    mean: NDArray[np.float64]  # [channels]
    squares: NDArray[np.float64]  # [channels]

    def plus(self, other: "_Sums") -> "_Sums":
        """Of both together (Chan et al. 1979)."""
        count = self.count + other.count
        apart = other.mean - self.mean
        return _Sums(
            count,
            self.mean + apart * (other.count / count),
            self.squares + other.squares + apart**2 * (self.count * other.count / count),
        )


def _entering(
    network: Network, weights: Weights, paths: frozenset[str], images: "Split", seed: int
) -> dict[str, _Sums]:
    """By segment/path, of what enters these norms."""
    measured = {
        position: _compiled(one.body, frozenset(own), all_devices())
        for position, one in enumerate(network.segments)
        if (own := {p.removeprefix(f"{one.name}/") for p in paths if p.startswith(f"{one.name}/")})
    }
    count, total = min(IMAGES, len(images)), dict[str, _Sums]()
    swept = sweep(network, weights, images, count, measured, lambda *_: None, seed=seed)
    for position, found in swept:
        for path, (number, mean, squares) in found.items():
            name = f"{network.segments[position].name}/{path}"
            sums = _Sums(float(number), *(np.asarray(x, np.float64) for x in (mean, squares)))
            total[name] = total[name].plus(sums) if name in total else sums
    return total


@cache
def _compiled(body: Body, paths: frozenset[str], devices: Devices) -> Function:
    """(values, x, nothing, weights) → what leaves the body; by path count, mean and squares."""

    def run(
        values: Values,
        x: jax.Array,
        _: None,
        weights: jax.Array,  # [batch] 1 for an image, 0 for one that fills the batch
    ) -> tuple[jax.Array, Mapping[str, Any]]:
        found: dict[str, Any] = {}

        def measure(path: str, _: Layer, x: jax.Array) -> jax.Array:
            if path in paths:
                found[path] = _sums(x, weights, devices.axis_name)
            return x

        return watched(body, values, x, measure), found

    return devices.compile(run)


def _sums(x: jax.Array, weights: jax.Array, axis_name: str | None) -> tuple[jax.Array, ...]:
    """Over all devices."""

    def added(numbers: jax.Array) -> jax.Array:
        return numbers if axis_name is None else lax.psum(numbers, axis_name)

    each = weights.reshape(-1, *[1] * (x.ndim - 1))
    axes = tuple(range(x.ndim - 1))
    count = added(weights.sum() * (x[0].size // x.shape[-1]))
    mean = added((x * each).sum(axes)) / count
    squares = added((jnp.square(x - mean) * each).sum(axes))
    return count, mean, squares
