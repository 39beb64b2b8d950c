"""What the store's jobs computed and how long they took: what a cost model is calibrated with."""

from collections.abc import Sequence

from wootzc.build.store import Store
from wootzc.ir.cost_model import TRAINING, CostModel, Measured, Work, calibrated, step_work
from wootzc.ir.plan import Plan


def calibrate(store: Store) -> CostModel:
    """The default model with the speed of the machine that filled the store. Raises `WootzError`.

    It goes into a plan, never into a build by itself: what a file compiles to depends on the file.
    """
    return calibrated(measured_jobs(store))


def measured_jobs(store: Store) -> list[Measured]:
    """The blocks and candidates that were trained, oldest first; others tell nothing."""
    return [
        Measured(kind=kind, work=Work(*result["work"]), seconds=seconds)
        for kind, result, seconds in store.jobs()
        if kind in ("block", "candidate") and "work" in result and seconds > 0
    ]


def flight_work(plan: Plan, numbers: Sequence[int]) -> Work:
    """Training these blocks side by side: their modules, and the teacher as far as they reach."""
    assert plan.blocks is not None and plan.costs is not None
    recipe, macs = plan.space.pretrain, plan.costs.variant_macs.values
    blocks = [plan.blocks[number] for number in numbers]
    reach = max(block.stop for block in blocks)
    outside = plan.costs.fixed_macs * reach / len(macs)
    step = step_work(int(macs[:reach, 0].sum()) + outside, reach, recipe.batch)
    for block in blocks:
        own = int(macs[range(block.start, block.stop), block.rates].sum())
        step = step.plus(step_work(own, len(block.rates), recipe.batch).times(TRAINING))
    return step.times(recipe.steps)


def candidate_work(plan: Plan, candidate: int, steps: int) -> Work:
    """Fine-tuning a candidate for some steps; with distillation the teacher runs beside it."""
    assert plan.costs is not None
    recipe, modules = plan.space.finetune, len(plan.space.network.modules)
    macs = int(plan.costs.macs.values[candidate])
    step = step_work(macs, modules, recipe.batch).times(TRAINING)
    if recipe.distill:
        step = step.plus(step_work(plan.costs.full_macs, modules, recipe.batch))
    return step.times(steps)
