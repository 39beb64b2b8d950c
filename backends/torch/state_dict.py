"""Weights as PyTorch's `state_dict` has them: names, axes and order."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wootzc.backends.python_source.classes import Learned, classes_of
from wootzc.backends.torch.layers import TORCH
from wootzc.backends.weights.channels_first import TORCH_NAMES, conv_kernel, reordered
from wootzc.backends.weights.parameters import Weights
from wootzc.backends.weights.stored import check_fits
from wootzc.ir.layers import Array
from wootzc.ir.net.network import Network


def state_dict(network: Network, weights: Weights) -> Weights:
    """What `load_state_dict` of the generated file takes, nothing more and nothing less.

    Arrays are row-major, as safetensors writes them.
    """
    check_fits(network, weights)
    return {
        f"{attribute}.{name}": np.asarray(value, order="C")
        for path, attribute, learned in classes_of(network, TORCH).learned()
        for name, value in _converted(learned, weights, path).items()
    }


def names_in_state_dict(network: Network) -> dict[str, tuple[str, Learned]]:
    """By name of a weight of ours, its name in `state_dict`, and the layer as it is written."""
    return {
        f"{path}/{array.name}": (f"{attribute}.{TORCH_NAMES[array.name]}", learned)
        for path, attribute, learned in classes_of(network, TORCH).learned()
        for array in learned.layer.arrays()
    }


def _converted(learned: Learned, weights: Weights, path: str) -> Weights:
    arrays = learned.layer.arrays()
    found = {
        TORCH_NAMES[array.name]: _layout(array, weights[f"{path}/{array.name}"], learned)
        for array in arrays
    }
    if all(array.trained for array in arrays):
        return found
    return found | {"num_batches_tracked": np.zeros((), np.int64)}


def _layout(array: Array, value: NDArray[Any], learned: Learned) -> NDArray[Any]:
    """Channels first; values of a flattened image in PyTorch's order."""
    if len(array.axes) == 1:
        return reordered(value, learned.order) if array.axes == ("in",) else value
    if len(array.axes) == 4:
        return conv_kernel(value)
    if len(learned.shape) == 1:
        return reordered(value, learned.order).T
    return value.T[:, :, None, None]
