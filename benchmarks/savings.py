"""How much fine-tuning blocks of each length save: the figures behind the cost model's defaults.

    python benchmarks/savings.py benchmarks/digits.wz --candidates 24 --lengths 0 1 3 9

Every candidate is fine-tuned to the end from four starts: without blocks (0), and assembled from
pre-trained blocks of the given lengths. Saved is 1 − steps/steps₀, where steps are those after
which a level of accuracy is first seen: the best that the candidate reaches without blocks, less
some points.
"""

import argparse
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from wootzc.builder import Options, build
from wootzc.builder.jobs.records import Records
from wootzc.driver import compile
from wootzc.ir.passes import PASSES, Pass, having, replaced
from wootzc.ir.plan import Block, Expanded, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class CutBlocks:
    """Cut every candidate into blocks of `length` modules; 0: no blocks."""

    length: int
    name: ClassVar[str] = "select-blocks"

    def __call__(self, plan: Plan) -> Plan:
        rows = having(plan, Expanded, self.name).candidates.values.tolist()
        starts = range(0, len(rows[0]), self.length) if self.length else ()
        blocks = {
            Block(start=start, rates=tuple(row[start : start + self.length]))
            for row in rows
            for start in starts
        }
        kept = (block for block in blocks if any(block.rates))
        return replace(plan, blocks=tuple(sorted(kept, key=lambda b: (b.start, b.rates))))


def histories(plan: Plan, store: Path) -> list[list[dict[str, Any]]]:
    """Looks at the validation images of each candidate, in the plan's exploration order."""
    with tempfile.TemporaryDirectory() as out:
        build(plan, Options(out=Path(out), store=store))
    records = Records(store / "jobs")
    tried = [one for one in records.sound() if one.kind == "candidate"]
    found = {one.name: one.result["history"] for one in tried}
    for one in tried:
        records.path(one.key).unlink()  # the next length tries them anew
    return [found[name] for name in sorted(found)]


def steps_to(history: list[dict[str, Any]], accuracy: float) -> float:
    """Steps after which `accuracy` is first seen; one look beyond the end where it never is."""
    reached = [look["step"] for look in history if look["accuracy"] >= accuracy]
    end = history[-1]["step"]
    return float(reached[0] if reached else end + end - history[-2]["step"])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("source", type=Path)
    parser.add_argument("--candidates", type=int, default=24)
    parser.add_argument("--lengths", type=int, nargs="+", default=[0, 1, 3, 9])
    parser.add_argument("--below", type=float, nargs="+", default=[0.0, 1.0, 3.0], help="points")
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--every", type=int, default=5)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--set", dest="settings", action="append", default=[])
    options = parser.parse_args()
    overrides = dict(setting.split("=", 1) for setting in options.settings)
    overrides |= {"finetune.steps": str(options.steps), "finetune.every": str(options.every)}
    overrides |= {"sample": str(options.candidates), "explore": "all"}
    levels = [f"saved to best − {below:g}" for below in options.below]
    print(" | ".join(["| seed", "length", "start", "end", *levels]) + " |", flush=True)
    for seed in options.seeds:
        given = overrides | {"seed": str(seed)}
        best: list[float] = []
        first: dict[float, list[float]] = {}  # steps of the first length, by points below
        with tempfile.TemporaryDirectory() as store:
            for length in options.lengths:
                looks = histories(_plan(options.source, length, given), Path(store))
                best = best or [max(look["accuracy"] for look in one) for one in looks]
                cells = []
                for below in options.below:
                    steps = [
                        steps_to(one, accuracy - below / 100)
                        for one, accuracy in zip(looks, best, strict=True)
                    ]
                    before = first.setdefault(below, steps)
                    saved = [1 - s / b for s, b in zip(steps, before, strict=True)]
                    cells.append(f"{np.mean(saved):.1%} ({np.mean(steps):.0f} steps)")
                start = np.mean([one[0]["accuracy"] for one in looks])
                end = np.mean([max(look["accuracy"] for look in one) for one in looks])
                row = [f"| {seed}", f"{length}", f"{start:.1%}", f"{end:.1%}", *cells]
                print(" | ".join(row) + " |", flush=True)


def _plan(source: Path, length: int, given: dict[str, str]) -> Plan:
    """Every candidate is fine-tuned to its end: no limits, no patience."""
    passes: tuple[Pass, ...] = replaced(PASSES, CutBlocks(length=length))
    plan = compile(source, passes, overrides=given)
    goal = replace(plan.space.objective, target="accuracy", limits=())
    recipe = replace(plan.space.finetune, patience=None)
    return replace(plan, space=replace(plan.space, objective=goal, finetune=recipe))


if __name__ == "__main__":
    main()
