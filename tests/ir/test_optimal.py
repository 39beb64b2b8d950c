"""Choosing runs against trying everything, against HiGHS, and against the other methods."""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wootzc.diagnostics import WootzError
from wootzc.ir.passes import PASSES, MineSubsequences, SelectBlocks, complete, replaced, run
from wootzc.ir.passes.select_blocks import priced_plan
from wootzc.ir.plan import Plan
from wootzc.ir.plan.cost_model import CostModel
from wootzc.ir.selection import Problem, Run, choose, choose_without
from wootzc.ir.selection.exact import solve
from wootzc.ir.selection.local_search import cover
from wootzc.ir.selection.problem import offers_of
from wootzc.ir.sequence import TooMany, distinct_rows
from wootzc.ir.space import CostLimit, Objective, Space
from wootzc.ir.space.recipe import Recipe

MakeSpace = Callable[..., Space]


def paths(row: tuple[int, ...], start: int = 0) -> Iterator[tuple[Run, ...]]:
    """Every way to cover a row, or parts of it, by runs."""
    if start == len(row):
        yield ()
        return
    yield from paths(row, start + 1)
    for stop in range(start + 1, len(row) + 1):
        for rest in paths(row, stop):
            yield ((start, row[start:stop]), *rest)


def value_of(problem: Problem, used: tuple[tuple[Run, ...], ...]) -> int:
    weights: list[int] = problem.weight.tolist()
    gained = sum(
        w * problem.worth_of(*run) for w, runs in zip(weights, used, strict=True) for run in runs
    )
    return gained - sum(problem.price_of(*run) for run in {run for runs in used for run in runs})


def best_by_trying(problem: Problem) -> int:
    rows = [tuple(row) for row in problem.rows.tolist()]
    return max(value_of(problem, used) for used in product(*(tuple(paths(row)) for row in rows)))


def value_with(problem: Problem, runs: tuple[Run, ...]) -> int:
    """The best use of these runs, all of them paid for."""
    gained = 0
    for row, weight in zip(problem.rows.tolist(), problem.weight.tolist(), strict=True):
        ways = (way for way in paths(tuple(row)) if set(way) <= set(runs))
        gained += weight * max(sum(problem.worth_of(*run) for run in way) for way in ways)
    return gained - sum(problem.price_of(*run) for run in runs)


@st.composite
def problems(draw: st.DrawFn, columns: int = 3, rows: int = 4) -> Problem:
    width = draw(st.integers(1, columns))
    value = st.integers(0, 2)
    row = st.tuples(*[value] * width)
    found = draw(st.lists(row, min_size=1, max_size=rows, unique=True))
    table = st.lists(
        st.lists(st.integers(0, 6), min_size=3, max_size=3), min_size=width, max_size=width
    )
    return Problem(
        rows=np.array(found, dtype=np.uint8),
        weight=np.array(
            draw(st.lists(st.integers(0, 9), min_size=len(found), max_size=len(found)))
        ),
        worth=np.array(draw(table)),
        price=np.array(draw(table)) * draw(st.integers(0, 9)),
        seam=draw(st.integers(0, 4)),
        opening=draw(st.integers(0, 9)),
    )


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"rows": [[0, 1]]}, "must be arrays of whole numbers"),
        ({"worth": np.array([[0.5, 1], [1, 1]])}, "must be arrays of whole numbers"),
        ({"price": np.array([[-1, 1], [1, 1]])}, "must not be below zero"),
        ({"weight": np.array([1])}, r"do not fit each other: \(2, 2\), \(1,\)"),
        ({"rows": np.array([[0, 1], [2, 0]])}, "the largest value in rows is 2"),
    ],
)
def test_a_problem_that_is_none_is_told(wrong: dict[str, Any], told: str) -> None:
    ones = np.ones((2, 2), np.int64)
    sound = {"rows": np.eye(2, dtype=np.uint8), "weight": ones[0], "worth": ones, "price": ones}
    assert choose(Problem(**sound)).proven
    with pytest.raises(ValueError, match=told):
        Problem(**{**sound, **wrong})


@given(problems())
def test_small_problems_are_solved(problem: Problem) -> None:
    best = best_by_trying(problem)
    choice = choose(problem)
    assert choice.proven and choice.value == choice.bound == best
    assert value_with(problem, choice.runs) == best


@given(problems(columns=4, rows=3))
def test_the_bound_holds_without_highs(problem: Problem) -> None:
    best = best_by_trying(problem)
    choice = choose(problem, exact=0)
    assert choice.value <= best <= choice.bound
    assert choice.value == value_with(problem, choice.runs)
    assert not choice.proven or choice.value == best


@given(problems(columns=3, rows=3), st.data())
def test_doing_without_a_run(problem: Problem, data: st.DataObject) -> None:
    choice = choose(problem)
    if not choice.runs:
        return
    banned = data.draw(st.sampled_from(choice.runs))
    other = choose_without(problem, choice.runs, banned)
    assert banned not in other.runs
    assert other.value == value_with(problem, other.runs) <= choice.value
    left = tuple(run for run in choice.runs if run != banned)
    assert other.value >= value_with(problem, left)


