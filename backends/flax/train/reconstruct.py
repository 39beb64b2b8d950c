"""Least squares for many variants at once: one sweep through the teacher, then a small solve each.

Every variant is judged by what enters its layers in the teacher, not by what its own earlier layers
make of it: so no variant waits for another, and adding a rate costs a solve.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from wootzc.backends.flax.train.moments import SAMPLES, input_moments
from wootzc.backends.weights.importance import NOTHING, Saliencies, gather_evidence
from wootzc.backends.weights.parameters import Weights, segment_weights
from wootzc.backends.weights.refit import losing_layers, refit_module
from wootzc.backends.weights.slicing import Variant
from wootzc.ir.net.network import Network, module_positions, segment_shapes
from wootzc.ir.net.rate import Rate
from wootzc.ir.space import Criterion

if TYPE_CHECKING:
    from wootzc.backends.data import Split


def reconstruct(
    network: Network,
    teacher: Weights,
    variants: Sequence[Variant],
    criteria: Sequence[Criterion],  # by module
    split: "Split",  # training images
    *,
    images: int,  # how many of them to look at
    seed: int,  # which, and where; and of criterion `random`
    samples: int = SAMPLES,  # output positions per feature, over all images
    saliencies: Saliencies = NOTHING,  # of criteria that read images
) -> dict[Variant, Weights]:
    """The weights of each variant's module, named segment/path/parameter as in a `BlockJob`."""
    positions, shapes = module_positions(network), segment_shapes(network)
    rates: dict[int, set[Rate]] = {}
    for number, rate in variants:
        rates.setdefault(number, set()).add(rate)
    losing = {
        positions[number]: losing_layers(network.modules[number], shapes[positions[number]], own)
        for number, own in rates.items()
    }
    wanted = {position: paths for position, paths in losing.items() if paths}
    moments = input_moments(network, teacher, wanted, split, images, samples, seed=seed)
    evidence = gather_evidence(network, teacher, saliencies, seed=seed)
    found: dict[Variant, Weights] = {}
    for number, rate in variants:
        module, position = network.modules[number], positions[number]
        own = refit_module(
            module,
            shapes[position],
            segment_weights(teacher, module.name),
            moments.get(position, {}),
            rate,
            criteria[number],
            evidence,
        )
        found[number, rate] = {f"{module.name}/{name}": value for name, value in own.items()}
    return found
