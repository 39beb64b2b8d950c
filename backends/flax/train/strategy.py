"""How to run many training steps. Measured in docs/decisions/002-no-scan-on-cpu.md.

scan: chunks of steps in one compiled loop; on a CPU convolutions in loops lose their threads.
segments: compiled functions per module variant, which all candidates share.
loop: one compiled step of the whole network, called again and again.
"""

from math import prod

import jax

from wootzc.backends.flax.device.parallel import Devices, Strategy
from wootzc.backends.flax.net.model import structures
from wootzc.backends.weights.widen import can_be_widened
from wootzc.ir.net.cost import network_cost
from wootzc.ir.net.network import Network, segment_shapes
from wootzc.ir.space.recipe import Recipe

# Seconds of a CPU per segment of a network, from benchmarks/strategies.py.
WHOLE_SECONDS = 0.45  # to compile the step of a whole network
SEGMENT_SECONDS = 1.0  # to compile forward and backward of one segment by itself
DISPATCH_SECONDS = 0.0002  # that a step takes more in segments
RECOMPUTE_SECONDS = 0.001  # that it takes less, or much less, where activations are large:
MAC_SECONDS = 1e-10  # of a step, for each multiplication of the network and image of the batch
LARGE = 2**20  # bytes; of a batch, at a boundary of segments


def choose_strategy(
    network: Network,
    recipe: Recipe,
    devices: Devices,
    *,
    shared: bool = False,
    platform: str | None = None,
) -> Strategy:
    """What costs least if all of the recipe's steps are run.

    `shared`: other networks of the same module variants are trained too, so that compiling one of
    them serves many.

    A function of what is to be run and of figures measured once: what was compiled already may not
    matter, or a build that is resumed would not end in the same bits.
    """
    if (platform or jax.default_backend()) != "cpu":
        return "scan"
    if devices.count > 1 or network.auxiliaries:
        return "loop"
    more = -RECOMPUTE_SECONDS if _largest(network, recipe.batch) >= LARGE else DISPATCH_SECONDS
    compiling = 0.0 if shared else _distinct(network) * SEGMENT_SECONDS
    return "segments" if compiling + recipe.steps * more <= WHOLE_SECONDS else "loop"


def full_width_pays(
    network: Network,
    recipe: Recipe,
    candidates: int,
    variants: int,  # of modules that all of them are made of
    devices: Devices,
    platform: str | None = None,
) -> bool:
    """Whether as many networks cut from this one had better be trained at its width.

    Then all of them run the teacher's program: a step costs what the teacher's does, and nothing is
    compiled for them.
    """
    if (platform or jax.default_backend()) != "cpu" or devices.count > 1 or network.auxiliaries:
        return False
    if not all(map(can_be_widened, network.modules)):
        return False
    if any(one.draws for one in structures(network)):  # what is drawn would be other numbers
        return False
    steps = candidates * recipe.steps * recipe.batch * network_cost(network).macs * MAC_SECONDS
    return steps <= min(variants, candidates * len(network.modules)) * SEGMENT_SECONDS


def _largest(network: Network, batch: int) -> int:
    """Bytes of the largest activation at a boundary of segments."""
    return 4 * batch * max(map(prod, segment_shapes(network)))


def _distinct(network: Network) -> float:
    """The share of segments to compile: those of equal body and shape are one."""
    shapes = segment_shapes(network)
    pairs = [(s.body, shape) for s, shape in zip(network.segments, shapes, strict=False)]
    return len(set(pairs)) / len(pairs)
