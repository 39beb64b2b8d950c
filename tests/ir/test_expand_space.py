"""expand-space against filtering every product, and its samples against what they promise."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wootzc.diagnostics import WootzError
from wootzc.ir.net.cost import network_cost
from wootzc.ir.net.cost_tables import variant_costs
from wootzc.ir.net.prune import prune_network
from wootzc.ir.net.rate import removed
from wootzc.ir.passes import ExpandSpace
from wootzc.ir.plan import Plan
from wootzc.ir.space import (
    All,
    Constraint,
    CostLimit,
    Objective,
    Ordered,
    Proposed,
    RateLimit,
    Sample,
    Space,
    Tie,
)

MakeSpace = Callable[..., Space]
Row = tuple[int, ...]


def expanded(space: Space, **options: int) -> list[Row]:
    plan = ExpandSpace(**options)(Plan(space=space))
    assert plan.candidates is not None
    assert plan.candidates.values.dtype == np.uint8
    return [tuple(row) for row in plan.candidates.values.tolist()]


def costs(space: Space, rows: list[Row]) -> dict[str, list[int]]:
    table = variant_costs(space.network, space.rates)
    matrix = np.array(rows, dtype=np.uint8).reshape(len(rows), len(space.choices))
    return {
        "params": table.total("params", matrix).tolist(),
        "macs": table.total("macs", matrix).tolist(),
    }


def brute(space: Space) -> list[Row]:
    """Every row that the choices and constraints allow, by looking at all of them."""
    rows = list(itertools.product(*space.choices))
    cost = costs(space, rows)

    def holds(number: int, constraint: Constraint) -> bool:
        row = rows[number]
        match constraint:
            case Tie(modules=modules):
                return len({row[j] for j in modules}) == 1
            case Ordered(direction=direction, modules=modules):
                chain = [row[j] for j in modules]
                return chain == sorted(chain, reverse=direction == "nonincreasing")
            case RateLimit(modules=modules):
                return all(
                    constraint.holds(removed(space.rates[row[j]], "inside")) for j in modules
                )
            case CostLimit(metric=metric, comparison=comparison, value=value):
                have = cost[metric][number]
                return have <= value if comparison == "<=" else have >= value

    return [
        row
        for number, row in enumerate(rows)
        if all(holds(number, constraint) for constraint in space.constraints)
    ]


MODULES = 4


@st.composite
def constraint_lists(draw: st.DrawFn) -> tuple[Constraint, ...]:
    some = st.lists(st.integers(0, MODULES - 1), min_size=2, max_size=4, unique=True).map(tuple)
    constraints: st.SearchStrategy[Constraint] = st.one_of(
        st.builds(Tie, modules=some),
        st.builds(
            Ordered, direction=st.sampled_from(["nondecreasing", "nonincreasing"]), modules=some
        ),
        st.builds(
            RateLimit,
            comparison=st.sampled_from(["<=", ">="]),
            value=st.sampled_from([0.2, 0.3, 0.5]),
            modules=some,
        ),
        st.builds(
            CostLimit,
            metric=st.just("params"),
            comparison=st.sampled_from(["<=", ">="]),
            value=st.integers(900, 1900),
        ),
        st.builds(
            CostLimit,
            metric=st.just("macs"),
            comparison=st.sampled_from(["<=", ">="]),
            value=st.integers(14_000, 29_000),
        ),
    )
    return tuple(draw(st.lists(constraints, max_size=4)))


@st.composite
def choices(draw: st.DrawFn) -> tuple[tuple[int, ...], ...]:
    one = st.sets(st.integers(0, 2), min_size=1).map(lambda s: tuple(sorted(s)))
    return tuple(draw(st.lists(one, min_size=MODULES, max_size=MODULES)))


@given(constraint_lists(), choices())
def test_all_is_what_filtering_the_product_gives(
    make_space: MakeSpace, constraints: tuple[Constraint, ...], choice: tuple[tuple[int, ...], ...]
) -> None:
    space = make_space(MODULES, constraints=constraints, choices=choice)
    expected = brute(space)
    if expected:
        assert expanded(space) == expected
    else:
        with pytest.raises(WootzError) as caught:
            expanded(space)
        assert caught.value.diagnostics[0].code == "WZ055"


@settings(max_examples=25)
@given(constraint_lists(), st.sampled_from([None, "params", "macs"]))
def test_large_spaces_give_the_same_when_all_is_asked_for(
    make_space: MakeSpace, constraints: tuple[Constraint, ...], stratified: str | None
) -> None:
    """With a limit of one row everything is drawn; as many as there are must all be found."""
    space = make_space(MODULES, constraints=constraints)
    expected = brute(space)
    if len(expected) > 1:
        sample = Sample(count=len(expected), seed=3, stratified=stratified)
        drawn = make_space(MODULES, constraints=constraints, selection=sample)
        assert expanded(drawn, limit=1) == expected


def test_the_tables_agree_with_pruned_networks(make_space: MakeSpace) -> None:
    space = make_space(3)
    rows = expanded(space)
    table = costs(space, rows)
    for number, row in enumerate(rows):
        pruned = prune_network(space.network, tuple(space.rates[k] for k in row))
        assert network_cost(pruned) == (table["params"][number], table["macs"][number])


def test_listed_rows_keep_their_order_and_only_their_first(make_space: MakeSpace) -> None:
    rows = [[2, 0, 0], [0, 0, 0], [2, 0, 0], [1, 2, 0], [0, 1, 1]]
    space = make_space(3, rows=rows, constraints=(Tie(modules=(1, 2)),))
    assert expanded(space) == [(2, 0, 0), (0, 0, 0), (0, 1, 1)]


def test_listed_rows_obey_the_choices(make_space: MakeSpace) -> None:
    space = make_space(2, rows=[[1, 1], [0, 1]], choices=((0,), (0, 1, 2)))
    assert expanded(space) == [(0, 1)]


@pytest.mark.parametrize("limit", [10**6, 1])
def test_a_sample_is_distinct_sorted_and_follows_its_seed(
    make_space: MakeSpace, limit: int
) -> None:
    def sampled(seed: int) -> list[Row]:
        space = make_space(8, selection=Sample(count=100, seed=seed))
        return expanded(space, limit=limit)

    first = sampled(1)
    assert len(first) == 100
    assert first == sorted(set(first))
    assert first == sampled(1)
    assert first != sampled(2)


@pytest.mark.parametrize("limit", [10**6, 1])
def test_samples_are_uniform(make_space: MakeSpace, limit: int) -> None:
    """Each of 10 nondecreasing rows of 3 rates in 3 modules comes up about equally often."""
    chain = Ordered(direction="nondecreasing", modules=(0, 1, 2))
    seen: dict[Row, int] = {}
    runs = 600
    for seed in range(runs):
        space = make_space(3, constraints=(chain,), selection=Sample(count=1, seed=seed))
        (row,) = expanded(space, limit=limit)
        seen[row] = seen.get(row, 0) + 1
    assert len(seen) == 10
    expected = runs / 10
    chi_square = sum((count - expected) ** 2 / expected for count in seen.values())
    assert chi_square < 27.9  # 9 degrees of freedom: exceeded once in a thousand seeds


def test_more_than_exist_are_all(make_space: MakeSpace) -> None:
    assert len(expanded(make_space(2, selection=Sample(count=10)))) == 9


@pytest.mark.parametrize("limit", [10**6, 1000])
def test_a_stratified_sample_is_evenly_spread(make_space: MakeSpace, limit: int) -> None:
    """A random one crowds in the middle; here each of 20 bands gets its share."""
    space = make_space(10, selection=Sample(count=400, seed=0, stratified="params"))
    rows = expanded(space, limit=limit)
    assert len(rows) == 400
    cost = np.array(costs(space, rows)["params"])
    table = variant_costs(space.network, space.rates)
    low, high = (
        int(table.tables["params"].min(axis=1).sum()),
        int(table.tables["params"].max(axis=1).sum()),
    )
    bands = np.histogram(
        cost, bins=20, range=(table.fixed["params"] + low, table.fixed["params"] + high)
    )
    counts = bands[0]
    assert counts[1:-1].min() >= 15
    assert counts.max() <= 45

    random = np.array(costs(space, expanded(make_space(10, selection=Sample(count=400))))["params"])
    assert cost.std() > 1.5 * random.std()


@pytest.mark.parametrize("target", ["params", "macs", "accuracy"])
def test_candidates_to_be_proposed_have_a_sample_in_their_place(
    make_space: MakeSpace, target: Literal["params", "macs", "accuracy"]
) -> None:
    """Even where it is too large to list, and only a few of it meet the objective's limits."""
    plain = make_space(30, seed=4, explore="predicted")
    table = variant_costs(plain.network, plain.rates)
    least = table.fixed["params"] + int(table.tables["params"].min(axis=1).sum())
    limit = CostLimit(metric="params", comparison="<=", value=int(least * 1.02))
    objective = Objective(target=target, limits=(limit,))
    rows = expanded(replace(plain, selection=Proposed(count=40), objective=objective))
    assert len(rows) == 40
    assert max(costs(plain, rows)["params"]) <= limit.value
    sample = Sample(count=40, seed=4, stratified="macs" if target == "macs" else "params")
    assert rows == expanded(replace(plain, constraints=(limit,), selection=sample))


