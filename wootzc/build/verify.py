"""Verify a result folder: reload everything from disk and replay the stored images."""

import hashlib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from wootzc.backends.flax.train import predict
from wootzc.backends.flax.weights import check_fits, read
from wootzc.backends.parameters import count_parameters
from wootzc.diagnostics import fail
from wootzc.driver import analyze_file
from wootzc.files import load_json, missing_result
from wootzc.ir.cost import network_cost
from wootzc.ir.network import Network
from wootzc.units import percent

TOLERANCE = 1e-4  # relative to the largest logit; another machine may round differently
NEEDS = ("weights_sha256", "model_sha256", "params", "macs", "normalize")  # of the manifest


def load_best(folder: Path) -> tuple[Network, dict[str, Any]]:
    """The pruned network and its weights. Raises `WootzError`."""
    source = folder / "best" / "network.wz"
    if not source.exists():
        raise missing_result(source)
    analysis = analyze_file(source)
    if not analysis.networks or any(d.severity == "error" for d in analysis.diagnostics):
        raise fail("WZ145", f"{folder}/best/network.wz does not check", "build again")
    network = analysis.networks[0]
    weights = read(folder / "best" / "weights.safetensors")
    check_fits(network, weights)
    return network, weights


def verify_result(folder: Path) -> Iterator[str]:
    """What holds, one line each. Raises `WootzError` at the first thing that does not."""
    manifest = load_json(folder / "best" / "manifest.json", needs=NEEDS)
    file = folder / "best" / "weights.safetensors"
    network, weights = load_best(folder)
    yield f"network.wz checks; {len(weights)} tensors fit it"

    for kept, key in ((file, "weights_sha256"), (folder / "best" / "model.py", "model_sha256")):
        if hashlib.sha256(kept.read_bytes()).hexdigest() != manifest[key]:
            raise fail("WZ146", f"{kept} is not the file that was built", "build again")
    yield f"weights.safetensors and model.py are unchanged ({manifest['weights_sha256'][:12]}…)"

    real = count_parameters(weights)
    cost = network_cost(network)
    if (real, cost.params, cost.macs) != (manifest["params"],) * 2 + (manifest["macs"],):
        raise fail(
            "WZ146",
            f"{real:,} parameters and {cost.macs:,} MACs, but the manifest says "
            f"{manifest['params']:,} and {manifest['macs']:,}",
        )
    yield f"{real:,} parameters and {cost.macs:,} MACs, as the manifest says"

    images, labels, stored = load_example(folder)
    scale = manifest["normalize"]
    normal = (images - np.float32(scale["mean"])) / np.float32(scale["std"])
    logits = predict(network, weights, normal.astype(np.float32))
    gap = float(np.abs(logits - stored).max() / np.abs(stored).max())
    if not gap <= TOLERANCE:
        raise fail("WZ146", f"logits differ by {gap:.2g} of the largest, over {TOLERANCE}")
    right = float((logits.argmax(-1) == labels).mean())
    yield f"{len(images)} stored images replayed: logits within {gap:.1e}, {percent(right)} right"


def load_example(folder: Path) -> tuple[Any, Any, Any]:
    """Images before normalisation, labels and logits that best/ keeps. Raises `WootzError`."""
    path = folder / "best" / "example.npz"
    try:
        with np.load(path, allow_pickle=False) as example:
            return example["images"], example["labels"], example["logits"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise fail("WZ145", f"can't read {path}: {error}", "build again") from None
