"""Who flies together: cut by memory, and who comes along because that pays."""

from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wootzc.builder.jobs.cohorts import (
    Member,
    Passes,
    cohort_work,
    cut,
    ends_of,
    joining,
    own_work,
    teacher_passes,
)
from wootzc.driver import compile
from wootzc.ir.net.cost import body_cost
from wootzc.ir.net.network import segment_shapes
from wootzc.ir.plan import Complete
from wootzc.ir.plan.cost_model import CostModel, Work, seconds_of

SEGMENTS = 5
EVERYWHERE = frozenset(range(1, SEGMENTS + 1))
MODEL = CostModel(seconds_per_mac=1.0, seconds_per_pass=0.0)


def members(chances: st.SearchStrategy[float]) -> st.SearchStrategy[list[Member]]:
    def member(number: int, reach: int, seconds: int, size: int, chance: float) -> Member:
        return Member(
            number=number, ends=frozenset({reach - 1, reach}), seconds=seconds, size=size,
            chance=chance,
        )  # fmt: skip

    some = st.tuples(st.integers(1, SEGMENTS), st.integers(0, 40), st.integers(1, 9), chances)
    return st.lists(some, max_size=6).map(
        lambda rows: [member(number, *row) for number, row in enumerate(rows)]
    )


CHANCES = st.sampled_from([0.1, 0.25, 0.5, 0.9, 1.0])
WORKS = st.lists(st.integers(1, 20), min_size=SEGMENTS, max_size=SEGMENTS)


def passes_of(macs: list[int], **more: Any) -> Passes:
    return Passes(segments=tuple(Work(m, 1) for m in macs), steps=2, filling=1, **more)


def join(
    aboard: list[Member], likely: list[Member], passes: Passes, room: int = 10**6
) -> list[Member]:
    base = frozenset[int]().union(*(member.ends for member in aboard))
    later = passes.after(base)
    return joining(
        aboard,
        likely,
        lambda wanted: seconds_of(passes.work(wanted), MODEL),
        lambda wanted: seconds_of(later.work(wanted), MODEL),
        room,
    )


@given(some=members(CHANCES), room=st.integers(1, 20))
def test_cohorts_are_as_large_as_memory_allows(some: list[Member], room: int) -> None:
    cohorts = cut(some, room)
    assert [member for cohort in cohorts for member in cohort] == some
    for cohort in cohorts:
        assert len(cohort) == 1 or sum(member.size for member in cohort) <= room
    for cohort, following in pairwise(cohorts):
        assert sum(member.size for member in cohort) + following[0].size > room


@given(aboard=members(CHANCES), likely=members(CHANCES), macs=WORKS)
def test_without_kept_activations_no_other_choice_is_cheaper(
    aboard: list[Member], likely: list[Member], macs: list[int]
) -> None:
    def teacher(members: list[Member]) -> int:
        """Two steps of everything before the furthest end."""
        return 2 * sum(macs[: max((max(s.ends) for s in members), default=0)])

    def expected(chosen: list[Member]) -> float:
        now = teacher(aboard + chosen) + sum(member.seconds for member in chosen)
        left = [member for member in likely if member not in chosen]
        return now + sum(member.chance * (member.seconds + teacher([member])) for member in left)

    chosen = join(aboard, likely, passes_of(macs))
    assert chosen == [member for member in likely if member in chosen]
    best = min(
        expected(list(some))
        for count in range(len(likely) + 1)
        for some in combinations(likely, count)
    )
    assert expected(chosen) == pytest.approx(best)


@given(
    aboard=members(CHANCES),
    likely=members(CHANCES),
    macs=WORKS,
    held=st.frozensets(st.integers(1, SEGMENTS)),
    fitting=st.frozensets(st.integers(1, SEGMENTS)),
)
def test_with_kept_activations_looking_ahead_never_costs(
    aboard: list[Member],
    likely: list[Member],
    macs: list[int],
    held: frozenset[int],
    fitting: frozenset[int],
) -> None:
    passes = passes_of(macs, held=held, fitting=fitting)
    base = frozenset[int]().union(*(member.ends for member in aboard))

    def expected(chosen: list[Member]) -> float:
        """Beyond the needed blocks' own training."""
        ends = base.union(*(member.ends for member in chosen))
        left = [member for member in likely if member not in chosen]
        return (
            passes.work(ends).macs
            + sum(member.seconds for member in chosen)
            + sum(s.chance * (s.seconds + passes.after(base).work(s.ends).macs) for s in left)
        )

    chosen = join(aboard, likely, passes)
    assert expected(chosen) <= expected([]) + 1e-9
    if held == EVERYWHERE:  # the teacher has nothing to do: only waste is left
        assert chosen == []


@given(aboard=members(CHANCES), likely=members(CHANCES), macs=WORKS, room=st.integers(1, 30))
def test_those_who_join_fit(
    aboard: list[Member], likely: list[Member], macs: list[int], room: int
) -> None:
    chosen = join(aboard, likely, passes_of(macs), room)
    if chosen:
        assert sum(member.size for member in aboard + chosen) <= room


def test_two_far_blocks_join_where_none_would_alone() -> None:
    near = Member(number=0, ends=frozenset({0, 1}), seconds=1, size=1)
    far = [Member(number=n, ends=frozenset({4, 5}), seconds=6, size=1, chance=0.6) for n in (1, 2)]
    passes = passes_of([1, 1, 1, 10, 10])
    assert join([near], far[:1], passes) == []
    assert join([near], far, passes) == far


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
    assert fitting.after(frozenset({2, 4})).work(frozenset({2, 4})) == Work(10 * macs[3], 10)


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
