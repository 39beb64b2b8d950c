"""What foretells how accurate a candidate will be after fine-tuning, and how well.

    python benchmarks/predictors.py --store /tmp/defaults \
        --cifar cifar10-train.zip --stranger stranger

Candidates, half of them from the front between size and summed score and half drawn from the space,
are fine-tuned by one recipe to its end. Foretold is the accuracy at that end, on validation images:

    scores      the sum of the scores of the candidate's variants, each alone in the teacher
    KL          that of the teacher to the assembled candidate, before any step, on as many images
    start       the accuracy of the assembled candidate, on all validation images
    1/8, 1/4    the accuracy after that share of the steps

`rank`: Spearman's correlation over all candidates; `front`: over those of the front alone; `upper`:
over the half that ends best, where limits lie. `error`: in points, root mean square of the
difference to what a linear regression on all other candidates foretells, where scores and KL count
by their logarithms; `top`: the same over the upper half. Several predictors rank by the mean rank.
"""

import argparse
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from defaults import BASE, LOOKS, Trial
from numpy.typing import NDArray
from pairs import Bench, Rows, add_arguments, benches, mean, print_setting
from scipy.stats import rankdata, spearmanr

from wootzc.ir.passes import PASSES, run
from wootzc.ir.plan import Plan

Floats = NDArray[np.float64]

LEAST = 1e-5  # nats, below which a logarithm says nothing
COMBINED = {
    "scores": ("scores",),
    "KL": ("KL",),
    "start": ("start",),
    "1/8": ("1/8",),
    "1/4": ("1/4",),
    "scores, KL": ("scores", "KL"),
    "scores, start": ("scores", "start"),
    "KL, start": ("KL", "start"),
    "scores, 1/8": ("scores", "1/8"),
    "start, 1/8": ("start", "1/8"),
    "scores, start, 1/8": ("scores", "start", "1/8"),
    "scores, 1/4": ("scores", "1/4"),
    "start, 1/4": ("start", "1/4"),
}


def candidates(bench: Bench, count: int) -> tuple[Rows, int]:
    """So many distinct ones, and how many of them are of the front: these come first."""
    front = bench.front(count // 2)
    plan = run(Plan(space=bench.space), PASSES)
    assert plan.candidates is not None
    drawn = plan.candidates.values
    order = np.random.default_rng(1).permutation(len(drawn))
    taken = {row.tobytes() for row in front}
    other = [row for row in drawn[order] if row.tobytes() not in taken][: count - len(front)]
    return np.concatenate([front, np.stack(other)]), len(front)


def features(bench: Bench, rows: Rows, trial: Trial) -> tuple[dict[str, Floats], Floats]:
    """Every predictor's values, and the accuracies at the end."""
    found: dict[str, list[float]] = {name: [] for name in ("scores", "KL", "start", "1/8", "1/4")}
    ends = []
    for place, row in enumerate(rows, 1):
        rates = bench.rates(row)
        result = bench.finetuned(rates, trial.recipe(bench))
        looks = [accuracy for _, accuracy in result["history"]]
        found["scores"].append(bench.damage(row))
        found["KL"].append(bench.divergence(rates))
        found["start"].append(looks[0])
        found["1/8"].append(looks[round(LOOKS / 8)])
        found["1/4"].append(looks[round(LOOKS / 4)])
        ends.append(looks[-1])
        print(
            f"{bench.name}: {place}/{len(rows)} {bench.share(row):.1%} of the parameters, "
            f"{looks[0]:.2%} → {looks[-1]:.2%}",
            flush=True,
        )
    return {name: np.array(values) for name, values in found.items()}, np.array(ends)


def columns(values: Mapping[str, Floats], names: tuple[str, ...]) -> Floats:
    """[candidates, features] for a regression."""
    found = [np.ones(len(next(iter(values.values()))))]
    for name in names:
        if name in ("scores", "KL"):
            found.append(np.log(np.maximum(values[name], LEAST)))
        else:
            found.append(values[name])
    return np.stack(found, axis=1)


def foretold(x: Floats, y: Floats) -> Floats:
    """Each candidate's accuracy by a regression on all others."""
    scale = x.std(axis=0)
    z = np.concatenate([x[:, :1], (x[:, 1:] - x[:, 1:].mean(0)) / np.maximum(scale[1:], 1e-12)], 1)
    others = ~np.eye(len(y), dtype=bool)
    ridge = 1e-6 * len(y) * np.eye(z.shape[1])
    found = [
        z[i] @ np.linalg.solve(z[o].T @ z[o] + ridge, z[o].T @ y[o]) for i, o in enumerate(others)
    ]
    return np.minimum(np.array(found), 1.0)


def together(values: Mapping[str, Floats], names: tuple[str, ...]) -> Floats:
    """The mean rank of each candidate, high where much accuracy is foretold."""
    signs = [-1.0 if name in ("scores", "KL") else 1.0 for name in names]
    ranks = [rankdata(s * values[name]) for s, name in zip(signs, names, strict=True)]
    return np.asarray(np.mean(ranks, axis=0))


def rank(values: Floats, ends: Floats) -> float:
    return float(spearmanr(values, ends).statistic)


def table(bench: Bench, values: dict[str, Floats], ends: Floats, front: int) -> dict[str, Any]:
    upper = ends >= np.median(ends)
    print(
        f"\n{bench.name}: {len(ends)} candidates, {front} of them of the front; accuracy "
        f"{ends.min():.1%} to {ends.max():.1%}, teacher {bench.accuracies[0]:.1%}"
        "\n\n| predictor | rank | front | upper | error | top |"
    )
    print("| --- " * 6 + "|")
    found = {}
    for name, parts in COMBINED.items():
        guess = foretold(columns(values, parts), ends)
        judged = together(values, parts)
        ranks = [rank(judged[s], ends[s]) for s in (slice(None), slice(front), upper)]
        errors = [float(np.sqrt(np.mean((guess - ends)[s] ** 2))) for s in (slice(None), upper)]
        cells = [f"{r:.2f}" for r in ranks] + [f"{100 * e:.2f}" for e in errors]
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
        found[name] = [*ranks, *(100 * e for e in errors)]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_arguments(parser)
    parser.add_argument("--candidates", type=int, default=30, help="of each pair")
    parser.add_argument("--rate", type=float, default=BASE.rate, help="learning rate")
    parser.add_argument("--epochs", type=float, default=BASE.epochs)
    options = parser.parse_args()
    print_setting()
    trial = replace(BASE, rate=options.rate, epochs=options.epochs)
    print("recipe:", trial.name)
    found = {}
    for bench in benches(options):
        rows, front = candidates(bench, options.candidates)
        found[bench.name] = table(bench, *features(bench, rows, trial), front)
    print("\nmeans over the pairs\n\n| predictor | rank | front | upper | error | top |")
    print("| --- " * 6 + "|")
    for name in COMBINED:
        means = [mean([one[name][i] for one in found.values()]) for i in range(5)]
        print(f"| {name} | " + " | ".join(f"{value:.2f}" for value in means) + " |")


if __name__ == "__main__":
    main()
