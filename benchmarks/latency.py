"""How well latency is predicted before a candidate is measured, and what searching by it gains.

    python benchmarks/latency.py [NETWORK | FILE.onnx …] [--candidates 20] [--threads 1]
                                 [--data cifar10-train.zip] [--store build/latency]

First, networks: of the zoo as `name` or `name:32` (images of 32 × 32), or ONNX files, with rates 0,
30, 50 and 70 %; with --all also trunks and modules left out. Candidates drawn at random are
measured whole on onnxruntime, in turns with the full network (wootzc/builder/jobs/latency.py); of
at least 15 readings the lowest tenth counts. Predictors of a candidate's share of the full
network's time: its share of the MACs, alone and with a line through those candidates that a build
measures; where no trunk goes, the sum of what its variants add that were measured alone, and that
with the same line; and a build's table. Error: mean of |predicted − measured| / measured. Rank:
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
from typing import TypeAlias

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
from wootzc.ir.net.cost_tables import network_costs, variant_costs
from wootzc.ir.space import OnRuntime, Space
from wootzc.units import percent

Floats: TypeAlias = NDArray[np.float64]
ROOT = Path(__file__).parents[1]
DEFAULTS = ["cifar_resnet20", "mobilenet_v2:32", str(ROOT / "samples" / "digits.onnx")]

ALL = "narrow t*; skip *"
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
  subject to accuracy >= teacher - {points} points
  {also}
}}
"""
DIGITS = """
include "{root}/benchmarks/digits.wz"
space shared from modules {{
  data "{data}"
  multiple of 8
  budget {seconds} seconds
  subject to accuracy >= teacher - {points} points
  {also}
}}
"""


def space_over(network: str, options: argparse.Namespace) -> Space:
    name, _, side = network.partition(":")
    source = f'network net from "{network}"' if network.endswith(".onnx") else ""
    given = f"(input = {side}x{side}x3, classes = 10)" if side else ""
    over = "net" if source else name + given
    text = f"""{source}
space s over {over} {{
  data "images.npz"
  rates {{ 0, 30%, 50%, 70% }}
  prune *
  {ALL + "; sample 50" if options.all else ""}
  minimize latency
  subject to accuracy >= 50%
}}
"""
    return replace(compile(text, ()).space, latency=OnRuntime(threads=options.threads))


def drawn(watch: Stopwatch, count: int) -> list[Rates]:
    """Others than the table goes by."""
    other = replace(watch, space=replace(watch.space, seed=watch.space.seed + 1)).drawn
    return [row for row in other if row not in watch.drawn][:count]


def line(predicted: Floats, seen: Floats) -> str:
    error, rank = np.abs(predicted - seen) / seen, spearmanr(predicted, seen)[0]
    return f" {error.mean():.1%}, worst {error.max():.1%}, rank {rank:.2f} "


def alone(watch: Stopwatch) -> Floats:
    """What each variant adds in the full network, [modules, rates]."""
    space = watch.space
    full = (0.0,) * len(space.choices)
    cuts = {
        (module, place): (*full[:module], space.rates[place], *full[module + 1 :])
        for module, choices in enumerate(space.choices)
        for place in choices
    }
    ratios = watch.ratios({*cuts.values()})
    added = np.zeros((len(space.choices), len(space.rates)))
    for where, row in cuts.items():
        added[where] = ratios[row] - 1
    return added


def predictors(name: str, options: argparse.Namespace) -> str:
    space = space_over(name, options)
    watch = Stopwatch(space=space, store=Store(options.store / "first"))
    again = Stopwatch(space=space, store=Store(options.store / "again"))
    rows = drawn(watch, options.candidates)
    whole = {(0.0,) * len(space.choices), *rows}
    first, second = watch.ratios({*whole, *watch.drawn}), again.ratios(whole)
    seen = np.array([first[row] for row in rows])
    told = np.array([first[row] for row in watch.drawn])
    macs = variant_costs(space.network, space.rates).tables["macs"]
    by_macs = (macs - macs[:, :1]) / network_costs(space.network)["macs"]

    def summed(table: Floats, rows: list[Rates]) -> Floats:
        places = [[space.rates.index(rate) for rate in row] for row in rows]
        return np.array([table[range(len(row)), row].sum() for row in places])

    def lined(table: Floats) -> Floats:
        sums = summed(table, watch.drawn)
        return table * float(sums @ (told - 1) / (sums @ sums))

    tables = [by_macs, lined(by_macs)]
    if not options.all:  # else no network has a cut alone
        tables += [alone(watch), lined(alone(watch))]
    columns = [line(1 + summed(table, rows), seen) for table in [*tables, watch.foretold()]]
    columns.append(line(np.array([second[row] for row in rows]), seen))
    if options.all:
        columns[2:2] = [" "] * 2
    spread = f"{seen.min():.2f} … {seen.max():.2f}"
    variants = sum(len(choices) - 1 for choices in space.choices)
    return f"| {Path(name).name} | {variants} | {spread} |{'|'.join(columns)}|"


def searches(options: argparse.Namespace) -> None:
    """Two builds over one teacher; what they found, side by side."""
    text = (CIFAR if options.data else DIGITS).format(
        root=ROOT,
        data=options.data or ROOT / "samples" / "digits.npz",
        seconds=options.seconds,
        points=options.points,
        also=ALL if options.all else "",
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
    parser.add_argument("--all", action="store_true", help="trunks and modules may go, too")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--data", type=Path, help="CIFAR-10, as benchmarks/cifar10_small.wz wants")
    parser.add_argument("--seconds", type=int, default=90, help="of each search, after the teacher")
    parser.add_argument("--points", type=float, default=3, help="that accuracy may fall")
    parser.add_argument("--clock", type=float, default=5, help="seconds of the last comparison")
    parser.add_argument("--store", type=Path, default=Path("build/latency"))
    parser.add_argument("--no-search", action="store_true")
    options = parser.parse_args()
    options.store = options.store.resolve()
    options.store.mkdir(parents=True, exist_ok=True)
    busy, cores = os.getloadavg()[0], os.cpu_count()
    print(f"onnxruntime {onnxruntime.__version__}, {processor()}, {cores} cores, load {busy:.1f}\n")
    print(
        "| network | variants | candidates | MACs | and line | alone | and line | table | noise |"
    )
    print("| --- " * 9 + "|")
    for name in options.networks:
        print(predictors(name, options), flush=True)
    if not options.no_search:
        searches(options)
    print(f"\nload at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
