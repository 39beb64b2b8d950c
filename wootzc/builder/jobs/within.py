"""Whether the candidates of a build are trained within the network that they were cut from."""

from collections.abc import Sequence

import numpy as np

from wootzc.backends.flax.device.parallel import Devices
from wootzc.backends.flax.train.full_width import FullWidth
from wootzc.backends.flax.train.strategy import full_width_pays
from wootzc.backends.weights.slicing import Pruner
from wootzc.ir.net.network import module_positions, segment_shapes
from wootzc.ir.net.rate import Rate
from wootzc.ir.plan import Complete

TRIED = 8  # candidates, about, in a search that predicts: it took 2 to 8 in benchmarks/README.md


def within(
    plan: Complete,
    rates: Sequence[Rate],  # of a candidate
    pruner: Pruner,  # of the teacher
    devices: Devices,
) -> FullWidth | None:
    """The full network, where a search of this plan had better train its candidates within it."""
    space, tried = plan.space, len(plan.candidates.values)
    if space.explore == "predicted":
        tried = min(tried, TRIED)
    if not full_width_pays(space.network, space.finetune, tried, variants(plan), devices):
        return None
    return FullWidth(pruner=pruner, rates=rates)


def variants(plan: Complete) -> int:
    """How many pruned modules all candidates are made of; equal ones count once."""
    network = plan.space.network
    shapes, positions = segment_shapes(network), module_positions(network)
    columns = zip(network.modules, positions, plan.candidates.values.T, strict=True)
    kinds = {
        (module.body, shapes[position], rate)
        for module, position, column in columns
        for rate in np.unique(column).tolist()
        if plan.space.rates[rate]
    }
    return len(kinds)
