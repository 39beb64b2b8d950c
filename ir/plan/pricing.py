"""A plan's blocks in the terms of `ir/selection`: what each costs, what it brings to whom."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wootzc.ir.plan.cost_model import TRAINING, CostModel, seconds_of, step_work
from wootzc.ir.plan.plan import Block, Costs
from wootzc.ir.selection import Matrix, Problem
from wootzc.ir.space import Space

SHARES = 1000  # worths are thousandths of the fine-tuning that a pruned module causes
LARGEST = 2.0**52  # ticks of all times together: sums of whole numbers stay exact


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """The problem of choosing blocks for `rows`; its numbers are ticks."""

    problem: Problem
    tick: float  # seconds
    without: int  # ticks of fine-tuning all rows without any block

    def seconds(self, ticks: int) -> float:
        """Of so many ticks, the whole numbers that the selection works with."""
        return round(ticks * self.tick, 9)

    def total(self, value: int) -> float:
        """Seconds of pre-training and fine-tuning where blocks bring `value` ticks on balance."""
        return self.seconds(self.without - value)

    def value_of(self, blocks: Sequence[Block], composition: NDArray[np.int32]) -> int:
        """What blocks bring on balance where the rows are put together as `composition` says.

        Blocks that no row uses are not paid for: they are never trained.
        """
        problem = self.problem
        spared = np.zeros(len(composition), dtype=np.int64)
        spent = 0
        for number, block in enumerate(blocks):
            users = composition[:, block.start] == number
            if users.any():
                spared[users] += problem.worth_of(block.start, block.rates)
                spent += problem.price_of(block.start, block.rates)
        return int((problem.weight * spared).sum()) - spent


def priced(space: Space, costs: Costs, model: CostModel, rows: Matrix) -> Priced:
    """Prices and weights of the blocks of `rows`, candidates as rate positions [n, modules]."""
    blocks, opening = block_seconds(space, costs, model), model.seconds_per_block
    steps, whole = tuning_seconds(space, costs, model, rows)
    everything = float((steps + whole).sum()) + float(blocks.sum()) * len(rows)
    tick = 1e-9
    while everything / tick > LARGEST:
        tick *= 10
    pruned = np.maximum((rows > 0).sum(axis=1), 1)
    saved, seam = shares(space, model)
    worth = np.full(blocks.shape, saved, dtype=np.int64)
    worth[:, 0] = 0  # the full module is the teacher's own
    return Priced(
        problem=Problem(
            rows=rows,
            weight=_whole(steps / pruned / SHARES / tick),
            worth=worth,
            price=_whole(blocks / tick),
            seam=seam,
            opening=round(opening / tick),
        ),
        tick=tick,
        without=int(_whole((steps + whole) / tick).sum()),
    )


def shares(space: Space, model: CostModel) -> tuple[int, int]:
    """What a pruned module in a block spares, and what each block loses: in thousandths.

    Blocks that take no step are as their modules were solved, one by one: each module has seams of
    its own, so that nothing is gained by their being long.
    """
    saved, seam = round(SHARES * model.saved), round(SHARES * model.seam)
    return (saved, seam) if space.pretrain.steps else (max(saved - seam, 0), 0)


def block_worths(space: Space, model: CostModel, blocks: Iterable[Block]) -> list[int]:
    """What each block spares a candidate, in thousandths of what one pruned module causes."""
    saved, seam = shares(space, model)
    return [saved * sum(rate > 0 for rate in block.rates) - seam for block in blocks]


def block_seconds(space: Space, costs: Costs, model: CostModel) -> NDArray[np.float64]:
    """Seconds that a module at a rate adds to its block: float64 [modules, rates].

    Its own training, and its part of the teacher's pass: the teacher's module, and an even part of
    what lies outside of modules.
    """
    recipe = space.pretrain
    macs = costs["macs"].variants.values
    outside = costs["macs"].fixed / len(macs)
    seconds = np.empty(macs.shape)
    for module, row in enumerate(macs.tolist()):
        teacher = step_work(row[0] + outside, 1, recipe.batch).times(1 / model.occupancy)
        for rate, own in enumerate(row):
            work = step_work(own, 1, recipe.batch).times(TRAINING).plus(teacher)
            seconds[module, rate] = seconds_of(work.times(recipe.steps), model)
    return seconds


def tuning_seconds(
    space: Space, costs: Costs, model: CostModel, rows: Matrix
) -> tuple[NDArray[np.float64], float]:
    """Seconds of all fine-tuning steps of each row, [n], and what each row costs beyond them."""
    recipe, costs_in_macs = space.finetune, costs["macs"]
    macs = costs_in_macs.variants.values[np.arange(rows.shape[1]), rows].sum(axis=1)
    per_row = TRAINING * (macs + costs_in_macs.fixed)
    passes = TRAINING * rows.shape[1]
    if recipe.distill:  # the teacher runs beside
        per_row = per_row + costs_in_macs.full
        passes += rows.shape[1]
    seconds = per_row * (recipe.batch * model.seconds_per_mac) + passes * model.seconds_per_pass
    return recipe.steps * seconds, model.seconds_per_candidate


def _whole(values: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.rint(values).astype(np.int64)
