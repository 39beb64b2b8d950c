"""Networks without a space around them: the zoo, and files of other tools. No JAX here."""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wootzc.diagnostics import fail
from wootzc.grammar.names import did_you_mean
from wootzc.grammar.zoo_files import zoo_names
from wootzc.ir.network import Network

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from wootzc.ir.graph import Piece


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A network from a file, and its weights under wootzc's names; none from a prototxt."""

    network: Network
    weights: "dict[str, NDArray[np.float32]]"
    notes: tuple[str, ...]
    origins: "tuple[tuple[str, Piece], ...]"  # the segment of every piece, and its nodes' names


def zoo(name: str, **arguments: Any) -> Network:
    """A network of the zoo: `zoo("resnet50", classes=10, input=(32, 32, 3))`.

    Raises `WootzError` where there is none of this name, or it cannot have these arguments.
    """
    from wootzc.grammar.networks import zoo_network

    if name not in zoo_names():
        raise fail("WZ096", f"there is no `{name}` in the zoo", did_you_mean(name, zoo_names()))
    return zoo_network(name, arguments)


def import_network(
    path: str | os.PathLike[str],
    *,
    input: tuple[int, ...] | None = None,  # (height, width, channels), where the file has no size
    modules: str = "structure",  # how modules are found: structure, names, file
) -> Imported:
    """An ONNX model or a Caffe prototxt as a network, cut into modules.

    Raises `WootzError` for what wootzc cannot read or prune (docs/models.md), and `OSError`.
    """
    from wootzc.grammar.imports import read_graph
    from wootzc.ir.decompose import decompose
    from wootzc.ir.graph import Refused
    from wootzc.ir.segment import chain_weights, segment

    try:
        graph = read_graph(os.fspath(path), input)
        chain = decompose(graph)
        how = graph.modules if modules == "file" else modules
        network = segment(graph.name, graph.input, chain, how)
        weights = chain_weights(network, chain)
    except Refused as refused:
        raise fail("WZ090", f"{os.fspath(path)}: {refused.message}", refused.help) from None
    places = [part.name for part in network.segments for _ in part.body]
    return Imported(
        network=network,
        weights=weights,
        notes=graph.notes,
        origins=tuple(zip(places, chain, strict=True)),
    )
