"""Which filters of a module matter least. NumPy only; lower scores go first.

A score belongs to a channel group: filters that only go together are judged together, by the sum
over all layers that make them. Channels between modules are judged once for the whole network, by
`between`, so that all modules agree on which of them go.
"""

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeAlias, assert_never

import numpy as np
from numpy.typing import NDArray

from wootzc.backends.weights.parameters import Weights
from wootzc.diagnostics import fail
from wootzc.ir.layers import Body
from wootzc.ir.net.coupling import Channels, Coupling, Group, couple_network
from wootzc.ir.net.network import Network
from wootzc.ir.net.norm_after import norm_after
from wootzc.ir.net.prune import kept_width
from wootzc.ir.net.rate import Rate
from wootzc.ir.space import Criterion

Scores = NDArray[np.float64]  # [width of the group]
Indices = NDArray[np.intp]  # kept filters of a group, ascending
Between: TypeAlias = Mapping[int, Scores]  # of the network's groups that stand between modules

NOTHING: Between = MappingProxyType({})


def between(network: Network, weights: Weights) -> Between:
    """How much channels between modules matter, where the modules are told of them."""
    cut = {
        seam.group: seam.criterion
        for module in network.modules
        for seam in (*module.entering, *module.leaving)
        if not seam.whole
    }
    if not cut:
        return NOTHING
    coupling = couple_network(network)
    return {
        group: scores(network, coupling, group, weights, criterion, "between modules")
        for group, criterion in cut.items()
    }


def kept_filters(
    body: Body,
    coupling: Coupling,
    weights: Weights,  # of this segment: path/parameter
    rate: Rate,  # fraction of filters removed
    criterion: Criterion,
    name: str = "",  # of the module: seeds `random`, names the module in errors
    *,
    seed: int = 0,  # of `random`, with the name
    seams: Between = NOTHING,
) -> tuple[Indices, ...]:
    """For every group the filters that stay. Lowest scores go first; of equals the later one."""

    def score(number: int, group: Group) -> Scores:
        if group.seam is not None:
            return seams[group.seam]
        return scores(body, coupling, number, weights, criterion, name, seed=seed)

    return tuple(
        np.arange(group.width)
        if kept_width(group, rate) == group.width
        else _kept(score(number, group), kept_width(group, rate), group.partitions)
        for number, group in enumerate(coupling.groups)
    )


def kept_at(
    coupling: Coupling, channels: Channels, rate: Rate, seams: Between
) -> Indices:  # positions
    """What stays of channels that enter or leave a module."""
    found, offset = [], 0
    for group in (coupling.groups[number] for number in channels):
        kept = np.arange(group.width)
        if kept_width(group, rate) < group.width:
            assert group.seam is not None
            kept = _kept(seams[group.seam], kept_width(group, rate), group.partitions)
        found.append(offset + kept)
        offset += group.width
    return np.concatenate(found)


def scores(
    where: Body | Network,  # that holds the makers
    coupling: Coupling,
    number: int,
    weights: Weights,
    criterion: Criterion,
    name: str,
    *,
    seed: int = 0,
) -> Scores:
    """How much each filter of group `number` matters."""
    group = coupling.groups[number]
    match criterion:
        case "l1":  # Li et al. 2017
            return np.asarray(np.abs(_filters(group, weights)).sum(axis=1))
        case "l2":
            makers = (_flat(weights[f"{maker}/kernel"]) for maker in group.makers)
            return np.asarray(np.sum([np.linalg.norm(f, axis=1) for f in makers], axis=0))
        case "bn_scale":  # Liu et al. 2017
            return _norm_scales(where, coupling, number, weights, name)
        case "geometric_median":  # He et al. 2019: what all others resemble is redundant
            return _distances(_filters(group, weights))
        case "random":
            digest = hashlib.sha256(f"{seed}/{name}/{group.makers[0]}".encode()).digest()
            return np.random.default_rng(list(digest)).random(group.width)
        case _:
            assert_never(criterion)


def _filters(group: Group, weights: Weights) -> NDArray[np.float64]:
    """[width, everything]: the kernels of all makers of a group, one filter a row."""
    return np.concatenate([_flat(weights[f"{m}/kernel"]) for m in group.makers], axis=1)


def _flat(kernel: NDArray[Any]) -> NDArray[np.float64]:
    return kernel.reshape(-1, kernel.shape[-1]).T.astype(np.float64)


def _distances(filters: NDArray[np.float64]) -> Scores:
    """Sum of the Euclidean distances from each row to all others."""
    return np.array([np.linalg.norm(filters - one, axis=1).sum() for one in filters])


def _norm_scales(
    where: Body | Network, coupling: Coupling, number: int, weights: Weights, name: str
) -> Scores:
    """|scale| of the norm that follows each maker, added up."""
    group = coupling.groups[number]
    total = np.zeros(group.width)
    for maker in group.makers:
        norm = norm_after(where, maker)
        if norm is None:
            raise fail(
                "WZ124",
                f"bn_scale cannot judge the filters of layer {maker} in module {name}: "
                "no norm follows it",
                "put a norm after the layer, or prune this module by l1",
            )
        total += _chunks(coupling, norm, number, np.abs(weights[f"{norm}/scale"]))
    return total


def _chunks(coupling: Coupling, path: str, number: int, values: NDArray[Any]) -> Scores:
    """The part of `values` [channels entering `path`] that belongs to a group, added up."""
    total = np.zeros(coupling.groups[number].width)
    offset = 0
    for entering in coupling.inputs[path]:
        width = coupling.groups[entering].width
        if entering == number:
            total += values[offset : offset + width]
        offset += width
    return total


def _kept(score: Scores, count: int, partitions: int) -> Indices:
    """The `count` best positions, as many from each of the equal parts, ascending."""
    parts = score.reshape(partitions, -1)
    best = np.argsort(-parts, axis=1, kind="stable")[:, : count // partitions]
    offsets = np.arange(partitions)[:, None] * parts.shape[1]
    return np.asarray(np.sort((best + offsets).ravel()))
