"""select-blocks: which runs of modules are worth pre-training as one unit."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, assert_never

import numpy as np
from numpy.typing import NDArray

from wootzc.diagnostics import fail
from wootzc.ir.passes.base import MAKERS, having
from wootzc.ir.passes.mine_subsequences import children_first, mine_grammar
from wootzc.ir.passes.order import within_limits
from wootzc.ir.plan import Block, Costed, Expanded, Grammar, MinedPlan, Plan, Selection
from wootzc.ir.plan.cost_model import CostModel
from wootzc.ir.plan.pricing import Priced, priced
from wootzc.ir.selection import EXACT, choose
from wootzc.ir.sequence import TooMany, linked_runs

SEQUITUR = 200_000  # symbols up to which `optimal` also starts from the paper's blocks


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectBlocks:
    """Choose the tuning blocks.

    Before: candidates = { 1 1 0; 1 1 2 }
    After:  blocks { block(0, rates = (1, 1)) }            method=maximal, and wootz
            blocks { block(0, …(1,)); block(1, …(1,)); block(2, …(2,)) }      method=modules

    none: no blocks, every candidate inherits the full network's weights. modules: each module at
    each rate in use. wootz: the paper's heuristic on the Sequitur DAG. maximal: the longest runs
    that always occur together, the answer that heuristic approximates. optimal: what takes the
    least time by the cost model, with a bound, in `selection`. Without a method, the space's
    `blocks`. Blocks that prune nothing are left out: they are the full network's own.
    """

    method: Literal["none", "modules", "wootz", "maximal", "optimal"] | None = None
    most: int = 10_000_000  # (candidate, run) pairs that `optimal` may weigh
    exact: int = EXACT  # such pairs that may be left to an integer programme
    name: ClassVar[str] = "select-blocks"

    def __call__(self, plan: Plan) -> Plan:
        rows = having(plan, Expanded, self.name).candidates.values
        method = self.method or plan.space.blocks
        selection: Selection | None = None
        match method:
            case "none":
                blocks: Iterable[Block] = ()
            case "modules":
                blocks = every_module(rows)
            case "wootz":
                mined = having(plan, MinedPlan, self.name).mined
                if not isinstance(mined, Grammar):
                    raise fail(
                        "WZ088",
                        "`blocks wootz` is made from Sequitur's rules",
                        f"put `{MAKERS['mined'][1]}` before",
                        plan.space.at("blocks"),
                    )
                blocks = wootz_blocks(mined)
            case "maximal":
                blocks = maximal_blocks(rows)
            case "optimal":
                blocks, selection = self._optimal(having(plan, Costed, self.name))
            case _:
                assert_never(method)
        kept = (block for block in blocks if any(block.rates))
        return replace(
            plan,
            blocks=tuple(sorted(kept, key=lambda b: (b.start, b.rates))),
            selection=selection,
            composition=None,  # was made of other blocks
            training_order=None,
        )

    def _optimal(self, plan: Costed) -> tuple[list[Block], Selection]:
        task = priced_plan(plan)
        rows = task.problem.rows
        starts = [every_module(rows), maximal_blocks(rows)]
        if isinstance(plan.mined, Grammar):
            starts.append(wootz_blocks(plan.mined))
        elif rows.size <= SEQUITUR:
            starts.append(wootz_blocks(mine_grammar(rows)))
        given = [[(block.start, block.rates) for block in blocks] for blocks in starts]
        try:
            choice = choose(task.problem, given, most=self.most, exact=self.exact)
        except TooMany:
            raise fail(
                "WZ098",
                f"`blocks optimal` would weigh more than {self.most:,} pairs of a candidate and a "
                "run that it shares",
                "take a smaller sample, use `blocks maximal`, or raise the option `most` of "
                f"`{self.name}`",
                plan.space.at("blocks"),
            ) from None
        selection = Selection(
            value=task.total(choice.value),
            bound=task.total(choice.bound),
            without=task.total(0),
            proven=choice.proven,
        )
        return [Block(start=start, rates=rates) for start, rates in choice.runs], selection


def priced_plan(plan: Costed) -> Priced:
    """What blocks cost and bring for the candidates that may be tried.

    Those beyond the objective's cost limits never are; where none is within, `order` will say so.
    """
    rows, costs = plan.candidates.values, plan.costs
    allowed = within_limits(costs, plan.space.objective)
    tried = rows[allowed] if allowed.any() else rows
    return priced(plan.space, costs, plan.cost_model or CostModel(), tried)


def maximal_blocks(rows: NDArray[Any]) -> list[Block]:
    """A block for every run of `linked_runs` in rows of rate positions [candidates, modules]."""
    return [Block(start=run.start, rates=run.values) for run in linked_runs(rows)]


def every_module(rows: NDArray[Any]) -> list[Block]:
    """One block for each module at each rate that a candidate has."""
    return [
        Block(start=module, rates=(rate,))
        for module, column in enumerate(rows.T)
        for rate in np.unique(column).tolist()
    ]


def wootz_blocks(grammar: Grammar) -> list[Block]:
    """The paper's heuristic (Guan et al., PLDI 2019, section 5.2), children before parents.

    A rule that occurs more than once, and exactly as often as its most frequent child, replaces
    its children as a block; any other rule is a dead end, and so is all above it.
    """
    rules = grammar.rules
    marked: set[int] = set()
    dead: set[int] = set()
    for rule in children_first([rule.body for rule in rules]):
        children = {v for v in rules[rule].body if v >= 0}
        frequency = rules[rule].frequency
        most = max((rules[c].frequency for c in children), default=frequency)
        if frequency < 2 or frequency != most or children & dead:
            dead.add(rule)
        else:
            marked = (marked - children) | {rule}
    return [block_of(grammar, rule) for rule in marked]


def block_of(grammar: Grammar, rule: int) -> Block:
    """The run of modules that a rule (not the start) stands for."""
    expansion = (grammar.rules[number].symbol for number in grammar.expansion(rule))
    symbols = [symbol for symbol in expansion if symbol is not None]
    return Block(start=symbols[0][0], rates=tuple(rate for _, rate in symbols))
