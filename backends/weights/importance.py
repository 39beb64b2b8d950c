"""Which filters of a module matter least. NumPy only; lower scores go first.

A score belongs to a channel group: filters that only go together are judged together, by the sum
over all layers that make them, or, where images say it, that read them. Channels between modules
are judged once for the whole network, by `seam_scores`, so that all modules agree on which of
them go.
"""

import hashlib
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Final, TypeAlias, assert_never

import numpy as np
from numpy.typing import NDArray

from wootzc.backends.weights.parameters import Weights, segment_weights
from wootzc.diagnostics import fail
from wootzc.ir.layers import Body
from wootzc.ir.net.coupling import Channels, Coupling, Group, couple_network
from wootzc.ir.net.criteria import CRITERIA, Criterion, Measure
from wootzc.ir.net.network import Network
from wootzc.ir.net.norm_after import norm_after
from wootzc.ir.net.prune import kept_width
from wootzc.ir.net.rate import Rate

Scores = NDArray[np.float64]  # [width of the group]
Indices = NDArray[np.intp]  # kept filters of a group, ascending

# What training images say of the channels that a layer reads, by criterion: "segment/path/taylor" →
# [channels]. `saliency.py` measures it.
Saliencies: TypeAlias = Mapping[str, NDArray[Any]]
NOTHING: Final[Saliencies] = MappingProxyType({})


def seam_scores(
    network: Network,
    weights: Weights,
    saliencies: Saliencies = NOTHING,
    *,
    seed: int = 0,  # of criterion `random`
) -> dict[int, Scores]:
    """How much channels between modules matter, by group, where the modules are told of them."""
    cut = {
        seam.group: seam.criterion
        for module in network.modules
        for seam in (*module.entering, *module.leaving)
        if not seam.whole
    }
    if not cut:
        return {}
    judge = partial(scores, network, couple_network(network), seed=seed, saliencies=saliencies)
    return {
        group: judge(group, weights, criterion, "between modules")
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
    seams: Mapping[int, Scores] = MappingProxyType({}),  # of the network: `seam_scores`
    saliencies: Saliencies = NOTHING,  # of the network
    seed: int = 0,  # of criterion `random`
) -> tuple[Indices, ...]:
    """For every group the filters that stay. Lowest scores go first; of equals the later one."""
    own = segment_weights(saliencies, name)

    def score(number: int, group: Group) -> Scores:
        if group.seam is not None:
            return seams[group.seam]
        return scores(body, coupling, number, weights, criterion, name, seed=seed, saliencies=own)

    return tuple(
        np.arange(group.width)
        if kept_width(group, rate) == group.width
        else _kept(score(number, group), kept_width(group, rate), group.partitions)
        for number, group in enumerate(coupling.groups)
    )


def kept_at(
    coupling: Coupling, channels: Channels, rate: Rate, seams: Mapping[int, Scores]
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
    saliencies: Saliencies = NOTHING,  # of what is in `where`, named as the weights
) -> Scores:
    """How much each filter of group `number` matters. Raises `WootzError`."""
    group, judging = coupling.groups[number], CRITERIA[criterion]
    by_layer: list[Scores]
    match judging.measure:
        case "l1":  # Li et al. 2017
            by_layer = [np.abs(_flat(weights[f"{m}/kernel"])).sum(axis=1) for m in group.makers]
        case "l2":
            makers = (_flat(weights[f"{m}/kernel"]) for m in group.makers)
            by_layer = [np.asarray(np.linalg.norm(filters, axis=1)) for filters in makers]
        case "bn_scale":  # Liu et al. 2017
            by_layer = _norm_scales(where, coupling, number, weights, name)
        case "taylor" | "activation" | "entropy" as measure:
            by_layer = _as_read(coupling, number, saliencies, measure, name)
        case "geometric_median":  # He et al. 2019: what all others resemble is redundant
            filters = [_flat(weights[f"{maker}/kernel"]) for maker in group.makers]
            by_layer = [_distances(np.concatenate(filters, axis=1))]
        case "random":
            digest = hashlib.sha256(f"{seed}/{name}/{group.makers[0]}".encode()).digest()
            by_layer = [np.random.default_rng(list(digest)).random(group.width)]
        case _:
            assert_never(judging.measure)
    if judging.averaged:
        by_layer = [one / (one.mean() or 1.0) for one in by_layer]
    return np.asarray(np.sum(by_layer, axis=0))


def _as_read(
    coupling: Coupling, number: int, saliencies: Saliencies, measure: Measure, name: str
) -> list[Scores]:
    """What images say of a group, by layer that reads it."""
    found = [
        _chunks(coupling, reader, number, saliencies[f"{reader}/{measure}"])
        for reader, channels in coupling.inputs.items()
        if number in channels and f"{reader}/{measure}" in saliencies
    ]
    if not found:
        raise fail(
            "WZ268",
            f"{measure} judges channels by training images, and nothing was measured of those of "
            f"{coupling.groups[number].makers[0]} in {name}",
            "pass `saliencies=channel_saliencies(…)`, or choose a criterion that reads weights: l1",
        )
    return found


def _flat(kernel: NDArray[Any]) -> NDArray[np.float64]:
    return kernel.reshape(-1, kernel.shape[-1]).T.astype(np.float64)


def _distances(filters: NDArray[np.float64]) -> Scores:
    """Sum of the Euclidean distances from each row to all others."""
    return np.array([np.linalg.norm(filters - one, axis=1).sum() for one in filters])


def _norm_scales(
    where: Body | Network, coupling: Coupling, number: int, weights: Weights, name: str
) -> list[Scores]:
    """|scale| of the norm that follows each maker."""
    found = []
    for maker in coupling.groups[number].makers:
        norm = norm_after(where, maker)
        if norm is None:
            raise fail(
                "WZ124",
                f"bn_scale cannot judge the filters of layer {maker} in module {name}: "
                "no norm follows it",
                "put a norm after the layer, or prune this module by l1",
            )
        found.append(_chunks(coupling, norm, number, np.abs(weights[f"{norm}/scale"])))
    return found


def _chunks(coupling: Coupling, path: str, number: int, values: NDArray[Any]) -> Scores:
    """The part of `values` [channels entering `path`] that belongs to a group, added up."""
    entering = coupling.inputs[path]
    pieces = np.split(values, np.cumsum([coupling.groups[one].width for one in entering])[:-1])
    own = (piece for one, piece in zip(entering, pieces, strict=True) if one == number)
    return sum(own, np.zeros(coupling.groups[number].width))


def _kept(score: Scores, count: int, partitions: int) -> Indices:
    """The `count` best positions, as many from each of the equal parts, ascending."""
    parts = score.reshape(partitions, -1)
    best = np.argsort(-parts, axis=1, kind="stable")[:, : count // partitions]
    offsets = np.arange(partitions)[:, None] * parts.shape[1]
    return np.asarray(np.sort((best + offsets).ravel()))
