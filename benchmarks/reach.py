"""What is left of the networks of the zoo where everything has one rate: how far pruning reaches.

    python benchmarks/reach.py [NETWORK …] [--rates 0.5 0.9]
    python benchmarks/reach.py --torchvision resnet18 mobilenet_v3_small …

With `--torchvision` the networks are torchvision's own, exported to ONNX by PyTorch and imported.
Parameters left, as shares of the whole network: with modules alone, and with the channels between
them (`narrow t*`). Before that the share that no rate of a module reaches. Where torch and
torch-pruning are installed, also what Torch-Pruning's MagnitudePruner leaves of the same network,
exported to PyTorch, at the same ratio for every layer but the one that makes the class scores.
Widths of both may be any number. Prints a table in Markdown.
"""

import argparse
import importlib.util
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
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
from wootzc.networks import import_network, zoo

PEER = all(importlib.util.find_spec(name) for name in ("torch", "torch_pruning"))


def left_by_us(network: Network, rate: float) -> float:
    pruned = prune_network(network, even_rates(network, rate))
    return network_cost(pruned).params / network_cost(network).params


def left_by_peer(network: Network, ratio: float, net: Any) -> float:
    """`net`: the network in PyTorch, which is pruned in place."""
    import torch_pruning as tp
    from torch import nn, zeros

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


def of_torchvision(name: str) -> Network:
    """As PyTorch exports it, norms put back where they were folded."""
    from torch import onnx, zeros

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{name}.onnx"
        net = torchvision_module(name)
        onnx.export(net, (zeros(1, 3, 224, 224),), file, dynamo=False, verbose=False)
        return import_network(file).network


def torchvision_module(name: str) -> Any:
    from torchvision.models import get_model

    return get_model(name, weights=None).eval()


def row(network: Network, rates: Sequence[float], module: Callable[[], Any]) -> list[float]:
    """The share out of reach; by rate what is left, with trunks too, and by the peer.

    `module` makes the same network in PyTorch.
    """
    cells = [reach(network).outside]
    narrow = with_seams(network, {trunk.name for trunk in trunks(network)})
    for rate in rates:
        cells += [left_by_us(network, rate), left_by_us(narrow, rate)]
        if PEER:
            cells.append(left_by_peer(network, rate, module()))
    return cells


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("networks", nargs="*")
    parser.add_argument("--torchvision", nargs="+", metavar="NETWORK", help="torchvision's own")
    parser.add_argument("--rates", nargs="+", type=float, default=[0.5, 0.9])
    options = parser.parse_args()
    columns = ["network", "modules", "out of reach"]
    for rate in options.rates:
        words = (f"modules at {rate:.0%}", "and between them", f"Torch-Pruning {rate:.0%}")
        columns += words[: 2 + PEER]
    print(f"| {' | '.join(columns)} |\n|{' --- |' * len(columns)}")
    rows = []
    for name in options.torchvision or options.networks or zoo_names():
        if options.torchvision:
            network, module = of_torchvision(name), partial(torchvision_module, name)
        else:
            network = zoo(name)
            module = partial(torch_module, network)
        rows.append(row(network, options.rates, module))
        shares = [f"{cell:.1%}" for cell in rows[-1]]
        print(f"| {' | '.join([name, str(len(network.modules)), *shares])} |", flush=True)
    medians = [f"{median(cells):.1%}" for cells in zip(*rows, strict=True)]
    print(f"| {' | '.join(['median', '', *medians])} |")


if __name__ == "__main__":
    main()
