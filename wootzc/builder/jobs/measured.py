"""What the store's jobs computed and how long they took: what a cost model is calibrated with."""

from wootzc.builder.jobs.store import Store
from wootzc.ir.plan import Complete
from wootzc.ir.plan.cost_model import TRAINING, CostModel, Measured, Work, calibrated, step_work


def calibrate(store: Store) -> CostModel:
    """The default model with the speed of the machine that filled the store. Raises `WootzError`.

    What a file compiles to depends on the file, so it is put into a plan by the user alone.
    """
    return calibrated(measured_jobs(store))


def measured_jobs(store: Store) -> list[Measured]:
    """The blocks and candidates that were trained, oldest first; others tell nothing."""
    return [
        Measured(kind=kind, work=Work(*result["work"]), seconds=seconds)
        for kind, result, seconds in store.jobs()
        if kind in ("block", "candidate") and "work" in result and seconds > 0
    ]


def candidate_work(plan: Complete, candidate: int, steps: int, *, full_width: bool = False) -> Work:
    """Fine-tuning a candidate for some steps; with distillation the teacher runs beside it."""
    recipe, modules, macs = plan.space.finetune, len(plan.space.network.modules), plan.costs["macs"]
    own = macs.full if full_width else int(macs.candidates.values[candidate])
    step = step_work(own, modules, recipe.batch).times(TRAINING)
    if recipe.distill:
        step = step.plus(step_work(macs.full, modules, recipe.batch))
    return step.times(steps)
