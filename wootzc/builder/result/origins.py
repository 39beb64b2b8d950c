"""Where the best network's weights come from: `best/origins.json`, and with PyTorch `names.json`.

What the teacher's file calls each of them, and which of its channels are left. A network that was
trained from scratch comes from no file.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from wootzc.backends.checkpoints import checkpoint_names
from wootzc.backends.weights.importance import NOTHING, Saliencies
from wootzc.backends.weights.parameters import Weights, network_parameters
from wootzc.backends.weights.slicing import Pruner
from wootzc.backends.weights.stored import read
from wootzc.builder.jobs.teacher import read_as
from wootzc.ir.graph import Node
from wootzc.ir.graph.decompose import decompose
from wootzc.ir.graph.folded_norms import SUFFIX
from wootzc.ir.graph.segment import chain_weights
from wootzc.ir.layers.shapes import Shape
from wootzc.ir.net.network import Network
from wootzc.ir.net.prune import prune_network
from wootzc.ir.net.rate import Rate
from wootzc.ir.space import Space
from wootzc.ir.space.recipe import FromFile

NOWHERE: dict[str, Any] = {"file": None, "weights": {}}
TORCH_AXES = {"out": "0", "in": "1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    tensor: str | None  # None: the file has no such tensor, as of a norm that was put back
    layer: str | None = None  # the node of an ONNX model
    shape: Shape | None = None


def origins_of(
    space: Space, teacher: Weights, rates: Sequence[Rate], saliencies: Saliencies = NOTHING
) -> dict[str, Any]:
    """What `best/origins.json` says of the network that is left at these rates.

    `teacher`: the weights that filters were chosen by, with what images say (`saliencies`). Raises
    `WootzError`, `Refused`, `OSError` where its file is not what the build read.
    """
    source = space.teacher
    if not isinstance(source, FromFile) or not Path(source.path).is_file():
        return NOWHERE
    found = file_origins(Path(source.path), space.network)
    pruner = Pruner(space.network, teacher, space.criteria, space.seed, saliencies)
    kept = pruner.kept_channels(rates)
    weights: dict[str, Any] = {}
    left = network_parameters(prune_network(space.network, tuple(rates)))
    for name, origin in ((name, origin) for name, origin in found.items() if name in left):
        said = {"tensor": origin.tensor, "layer": origin.layer, "kept": kept.get(name)}
        weights[name] = {key: value for key, value in said.items() if value is not None}
    return {"file": Path(source.path).name, "weights": weights}


def file_origins(path: Path, network: Network) -> dict[str, Origin]:
    """By name of a weight, where in the file it is; a last layer that starts anew is left out."""
    if path.suffix.lower() != ".onnx":
        names = checkpoint_names(network, read(path))
        return {name: Origin(tensor=tensor) for name, tensor in names.items()}
    graph = read_as(network, path)
    nodes = {node.name for node in graph.nodes}
    found: list[Origin] = []

    def numbered(node: Node) -> Node:
        """Decomposing moves arrays whatever they hold: here, the number of their origin."""
        base = node.name.removesuffix(SUFFIX)
        for name, value in node.weights.items():
            tensor = graph.sources.get(node.name, {}).get(name) or None
            layer = base if base in nodes else node.name
            found.append(Origin(tensor=tensor, layer=layer, shape=value.shape))
        numbers = range(len(found) - len(node.weights), len(found))
        arrays = (np.array(number, np.float32) for number in numbers)
        return replace(node, weights=dict(zip(node.weights, arrays, strict=True)))

    chain = decompose(replace(graph, nodes=tuple(map(numbered, graph.nodes))))
    expected = network_parameters(network)
    numbers = chain_weights(network, chain)
    origins = {name: found[int(number)] for name, number in numbers.items()}
    return {name: one for name, one in origins.items() if one.shape == expected[name]}


def origins_text(origins: dict[str, Any]) -> str:
    """JSON with one weight a line."""
    lines = (f"  {json.dumps(n)}: {json.dumps(said)}" for n, said in origins["weights"].items())
    weights = ",\n".join(lines)
    inside = f"{{\n{weights}\n }}" if weights else "{}"
    return f'{{\n "file": {json.dumps(origins["file"])},\n "weights": {inside}\n}}\n'


def torch_names(network: Network, origins: dict[str, Any]) -> dict[str, Any]:
    """The same by the names of the exported `state_dict`, channels by the axes it has."""
    from wootzc.backends.torch import names_in_state_dict

    weights: dict[str, Any] = {}
    for name, (theirs, learned) in names_in_state_dict(network).items():
        if name not in origins["weights"]:
            continue
        said = dict(origins["weights"][name])
        if "kept" in said:
            said["kept"] = {TORCH_AXES[axis]: left for axis, left in said["kept"].items()}
            if learned.order is not None and "1" in said["kept"]:
                said["kept"]["1"] = None  # of a flattened image: channels times pixels
        weights[theirs] = said
    return {"file": origins["file"], "weights": weights}
