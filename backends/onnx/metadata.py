"""What a file says about itself, as text by name: ONNX's metadata_props."""

import json
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wootzc.ir.net.network import Network


def metadata(
    network: Network,
    classes: Sequence[str],
    mean: NDArray[Any] | None,
    std: NDArray[Any] | None,
    inside: bool,  # whether (x − mean) / std is part of the network
) -> dict[str, str]:
    """Lists are JSON. `normalization`: "inside", or "before": whoever calls does it."""
    found = {"wootzc": version("wootzc"), "network": network.name}
    if classes:
        found["classes"] = json.dumps(list(classes), ensure_ascii=False)
    if mean is not None and std is not None:
        found["mean"], found["std"] = _floats(mean), _floats(std)
        found["normalization"] = "inside" if inside else "before"
    return found


def _floats(values: NDArray[Any]) -> str:
    """The shortest digits that give each float32 back."""
    return f"[{', '.join(str(value) for value in np.asarray(values, np.float32))}]"
