"""The cost model: what a step costs, what its fit finds, and how a plan's blocks are priced."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from wootzc.diagnostics import WootzError
from wootzc.ir.passes import PASSES, SelectBlocks, complete, replaced, run
from wootzc.ir.passes.select_blocks import priced_plan
from wootzc.ir.plan import Block, Costs, Plan
from wootzc.ir.plan.cost_model import CostModel, Measured, Work, calibrated, seconds_of, step_work
from wootzc.ir.plan.pricing import Priced, block_seconds, tuning_seconds
from wootzc.ir.space import Space
from wootzc.ir.space.recipe import Recipe

MakeSpace = Callable[..., Space]
ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "cost-model.md").read_text(encoding="utf-8")
UNIT = CostModel(  # seconds = MACs, and nothing else costs anything
    seconds_per_mac=1.0,
    seconds_per_pass=0.0,
    seconds_per_block=0.0,
    seconds_per_candidate=0.0,
    occupancy=1.0,
    saved=0.5,
    seam=0.1,
)


def compiled(space: Space, model: CostModel = UNIT) -> tuple[Plan, Costs, Priced]:
    start = Plan(space=space, cost_model=model)
    plan = complete(run(start, replaced(PASSES, SelectBlocks(method="modules"))))
    return plan, plan.costs, priced_plan(plan)


def test_a_block_pays_for_its_training_and_its_part_of_the_teacher(make_space: MakeSpace) -> None:
    space = make_space(2, pretrain=Recipe(steps=7, batch=3))
    _, costs, task = compiled(space)
    macs = costs["macs"].variants.values
    seconds = block_seconds(space, costs, UNIT)
    assert seconds[1, 2] == 7 * 3 * (3 * macs[1, 2] + macs[1, 0] + costs["macs"].fixed / 2)
    both = task.seconds(task.problem.price_of(0, (1, 2)))
    assert both == pytest.approx(seconds[0, 1] + seconds[1, 2])


def test_all_blocks_of_a_candidate_share_one_teacher_pass(make_space: MakeSpace) -> None:
    """Their prices add up to their own training and one forward pass of the full network."""
    space = make_space(3, pretrain=Recipe(steps=1, batch=1))
    _, costs, _ = compiled(space)
    seconds = block_seconds(space, costs, UNIT)[:, 1].sum()
    assert seconds == pytest.approx(
        3 * costs["macs"].variants.values[:, 1].sum() + costs["macs"].full
    )


def test_half_used_teacher_passes_cost_twice_as_much(make_space: MakeSpace) -> None:
    space = make_space(2, pretrain=Recipe(steps=1, batch=1))
    _, costs, _ = compiled(space)
    own = 3 * costs["macs"].variants.values
    full = block_seconds(space, costs, UNIT) - own
    half = block_seconds(space, costs, CostModel(**{**_fields(UNIT), "occupancy": 0.5})) - own
    assert half == pytest.approx(2 * full)


def _fields(model: CostModel) -> dict[str, float]:
    return {name: getattr(model, name) for name in CostModel.__slots__}


def test_fine_tuning_is_three_passes_of_every_step(make_space: MakeSpace) -> None:
    space = make_space(2, finetune=Recipe(steps=5, batch=2))
    plan, costs, _ = compiled(space)
    assert plan.candidates is not None
    seconds, beyond = tuning_seconds(space, costs, UNIT, plan.candidates.values)
    assert (
        seconds.tolist() == (5 * 2 * 3 * costs["macs"].candidates.values).tolist() and beyond == 0
    )
    distilled = make_space(2, finetune=Recipe(steps=5, batch=2, distill=0.5))
    with_teacher, _ = tuning_seconds(distilled, costs, UNIT, plan.candidates.values)
    assert (with_teacher - seconds == 5 * 2 * costs["macs"].full).all()


def test_covered_modules_spare_their_share_of_fine_tuning(make_space: MakeSpace) -> None:
    """One block over all pruned modules: saved − seam / modules. Blocks of one: saved − seam."""
    space = make_space(2, rows=[[1, 2]], finetune=Recipe(steps=900))
    _, costs, task = compiled(space)
    tuning = 900 * 64 * 3 * int(costs["macs"].candidates.values[0])
    weight = int(task.problem.weight[0])
    together = task.seconds(weight * task.problem.worth_of(0, (1, 2)))
    apart = task.seconds(weight * (task.problem.worth_of(0, (1,)) + task.problem.worth_of(1, (2,))))
    assert together == pytest.approx(tuning * (0.5 - 0.1 / 2), rel=1e-6)
    assert apart == pytest.approx(tuning * (0.5 - 0.1), rel=1e-6)
    assert task.problem.worth_of(0, (0,)) < 0  # nothing to repair where nothing was pruned


@pytest.mark.parametrize("solved", [False, True])
def test_blocks_that_are_only_solved_have_no_use_for_length(
    make_space: MakeSpace, solved: bool
) -> None:
    """Whatever `optimal` finds is as good as a block for each module at each rate."""
    pretrain = Recipe(steps=0, reconstruct=512) if solved else Recipe(steps=1)
    rows = [[1, 2, 1], [1, 2, 2], [1, 2, 0], [2, 0, 1], [2, 1, 1]]
    space = make_space(3, rows=rows, pretrain=pretrain, finetune=Recipe(steps=90_000))
    model = CostModel(seconds_per_block=0.0)
    best = run(
        Plan(space=space, cost_model=model), replaced(PASSES, SelectBlocks(method="optimal"))
    )
    plan, _, task = compiled(space, model)
    assert best.selection is not None and plan.blocks is not None and plan.composition is not None
    modules = task.total(task.value_of(plan.blocks, plan.composition.values))
    assert (best.selection.value == pytest.approx(modules)) == solved
    assert best.selection.value <= modules


def test_the_value_of_a_composition_counts_every_block_once(make_space: MakeSpace) -> None:
    space = make_space(2, rows=[[1, 2], [1, 0]], finetune=Recipe(steps=900))
    _, _, task = compiled(space)
    problem = task.problem
    blocks = (Block(start=0, rates=(1,)), Block(start=1, rates=(2,)), Block(start=1, rates=(1,)))
    vectors = np.array([[0, 1], [0, -1]], dtype=np.int32)  # the third is in no candidate
    gained = problem.weight.sum() * problem.worth_of(0, (1,))
    gained += problem.weight[0] * problem.worth_of(1, (2,))
    paid = problem.price_of(0, (1,)) + problem.price_of(1, (2,))
    assert task.value_of(blocks, vectors) == gained - paid


def test_times_of_any_size_stay_whole_numbers_that_add_up(make_space: MakeSpace) -> None:
    for steps in (1, 10**12):
        space = make_space(3, pretrain=Recipe(steps=steps), finetune=Recipe(steps=steps))
        _, _, task = compiled(space, CostModel())
        assert 0 < task.without < 2**53
        assert task.total(0) == pytest.approx(task.seconds(task.without))


# Calibration


def jobs_of(model: CostModel, noise: float = 0.0) -> list[Measured]:
    rng = np.random.default_rng(0)
    jobs = []
    for number in range(40):
        kind = "block" if number % 2 else "candidate"
        work = Work(float(rng.integers(1, 100)) * 1e9, float(rng.integers(100, 5000)))
        start = model.seconds_per_block if number % 2 else model.seconds_per_candidate
        seconds = (seconds_of(work, model) + start) * (1 + noise * rng.standard_normal())
        jobs.append(Measured(kind=kind, work=work, seconds=seconds))
    return jobs


def test_calibration_finds_what_the_times_were_made_of() -> None:
    truth = CostModel(
        seconds_per_mac=3e-11,
        seconds_per_pass=5e-4,
        seconds_per_block=0.7,
        seconds_per_candidate=1.3,
        saved=0.8,
    )
    model = CostModel(saved=0.8)
    assert _fields(calibrated(jobs_of(truth), model)) == pytest.approx(_fields(truth))
    rough = calibrated(jobs_of(truth, noise=0.05), model)
    assert rough.seconds_per_mac == pytest.approx(3e-11, rel=0.1)


def test_calibrated_times_are_never_negative() -> None:
    jobs = [
        Measured(kind=kind, work=Work(1e9 * k, 10.0), seconds=float(k * k))
        for k in range(1, 9)
        for kind in ("block", "candidate")
    ]
    assert min(_fields(calibrated(jobs)).values()) >= 0


def test_too_few_jobs_are_told() -> None:
    jobs = [job for job in jobs_of(CostModel()) if job.kind == "block"]
    with pytest.raises(WootzError) as caught:
        calibrated(jobs)
    assert caught.value.diagnostics[0].code == "WZ099"


def test_a_step_counts_the_images_of_its_batch_and_its_modules() -> None:
    assert step_work(1000, 3, batch=64) == Work(64_000, 3)


# docs/cost-model.md


def test_the_page_states_the_defaults() -> None:
    table = dict(re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| ([^|]+) \|", PAGE, re.MULTILINE))
    stated: dict[str, float] = {}
    for names, values in table.items():
        fields = re.findall(r"`(\w+)`", names)
        numbers = [float(value) for value in values.split(",")]
        stated |= dict(zip(fields, numbers if len(numbers) > 1 else numbers * 2, strict=False))
    assert stated == _fields(CostModel())


def test_the_example_of_the_page_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    (source,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(source, "docs/cost-model.md", "exec", dont_inherit=True), names)
    plan = names["plan"]
    assert isinstance(plan, Plan) and plan.selection is not None and plan.cost_model is not None
