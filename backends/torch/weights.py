"""Weights as PyTorch's `state_dict` has them: names, axes and order."""

import numpy as np

from wootzc.backends.channels_first import conv_kernel, reordered
from wootzc.backends.flax.weights import check_fits
from wootzc.backends.parameters import Weights, layer_parameters
from wootzc.backends.torch.classes import classes_of
from wootzc.backends.torch.layers import Learned
from wootzc.ir.layers import Dense, Norm
from wootzc.ir.network import Network

NORM_NAMES = {"scale": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var"}


def state_dict(network: Network, weights: Weights) -> Weights:
    """What `load_state_dict` of the generated file takes, nothing more and nothing less.

    Arrays are row-major, as safetensors writes them.
    """
    check_fits(network, weights)
    classes = classes_of(network)
    return {
        f"{classes.attributes[segment]}.{learned.attribute}.{name}": np.asarray(value, order="C")
        for segment, made in classes.of.items()
        for learned in made.body.learned
        for name, value in _converted(learned, weights, f"{segment}/{learned.path}").items()
    }


def names_in_state_dict(network: Network) -> dict[str, tuple[str, Learned]]:
    """By name of a weight of ours, its name in `state_dict`, and the layer as it is written."""
    classes = classes_of(network)
    names = {"kernel": "weight", **NORM_NAMES}
    return {
        f"{segment}/{learned.path}/{parameter}": (
            f"{classes.attributes[segment]}.{learned.attribute}.{names[parameter]}",
            learned,
        )
        for segment, made in classes.of.items()
        for learned in made.body.learned
        for parameter in layer_parameters(learned.layer, learned.shape)
    }


def _converted(learned: Learned, weights: Weights, path: str) -> Weights:
    if isinstance(learned.layer, Norm):
        arrays = {
            name: reordered(weights[f"{path}/{parameter}"], learned.order)
            for parameter, name in NORM_NAMES.items()
        }
        return arrays | {"num_batches_tracked": np.zeros((), np.int64)}
    kernel = weights[f"{path}/kernel"]
    if not isinstance(learned.layer, Dense):
        kernel = conv_kernel(kernel)
    elif len(learned.shape) == 1:
        kernel = reordered(kernel, learned.order).T
    else:
        kernel = kernel.T[:, :, None, None]
    bias = weights.get(f"{path}/bias")
    return {"weight": kernel} | ({} if bias is None else {"bias": bias})
