"""The passes, in the order in which they run. How to write one: docs/passes.md."""

from wootzc.ir.passes.base import Pass as Pass
from wootzc.ir.passes.base import complete as complete
from wootzc.ir.passes.base import having as having
from wootzc.ir.passes.compose import Compose as Compose
from wootzc.ir.passes.estimate_cost import EstimateCost as EstimateCost
from wootzc.ir.passes.expand_space import ExpandSpace as ExpandSpace
from wootzc.ir.passes.mine_subsequences import MineSubsequences as MineSubsequences
from wootzc.ir.passes.order import Order as Order
from wootzc.ir.passes.pipeline import PASSES as PASSES
from wootzc.ir.passes.pipeline import Observer as Observer
from wootzc.ir.passes.pipeline import available as available
from wootzc.ir.passes.pipeline import inserted as inserted
from wootzc.ir.passes.pipeline import parse_pipeline as parse_pipeline
from wootzc.ir.passes.pipeline import pipeline_text as pipeline_text
from wootzc.ir.passes.pipeline import replaced as replaced
from wootzc.ir.passes.pipeline import run as run
from wootzc.ir.passes.segment_modules import SegmentModules as SegmentModules
from wootzc.ir.passes.select_blocks import SelectBlocks as SelectBlocks
from wootzc.ir.plan import Plan


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
