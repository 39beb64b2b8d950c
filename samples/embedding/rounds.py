"""A search of your own that trains what it proposes: mutations of the best, a few in each round.

    python samples/embedding/rounds.py samples/listed.wz

Each round is a build of the candidates that you list, on one store: the teacher and every block is
trained once, by whichever round asks for it first, and a candidate that was asked for before comes
from the store. What comes back are accuracies on validation images; `budget` bounds the parameters.
"""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

import wootzc
from wootzc.builder import Options
from wootzc.ir.array import Array
from wootzc.ir.diagram.feasible import holds
from wootzc.ir.net.cost_tables import variant_costs
from wootzc.ir.space import Listed, Objective, Space

Row = tuple[int, ...]  # a position in space.rates for each module


def accuracies(space: Space, rows: list[Row], options: Options) -> dict[Row, float]:
    """What these candidates reach: assembled from blocks, and fine-tuned to the end."""
    asked = replace(
        space,
        selection=Listed(rows=Array(np.array(rows, np.uint8))),
        objective=Objective(target="accuracy"),  # no limit at which fine-tuning would stop
        explore="all",
        polish=None,
    )
    built = wootzc.build(asked, options)
    return {rows[one.candidate]: one.accuracy for one in built.result.tried}


def search(
    space: Space, options: Options, *, budget: float, rounds: int, each: int, seed: int = 0
) -> Iterator[dict[Row, float]]:
    """All that is known after each round."""
    rng = np.random.default_rng(seed)
    allowed = holds(space, variant_costs(space.network, space.rates))  # by the file's constraints
    low, high = allowed.range("params")
    within = allowed.within("params", (low, max(low, int(budget * high))))
    seen: dict[Row, float] = {}
    for _ in range(rounds):
        pool = [*map(tuple, within.sample(64, rng).tolist())]
        if seen:
            best = max(seen, key=seen.__getitem__)
            pool.sort(key=lambda row: sum(a != b for a, b in zip(row, best, strict=True)))
        asked = [row for row in pool if row not in seen][:each]
        if not asked:
            return
        seen |= accuracies(space, asked, options)
        yield seen


if __name__ == "__main__":
    compiled = wootzc.compile(Path(sys.argv[1]), (), overrides={"all": ""})
    how = Options(out=Path("build/rounds"), replace=True)
    for known in search(compiled.space, how, budget=0.7, rounds=3, each=3):
        row = max(known, key=known.__getitem__)
        rates = [compiled.space.rates[i] for i in row]
        print(f"{len(known)} tried; the best so far: {known[row]:.1%} at {rates}")
