"""Norms folded into the convolutions before them: fewer nodes that compute the same. NumPy only."""

from collections.abc import Iterator

import numpy as np

from wootzc.backends.weights.parameters import Weights
from wootzc.ir.layers import Body, Branch, Conv, DepthwiseConv, Norm
from wootzc.ir.net.network import Network


def folded_norms(network: Network) -> dict[str, tuple[str, float]]:
    """By path of a convolution, segment/path, that of the norm right behind it, and its epsilon.

    Within a body, or from a segment to the next, nothing else reads what stands between two layers.
    """
    found: dict[str, tuple[str, float]] = {}
    before: str | None = None  # the convolution that the last segment ends in
    for segment in network.segments:
        found |= dict(_folded(segment.body, f"{segment.name}/", before))
        ends = any(isinstance(layer, Conv | DepthwiseConv) for layer in segment.body[-1:])
        before = f"{segment.name}/{len(segment.body) - 1}" if ends else None
    return found


def _folded(
    body: Body, prefix: str, before: str | None = None
) -> Iterator[tuple[str, tuple[str, float]]]:
    for index, layer in enumerate(body):
        path = f"{prefix}{index}"
        if isinstance(layer, Norm) and before is not None:
            yield before, (path, layer.epsilon)
        if isinstance(layer, Branch):
            for number, arm in enumerate(layer.arms):
                yield from _folded(arm, f"{path}.{number}.")
        before = path if isinstance(layer, Conv | DepthwiseConv) else None


def with_folded_norms(network: Network, weights: Weights) -> Weights:
    """The weights in evaluation mode: such a convolution has a bias, and its norm no arrays.

    Before: conv(x); scale × (… − mean) / √(var + ε) + bias
    After:  conv(x) with a kernel × scale / √(var + ε), and a bias
    """
    result = dict(weights)
    for conv, (norm, epsilon) in folded_norms(network).items():
        scale, offset, mean, var = (
            np.asarray(result.pop(f"{norm}/{array.name}"), np.float64) for array in Norm().arrays()
        )
        factor = scale / np.sqrt(var + epsilon)
        bias = (result.get(f"{conv}/bias", 0.0) - mean) * factor + offset
        kernel = result[f"{conv}/kernel"] * factor  # filters are the last axis
        result |= {
            f"{conv}/kernel": kernel.astype(np.float32),
            f"{conv}/bias": bias.astype(np.float32),
        }
    return result
