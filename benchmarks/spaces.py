"""Counting and sampling spaces too large to list: states and seconds.

    python benchmarks/spaces.py
    python benchmarks/spaces.py --network resnet50 --network densenet121 --samples 1000

Modules are those of zoo networks, four rates each. `orders`: rates that never fall over the middle
half of the modules, and one tie. `params`, `macs`: at most half of the full network's. A `~` stands
before counts that rounded costs bound; samples are uniform all the same.
"""

import argparse
import platform
import time
from collections.abc import Iterator

import numpy as np

import wootzc
from wootzc.ir.diagram.space_diagram import counted
from wootzc.ir.net.cost_tables import VariantCosts, variant_costs
from wootzc.ir.net.network import Network
from wootzc.ir.space import Constraint, CostLimit, Ordered, Space, Tie
from wootzc.ir.space.recipe import Data, Recipe
from wootzc.ir.space.variables import variables
from wootzc.units import large

RATES = (0.0, 0.3, 0.5, 0.7)
NETWORKS = ("resnet50", "resnet101", "resnet152", "densenet121", "mobilenet_v2", "inception_v3")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", action="append", help="of the zoo; can be repeated")
    parser.add_argument("--samples", type=int, default=500)
    arguments = parser.parse_args()
    print(f"Python {platform.python_version()}, numpy {np.__version__}, {platform.machine()}\n")
    print("| network | modules | limits | candidates | states | build s | count s | sample s |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name in arguments.network or NETWORKS:
        network = wootzc.zoo(name)
        space = space_of(network)
        costs = variant_costs(network, RATES)
        for label, constraints in cases(len(network.modules), costs):
            row = measure(space, costs, constraints, arguments.samples)
            print(f"| {name} | {len(network.modules)} | {label} | {row} |", flush=True)


def space_of(network: Network) -> Space:
    count = len(network.modules)
    return Space(
        name=network.name,
        network=network,
        rates=RATES,
        choices=(tuple(range(len(RATES))),) * count,
        criteria=tuple("l1" for _ in range(count)),
        data=Data(path="none.npz"),
        teacher=Recipe(steps=1),
        pretrain=Recipe(steps=1),
        finetune=Recipe(steps=1),
    )


def cases(count: int, costs: VariantCosts) -> Iterator[tuple[str, tuple[Constraint, ...]]]:
    full = np.zeros((1, count), dtype=np.uint8)
    params, macs = (
        CostLimit(metric=m, comparison="<=", value=int(costs.total(m, full)[0]) // 2)
        for m in ("params", "macs")
    )
    middle = tuple(range(count // 4, count // 4 + count // 2))
    orders = (Ordered(direction="nondecreasing", modules=middle), Tie(modules=(0, 1)))
    yield "none", ()
    yield "orders", orders
    yield "params", (params,)
    yield "orders, params", (*orders, params)
    yield "params, macs", (params, macs)
    yield "orders, params, macs", (*orders, params, macs)


def measure(
    space: Space, costs: VariantCosts, constraints: tuple[Constraint, ...], samples: int
) -> str:
    began = time.perf_counter()
    held = counted(variables(space, costs, constraints))
    built = time.perf_counter()
    least, most = held.between
    done = time.perf_counter()
    rows = held.sample(samples, np.random.default_rng(1))
    drawn = time.perf_counter()
    assert len(rows) == min(samples, most)
    shown = large(most) if held.exact else f"~ {large(least)} to {large(most)}"
    times = f"{built - began:.2f} | {done - built:.2f} | {drawn - done:.2f}"
    return f"{shown} | {held.diagram.states:,} | {times}"


if __name__ == "__main__":
    main()
