"""Chain → network: pieces in a row become modules, and plain segments between them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from wootzc.ir.graph.expressible import check_network
from wootzc.ir.graph.graph import Chain, Piece, Refused
from wootzc.ir.graph.module_names import chosen_runs, identifiers, named_runs
from wootzc.ir.graph.reaching import between, extended
from wootzc.ir.graph.runs import Run
from wootzc.ir.graph.structure import found_runs
from wootzc.ir.layers.shapes import Shape, ShapeError, shape_after
from wootzc.ir.net.network import Module, Network, Plain, Segment

How: TypeAlias = str | Mapping[str, tuple[str, ...]]  # "structure", "names", or which nodes


def segment(name: str, input: Shape, chain: Chain, how: How = "structure") -> Network:
    """The network that a chain is. `how`: the way in which its modules are found.

    "structure": see `ir.structure`. "names": the smallest groups of layers that have the beginning
    of their nodes' names in common, and something to prune. A mapping: from the name of each
    module to patterns of the nodes in it. Raises `Refused` where no modules are found by names, or
    a mapping names what cannot be one, or the language could not say the network.
    """
    network = _segmented(name, input, chain, how)
    check_network(network)
    return network


def _segmented(name: str, input: Shape, chain: Chain, how: How) -> Network:
    shapes = _shapes(chain, input)
    if how == "structure":
        found = found_runs(chain, shapes)
        runs = extended(found, chain, shapes)
        more = between(runs, chain, shapes)
        runs = extended(sorted([*runs, *more]), chain, shapes)
        # What a module was extended by stands elsewhere in the file, and would cost it its name.
        names = identifiers(chain, sorted([*found, *more]))
    elif how == "names":
        runs = named_runs(chain, shapes)
        names = identifiers(chain, runs)
    elif isinstance(how, str):
        raise Refused(f"modules cannot be found by `{how}`", "by structure or by names")
    else:
        named = chosen_runs(chain, how)
        runs, names = list(named.values()), list(named)
    return Network(name=name, input=input, segments=tuple(_segments(chain, runs, names)))


def segment_modules(network: Network) -> Network:
    """A network without modules with those found by its structure, called block1, block2, …

    Before: network { conv 8; relu; max_pool; conv 8; relu; conv 8; global_pool; dense 4 }
    After:  network { conv 8; relu; max_pool; module block1 { conv 8; relu; conv 8 };
            global_pool; dense 4 }

    A network that has modules stays as it is.
    """
    if network.modules:
        return network
    layers = [layer for plain in network.segments for layer in plain.body]
    chain = tuple(Piece(layer=layer, weights={}, names=()) for layer in layers)
    made = _segmented(network.name, network.input, chain, "structure")
    return replace(network, segments=made.segments)


def chain_weights(network: Network, chain: Chain) -> dict[str, NDArray[np.float32]]:
    """The chain's weights under the names they have in the network that `segment` made of it."""
    pieces = iter(chain)
    return {
        f"{part.name}/{position}{suffix}": value
        for part in network.segments
        for position, piece in zip(range(len(part.body)), pieces, strict=False)
        for suffix, value in piece.weights.items()
    }


def _shapes(chain: Chain, input: Shape) -> list[Shape]:
    """The shape that enters each piece, and the one that leaves the last."""
    shapes = [input]
    for piece in chain:
        try:
            shapes.append(shape_after(piece.layer, shapes[-1]))
        except ShapeError as error:
            name = piece.names[-1] if piece.names else type(piece.layer).__name__
            raise Refused(f"`{name}` does not fit its input: {error}") from None
    return shapes


def _segments(chain: Chain, runs: Sequence[Run], names: Sequence[str]) -> list[Segment]:
    """Modules under these names, and the layers between them: plain1, plain2, …"""
    found = sorted(zip(runs, names, strict=True))
    segments: list[Segment] = []
    plain = at = 0
    for (start, stop), name in [*found, ((len(chain), len(chain)), "")]:
        if start > at:
            plain += 1
            body = tuple(piece.layer for piece in chain[at:start])
            segments.append(Plain(name=f"plain{plain}", body=body))
        if name:
            body = tuple(piece.layer for piece in chain[start:stop])
            segments.append(Module(name=name, body=body))
        at = stop
    return segments
