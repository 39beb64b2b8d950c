"""A teacher's weights from a file: safetensors of wootzc or PyTorch, or an ONNX model."""

from pathlib import Path

import numpy as np

from wootzc.backends.checkpoints import read_checkpoint
from wootzc.backends.flax.weights import check_fits, read
from wootzc.backends.parameters import Weights, network_parameters
from wootzc.diagnostics import fail
from wootzc.grammar.imports import read_graph
from wootzc.ir.decompose import decompose
from wootzc.ir.graph import Refused
from wootzc.ir.network import Network
from wootzc.ir.segment import chain_weights
from wootzc.ir.shapes import Shape


def read_teacher(path: Path, network: Network, *, new_head: bool = False) -> Weights:
    """The weights of `network`, from a file of ours or of another tool.

    With `new_head` the last layer may be of another width in the file: then its weights are left
    out. Raises `WootzError` that names what is missing, left over or misshapen.
    """
    if path.suffix.lower() != ".onnx":
        return read_checkpoint(network, read(path), new_head=new_head)
    try:
        graph = read_graph(str(path), network.input)
        weights = chain_weights(network, decompose(graph))
    except Refused as refused:
        raise fail("WZ090", f"{path}: {refused.message}", refused.help) from None
    head = _head(network)
    if new_head and any(weights[n].shape != shape for n, shape in head.items() if n in weights):
        weights = {name: value for name, value in weights.items() if name not in head}
        check_fits(network, weights | {n: np.empty(s) for n, s in head.items()}, str(path))
        return weights
    check_fits(network, weights, str(path))
    return weights


def _head(network: Network) -> dict[str, Shape]:
    """The arrays of the last layer that has any."""
    expected = network_parameters(network)
    prefix = list(expected)[-1].rpartition("/")[0]
    return {name: shape for name, shape in expected.items() if name.startswith(f"{prefix}/")}
