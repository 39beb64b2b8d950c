"""A teacher's weights from a file: safetensors of wootzc or PyTorch, or an ONNX model."""

import dataclasses
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from google.protobuf.message import DecodeError

from wootzc.backends.checkpoints import read_checkpoint
from wootzc.backends.weights.parameters import Weights, network_parameters
from wootzc.backends.weights.stored import check_fits, read
from wootzc.diagnostics import fail
from wootzc.files import open_file, read_file
from wootzc.grammar.imports import read_graph
from wootzc.grammar.imports.onnx.model_file import MOST_BYTES
from wootzc.ir.graph import Chain, Graph, Refused
from wootzc.ir.graph.decompose import decompose
from wootzc.ir.graph.folded_norms import with_norms_put_back
from wootzc.ir.graph.segment import chain_weights
from wootzc.ir.layers import Body, Branch, Layer, has_filters, walk
from wootzc.ir.layers.shapes import Shape, shape_after
from wootzc.ir.net.network import Network


def read_teacher(path: Path, network: Network, *, new_head: bool = False) -> Weights:
    """The weights of `network`, from a file of ours or of another tool.

    Norms that the network has and an ONNX model has not are the identity. With `new_head` the last
    layer may be of another width in the file: then its weights are left out. Raises `WootzError`
    that names what is missing, left over or misshapen.
    """
    if path.suffix.lower() != ".onnx":
        return read_checkpoint(network, read(path), new_head=new_head)
    try:
        chain = decompose(read_as(network, path))
    except Refused as refused:
        raise fail("WZ090", f"{path}: {refused.message}", refused.help) from None
    except FileNotFoundError:
        raise fail("WZ120", f"no weights at {path}: there is no such file") from None
    except OSError as error:
        raise fail("WZ120", f"can't read weights from {path}: {error.strerror}") from None
    _check_layers(chain, network, path)
    weights = chain_weights(network, chain)
    head = _head(network)
    if new_head and any(weights[n].shape != shape for n, shape in head.items() if n in weights):
        weights = {name: value for name, value in weights.items() if name not in head}
        check_fits(network, weights | {n: np.empty(s) for n, s in head.items()}, str(path))
        return weights
    check_fits(network, weights, str(path))
    from wootzc.backends.onnx.agreement import check_agreement  # onnx takes a while to import

    check_agreement(str(path), network, weights)
    return weights


def read_as(network: Network, path: Path) -> Graph:
    """The graph of an ONNX model, its norms put back where the network has norms.

    Raises `Refused`, and `OSError` where the file cannot be opened.
    """
    graph = read_graph(str(path), network.input)
    layers = (layer for part in network.segments for _, layer in walk(part.body))
    has_norms = any(layer.scales for layer in layers)
    return with_norms_put_back(graph) if has_norms else graph


def teacher_hash(path: Path) -> str:
    """SHA-256 of a teacher's file, and of the files that an ONNX model keeps its weights in.

    Raises `WootzError` where one can't be read.
    """
    digest = hashlib.sha256()
    try:
        for part in (path, *_beside(path)):
            with open_file(part) as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    except OSError as error:
        raise fail("WZ142", f"can't read the teacher's weights {path}: {error.strerror}") from None
    return digest.hexdigest()


def _beside(path: Path) -> list[Path]:
    """The files that hold the external data of an ONNX model."""
    if path.suffix.lower() != ".onnx":
        return []
    import onnx

    model = onnx.ModelProto()
    try:
        model.ParseFromString(read_file(path, MOST_BYTES))
    except DecodeError:  # what is wrong with it is told when it is read
        return []
    places = {
        entry.value
        for tensor in model.graph.initializer
        for entry in tensor.external_data
        if entry.key == "location"
    }
    return [path.parent / place for place in sorted(places)]


def _check_layers(chain: Chain, network: Network, path: Path) -> None:
    """The file's layers do what the network's do, but for the width of the last one."""
    own = [layer for segment in network.segments for layer in segment.body]
    shape, theirs = network.input, network.input
    if len(own) != len(chain):
        raise fail(
            "WZ126",
            f"{path} has {len(chain)} layers in a row, but network {network.name} has {len(own)}",
            "name a file of the same network, or take the network from the file: "
            f'network {network.name} from "{path.name}"',
        )
    last = max((i for i, piece in enumerate(chain) if piece.weights), default=-1)
    for index, (piece, layer) in enumerate(zip(chain, own, strict=True)):
        is_last = index == last
        if _behaviour(piece.layer, theirs, is_last) != _behaviour(layer, shape, is_last):
            raise fail(
                "WZ126",
                f"{path} has {_shown(piece.layer)} ({piece.names[0]}) where network "
                f"{network.name} has {_shown(layer)}",
                f'take the network from the file: network {network.name} from "{path.name}"',
            )
        shape, theirs = shape_after(layer, shape), shape_after(piece.layer, theirs)


def _behaviour(layer: Layer, shape: Shape, any_width: bool) -> object:
    """What a layer computes: spellings of one padding are equal, what only trains is left out."""
    if isinstance(layer, Branch):
        return layer.join, tuple(tuple(_along(arm, shape)) for arm in layer.arms)
    same = layer.computed(shape)
    return replace(same, width=0) if any_width and has_filters(same) else same


def _along(body: Body, shape: Shape) -> Iterator[object]:
    for layer in body:
        yield _behaviour(layer, shape, False)
        shape = shape_after(layer, shape)


def _shown(layer: Layer) -> str:
    fields = ", ".join(
        f"{field.name}={value!r}"
        for field in dataclasses.fields(layer)
        if field.compare and field.name != "arms"
        and (value := getattr(layer, field.name)) != field.default
    )  # fmt: skip
    return f"{type(layer).__name__}({fields})"


def _head(network: Network) -> dict[str, Shape]:
    """The arrays of the last layer that has any."""
    expected = network_parameters(network)
    prefix = list(expected)[-1].rpartition("/")[0]
    return {name: shape for name, shape in expected.items() if name.startswith(f"{prefix}/")}
