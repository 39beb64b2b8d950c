"""A whole network as one jitted function of images, as whoever deploys it on JAX runs it."""

from collections.abc import Callable

import jax
import numpy as np
from numpy.typing import NDArray

from wootzc.backends.flax.net.model import evaluate_all, structures
from wootzc.backends.weights.stored import initial_weights, split
from wootzc.ir.net.network import Network


def runner(network: Network, batch: int) -> Callable[[], object]:
    """A call that runs the network once on random images, and waits until it is done.

    With drawn weights, which take as long as others; convolutions in the plain form, which is that
    of exported sources. Compiles.
    """
    nets = structures(network, plain=True)
    values = split(network, initial_weights(network, seed=0))

    def logits(values: object, images: jax.Array) -> jax.Array:
        return evaluate_all(nets, values, images)  # type: ignore[arg-type]

    given = jax.device_put((values, drawn(network, batch)), jax.devices()[0])
    compiled = jax.jit(logits).lower(*given).compile()

    def run() -> object:
        return jax.block_until_ready(compiled(*given))

    run()
    return run


def drawn(network: Network, batch: int) -> NDArray[np.float32]:
    """Images of random numbers: [batch, height, width, channels]."""
    return np.random.default_rng(0).standard_normal((batch, *network.input), np.float32)


def device() -> str:
    """JAX, and the device that it runs on: "jax 0.10.2, cpu"."""
    first = jax.devices()[0]
    kind = "" if first.device_kind == first.platform else f" {first.device_kind}"
    return f"jax {jax.__version__}, {first.platform}{kind}"
