"""Whether a network computes what the nnx model does: both are run on random images."""

from typing import Any

import jax
import numpy as np
from flax import nnx
from numpy.typing import NDArray

from wootzc.backends.alike import alike, random_images
from wootzc.backends.flax.net.model import evaluate_all, structures
from wootzc.backends.flax.read.nnx_layers import Arrays
from wootzc.backends.flax.read.trace import switches
from wootzc.backends.weights.stored import split
from wootzc.diagnostics import fail
from wootzc.ir.net.network import Network


def check_results(
    network: Network, weights: Arrays, model: nnx.Module, example: Any, help: str
) -> None:
    """Raises WZ152 where they differ. A softmax or sigmoid at the model's end does not count."""
    images = random_images(example.shape, example.dtype)
    with jax.default_matmul_precision("highest"):
        expected = _evaluated(model, images)
        nets, values = structures(network), split(network, weights)
        run = jax.jit(lambda x: evaluate_all(nets, values, x))
        logits = run(images.astype(np.float32))
    if not isinstance(expected, jax.Array) or not alike(np.asarray(logits), np.asarray(expected)):
        raise fail(
            "WZ152",
            f"network {network.name} does not compute what {type(model).__name__} does",
            help,
        )


def _evaluated(model: nnx.Module, images: NDArray[Any]) -> Any:
    """What the model makes of images in evaluation mode."""
    model = nnx.clone(model)
    model.eval()
    return jax.jit(lambda x: model(x, **switches(model)))(images)
