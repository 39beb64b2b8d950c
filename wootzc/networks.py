"""Networks without a space around them: the zoo, and files of other tools. No JAX here."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wootzc.diagnostics import fail
from wootzc.grammar.syntax.near_misses import did_you_mean
from wootzc.grammar.zoo import zoo_names
from wootzc.ir.layers import Join, Layer
from wootzc.ir.layers.signature import operator_of
from wootzc.ir.net.network import Network

if TYPE_CHECKING:
    import numpy as np
    from flax import nnx
    from numpy.typing import NDArray

    from wootzc.ir.graph import Chain, Piece


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A network from a file, and its weights under wootzc's names; none from a prototxt.

    Norms that were put back have the weights of the identity, until a build measures them.
    """

    network: Network
    weights: "dict[str, NDArray[np.float32]]"
    notes: tuple[str, ...]
    origins: "tuple[tuple[str, Piece], ...]"  # the segment of every piece, and its nodes' names
    kinds: dict[str, str] = field(default_factory=dict)  # of a file's nodes: conv, relu, add
    marked: bool = False  # the modules are those that the file marks
    metadata: Mapping[str, str] = field(default_factory=dict)  # what an ONNX file says of itself


def zoo(name: str, **arguments: Any) -> Network:
    """A network of the zoo: `zoo("resnet50", classes=10, input=(32, 32, 3))`.

    Raises `WootzError` where there is none of this name, or it cannot have these arguments.
    """
    from wootzc.grammar.lower.named_networks import zoo_network

    if name not in zoo_names():
        raise fail("WZ096", f"there is no `{name}` in the zoo", did_you_mean(name, zoo_names()))
    return zoo_network(name, arguments)


def import_network(
    path: str | os.PathLike[str],
    *,
    input: tuple[int, ...] | None = None,  # (height, width, channels), where the file has no size
    modules: str | None = None,  # how modules are found: structure, names, file
    norms: str | None = None,  # "folded": those that an exporter folded are not put back
) -> Imported:
    """An ONNX model or a Caffe prototxt as a network, cut into modules.

    Raises `WootzError` for what wootzc cannot read or prune (docs/models.md), `OSError`, and
    `ValueError` for another word in `modules` or `norms`.
    """
    if modules not in (None, "structure", "names", "file"):
        raise ValueError(f"modules are found by structure, names or file, not by {modules!r}")
    if norms not in (None, "folded"):
        raise ValueError(f'norms are put back, or "folded", not {norms!r}')
    from wootzc.grammar.imports import read_graph
    from wootzc.grammar.lower.imported import how_of
    from wootzc.ir.graph import OpenSize, Refused
    from wootzc.ir.graph.decompose import decompose
    from wootzc.ir.graph.folded_norms import with_norms_put_back
    from wootzc.ir.graph.segment import chain_weights, segment

    try:
        graph = read_graph(os.fspath(path), input)
        if norms is None:
            graph = with_norms_put_back(graph)
        chain = decompose(graph)
        network = segment(graph.name, graph.input, chain, how_of(modules, graph))
        weights = chain_weights(network, chain)
        if os.fspath(path).lower().endswith(".onnx"):
            from wootzc.backends.onnx.agreement import check_agreement

            check_agreement(os.fspath(path), network, weights)
    except OpenSize as refused:
        message = _with_file(os.fspath(path), refused.message)
        help = "say it: `--input 224x224x3`, or `input=(224, 224, 3)` in Python"
        raise fail("WZ190", message, help) from None
    except Refused as refused:
        raise fail("WZ090", _with_file(os.fspath(path), refused.message), refused.help) from None
    return Imported(
        network=network, weights=weights, notes=graph.notes, origins=_origins(network, chain),
        kinds={node.name: _kind(node.operation) for node in graph.nodes},
        marked=bool(graph.modules) and modules in (None, "file"),
        metadata=graph.metadata,
    )  # fmt: skip


def _with_file(path: str, message: str) -> str:
    """The message with the whole path in front, where it does not begin with the file's name."""
    name = os.path.basename(path)
    if message.startswith(name):
        return path + message.removeprefix(name)
    return message if message.startswith(f'"{name}"') else f"{path}: {message}"


def _kind(operation: Layer | Join) -> str:
    """A layer in the language's words."""
    return operation if isinstance(operation, str) else operator_of(operation).name


def from_nnx(
    model: "nnx.Module",
    example_input: Any,  # [batch, height, width, channels]; only its shape and type count
    *,
    name: str | None = None,  # of the network; the model's class in small letters
    modules: str = "structure",  # how modules are found: structure, names
) -> Imported:
    """A flax.nnx model as a network with its weights, cut into modules. Imports JAX.

    The model is traced in evaluation mode and stays as it is. Raises `WootzError` for what wootzc
    cannot prune, naming the operation and its line.
    """
    from wootzc.backends.flax.read.from_nnx import network_of
    from wootzc.ir.graph.segment import chain_weights

    network, chain, notes = network_of(model, example_input, name, modules)
    weights = chain_weights(network, chain)
    return Imported(network=network, weights=weights, notes=notes, origins=_origins(network, chain))


def weights_from_nnx(
    network: Network, model: "nnx.Module", example_input: Any
) -> "dict[str, NDArray[np.float32]]":
    """A model's arrays as the weights of a network that describes it. Imports JAX.

    For models that `from_nnx` refuses. Layers are found by what they are, in the order in which
    the model calls them; both are then run on random images. Raises `WootzError` where a layer is
    missing, or the results differ.
    """
    from wootzc.backends.flax.read.load_weights import weights_of

    return weights_of(network, model, example_input)


def _origins(network: Network, chain: "Chain") -> "tuple[tuple[str, Piece], ...]":
    places = [part.name for part in network.segments for _ in part.body]
    return tuple(zip(places, chain, strict=True))