@pytest.mark.parametrize("selection", [All(), Sample(count=20, seed=3)])
def test_nothing_is_taken_that_the_objective_rules_out(
    make_space: MakeSpace, selection: All | Sample
) -> None:
    """A sample has as many as were asked for, all within the objective's limit on costs."""
    plain = make_space(4, selection=selection)
    middle = sorted(costs(plain, brute(plain))["params"])[30]
    limit = CostLimit(metric="params", comparison="<=", value=middle)
    rows = expanded(replace(plain, objective=Objective(limits=(limit,))))
    assert rows == expanded(replace(plain, constraints=(limit,)))
    assert len(rows) == 20 if selection != All() else len(rows) >= 31
    assert max(costs(plain, rows)["params"]) <= middle


def test_listed_candidates_stay_for_order_to_leave_out(make_space: MakeSpace) -> None:
    limit = CostLimit(metric="params", comparison="<=", value=1)
    space = make_space(2, rows=[[1, 1], [0, 2]], objective=Objective(limits=(limit,)))
    assert expanded(space) == [(1, 1), (0, 2)]


def test_an_objective_out_of_reach_is_named(make_space: MakeSpace) -> None:
    limit = CostLimit(metric="params", comparison="<=", value=10)
    code, text = mistake(make_space(2, objective=Objective(limits=(limit,))))
    assert code == "WZ066" and "`params <= 10` leaves no candidate" in text


