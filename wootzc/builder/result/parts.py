"""What `best/` holds of a network: its source, its weights, a model to run, images to replay."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wootzc.backends.flax.train.evaluation import BATCH, predict
from wootzc.backends.flax.write.source import model_source
from wootzc.backends.weights.stored import to_bytes
from wootzc.builder.jobs.store import Weights
from wootzc.grammar import print_network
from wootzc.ir.net.network import Network


def parts(
    network: Network,
    weights: Weights,
    *,
    classes: tuple[str, ...],
    mean: NDArray[np.float32],  # [channels], of the values as stored
    std: NDArray[np.float32],
    images: NDArray[np.float32],  # [n, height, width, channels], before normalisation
    labels: NDArray[np.integer[Any]],  # [n]
    batch: int = BATCH,  # images of a batch: of a size at which the network has run, if it has
) -> dict[str, bytes]:
    """The files by name. `images` are stored with the logits that the network gives them."""
    normal = ((images - mean) / std).astype(np.float32)
    example = io.BytesIO()
    np.savez_compressed(
        example,
        images=images.astype(np.float32),
        labels=labels,
        logits=predict(network, weights, normal, batch),
    )
    return {
        "weights.safetensors": to_bytes(weights, {"format": "wootzc"}),
        "network.wz": print_network(network).encode(),
        "model.py": model_source(network, classes, mean=mean, std=std).encode(),
        "example.npz": example.getvalue(),
    }
