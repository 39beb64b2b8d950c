"""What is left of the networks of the zoo where everything has one rate: how far pruning reaches.

    python benchmarks/reach.py [NETWORK …] [--rates 0.5 0.9]

Parameters left, as shares of the whole network: with modules alone, and with the channels between
them (`narrow t*`). Before that the share that no rate of a module reaches. Where torch and
torch-pruning are installed, also what Torch-Pruning's MagnitudePruner leaves of the same network,
exported to PyTorch, at the same ratio for every layer but the one that makes the class scores.
Widths of both may be any number. Prints a table in Markdown.
"""

import argparse
import importlib.util
from collections.abc import Sequence
from statistics import median
from typing import Any

import numpy as np

from wootzc.backends.torch.source import model_source
from wootzc.grammar.zoo import zoo_names
from wootzc.ir.net.cost import network_cost
from wootzc.ir.net.network import Network
from wootzc.ir.net.prune import prune_network
from wootzc.ir.net.reach import reach
from wootzc.ir.net.trunk import even_rates, trunks, with_seams
from wootzc.networks import zoo

PEER = all(importlib.util.find_spec(name) for name in ("torch", "torch_pruning"))


def left_by_us(network: Network, rate: float) -> float:
    pruned = prune_network(network, even_rates(network, rate))
    return network_cost(pruned).params / network_cost(network).params


def left_by_peer(network: Network, ratio: float) -> float:
    import torch_pruning as tp
    from torch import nn, zeros

    net = torch_module(network)
    whole = sum(p.numel() for p in net.parameters())
    layers = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    height, width, channels = network.input
    pruner = tp.pruner.MagnitudePruner(
        net,
        zeros(1, channels, height, width),
        importance=tp.importance.MagnitudeImportance(p=1),
        pruning_ratio=ratio,
        ignored_layers=layers[-1:],
    )
    pruner.step()
    return float(sum(p.numel() for p in net.parameters()) / whole)


def torch_module(network: Network) -> Any:
    """The network as wootzc exports it to PyTorch, with PyTorch's own first weights."""
    channels = network.input[-1]
    text = model_source(network, [], np.zeros(channels), np.ones(channels))
    scope: dict[str, Any] = {"__name__": "model", "__file__": __file__}
    exec(compile(text, "model.py", "exec"), scope)
    return scope["Net"]().eval()


def row(network: Network, rates: Sequence[float]) -> list[float]:
    """The share out of reach; by rate what is left, with trunks too, and by the peer."""
    cells = [reach(network).outside]
    narrow = with_seams(network, {trunk.name for trunk in trunks(network)})
    for rate in rates:
        cells += [left_by_us(network, rate), left_by_us(narrow, rate)]
        if PEER:
            cells.append(left_by_peer(network, rate))
    return cells


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("networks", nargs="*")
    parser.add_argument("--rates", nargs="+", type=float, default=[0.5, 0.9])
    options = parser.parse_args()
    columns = ["network", "modules", "out of reach"]
    for rate in options.rates:
        words = (f"modules at {rate:.0%}", "and between them", f"Torch-Pruning {rate:.0%}")
        columns += words[: 2 + PEER]
    print(f"| {' | '.join(columns)} |\n|{' --- |' * len(columns)}")
    rows = []
    for name in options.networks or zoo_names():
        network = zoo(name)
        rows.append(row(network, options.rates))
        shares = [f"{cell:.1%}" for cell in rows[-1]]
        print(f"| {' | '.join([name, str(len(network.modules)), *shares])} |", flush=True)
    medians = [f"{median(cells):.1%}" for cells in zip(*rows, strict=True)]
    print(f"| {' | '.join(['median', '', *medians])} |")


if __name__ == "__main__":
    main()
