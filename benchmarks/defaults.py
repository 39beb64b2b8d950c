"""What the defaults of fine-tuning should be: recipes against each other on several networks.

    python benchmarks/defaults.py --store /tmp/defaults \
        --cifar cifar10-train.zip --stranger stranger

For every network with its data: candidates spread over the front between size and summed score,
put together from blocks of least squares, are fine-tuned by recipes that differ from a base in one
or two things. Cells are means over the candidates: accuracy at the end of the schedule less the
teacher's, in points, on validation images; in brackets that of the best look's weights on test
images. `fell`: the share of runs whose best look is the one before the first step. What was trained
is kept in the store: stopped at any time, the same command goes on.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pairs import NEVER, Bench, add_arguments, benches, mean, print_setting, with_steps

from wootzc.ir.space.recipe import Optimizer, Recipe, Schedule

LOOKS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A recipe, as it differs from the base."""

    rate: float = 0.01
    epochs: float = 3
    schedule: str = "cosine"
    decay: float = 0.0  # weight decay
    distill: float = 0.0
    temperature: float = 1.0
    optimizer: str = "sgd"
    clip: float = NEVER  # of the gradient's norm

    @property
    def name(self) -> str:
        words = [self.schedule, f"{self.rate:g}", f"{self.epochs:g} epochs"]
        if self.optimizer != "sgd":
            words.insert(0, self.optimizer)
        if self.decay:
            words.append(f"decay {self.decay:g}")
        if self.clip < NEVER:
            words.append(f"clip {self.clip:g}")
        if self.distill:
            words.append(f"distill {self.distill:g} at {self.temperature:g}")
        return ", ".join(words)

    def recipe(self, bench: Bench) -> Recipe:
        steps = bench.steps(self.epochs)
        momentum = (("momentum", 0.9),) if self.optimizer == "sgd" else ()
        warm = (("warmup_steps", float(max(1, steps // 10))),)
        recipe = Recipe(
            steps=steps,
            optimizer=Optimizer(name=self.optimizer, learning_rate=self.rate, options=momentum),
            schedule=Schedule(
                name=self.schedule, options=warm if self.schedule == "warmup_cosine" else ()
            ),
            weight_decay=self.decay,
            distill=self.distill,
            temperature=self.temperature,
        )
        return with_steps(recipe, steps, LOOKS, self.clip)


BASE = Trial(rate=0.02, clip=1.0)
FREE = replace(BASE, clip=NEVER)
TRIALS = (
    BASE,
    replace(BASE, schedule="constant"),
    replace(BASE, rate=0.05),
    replace(BASE, distill=0.5, temperature=4.0),
    replace(BASE, rate=0.005),
    replace(BASE, epochs=1),
    replace(BASE, epochs=6),
    replace(FREE, rate=0.01, schedule="constant"),
    FREE,
    replace(BASE, rate=0.1),
    replace(BASE, distill=0.5, temperature=2.0),
    replace(BASE, epochs=12),
    replace(BASE, decay=5e-4),
    replace(BASE, rate=0.05, epochs=12),
    replace(BASE, epochs=12, distill=0.5, temperature=4.0),
    replace(BASE, rate=0.01),
    replace(BASE, rate=0.05, schedule="warmup_cosine"),
    replace(BASE, rate=0.05, epochs=1),
    replace(BASE, rate=0.05, distill=0.5, temperature=4.0),
    replace(BASE, rate=0.05, decay=5e-4),
    replace(BASE, rate=0.001, optimizer="adam"),
    replace(FREE, rate=0.05),
    replace(BASE, rate=0.05, epochs=12, decay=5e-4),
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One recipe on one pair."""

    validation: list[float]  # at the end less the teacher's, by candidate
    test: list[float]
    fell: float
    seconds: float  # of one candidate


def measured(bench: Bench, trial: Trial, rows: Any) -> Cell:
    teacher = bench.accuracies
    results = [bench.finetuned(bench.rates(row), trial.recipe(bench)) for row in rows]
    ends = [float(one["history"][-1][1]) - teacher[0] for one in results]
    fell = [
        one["history"][0][1] >= max((a for _, a in one["history"][1:]), default=0.0)
        for one in results
    ]
    return Cell(
        ends,
        [float(one["test"]) - teacher[1] for one in results],
        mean(fell),
        mean([one["seconds"] for one in results]),
    )


def print_candidates(bench: Bench, rows: Any) -> None:
    data = bench.dataset
    print(
        f"\n{bench.name}: {len(data.train):,} training, {len(data.validation):,} validation, "
        f"{len(data.test):,} test images; teacher {bench.accuracies[0]:.2%}, on test "
        f"{bench.accuracies[1]:.2%}; candidates with parameters of "
        + ", ".join(f"{bench.share(row):.0%}" for row in rows),
        flush=True,
    )


def print_table(cells: dict[Trial, dict[str, Cell]], names: Sequence[str]) -> None:
    print("\n| recipe | " + " | ".join(names) + " | mean | fell |")
    print("| --- " * (len(names) + 3) + "|")
    for trial, by_pair in cells.items():
        texts = [
            f"{100 * mean(by_pair[n].validation):+.2f} ({100 * mean(by_pair[n].test):+.2f})"
            if n in by_pair
            else ""
            for n in names
        ]
        whole = [mean(cell.validation) for cell in by_pair.values()]
        average = f"{100 * mean(whole):+.2f}" if len(whole) == len(names) else ""
        fell = mean([cell.fell for cell in by_pair.values()])
        print(f"| {trial.name} | " + " | ".join(texts) + f" | {average} | {fell:.0%} |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_arguments(parser)
    parser.add_argument("--candidates", type=int, default=6, help="of each pair")
    parser.add_argument(
        "--trials", type=int, nargs="+", default=range(len(TRIALS)), help="places in the list"
    )
    options = parser.parse_args()
    print_setting()
    found = benches(options)
    chosen = {bench.name: bench.front(options.candidates) for bench in found}
    for bench in found:
        print_candidates(bench, chosen[bench.name])
    cells: dict[Trial, dict[str, Cell]] = {}
    for trial in [TRIALS[place] for place in options.trials]:
        for bench in found:
            cell = measured(bench, trial, chosen[bench.name])
            cells.setdefault(trial, {})[bench.name] = cell
            told = " ".join(f"{100 * v:+.1f}" for v in cell.validation)
            print(
                f"{bench.name}: {trial.name}: {told} → {100 * np.mean(cell.validation):+.2f} "
                f"(test {100 * np.mean(cell.test):+.2f}), {cell.seconds:.1f} s each",
                flush=True,
            )
    print_table(cells, [bench.name for bench in found])


if __name__ == "__main__":
    main()
