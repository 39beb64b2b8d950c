"""How well latency is predicted before a candidate is measured, and what searching by it gains.

    python benchmarks/latency.py [NETWORK | FILE.onnx …] [--candidates 20] [--threads 1]
                                 [--data cifar10-train.zip] [--store build/latency]

First, networks: of the zoo as `name` or `name:32` (images of 32 × 32), or ONNX files, with rates 0,
30, 50 and 70 %. Every variant is measured in the whole network, candidates drawn at random are
measured whole, all on onnxruntime in turns with the full network (wootzc/builder/jobs/latency.py);
of at least 15 readings the lowest tenth counts. Predictors of a candidate's share of the full
network's time: its share of the MACs, the sum of what its variants add, either corrected by a line
through five other candidates, and what a build goes by: that of the two that comes nearer to the
five. Error: mean of |predicted − measured| / measured. Rank:
Spearman's correlation. Noise: the same of a second measurement of all candidates against the first,
which no predictor can be better than.

Then one teacher and two searches at one limit of accuracy, `minimize latency` and `minimize macs`;
what both found takes turns with the full network for some seconds, on one clock: medians, and
between what half of the readings lie. On CIFAR-10 with --data, else on digits; --no-search leaves
it out.

What is measured and trained is kept in --store: started again, it goes on (and repeats the figures;
give another folder to measure anew). Prints Markdown, and how busy the machine was: on a busy one
all of this is worse.
"""

import argparse
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from scipy.stats import spearmanr

from wootzc.builder import Options, build
from wootzc.builder.jobs.latency import Rates, Stopwatch
from wootzc.builder.jobs.store import Store
from wootzc.builder.jobs.targets import processor
from wootzc.builder.result.benchmark import benchmark
from wootzc.driver import compile
from wootzc.ir.net.cost_tables import network_costs
from wootzc.ir.net.prune import prune_network
from wootzc.ir.space import OnRuntime, Space
from wootzc.units import percent

ROOT = Path(__file__).parents[1]
DEFAULTS = ["cifar_resnet20", "mobilenet_v2:32", str(ROOT / "samples" / "digits.onnx")]

CIFAR = """
include "{root}/benchmarks/cifar10_small.wz"
space shared over cifar_small {{
  data "{data}" {{ limit 8_000; validation 15%; test 15% }}
  augment {{ flip; crop(4) }}
  teacher {{ steps 1_500; optimizer sgd(0.1, momentum = 0.9); schedule cosine; weight_decay 5e-4 }}
  rates {{ 0, 30%, 50%, 70%, 85% }}
  finetune {{ steps 200 }}
  polish off
  budget {seconds} seconds
  subject to accuracy >= teacher - 3 points
}}
"""
DIGITS = """
include "{root}/benchmarks/digits.wz"
space shared from modules {{ data "{data}"; multiple of 8; budget {seconds} seconds }}
"""


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


def drawn(space: Space, count: int) -> list[Rates]:
    """Not those that the line goes by."""
    rng = np.random.default_rng(1)
    rows = {tuple(int(rng.choice(choices)) for choices in space.choices) for _ in range(3 * count)}
    return [tuple(space.rates[place] for place in row) for row in sorted(rows)[:count]]


def line(predicted: NDArray[np.float64], seen: NDArray[np.float64]) -> str:
    error, rank = np.abs(predicted - seen) / seen, spearmanr(predicted, seen)[0]
    return f" {error.mean():.1%}, worst {error.max():.1%}, rank {rank:.2f} "


