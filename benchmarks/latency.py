"""How well latency is predicted before a candidate is measured, by what.

    python benchmarks/latency.py [NETWORK | FILE.onnx …] [--candidates 20] [--threads 1]

A network of the zoo as `name` or `name:32` (images of 32 × 32), with rates 0, 30, 50 and 70 %.
Every variant is measured in the whole network, candidates drawn at random are measured whole, all
on onnxruntime in turns with the full network (wootzc/builder/jobs/latency.py). Predictors of a
candidate's share of the full network's time: its share of the MACs, the sum of what its variants
add, and that sum corrected by a line through five other candidates. Error: mean of |predicted −
measured| / measured. Rank: Spearman's correlation. Nothing is taken from a store. Prints a table in
Markdown, and how busy the machine was: on a busy one all of this is worse.
"""

import argparse
import os
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from scipy.stats import spearmanr

from wootzc.builder.jobs.latency import Row, Stopwatch, processor
from wootzc.builder.jobs.store import Store
from wootzc.driver import compile
from wootzc.ir.net.cost_tables import variant_costs
from wootzc.ir.space import OnRuntime, Space

DEFAULTS = ["cifar_resnet20", "mobilenet_v2:32", "squeezenet1_1:64"]


def space_over(network: str, threads: int) -> Space:
    name, _, side = network.partition(":")
    source = f'network net from "{network}"' if network.endswith(".onnx") else ""
    given = f"(input = {side}x{side}x3, classes = 10)" if side else ""
    over = "net" if source else name + given
    text = f"""{source}
space s over {over} {{
  data "images.npz"
  rates {{ 0, 30%, 50%, 70% }}
  prune *
  minimize latency
  subject to accuracy >= 50%
}}
"""
    return replace(compile(text, ()).space, latency=OnRuntime(threads=threads))


def drawn(space: Space, count: int) -> list[Row]:
    """Not those that the line goes by."""
    rng = np.random.default_rng(1)
    rows = {tuple(int(rng.choice(choices)) for choices in space.choices) for _ in range(3 * count)}
    return sorted(rows)[:count]


def line(predicted: NDArray[np.float64], seen: NDArray[np.float64]) -> str:
    error, rank = np.abs(predicted - seen) / seen, spearmanr(predicted, seen)[0]
    return f" {error.mean():.1%}, worst {error.max():.1%}, rank {rank:.2f} "


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("networks", nargs="*", default=DEFAULTS)
    parser.add_argument("--candidates", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    busy, cores = os.getloadavg()[0], os.cpu_count()
    print(f"onnxruntime {onnxruntime.__version__}, {processor()}, {cores} cores, load {busy:.1f}\n")
    print("| network | variants | spread of candidates | MACs | table | table and line | slope |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name in options.networks:
        space = space_over(name, options.threads)
        with tempfile.TemporaryDirectory() as folder:
            watch = Stopwatch(space=space, store=Store(Path(folder)))
            added = watch.added()
            rows = drawn(space, options.candidates)
            ratios = watch.ratios(rows)
            slope = watch.slope(added)
        seen = np.array([ratios[row] for row in rows])
        costs = variant_costs(space.network, space.rates)
        macs = costs.total("macs", np.array([*rows, (0,) * len(rows[0])], np.uint8))
        sums = np.array([added[range(len(row)), row].sum() for row in rows])
        told = (
            line(macs[:-1] / macs[-1], seen),
            line(1 + sums, seen),
            line(1 + slope * sums, seen),
        )
        spread = f"{seen.min():.2f} … {seen.max():.2f}"
        print(f"| {name} | {len(np.argwhere(added))} | {spread} |{'|'.join(told)}| {slope:.2f} |")


if __name__ == "__main__":
    main()
