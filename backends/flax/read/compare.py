"""Whether a network computes what the nnx model does: both are run on random images."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from numpy.typing import NDArray

from wootzc.backends.flax.net.model import structures
from wootzc.backends.flax.read.nnx_layers import Arrays
from wootzc.backends.flax.read.trace import switches
from wootzc.backends.weights.stored import split
from wootzc.diagnostics import fail
from wootzc.ir.net.network import Network

CLOSE = 1e-3  # of the largest result: what the results may differ by
STEPS = 8  # of the model's own precision, where that is coarser


def check_results(
    network: Network, weights: Arrays, model: nnx.Module, example: Any, help: str
) -> None:
    """Raises WZ152 where they differ. A softmax or sigmoid at the model's end does not count."""
    images = _images(example)
    with jax.default_matmul_precision("highest"):
        expected = _evaluated(model, images)
        logits = _logits(network, weights, images.astype(np.float32))
    ends = (lambda x: x, jax.nn.softmax, jax.nn.log_softmax, jax.nn.sigmoid)
    if not any(_same(np.asarray(end(logits)), expected) for end in ends):
        raise fail(
            "WZ152",
            f"network {network.name} does not compute what {type(model).__name__} does",
            help,
        )


def _images(example: Any) -> NDArray[Any]:
    """Random images of the example's shape and type."""
    draw = np.random.default_rng(0)
    if jnp.issubdtype(example.dtype, jnp.floating):
        return draw.standard_normal(example.shape).astype(example.dtype)
    return draw.integers(0, 256, example.shape).astype(example.dtype)


def _evaluated(model: nnx.Module, images: NDArray[Any]) -> Any:
    """What the model makes of images in evaluation mode."""
    model = nnx.clone(model)
    model.eval()
    return jax.jit(lambda x: model(x, **switches(model)))(images)


def _logits(network: Network, weights: Arrays, images: NDArray[np.float32]) -> jax.Array:
    parts = list(zip(structures(network), split(network, weights), strict=True))

    def run(x: Any) -> Any:
        for structure, values in parts:
            x = structure.evaluate(values, x)
        return x

    logits: jax.Array = jax.jit(run)(images)
    return logits


def _same(
    ours: NDArray[np.float32],  # [batch, classes]
    theirs: Any,  # alike, perhaps with axes of one element between
) -> bool:
    if not isinstance(theirs, jax.Array) or theirs.size != ours.size:
        return False
    if not jnp.issubdtype(theirs.dtype, jnp.floating):
        return False
    close = max(CLOSE, STEPS * float(jnp.finfo(theirs.dtype).eps))
    expected = np.asarray(theirs, np.float32).reshape(ours.shape)
    largest = np.max(np.abs(expected), initial=0, where=np.isfinite(expected))
    bound = close * max(float(largest), float(np.finfo(np.float32).tiny))
    return np.allclose(ours, expected, rtol=0, atol=bound, equal_nan=True)
