"""Builds leave what calibration needs."""

from pathlib import Path
from typing import Any

from wootzc.builder import Options, Store, build
from wootzc.builder.jobs.measured import calibrate, candidate_work, measured_jobs
from wootzc.builder.jobs.within import variants
from wootzc.driver import compile
from wootzc.ir.passes import complete
from wootzc.ir.plan.cost_model import CostModel


def test_a_build_is_measured_and_calibrates_the_next(make_space: Any, tmp_path: Path) -> None:
    file = make_space(rates="50%, 75%", target="100.0%")
    overrides = {"explore": "all", "blocks": "modules"}
    build(file, Options(out=tmp_path / "out", store=tmp_path / "store", overrides=overrides))
    jobs = measured_jobs(Store(tmp_path / "store"))
    plan = compile(file, overrides=overrides)
    assert plan.costs is not None and plan.blocks
    candidates = [job for job in jobs if job.kind == "candidate"]
    assert len(candidates) == 8
    # So few steps of so small a network: candidates are trained at its width.
    assert {job.work.macs for job in candidates} == {20 * 32 * 3 * plan.costs["macs"].full}
    assert variants(complete(plan)) == 4  # two kinds of modules at two rates
    narrow = [candidate_work(complete(plan), number, 20).macs for number in range(8)]
    assert narrow == [20 * 32 * 3 * macs for macs in plan.costs["macs"].candidates.values]
    # Every cohort runs the teacher as far as its blocks reach, so blocks cost more than they are.
    blocks = [job for job in jobs if job.kind == "block"]
    own = sum(
        3 * 10 * 32 * int(plan.costs["macs"].variants.values[block.start + k, rate])
        for block in plan.blocks
        for k, rate in enumerate(block.rates)
    )
    assert len(blocks) == len(plan.blocks)
    assert (
        own
        < sum(job.work.macs for job in blocks)
        <= own + len(blocks) * 320 * (plan.costs["macs"].full)
    )
    model = calibrate(Store(tmp_path / "store"))
    assert model != CostModel() and model.saved == CostModel().saved
    optimal = overrides | {"blocks": "optimal"}
    before = compile(file, overrides=optimal)
    after = compile(file, overrides=optimal, cost_model=model)
    assert before.cost_model is None and after.cost_model == model
    assert before.selection != after.selection
    again = Options(
        out=tmp_path / "again", store=tmp_path / "store", overrides=optimal, cost_model=model
    )
    built = compile(build(file, again).out / "plan.wzir", ())
    assert (built.cost_model, built.blocks) == (model, after.blocks)