def test_limits_far_from_the_mean_can_be_sampled(make_space: MakeSpace) -> None:
    """Among 3^30 rows a share of 5e-12 is this cheap: rejection alone would find none."""
    plain = make_space(30)
    table = variant_costs(plain.network, plain.rates)
    least = table.fixed["params"] + int(table.tables["params"].min(axis=1).sum())
    limit = CostLimit(metric="params", comparison="<=", value=int(least * 1.02))
    space = make_space(30, constraints=(limit,), selection=Sample(count=50))
    rows = expanded(space, limit=10)
    assert len(rows) == 50
    assert max(costs(space, rows)["params"]) <= limit.value


def mistake(space: Space, **options: int) -> tuple[str, str]:
    with pytest.raises(WootzError) as caught:
        expanded(space, **options)
    (diagnostic,) = caught.value.diagnostics
    return diagnostic.code, f"{diagnostic.message} ({diagnostic.help})"


def test_an_unreachable_limit_tells_the_range(make_space: MakeSpace) -> None:
    tie = Tie(modules=(0, 1))
    limit = CostLimit(metric="params", comparison="<=", value=10)
    space = make_space(2, constraints=(tie, limit))
    tied = [row for row in itertools.product(range(3), repeat=2) if row[0] == row[1]]
    reach = costs(space, tied)["params"]
    code, text = mistake(space)
    assert code == "WZ055"
    assert "`params <= 10` leaves no candidate together with the constraints before it" in text
    assert f"{min(reach):,} to {max(reach):,}" in text


def test_the_constraint_that_empties_the_space_is_named(make_space: MakeSpace) -> None:
    order = Ordered(direction="nonincreasing", modules=(0, 1))
    space = make_space(2, constraints=(order,), choices=((0,), (1, 2)))
    assert "`nonincreasing(m1, m2)` leaves no candidate" in mistake(space)[1]
    space = make_space(2, constraints=(Tie(modules=(0, 1)),), choices=((0,), (1, 2)))
    assert "`tie m1, m2` leaves no candidate" in mistake(space)[1]


def test_an_empty_list_is_a_mistake(make_space: MakeSpace) -> None:
    space = make_space(2, rows=[[1, 1]], choices=((0,), (0,)))
    assert mistake(space)[0] == "WZ055"


def test_too_many_for_all_is_a_mistake(make_space: MakeSpace) -> None:
    code, text = mistake(make_space(3), limit=26)
    assert code == "WZ057" and "27 candidates are allowed, but `all` lists at most 26" in text
    assert len(expanded(make_space(3), limit=27)) == 27


def test_chains_that_overlap_are_counted_exactly(make_space: MakeSpace) -> None:
    constraints = (
        Ordered(direction="nondecreasing", modules=(0, 1, 2)),
        Ordered(direction="nonincreasing", modules=(0, 2)),
    )
    assert expanded(make_space(3, constraints=constraints, selection=Sample(count=5))) == [
        (0, 0, 0), (1, 1, 1), (2, 2, 2),
    ]  # fmt: skip


@pytest.mark.parametrize("option", ["limit", "bands"])
def test_options_below_one_are_mistakes(option: str) -> None:
    with pytest.raises(WootzError) as caught:
        ExpandSpace(**{option: 0})
    assert caught.value.diagnostics[0].code == "WZ086"


def test_orders_that_cross_too_often_are_a_mistake(make_space: MakeSpace) -> None:
    """Every module of the first half is compared with every one of the second half."""
    chains = tuple(
        Ordered(direction="nondecreasing", modules=(low, high))
        for low in range(12)
        for high in range(12, 24)
    )
    space = make_space(24, constraints=chains, selection=Sample(count=5))
    assert len(expanded(space)) == 5  # all that matters is the highest rate so far
    crossing = tuple(
        Ordered(direction="nondecreasing", modules=(low, 30 + (7 * low + step) % 30))
        for low in range(30)
        for step in (0, 3, 11, 16)
    )
    assert mistake(make_space(60, constraints=crossing, selection=Sample(count=5)))[0] == "WZ069"
