"""Norms folded into the convolutions before them: fewer nodes that compute the same. NumPy only."""

from itertools import pairwise

import numpy as np

from wootzc.backends.weights.parameters import Weights
from wootzc.ir.layers import Conv, DepthwiseConv, Norm
from wootzc.ir.net.network import Network, walk_network


def folded_norms(network: Network) -> dict[str, tuple[str, float]]:
    """By path of a convolution, segment/path, that of the norm right behind it, and its epsilon.

    Within a body, or from a segment to the next, nothing else reads what stands between two layers.
    """
    return {
        path: (behind, norm.epsilon)
        for (path, layer, _), (behind, norm, _) in pairwise(walk_network(network))
        if isinstance(layer, Conv | DepthwiseConv) and isinstance(norm, Norm)
        if path.rpartition(".")[0] == behind.rpartition(".")[0]  # not the next arm of a branch
    }


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
