"""How much damage one variant does: it alone stands in for its counterpart in the teacher.

Sums of such scores rank whole candidates (DONNA, Moons et al., ICCV 2021; LANA, Molchanov et al.,
ECCV 2022; Puzzle, Bercovich et al., ICML 2025). Variants are judged at full width, so that nothing
is compiled but the teacher; but for modules where zeros would count (`can_be_widened`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from wootzc.backends.flax.device.parallel import Devices, all_devices
from wootzc.backends.flax.net.model import Structure, structure, structures
from wootzc.backends.flax.train.evaluation import batch_for, rounded_up
from wootzc.backends.flax.train.segments import compiled, evaluate_segments
from wootzc.backends.flax.train.step import Trees, count_correct
from wootzc.backends.weights.parameters import Weights, segment_weights
from wootzc.backends.weights.slicing import Pruner, Variant
from wootzc.backends.weights.stored import check_fits, split
from wootzc.backends.weights.widen import can_be_widened, widen_module_weights, widen_weights
from wootzc.ir.net.network import module_positions
from wootzc.ir.net.prune import prune_module, prune_network
from wootzc.ir.net.rate import Rate

if TYPE_CHECKING:
    from wootzc.backends.data import Batch

Spread: TypeAlias = Any  # a batch, cut up for the devices or on them


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Of the teacher with one variant in it."""

    loss: float  # mean KL(teacher ‖ it) over the images, in nats
    accuracy: float  # on the images


class _Part(NamedTuple):
    """Some of the images, as many as run at once."""

    logits: Spread  # the teacher's
    labels: Spread
    counted: Spread  # 1 for an image, 0 for one that fills the batch


def score_variants(
    pruner: Pruner,  # of the teacher: says which filters are left
    variants: Mapping[Variant, Weights],  # segment/path/parameter, as `reconstruct` makes them
    images: "Batch",
) -> Iterator[tuple[Variant, Score]]:
    """Every variant with its score, as soon as it is known, module by module.

    What enters a module in the teacher is computed once, and stays on the devices while its
    variants are judged: that of all images at one place of the network.
    """
    network, teacher = pruner.network, pruner.weights
    check_fits(network, teacher)
    devices = all_devices()
    graphs = structures(network)
    values = tuple(devices.replicate(part) for part in split(network, teacher))
    entering, parts = _prepared(graphs, values, images, devices)
    start = 0
    for number, position in enumerate(module_positions(network)):
        own = [variant for variant in variants if variant[0] == number]
        if not own:
            continue
        between = graphs[start:position], values[start:position]
        for part, x in enumerate(entering):  # in place: what entered before is let go of
            entering[part] = evaluate_segments(*between, x, devices)
        start = position
        module, shape = pruner.modules[number]
        for variant in own:
            pruned = segment_weights(variants[variant], module.name)
            graph, rate = graphs[position], variant[1]
            if can_be_widened(module):
                pruned = widen_module_weights(pruner, number, pruned, rate)
            else:
                graph = structure(prune_module(module, shape, rate).body, shape)
            tail = (devices.replicate(pruned), *values[position + 1 :])
            run = (graph, *graphs[position + 1 :])
            yield variant, _score(run, tail, entering, parts, devices)


def score_networks(
    pruner: Pruner,  # of the teacher
    networks: Mapping[Variant, tuple[tuple[Rate, ...], Weights]],  # pruned: rates, all weights
    images: "Batch",
) -> Iterator[tuple[Variant, Score]]:
    """Every pruned network with its score."""
    if not networks:
        return
    network, devices = pruner.network, all_devices()
    graphs = structures(network)
    whole = tuple(devices.replicate(part) for part in split(network, pruner.weights))
    entering, parts = _prepared(graphs, whole, images, devices)
    for name, (rates, weights) in networks.items():
        if all(map(can_be_widened, network.modules)):
            run, values = graphs, split(network, widen_weights(pruner, weights, rates))
        else:
            small = prune_network(network, rates)
            run, values = structures(small), split(small, weights)
        yield name, _score(run, tuple(map(devices.replicate, values)), entering, parts, devices)


def _prepared(
    graphs: tuple[Structure, ...], values: Trees, images: "Batch", devices: Devices
) -> tuple[list[Spread], list[_Part]]:
    """The images in equal batches, and the teacher's answers."""
    size = rounded_up(batch_for(len(images.labels)), devices.count)
    entering: list[Spread] = []
    parts: list[_Part] = []
    for rows in np.split(np.arange(len(images.labels)), range(size, len(images.labels), size)):
        filled = np.resize(rows, size)
        counted = np.arange(size) < len(rows)
        x = devices.spread(images.images[filled])
        entering.append(x)
        parts.append(
            _Part(
                logits=evaluate_segments(graphs, values, x, devices),
                labels=devices.spread(images.labels[filled]),
                counted=devices.spread(counted.astype(np.float32)),
            )
        )
    return entering, parts


def _score(
    graphs: tuple[Structure, ...],
    values: Trees,
    entering: list[Spread],
    parts: list[_Part],
    devices: Devices,
) -> Score:
    compare = compiled(compare_logits, devices)
    sums = [
        compare(evaluate_segments(graphs, values, x, devices), *part)
        for x, part in zip(entering, parts, strict=True)
    ]
    loss, right, count = (
        sum(float(devices.gather(one).sum()) for one in each) for each in zip(*sums, strict=True)
    )
    return Score(loss=loss / count, accuracy=right / count)


def compare_logits(
    logits: jax.Array,  # [batch, classes]
    teacher: jax.Array,  # likewise
    labels: jax.Array,  # [batch]
    weights: jax.Array,  # [batch] 1 for an image, 0 for padding
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Sums over the batch: KL(teacher ‖ these logits) in nats, how many are right, how many."""
    expected, given = jax.nn.log_softmax(teacher), jax.nn.log_softmax(logits)
    divergence = jnp.sum(jnp.exp(expected) * (expected - given), axis=-1)
    return jnp.sum(divergence * weights), count_correct(logits, labels, weights), jnp.sum(weights)