def predictors(name: str, options: argparse.Namespace) -> str:
    space = space_over(name, options.threads)
    watch = Stopwatch(space=space, store=Store(options.store / "first"))
    again = Stopwatch(space=space, store=Store(options.store / "again"))
    added = watch.added()
    rows = drawn(space, options.candidates)
    first, second = watch.ratios(rows), again.ratios({*rows, (0.0,) * len(space.choices)})
    seen = np.array([first[row] for row in rows])
    full = network_costs(space.network)["macs"]
    macs = [network_costs(prune_network(space.network, row))["macs"] / full for row in rows]
    places = [[space.rates.index(rate) for rate in row] for row in rows]

    def summed(table: NDArray[np.float64]) -> NDArray[np.float64]:
        return 1 + np.array([table[range(len(row)), row].sum() for row in places])

    told = (
        line(np.array(macs), seen),
        line(summed(watch.lined(watch.by_macs())), seen),
        line(summed(added), seen),
        line(summed(watch.lined(added)), seen),
        line(summed(watch.foretold()), seen),
        line(np.array([second[row] for row in rows]), seen),
    )
    spread = f"{seen.min():.2f} … {seen.max():.2f}"
    label = Path(name).name
    return f"| {label} | {np.count_nonzero(added)} | {spread} |{'|'.join(told)}|"


def searches(options: argparse.Namespace) -> None:
    """Two builds over one teacher; what they found, side by side."""
    text = (CIFAR if options.data else DIGITS).format(
        root=ROOT, data=options.data or ROOT / "samples" / "digits.npz", seconds=options.seconds
    )
    goals = {"latency": "latency on onnxruntime; minimize latency", "macs": "minimize macs"}
    found = {}
    for name, goal in goals.items():
        whole = f"{text}space by_{name} from shared {{ {goal} }}\n"
        file = options.store / f"by_{name}.wz"
        file.write_text(whole, encoding="utf-8")
        chosen = Options(
            out=options.store / name, store=options.store / "jobs", space=f"by_{name}", replace=True
        )
        found[name] = build(file, chosen).result
    # The full network is the teacher of either: `benchmark` reads it as a file.
    full = options.store / "full.onnx"
    write_full(options.store / "macs", full)
    files = [full, *(options.store / name for name in goals)]
    networks = benchmark(files, OnRuntime(threads=options.threads), seconds=options.clock)
    print("\n| network | MACs | accuracy | test | median | of the full | half within | tried |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, (_, device) in zip(("full", *goals), networks, strict=True):
        took = device.latency
        assert took is not None
        within = f"{took.ratio_low:.3f}–{took.ratio_high:.3f}"
        timed = f"{took.median:.4f} ms | {took.ratio:.3f} | {within}"
        if name == "full":
            own = found["macs"].teacher
            print(
                f"| full | {own.costs['macs']:,} | {percent(own.validation_accuracy)} | "
                f"{percent(own.test_accuracy)} | {timed} | |"
            )
            continue
        one = found[name]
        met = "" if one.objective_met else " (NOT met)"
        print(
            f"| minimize {name}{met} | {one.best.costs['macs']:,} | {percent(one.best.accuracy)} | "
            f"{percent(one.best.test_accuracy)} | {timed} | {one.candidates.tried} |"
        )


def write_full(result: Path, file: Path) -> None:
    import onnx

    from wootzc.backends.onnx import to_onnx
    from wootzc.backends.weights.stored import initial_weights

    network = compile(result / "plan.wzir", ()).space.network
    onnx.save(to_onnx(network, initial_weights(network, seed=0)), file)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("networks", nargs="*", default=DEFAULTS)
    parser.add_argument("--candidates", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--data", type=Path, help="CIFAR-10, as benchmarks/cifar10_small.wz wants")
    parser.add_argument("--seconds", type=int, default=90, help="of each search, after the teacher")
    parser.add_argument("--clock", type=float, default=5, help="seconds of the last comparison")
    parser.add_argument("--store", type=Path, default=Path("build/latency"))
    parser.add_argument("--no-search", action="store_true")
    options = parser.parse_args()
    options.store = options.store.resolve()
    options.store.mkdir(parents=True, exist_ok=True)
    busy, cores = os.getloadavg()[0], os.cpu_count()
    print(f"onnxruntime {onnxruntime.__version__}, {processor()}, {cores} cores, load {busy:.1f}\n")
    print(
        "| network | variants | candidates | MACs | and line | table | and line | goes by | noise |"
    )
    print("| --- " * 9 + "|")
    for name in options.networks:
        print(predictors(name, options), flush=True)
    if not options.no_search:
        searches(options)
    print(f"\nload at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
