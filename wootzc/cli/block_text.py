"""What `wootzc explain block` prints: why a block was chosen, what it costs, what it spares."""

import numpy as np

from wootzc.ir.passes.compose import composed
from wootzc.ir.passes.select_blocks import priced_plan
from wootzc.ir.plan import Block, Complete
from wootzc.ir.plan.pricing import Priced
from wootzc.ir.selection import choose_without
from wootzc.ir.space.recipe import Recipe
from wootzc.units import count, rate_text, seconds_text

METHODS = {
    "none": "no blocks: every candidate inherits the teacher's surviving weights",
    "modules": "every module at every rate that occurs is a block of its own",
    "wootz": "the Wootz heuristic (PLDI 2019): the highest rule of the Sequitur grammar that "
    "occurs as often as its most frequent part",
    "maximal": "the longest runs of modules that always occur together",
    "optimal": "the least pre-training and fine-tuning together, by the cost model",
}


def block_text(plan: Complete, number: int) -> str:
    """What `explain` says of a tuning block."""
    block = plan.blocks[number]
    users = np.flatnonzero((plan.composition.values == number).any(axis=1))
    macs = int(
        plan.costs["macs"].variants.values[range(block.start, block.stop), block.rates].sum()
    )
    shown = ", ".join(map(str, users[:12])) + (", …" if len(users) > 12 else "")
    return "\n".join(
        [
            f"block {number}: {block_name(plan, block)}",
            f"  chosen by `blocks {plan.space.blocks}`: {METHODS[plan.space.blocks]}",
            f"  used by {len(users):,} of {len(plan.composition):,} candidates: {shown}",
            f"  {count(macs)} MACs forward; {_training(plan.space.pretrain)}",
            *_balance(plan, priced_plan(plan), number),
        ]
    )


def _training(recipe: Recipe) -> str:
    solved = f"solved by least squares on {recipe.reconstruct:,} images" * bool(recipe.reconstruct)
    trained = f"pre-trained for {recipe.steps:,} steps" * bool(recipe.steps or not solved)
    return ", then ".join(filter(None, (solved, trained)))


def block_name(plan: Complete, block: Block) -> str:
    """`a1(50%) a2(30%)`."""
    modules = plan.space.network.modules[block.start : block.stop]
    return " ".join(
        f"{module.name}({rate_text(plan.space.rates[i])})"
        for module, i in zip(modules, block.rates, strict=True)
    )


def _balance(plan: Complete, task: Priced, number: int) -> list[str]:
    """Its cost and gain by the cost model, and what would be done without it."""
    block = plan.blocks[number]
    others = plan.blocks[:number] + plan.blocks[number + 1 :]
    composition = composed(plan, task.problem.rows, plan.blocks)
    rows = composition[:, block.start] == number
    users = int(rows.sum())
    price = task.problem.price_of(block.start, block.rates)
    spared = task.problem.worth_of(block.start, block.rates) * int(task.problem.weight[rows].sum())
    value = task.value_of(plan.blocks, composition)
    without = task.value_of(others, composed(plan, task.problem.rows, others))
    lines = [
        f"  by the cost model: {_time(task, price)} to pre-train, spares {_time(task, spared)} of "
        f"fine-tuning in {users:,} candidate{'s' * (users != 1)} within the cost limits",
        f"  everything takes {_total(task, value)} with it, {_total(task, without)} without it "
        "and nothing in its place",
    ]
    if plan.selection is None:
        return lines
    run = (block.start, block.rates)
    chosen = [(b.start, b.rates) for b in plan.blocks]
    other = choose_without(task.problem, chosen, run)
    added = [Block(start=s, rates=r) for s, r in other.runs if (s, r) not in chosen]
    names = ", ".join(block_name(plan, b) for b in added[:6]) + (", …" if len(added) > 6 else "")
    instead = f"with {names}" if added else "with no other block"
    gap = (plan.selection.value - plan.selection.bound) / max(plan.selection.value, 1e-12)
    proven = "proven optimal" if plan.selection.proven else f"at most {gap:.2%} above the optimum"
    return [
        *lines,
        f"  next best found in its place: {_total(task, other.value)}, {instead}",
        f"  the whole choice is {proven}",
    ]


def _time(task: Priced, ticks: int) -> str:
    return seconds_text(task.seconds(ticks))


def _total(task: Priced, value: int) -> str:
    return seconds_text(task.total(value))