def random_problem(seed: int, rows: int, columns: int, kind: str) -> Problem:
    """As pre-training and fine-tuning would make it: prices some ten times one row's gain."""
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 4, (rows, columns))
    if kind == "monotone":
        values.sort(axis=1)
    if kind == "runs":
        values = np.repeat(values[:, ::3], 3, axis=1)[:, :columns]
    values = values[distinct_rows(values)]
    worth = np.full((columns, 4), 600)
    worth[:, 0] = 0
    return Problem(
        rows=values.astype(np.uint8),
        weight=rng.integers(20, 60, len(values)),
        worth=worth,
        price=rng.integers(50_000, 150_000, (columns, 4)),
        seam=150,
        opening=5_000,
    )


@pytest.mark.parametrize("kind", ["independent", "runs", "monotone"])
@pytest.mark.parametrize("seed", range(3))
def test_within_two_percent_of_highs(kind: str, seed: int) -> None:
    problem = random_problem(seed, 60, 9, kind)
    offers = offers_of(problem)
    solved = solve(offers, np.ones(len(offers.gain), dtype=bool), nodes=100_000)
    assert solved.proven and solved.chosen is not None
    best = cover(offers, solved.chosen).value
    quick = choose(problem, exact=0)
    assert 0.98 * best <= quick.value <= best <= quick.bound
    full = choose(problem, exact=1_000_000)
    assert full.proven and full.value == best


def test_choosing_twice_gives_the_same() -> None:
    problem = random_problem(0, 200, 12, "independent")
    assert choose(problem) == choose(problem)


def test_an_answer_that_one_row_alone_pays_for() -> None:
    """No other row has the run, and yet it is worth its price."""
    problem = Problem(
        rows=np.array([[1, 1], [2, 2]], dtype=np.uint8),
        weight=np.array([10, 1]),
        worth=np.ones((2, 3), dtype=np.int64),
        price=np.full((2, 3), 3),
        seam=0,
        opening=5,
    )
    choice = choose(problem)
    assert choice.runs == ((0, (1, 1)),) and choice.value == 20 - 11


def test_too_many_offers() -> None:
    problem = random_problem(0, 60, 9, "independent")
    with pytest.raises(TooMany):
        choose(problem, most=10)


# The pass


def predicted(plan: Plan) -> float:
    """Seconds that the plan's blocks and composite vectors take by its cost model."""
    plan = complete(plan)
    task = priced_plan(plan)
    return task.total(task.value_of(plan.blocks, plan.composition.values))


@st.composite
def candidate_sets(draw: st.DrawFn) -> tuple[list[list[int]], int, int]:
    modules = draw(st.integers(1, 6))
    row = st.tuples(*[st.integers(0, 2)] * modules)
    rows = draw(st.lists(row, min_size=1, max_size=12, unique=True))
    return [list(row) for row in rows], draw(st.integers(1, 60)), draw(st.integers(1, 400))


@given(candidate_sets(), st.sampled_from(["none", "modules", "wootz", "maximal"]))
def test_never_worse_than_another_method(
    make_space: MakeSpace, candidates: tuple[list[list[int]], int, int], other: Any
) -> None:
    rows, pretrain, finetune = candidates
    space = make_space(
        len(rows[0]), rows=rows, pretrain=Recipe(steps=pretrain), finetune=Recipe(steps=finetune)
    )
    passes = replaced(PASSES, SelectBlocks(method=other), MineSubsequences(method="sequitur"))
    optimal = run(Plan(space=space), replaced(PASSES, SelectBlocks(method="optimal")))
    assert optimal.selection is not None
    assert predicted(optimal) == pytest.approx(optimal.selection.value)
    assert optimal.selection.value <= predicted(run(Plan(space=space), passes)) + 1e-9
    assert optimal.selection.bound <= optimal.selection.value <= optimal.selection.without


def test_only_candidates_within_the_cost_limits_count(make_space: MakeSpace) -> None:
    limit = CostLimit(metric="params", comparison="<=", value=0)
    recipes: dict[str, Any] = {"pretrain": Recipe(steps=10), "finetune": Recipe(steps=900)}
    every = run(Plan(space=make_space(3, blocks="optimal", **recipes)))
    assert every.costs is not None and every.selection is not None
    middle = int(np.median(every.costs["params"].candidates.values))
    objective = Objective(limits=(CostLimit(metric="params", comparison="<=", value=middle),))
    some = run(Plan(space=make_space(3, blocks="optimal", objective=objective, **recipes)))
    assert some.selection is not None
    assert some.selection.without < every.selection.without
    with pytest.raises(WootzError, match="WZ066"):  # from `order`, not from the selection
        run(Plan(space=make_space(3, blocks="optimal", objective=Objective(limits=(limit,)))))


def test_the_cost_model_of_the_plan_counts(make_space: MakeSpace) -> None:
    space = make_space(3, blocks="optimal", pretrain=Recipe(steps=10), finetune=Recipe(steps=900))
    seamless = run(Plan(space=space, cost_model=CostModel(seam=0.0)))
    useless = run(Plan(space=space, cost_model=CostModel(saved=0.0)))
    assert useless.blocks == ()
    assert seamless.blocks and all(len(block.rates) == 1 for block in seamless.blocks)


def test_too_many_candidates_are_a_mistake_of_the_user(make_space: MakeSpace) -> None:
    space = make_space(3, pretrain=Recipe(steps=1), finetune=Recipe(steps=900))
    passes = replaced(PASSES, SelectBlocks(method="optimal", most=5))
    with pytest.raises(WootzError) as caught:
        run(Plan(space=space), passes)
    assert caught.value.diagnostics[0].code == "WZ098"
