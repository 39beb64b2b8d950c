"""How much time each variant adds, from candidates that were measured whole.

Ridge regression of relative errors. What a variant saves in parameters and MACs counts freely; what
it adds beyond that, by itself, only as far as the candidates show it.
"""

from collections import Counter
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from wootzc.ir.net.cost_tables import network_costs, variant_costs
from wootzc.ir.net.network import Network, module_positions, segment_shapes
from wootzc.ir.net.rate import parts, triple
from wootzc.ir.space import Space
from wootzc.ir.space.narrow import trunk_names

Floats: TypeAlias = NDArray[np.float64]

TELLING = ("macs", "params")  # costs that time goes by
FREE, HELD = 1e-4, 1.0  # ridges: of costs, of variants by themselves


def regressed(space: Space, rows: NDArray[np.intp], seen: Floats) -> Floats:
    """What each variant adds, [modules, rates], as a share of the full network's time.

    `rows`: candidates as positions in the space's rates, [candidates, modules]; `seen`: the share
    of that time that each took.
    """
    features = _features(space)
    sums = features[np.arange(features.shape[0]), rows].sum(axis=1) / seen[:, None]
    held = np.full(features.shape[2], HELD)
    held[: len(TELLING)] = FREE
    weights = np.linalg.solve(sums.T @ sums + np.diag(held), sums.T @ (1 - 1 / seen))
    return np.asarray(features @ weights)


def _features(space: Space) -> Floats:
    """[modules, rates, features]: costs as shares of the full network's, then which variant it is.

    Each rate of each group inside is a feature, of modules that are alike the same one; and each of
    a trunk, in equal parts of all that it enters or leaves.
    """
    network, like = space.network, _alike(space.network)
    sides = trunk_names(network)
    ends = Counter(name for names in sides for name in names)
    told: list[tuple[int, int, tuple[object, ...], float]] = []
    for module, choices in enumerate(space.choices):
        for rate in choices:
            own = space.rates[rate]
            for group, part in enumerate(parts(own, "inside")):
                told.append((module, rate, (like[module], group, part), 1.0 if part else 0.0))
            for names, part in zip(sides, triple(own)[1:], strict=True):
                name = names[module]
                told.append((module, rate, (name, part), 1 / ends[name] if part else 0.0))
    keys = {key: place for place, key in enumerate(dict.fromkeys(key for _, _, key, _ in told))}
    found = np.zeros((len(space.choices), len(space.rates), len(TELLING) + len(keys)))
    full, costs = network_costs(network), variant_costs(network, space.rates).tables
    for place, name in enumerate(TELLING):
        found[:, :, place] = (costs[name] - costs[name][:, :1]) / full[name]
    for module, rate, key, share in told:
        found[module, rate, len(TELLING) + keys[key]] += share
    return found


def _alike(network: Network) -> list[int]:
    """For each module the first that is like it, inside."""
    first = dict[tuple[object, ...], int]()
    shapes = segment_shapes(network)
    return [
        first.setdefault((replace(own, name="", entering=(), leaving=()), shapes[place]), module)
        for module, (own, place) in enumerate(
            zip(network.modules, module_positions(network), strict=True)
        )
    ]
