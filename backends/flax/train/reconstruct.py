"""Least squares for many variants at once: one sweep through the teacher, then a small solve each.

Every variant is judged by what enters its layers in the teacher, not by what its own earlier layers
make of it: so no variant waits for another, and adding a rate costs a solve.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from wootzc.backends.flax.train.moments import SAMPLES, input_moments
from wootzc.backends.weights.parameters import Weights
from wootzc.backends.weights.refit import losing_layers, refit_module
from wootzc.backends.weights.slicing import Pruner, Variant
from wootzc.ir.net.network import module_positions
from wootzc.ir.net.rate import Rate

if TYPE_CHECKING:
    from wootzc.backends.data import Split


def reconstruct(
    pruner: Pruner,
    variants: Sequence[Variant],
    split: "Split",  # training images
    *,
    images: int,  # how many of them to look at; the pruner's seed says which, and where
    samples: int = SAMPLES,  # output positions per feature, over all images
) -> dict[Variant, Weights]:
    """The weights of each variant's module, named segment/path/parameter as in a `BlockJob`."""
    network, positions = pruner.network, module_positions(pruner.network)
    rates: dict[int, set[Rate]] = {}
    for number, rate in variants:
        rates.setdefault(number, set()).add(rate)
    losing = {
        positions[number]: losing_layers(*pruner.modules[number], own)
        for number, own in rates.items()
    }
    wanted = {position: paths for position, paths in losing.items() if paths}
    seed = pruner.seed
    moments = input_moments(network, pruner.weights, wanted, split, images, samples, seed=seed)
    found: dict[Variant, Weights] = {}
    for number, rate in variants:
        own = refit_module(pruner, number, moments.get(positions[number], {}), rate)
        name = network.modules[number].name
        found[number, rate] = {f"{name}/{path}": value for path, value in own.items()}
    return found
