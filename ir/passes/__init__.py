"""The passes, in the order in which they run. How to write one: docs/passes.md."""

from wootzc.ir.passes.base import Pass, complete, having
from wootzc.ir.passes.compose import Compose
from wootzc.ir.passes.estimate_cost import EstimateCost
from wootzc.ir.passes.expand_space import ExpandSpace
from wootzc.ir.passes.mine_subsequences import MineSubsequences
from wootzc.ir.passes.order import Order
from wootzc.ir.passes.pipeline import (
    Observer,
    available,
    inserted,
    parse_pipeline,
    pipeline_text,
    replaced,
    run_passes,
)
from wootzc.ir.passes.segment_modules import SegmentModules
from wootzc.ir.passes.select_blocks import SelectBlocks
from wootzc.ir.plan import Plan

__all__ = [
    "PASSES",
    "Compose",
    "EstimateCost",
    "ExpandSpace",
    "MineSubsequences",
    "Observer",
    "Order",
    "Pass",
    "SegmentModules",
    "SelectBlocks",
    "available",
    "complete",
    "having",
    "inserted",
    "parse_pipeline",
    "pipeline_text",
    "remaining",
    "replaced",
    "run",
]

PASSES: tuple[Pass, ...] = (
    ExpandSpace(),
    EstimateCost(),  # for `blocks optimal` and `order`; early: costs show whatever fails later
    MineSubsequences(),
    SelectBlocks(),  # `wootz` reads the mined rules; `maximal` and `modules` read the candidates
    Compose(),
    Order(),  # last: the training order follows from composite vectors and the exploration order
)


def remaining(plan: Plan, passes: tuple[Pass, ...] = PASSES) -> tuple[Pass, ...]:
    """Those of the passes that a plan has not been through: what they fill in is None."""
    blocks = None if plan.blocks is None else plan.composition
    order = None if plan.training_order is None else plan.exploration_order
    filled = {
        ExpandSpace.name: plan.candidates,
        EstimateCost.name: plan.costs,
        MineSubsequences.name: plan.blocks if plan.mined is None else plan.mined,
        SelectBlocks.name: plan.blocks,
        Compose.name: blocks,
        Order.name: order,
    }
    return tuple(one for one in passes if filled.get(one.name) is None)


def run(
    plan: Plan,
    passes: tuple[Pass, ...] = PASSES,
    observe: Observer | None = None,
    *,
    verify_each: bool = True,
) -> Plan:
    """The plan after these passes, verified after each unless `verify_each` is off.

    `observe(pass, plan, seconds)` sees every result. Raises `WootzError` for what the user can
    mend, `VerifyError` for what a pass did wrong.
    """
    return run_passes(plan, passes, observe, verify_each=verify_each)
