"""Proposals for spaces too large to list: seconds, and how good they are.

    python benchmarks/propose.py
    python benchmarks/propose.py --network resnet50 --network resnet152 --count 200

Modules are those of zoo networks, four rates each; rates never fall over the middle half of the
modules, the first two are tied, and at most half of the parameters (and of the MACs) stay. Scores
are made up: harm grows with the square of the rate, more in some modules than in others.

proposals: seconds for all of them, of the wall and of the processor; the share of rungs that HiGHS
proved; the largest distance of a rung's first candidate to the bound of the linear relaxation.
random: uniform samples from the same space, as many, and at each rung the least harm among those
within its bound, against the rung's first and against the mean of all found at the rung.
exact further, ours: mean harm of a rung's further candidates above its first, at some rungs. Exact
ones come from HiGHS alone, each the next best that differs in as many modules from those before
it; other than proposals they may be candidates of other rungs too. `exact CPU s`: for those.
"""

import argparse
import platform
import time

import numpy as np
import scipy
from numpy.typing import NDArray

import wootzc
from wootzc.ir.diagram.space_diagram import counted
from wootzc.ir.net.cost_tables import VariantCosts, variant_costs
from wootzc.ir.net.network import Network
from wootzc.ir.propose import APART, Proposals, proposals
from wootzc.ir.propose.integer_program import Apart, Programme
from wootzc.ir.space import Constraint, CostLimit, Ordered, Space, Tie
from wootzc.ir.space.recipe import Data, Recipe
from wootzc.ir.space.variables import variables

RATES = (0.0, 0.3, 0.5, 0.7)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", action="append", help="of the zoo; can be repeated")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--exact", type=int, default=3, help="rungs that HiGHS works on alone")
    parser.add_argument("--seed", type=int, default=0, help="of the scores")
    arguments = parser.parse_args()
    versions = f"numpy {np.__version__}, scipy {scipy.__version__}"
    print(f"Python {platform.python_version()}, {versions}, {platform.machine()}\n")
    print(
        "| network | modules | limits | found | seconds | CPU s | proven | gap "
        "| random: first | random: all | exact further | ours | exact CPU s |"
    )
    print("| --- " * 13 + "|")
    for name in arguments.network or ("resnet50", "resnet101", "resnet152"):
        network = wootzc.zoo(name)
        costs = variant_costs(network, RATES)
        scores = scores_of(len(network.modules), arguments.seed)
        for label, constraints in cases(network, costs):
            space = space_of(network, constraints)
            row = measure(space, costs, scores, arguments.count, arguments.exact)
            print(f"| {name} | {len(network.modules)} | {label} | {row} |", flush=True)


def space_of(network: Network, constraints: tuple[Constraint, ...]) -> Space:
    count = len(network.modules)
    return Space(
        name=network.name,
        network=network,
        rates=RATES,
        choices=(tuple(range(len(RATES))),) * count,
        criteria=tuple("l1" for _ in range(count)),
        constraints=constraints,
        data=Data(path="none.npz"),
        teacher=Recipe(steps=1),
        pretrain=Recipe(steps=1),
        finetune=Recipe(steps=1),
    )


def cases(network: Network, costs: VariantCosts) -> list[tuple[str, tuple[Constraint, ...]]]:
    count = len(network.modules)
    full = np.zeros((1, count), dtype=np.uint8)
    params, macs = (
        CostLimit(metric=m, comparison="<=", value=int(costs.total(m, full)[0]) // 2)
        for m in ("params", "macs")
    )
    middle = tuple(range(count // 4, count // 4 + count // 2))
    orders = (Ordered(direction="nondecreasing", modules=middle), Tie(modules=(0, 1)))
    return [("orders, params", (*orders, params)), ("and macs", (*orders, params, macs))]


def scores_of(modules: int, seed: int) -> NDArray[np.float64]:
    """[modules, rates]: harm = sensitivity × rate² × (1 + noise)."""
    rng = np.random.default_rng(seed)
    sensitivity = rng.gamma(2.0, 1.0, size=(modules, 1))
    noise = 1 + 0.2 * rng.standard_normal((modules, len(RATES)))
    scores: NDArray[np.float64] = (sensitivity * np.array(RATES) ** 2 * noise).clip(0)
    return scores


def measure(
    space: Space, costs: VariantCosts, scores: NDArray[np.float64], count: int, exact: int
) -> str:
    began, cpu = time.perf_counter(), time.process_time()
    found = proposals(space, costs, scores, count)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    harm = harm_of(scores, found.rows)
    total = costs.total("params", found.rows)
    firsts = np.array([harm[total <= bound].min() for bound in found.bounds])

    problem = variables(space, costs, space.constraints)
    programme = Programme(problem)
    table = np.zeros(problem.tables["params"].shape)
    np.add.at(table, problem.of_module, scores)
    bounds = [
        programme.best(table, problem.limits | {"params": (0, bound)}, relaxed=True).bound
        for bound in found.bounds.tolist()
    ]
    gap = (firsts / bounds - 1).max()

    drawn = counted(problem).sample(count, np.random.default_rng(1))
    sampled, price = harm_of(scores, drawn), costs.total("params", drawn)
    luck = np.array([sampled[price <= b].min(initial=np.inf) for b in found.bounds])
    there = np.isfinite(luck)
    mean = np.array([harm[found.rung == r].mean() for r in range(len(luck)) if there[r]])
    first, all_of_them = (luck[there] / firsts[there]).mean(), (luck[there] / mean).mean()

    theirs, ours, spent = exactly(programme, table, found, harm, firsts, exact)
    return (
        f"{len(found.rows)} | {seconds:.1f} | {cpu:.1f} | {found.proven.mean():.0%} | {gap:.2%} "
        f"| {first:.2f}× | {all_of_them:.2f}× | +{theirs:.2%} | +{ours:.2%} | {spent:.1f}"
    )


def exactly(
    programme: Programme,
    table: NDArray[np.float64],
    found: Proposals,
    harm: NDArray[np.float64],
    firsts: NDArray[np.float64],
    rungs: int,
) -> tuple[float, float, float]:
    """Mean harm of further candidates above the rung's first, by HiGHS and as proposed; CPU s."""
    problem = programme.problem
    distance = max(1, len(problem.of_module) // APART)
    theirs, ours, spent = [], [], 0.0
    for rung in np.linspace(0, len(firsts) - 1, rungs + 2).astype(int)[1:-1].tolist():
        mine = harm[found.rung == rung][1:]
        limits = problem.limits | {"params": (0, int(found.bounds[rung]))}
        words = np.zeros((0, len(table)), dtype=np.uint8)
        began = time.process_time()
        for _ in range(len(mine) + 1):
            solved = programme.best(table, limits, Apart(words, distance))
            assert solved.word is not None
            words = np.concatenate([words, solved.word[None]])
        spent += time.process_time() - began
        sums = table[np.arange(len(table)), words].sum(axis=1)
        theirs.append(float(sums[1:].mean() / firsts[rung] - 1))
        ours.append(float(mine.mean() / firsts[rung] - 1))
    return float(np.mean(theirs)), float(np.mean(ours)), spent


def harm_of(scores: NDArray[np.float64], rows: NDArray[np.uint8]) -> NDArray[np.float64]:
    sums: NDArray[np.float64] = scores[np.arange(rows.shape[1]), rows].sum(axis=1)
    return sums


if __name__ == "__main__":
    main()
