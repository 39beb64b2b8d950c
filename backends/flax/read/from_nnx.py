"""An nnx model that exists already, as a network with its weights."""

import re
from typing import Any

from flax import nnx

from wootzc.backends.flax.read.compare import check_results
from wootzc.backends.flax.read.nnx_graph import GraphOfModel
from wootzc.backends.flax.read.trace import HELP, trace
from wootzc.diagnostics import fail
from wootzc.ir.graph import Chain, Refused
from wootzc.ir.graph.decompose import decompose
from wootzc.ir.graph.ends import without_final_sigmoid
from wootzc.ir.graph.segment import How, chain_weights, segment
from wootzc.ir.net.network import Network


def network_of(
    model: nnx.Module, example_input: Any, name: str | None = None, modules: How = "structure"
) -> tuple[Network, Chain, tuple[str, ...]]:
    """The network, what it was made of, and notes for the user. Raises WZ150 to WZ152."""
    if getattr(example_input, "ndim", 0) != 4:
        raise fail(
            "WZ150",
            "the example input is no batch of images",
            "give an array [batch, height, width, channels], such as jnp.zeros((1, 32, 32, 3))",
        )
    traced = trace(model, example_input)
    called = name or _name(type(model).__name__)
    height, width, channels = example_input.shape[1:]
    try:
        graph = GraphOfModel(traced, (height, width, channels)).graph(called)
        graph = without_final_sigmoid(graph)
    except Refused as refused:
        raise fail("WZ151", f"{type(model).__name__}: {refused.message}", HELP) from None
    try:
        chain = decompose(graph)
        network = segment(called, graph.input, chain, modules)
    except Refused as refused:
        help = f"{refused.help}; or {HELP}" if refused.help else HELP
        raise fail("WZ152", f"{type(model).__name__}: {refused.message}", help) from None
    check_results(network, chain_weights(network, chain), model, example_input, HELP)
    return network, chain, graph.notes


def _name(model: str) -> str:
    """A class's name as the language writes names: ResNet18 → res_net18."""
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", model).lower()
    return name if name.isascii() and name.isidentifier() else "network"
