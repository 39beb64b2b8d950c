"""What must hold of blocks, of what is composed of them, and of the orders in which all is done."""

import math
from collections.abc import Iterator

import numpy as np

from wootzc.ir.array import Array
from wootzc.ir.plan.places import Place, Problem
from wootzc.ir.plan.plan import Block, Blocked, Composed, Costed, Selection
from wootzc.ir.space import CostLimit


class Selected(Blocked):
    selection: Selection


class Explored(Costed):
    exploration_order: Array


class Scheduled(Composed):
    training_order: tuple[int, ...]
    exploration_order: Array


def block_problems(plan: Blocked) -> Iterator[Problem]:
    modules, rates = len(plan.space.choices), len(plan.space.rates)
    first: dict[Block, int] = {}
    for number, block in enumerate(plan.blocks):
        at = ("blocks", number)
        if not 0 <= block.start < block.stop <= modules:
            what = f"modules {block.start} to {block.stop - 1}, and there are {modules}"
            yield Problem(f"this block is of {what}", at)
        elif strange := [rate for rate in block.rates if not 0 <= rate < rates]:
            yield Problem(f"this block is at rate {strange[0]}, and there are {rates}", at)
        elif not any(block.rates):
            yield Problem("this block prunes nothing", at)
        elif first.setdefault(block, number) != number:
            yield Problem(f"this block stands twice: it is {first[block]}", at)


def selection_problems(plan: Selected) -> Iterator[Problem]:
    values = (plan.selection.bound, plan.selection.value, plan.selection.without)
    if not all(map(math.isfinite, values)) or list(values) != sorted(values):
        yield Problem(
            f"the bound, value and seconds without blocks of the selection do not rise: {values}",
            ("selection",),
        )


def composition_problems(plan: Composed) -> Iterator[Problem]:
    rows, vectors = plan.candidates.values, plan.composition.values
    if vectors.shape != rows.shape or vectors.dtype != np.int32:
        yield Problem("composite vectors must be int32 [candidates, modules]", ("composition",))
        return
    strange = (vectors < -1) | (vectors >= len(plan.blocks))
    if strange.any():
        row, module = np.argwhere(strange)[0].tolist()
        yield Problem(
            f"candidate {row} is composed of block {vectors[row, module]}, "
            f"and there are {len(plan.blocks)}", ("composition", row),
        )  # fmt: skip
        return
    rate_of = np.full((len(plan.blocks) + 1, rows.shape[1] + 2), -1)  # [block, module + 1]
    for number, block in enumerate(plan.blocks):
        rate_of[number, block.start + 1 : block.stop + 1] = block.rates
    for module in range(rows.shape[1]):
        here = vectors[:, module]
        covered = here >= 0
        other = covered & (rate_of[here, module + 1] != rows[:, module])
        if other.any():
            row = int(np.flatnonzero(other)[0])
            yield Problem(
                f"block {here[row]} covers module {module} at another rate than the candidate's",
                ("composition", row),
            )
            return
        for near in (module - 1, module + 1):
            reaches = covered & (rate_of[here, near + 1] >= 0)
            cut = reaches & (vectors[:, near % rows.shape[1]] != here)
            if cut.any():
                row = int(np.flatnonzero(cut)[0])
                yield Problem(
                    f"block {here[row]}, which covers module {module}, is cut off",
                    ("composition", row),
                )
                return


def exploration_problems(plan: Explored) -> Iterator[Problem]:
    order = plan.exploration_order.values
    at: Place = ("exploration_order",)
    if order.dtype != np.int32 or order.ndim != 1:
        what = f"{order.dtype}{list(order.shape)}"
        yield Problem(f"the exploration order is {what}, not int32 positions of candidates", at)
    elif len(order) == 0:
        yield Problem("the exploration order is empty", at)
    elif order.min() < 0 or order.max() >= len(plan.candidates):
        strange = order[(order < 0) | (order >= len(plan.candidates))][0]
        yield Problem(
            f"the exploration order names candidate {strange}: there are {len(plan.candidates)}", at
        )
    elif len(np.unique(order)) != len(order):
        twice = int(np.flatnonzero(np.bincount(order) > 1)[0])
        yield Problem(f"the exploration order names candidate {twice} twice", at)
    else:
        for limit in plan.space.objective.limits:
            if isinstance(limit, CostLimit):
                if not limit.holds(plan.costs[limit.metric].candidates.values[order]).all():
                    yield Problem(f"the exploration order breaks {limit.text}", at)


def training_problems(plan: Scheduled) -> Iterator[Problem]:
    order = plan.training_order
    at: Place = ("training_order",)
    used = set(np.unique(plan.composition.values[plan.exploration_order.values]).tolist()) - {-1}
    if strange := [block for block in order if not 0 <= block < len(plan.blocks)]:
        yield Problem(
            f"the training order names block {strange[0]}: there are {len(plan.blocks)}", at
        )
    elif len(set(order)) != len(order):
        yield Problem("the training order names a block twice", at)
    elif missing := used - set(order):
        yield Problem(f"candidates need block {min(missing)}, which is never trained", at)
    elif needless := set(order) - used:
        yield Problem(f"block {min(needless)} is trained, and no candidate needs it", at)
