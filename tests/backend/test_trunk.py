"""A network with cut trunks computes what the full one does with those channels zeroed everywhere."""

from collections.abc import Callable
from math import floor

import numpy as np
from numpy.typing import NDArray

from wootzc.backends.flax.train.evaluation import predict
from wootzc.backends.weights.parameters import Weights, count_parameters
from wootzc.backends.weights.slicing import prune_weights
from wootzc.backends.weights.stored import check_fits
from wootzc.backends.weights.widen import widen_weights
from wootzc.ir.layers import Conv, Dense, DepthwiseConv, Norm
from wootzc.ir.net.cost import network_cost
from wootzc.ir.net.coupling import Coupling, Group, couple_network
from wootzc.ir.net.network import Network, walk_network
from wootzc.ir.net.prune import prune_network
from wootzc.ir.net.rate import Rate, rate_of
from wootzc.ir.net.trunk import trunks, with_seams

Random = Callable[[Network], Weights]


def test_pruned_equals_masked(any_network: Network, random_weights: Random) -> None:
    network = with_seams(any_network, {trunk.name for trunk in trunks(any_network)})
    weights = random_weights(network)
    rates = uniform(network, 0.5)
    small = prune_network(network, rates)
    sliced = prune_weights(network, weights, rates, ["l1"] * len(rates))
    check_fits(small, sliced)
    assert count_parameters(sliced) == network_cost(small).params
    assert network_cost(small).params < network_cost(prune_network(network, own(rates))).params
    images = np.random.default_rng(3).normal(size=(4, 6, 6, 2)).astype(np.float32)
    expected = predict(network, zeroed(network, weights, 0.5), images, batch=4)
    assert not np.allclose(expected, predict(network, weights, images, batch=4), atol=1e-2)
    found = predict(small, sliced, images, batch=4)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    wide = widen_weights(network, weights, sliced, rates, ["l1"] * len(rates))
    np.testing.assert_allclose(
        predict(network, wide, images, batch=4), expected, rtol=1e-4, atol=1e-4
    )


def test_kept_channels_are_nested(zoo: dict[str, Network], random_weights: Random) -> None:
    """What a higher rate keeps, a lower one keeps too."""
    network = with_seams(zoo["residual"], {"t1", "t2"})
    weights = random_weights(network)
    kernels = []
    for rate in (0.2, 0.5, 0.7):
        rates = uniform(network, rate)
        sliced = prune_weights(network, weights, rates, ["l1"] * len(rates))
        kernels.append({tuple(k) for k in sliced["m1/0.0.3/kernel"][0, 0].T.round(5).tolist()})
    assert [len(k) for k in kernels] == [5, 3, 2]


def uniform(network: Network, rate: float) -> tuple[Rate, ...]:
    return tuple(
        rate_of(0 if m.outside else rate, rate if m.entering else 0, rate if m.leaving else 0)
        for m in network.modules
    )


def own(rates: tuple[Rate, ...]) -> tuple[Rate, ...]:
    return tuple(rate[0] if isinstance(rate, tuple) else rate for rate in rates)


def zeroed(network: Network, weights: Weights, rate: float) -> Weights:
    """The weights with the channels of all groups that can go held at zero, layer by layer."""
    coupling = couple_network(network)
    outside = {segment.name for segment in network.segments} - {
        module.name for module in network.modules if not module.outside
    }
    between = {g for trunk in trunks(network) for g in trunk.groups}
    masked = {name: value.copy() for name, value in weights.items()}
    gone = {
        number: removed(group, weights, rate)
        for number, group in enumerate(coupling.groups)
        if not group.whole and (number in between or group.makers[0].split("/")[0] not in outside)
    }
    for path, layer, _ in walk_network(network):
        match layer:
            case Conv() | Dense() | DepthwiseConv():
                names = ("kernel", "bias")
            case Norm():
                names = ("scale", "bias")
            case _:
                continue
        silent = positions(coupling, path, gone)
        for name in names:
            if f"{path}/{name}" in masked:
                masked[f"{path}/{name}"][..., silent] = 0
    return masked


def removed(group: Group, weights: Weights, rate: float) -> NDArray[np.intp]:
    """The weakest filters of a group by l1, as many in each part."""
    score = sum(
        np.abs(weights[f"{maker}/kernel"]).reshape(-1, group.width).sum(axis=0)
        for maker in group.makers
    )
    parts = np.asarray(score).reshape(group.partitions, -1)
    count = floor(rate * parts.shape[1] + 0.5)
    weakest = np.argsort(parts, axis=1, kind="stable")[:, :count]
    return np.asarray(
        (weakest + np.arange(group.partitions)[:, None] * parts.shape[1]).ravel(), dtype=np.intp
    )


def positions(coupling: Coupling, path: str, gone: dict[int, NDArray[np.intp]]) -> list[int]:
    found, offset = [], 0
    for number in coupling.outputs[path]:
        found += [offset + int(i) for i in gone.get(number, ())]
        offset += coupling.groups[number].width
    return found
