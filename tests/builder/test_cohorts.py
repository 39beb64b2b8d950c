"""Who flies together, and what that runs of the teacher."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wootzc.builder.jobs.cohorts import (
    cohort_work,
    cut,
    ends_of,
    own_work,
    teacher_passes,
)
from wootzc.driver import compile
from wootzc.ir.net.cost import body_cost
from wootzc.ir.net.network import segment_shapes
from wootzc.ir.plan import Complete
from wootzc.ir.plan.cost_model import Work

SIZES = st.lists(st.integers(1, 9), max_size=6)


@given(sizes=SIZES, room=st.integers(1, 20))
def test_cohorts_are_as_large_as_memory_allows(sizes: list[int], room: int) -> None:
    cohorts = cut(dict(enumerate(sizes)), room)
    assert [number for cohort in cohorts for number in cohort] == [*range(len(sizes))]
    taken = [sum(sizes[number] for number in cohort) for cohort in cohorts]
    assert all(len(c) == 1 or size <= room for c, size in zip(cohorts, taken, strict=True))
    for size, following in zip(taken, cohorts[1:], strict=False):
        assert size + sizes[following[0]] > room


@pytest.fixture(scope="module")
def plan(make_space: Any) -> Complete:
    return compile(Path(make_space()))


def test_what_the_teacher_runs(plan: Complete) -> None:
    """plain1 a1 a2 b1 plain2; batch 32, 10 steps; 160 images are 5 batches."""
    network = plan.space.network
    macs = [
        32 * body_cost(segment.body, shape).macs
        for segment, shape in zip(network.segments, segment_shapes(network), strict=False)
    ]
    passes = teacher_passes(plan, 160)
    assert [work.macs for work in passes.segments] == macs
    assert passes.work(frozenset({1, 3})) == Work(10 * sum(macs[:3]), 20)
    assert passes.work(frozenset({0})) == Work(0, 0)
    held = replace(passes, held=frozenset({1, 3}))
    assert held.work(frozenset({1, 3})) == Work(0, 0)
    assert held.work(frozenset({2, 4})) == Work(10 * (macs[1] + macs[3]), 20)
    fitting = replace(held, fitting=frozenset({2}))
    assert fitting.work(frozenset({2, 4})) == Work(5 * macs[1] + 10 * macs[3], 15)


def test_the_work_of_a_cohort(plan: Complete) -> None:
    assert plan.blocks is not None and plan.costs is not None
    passes = teacher_passes(plan, 160)
    cohort = [0, len(plan.blocks) - 1]
    assert ends_of(plan, 0) == {1, 2} and ends_of(plan, cohort[1]) == {3, 4}
    last = plan.blocks[-1]
    own = plan.costs["macs"].variants.values[last.start, last.rates[0]]
    assert own_work(plan, cohort[1]) == Work(3 * 10 * 32 * own, 30)
    teacher = 10 * 32 * (plan.costs["macs"].full - 16 * 4)  # all but the dense layer
    total = teacher + own_work(plan, 0).macs + own_work(plan, cohort[1]).macs
    assert cohort_work(plan, cohort, passes) == Work(total, 30 + 30 + 30)
