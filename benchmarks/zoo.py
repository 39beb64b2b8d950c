"""Every network of the zoo at full size: planned, and run once whole and once at 70 %.

    python benchmarks/zoo.py [NETWORK …]

Planning is `compile` of a space of 500 sampled candidates over four rates, with all default passes.
The forward pass is of one random image, with fresh weights, pruned by l1; what comes out must be
finite and of the predicted shape, and the arrays in use those that the compiler counted. Seconds of
a forward pass include compiling it. Prints a table in Markdown.
"""

import argparse
import resource
import sys
import time

import numpy as np

from wootzc.backends.flax.train.evaluation import predict
from wootzc.backends.weights.parameters import Weights, count_parameters, network_parameters
from wootzc.backends.weights.slicing import prune_weights
from wootzc.backends.weights.stored import initial_weights
from wootzc.driver import compile
from wootzc.grammar.zoo import zoo_names
from wootzc.ir.net.cost import network_cost
from wootzc.ir.net.network import Network, segment_shapes
from wootzc.ir.net.prune import prune_network

RATE = 0.7
COLUMNS = (
    "network", "modules", "plan s", "params", "MACs", f"params at {RATE:.0%}",
    f"MACs at {RATE:.0%}", "forward s", f"forward s at {RATE:.0%}", "as predicted",
)  # fmt: skip


def space_over(network: str) -> str:
    return f"""
space s over {network} {{
  data "images.npz"
  rates {{ 0, 30%, 50%, 70% }}
  prune *
  sample 500 seed 1
  minimize params
  subject to accuracy >= 80%
}}
"""


def forward(network: Network, weights: Weights) -> tuple[float, bool]:
    """Seconds, and whether shapes and counts are the predicted ones."""
    image = np.random.default_rng(1).normal(size=(1, *network.input)).astype(np.float32)
    began = time.perf_counter()
    logits = predict(network, weights, image, batch=1)
    seconds = time.perf_counter() - began
    right = (
        logits.shape == (1, *segment_shapes(network)[-1])
        and bool(np.isfinite(logits).all())
        and {n: w.shape for n, w in weights.items()} == network_parameters(network)
        and count_parameters(weights) == network_cost(network).params
    )
    return seconds, right


def row(name: str) -> tuple[list[str], bool]:
    began = time.perf_counter()
    plan = compile(space_over(name))
    planned = time.perf_counter() - began
    assert plan.candidates is not None and len(plan.candidates) == 500
    network = plan.space.network
    count = len(network.modules)
    small = prune_network(network, (RATE,) * count)
    weights = initial_weights(network, 0)
    whole_seconds, whole_right = forward(network, weights)
    sliced = prune_weights(network, weights, [RATE] * count, ["l1"] * count)
    small_seconds, small_right = forward(small, sliced)
    full, left = network_cost(network), network_cost(small)
    right = whole_right and small_right
    cells = [
        name, str(count), f"{planned:.1f}", f"{full.params:,}", f"{full.macs / 1e6:,.0f}M",
        f"{left.params:,}", f"{left.macs / 1e6:,.0f}M", f"{whole_seconds:.1f}",
        f"{small_seconds:.1f}", "yes" if right else "NO",
    ]  # fmt: skip
    return cells, right


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("networks", nargs="*")
    names = parser.parse_args().networks or zoo_names()
    compile(space_over(names[0]))  # what is loaded once is not what planning takes
    print(f"| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}")
    good = True
    for name in names:
        cells, right = row(name)
        good = good and right
        print(f"| {' | '.join(cells)} |", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"\nmost memory: {peak:.1f} GiB")
    return not good


if __name__ == "__main__":
    sys.exit(main())
