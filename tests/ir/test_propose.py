"""Proposals against looking at every candidate, and what HiGHS finds against the same."""

import ctypes
import itertools
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from wootzc.ir.diagram.feasible import holds
from wootzc.ir.diagram.space_diagram import SpaceDiagram
from wootzc.ir.highs import silence
from wootzc.ir.net.cost_tables import VariantCosts, variant_costs
from wootzc.ir.propose import Proposals, proposals
from wootzc.ir.propose import proposer as module
from wootzc.ir.propose.integer_program import Apart, Programme
from wootzc.ir.propose.picks import Picks
from wootzc.ir.propose.shortest_paths import sweep_of
from wootzc.ir.space import (
    AccuracyLimit,
    Constraint,
    CostLimit,
    Objective,
    Ordered,
    Space,
    Tie,
)  # fmt: skip
from wootzc.ir.space.variables import variables

MakeSpace = Callable[..., Space]
MODULES = 5
LIMITS = {  # of five modules: none to all
    "params": (1800, 3900), "macs": (28_000, 60_000), "memory": (700, 1400),
}  # fmt: skip


@st.composite
def constraint_lists(draw: st.DrawFn) -> tuple[Constraint, ...]:
    some = st.lists(st.integers(0, MODULES - 1), min_size=2, max_size=4, unique=True).map(tuple)
    direction = st.sampled_from(["nondecreasing", "nonincreasing"])
    one: list[st.SearchStrategy[Constraint]] = [
        st.builds(Tie, modules=some),
        st.builds(Ordered, direction=direction, modules=some),
    ]
    for metric, (low, high) in LIMITS.items():
        comparison = st.sampled_from(["<=", ">="])
        value = st.integers(low, high)
        limit = st.builds(CostLimit, metric=st.just(metric), comparison=comparison, value=value)
        one.append(limit)
    return tuple(draw(st.lists(st.one_of(one), max_size=4)))


@st.composite
def score_tables(draw: st.DrawFn) -> NDArray[np.float64]:
    """[modules, 3]; more harm for more pruning, mostly; some variants have no score."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    scores = np.cumsum(rng.uniform(-0.2, 1.0, size=(MODULES, 3)), axis=1) * draw(
        st.sampled_from([1e-4, 1.0, 300.0])
    )
    without = rng.random(scores.shape) < draw(st.sampled_from([0.0, 0.1, 0.3]))
    scores[without] = draw(st.sampled_from([np.inf, np.nan]))
    return scores


def allowed(
    space: Space, costs: VariantCosts, scores: NDArray[np.float64]
) -> NDArray[np.uint8]:  # [n, modules]
    """Every candidate, by looking at all rows; constraints read from the space itself."""
    rows = np.array(list(itertools.product(*space.choices)), dtype=np.uint8)
    good = np.isfinite(harm_of(scores, rows))
    limits = [limit for limit in space.objective.limits if isinstance(limit, CostLimit)]
    for constraint in (*space.constraints, *limits):
        match constraint:
            case Tie(modules=modules):
                good &= (rows[:, modules] == rows[:, modules[:1]]).all(axis=1)
            case Ordered(direction=direction, modules=modules):
                steps = np.diff(rows[:, modules].astype(int), axis=1)
                good &= ((steps >= 0) if direction == "nondecreasing" else (steps <= 0)).all(axis=1)
            case CostLimit(metric=metric, comparison=comparison, value=value):
                total = costs.total(metric, rows)
                good &= (total <= value) if comparison == "<=" else (total >= value)
    return rows[good]


def harm_of(scores: NDArray[np.float64], rows: NDArray[np.uint8]) -> NDArray[np.float64]:
    sums: NDArray[np.float64] = scores[np.arange(rows.shape[1]), rows].sum(axis=1)
    return sums


def filled(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """With the worst score where there is none."""
    finite = np.isfinite(scores)
    worst: NDArray[np.float64] = np.where(finite, scores, scores[finite].max())
    return worst


def unlisted(*arguments: Any, **options: Any) -> Proposals:
    """As in spaces too large to look at every candidate."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "LISTED", 0)
        return proposals(*arguments, **options)


def differences(rows: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Modules in which each two of the rows differ."""
    pairs = [(a != b).sum() for a, b in itertools.combinations(rows, 2)]
    return np.array(pairs, dtype=np.int64)


@settings(max_examples=15)
@given(constraint_lists(), score_tables(), st.sampled_from(["params", "macs"]), st.booleans())
def test_the_first_of_each_rung_is_the_best_within_its_bound(
    make_space: MakeSpace,
    constraints: tuple[Constraint, ...],
    scores: NDArray[np.float64],
    metric: Any,
    few: bool,
) -> None:
    space = make_space(MODULES, constraints=constraints)
    costs = variant_costs(space.network, space.rates)
    every = allowed(space, costs, scores)
    found = (proposals if few else unlisted)(space, costs, scores, 30, metric=metric, rungs=6)
    known = {tuple(row) for row in every.tolist()}
    rows = [tuple(row) for row in found.rows.tolist()]
    assert set(rows) <= known and len(set(rows)) == len(rows) <= 30
    if len(every) == 0:
        assert len(found.bounds) == len(rows) == 0
        return
    total, harm = costs.total(metric, every), harm_of(scores, every)
    assert found.bounds[0] == total.min() and found.bounds[-1] >= total.max()
    assert found.proven.all()
    mine, my_harm = costs.total(metric, found.rows), harm_of(scores, found.rows)
    assert (mine <= found.bounds[found.rung]).all()
    for bound in found.bounds:
        best = harm[total <= bound].min()
        assert my_harm[mine <= bound].min() == pytest.approx(best, rel=1e-6, abs=1e-9)
    if few:
        assert len(rows) == min(30, len(every))


@settings(max_examples=15)
@given(constraint_lists(), score_tables(), st.booleans())
def test_where_the_greatest_counts_each_rung_has_its_best(
    make_space: MakeSpace,
    constraints: tuple[Constraint, ...],
    scores: NDArray[np.float64],
    few: bool,
) -> None:
    objective = Objective(target="memory", limits=(AccuracyLimit(value=0.5),))
    space = make_space(MODULES, constraints=constraints, objective=objective)
    costs = variant_costs(space.network, space.rates)
    every = allowed(space, costs, scores)
    found = (proposals if few else unlisted)(space, costs, scores, 40)
    rows = [tuple(row) for row in found.rows.tolist()]
    assert set(rows) <= {tuple(row) for row in every.tolist()}
    assert len(set(rows)) == len(rows) <= 40
    if len(every) == 0:
        assert len(found.bounds) == len(rows) == 0
        return
    total, harm = costs.total("memory", every), harm_of(scores, every)
    assert set(total.tolist()) <= set(found.bounds.tolist())  # few modules: every value is a rung
    assert (found.bounds[0], found.bounds[-1]) == (total.min(), total.max())
    assert len(proposals(space, costs, scores, 40, rungs=1).bounds) == 1
    mine, my_harm = costs.total("memory", found.rows), harm_of(scores, found.rows)
    for bound in found.bounds:
        best = harm[total <= bound].min()
        assert my_harm[mine <= bound].min() == pytest.approx(best, rel=1e-6, abs=1e-9)


@settings(max_examples=20)
@given(constraint_lists(), score_tables(), st.integers(0, 999), st.integers(1, 4))
def test_the_programme_finds_the_best_that_is_far_enough(
    make_space: MakeSpace,
    constraints: tuple[Constraint, ...],
    scores: NDArray[np.float64],
    seed: int,
    distance: int,
) -> None:
    space = make_space(MODULES, constraints=constraints)
    costs = variant_costs(space.network, space.rates)
    scores = filled(scores)
    problem = variables(space, costs, constraints)
    every = allowed(space, costs, scores)
    if not all(len(choices) for choices in problem.choices):
        return
    programme = Programme(problem)
    if programme.binaries == 0:
        return
    table = np.zeros(problem.tables["params"].shape)
    np.add.at(table, problem.of_module, scores)
    rng = np.random.default_rng(seed)
    firsts = np.unique(problem.of_module, return_index=True)[1]
    others = every[rng.permutation(len(every))[:3]]
    solved = programme.best(table, problem.limits, Apart(others[:, firsts], distance))
    far = every[((every[:, None] != others).sum(axis=2) >= distance).all(axis=1)]
    assert solved.proven
    assert (solved.word is None) == (len(far) == 0)
    if solved.word is not None:
        word = solved.word[problem.of_module]
        assert word.tolist() in far.tolist()
        best = harm_of(scores, far).min()
        assert harm_of(scores, word[None])[0] == pytest.approx(best, rel=1e-6, abs=1e-9)
        bound = programme.best(table, problem.limits, relaxed=True).bound
        assert bound <= best + 1e-9 * max(1.0, abs(best))
        assert solved.bound == pytest.approx(best, rel=1e-6, abs=1e-9)


@settings(max_examples=25)
@given(constraint_lists(), score_tables(), st.integers(0, 99))
def test_sweeps_find_the_best_of_every_cost(
    make_space: MakeSpace,
    constraints: tuple[Constraint, ...],
    scores: NDArray[np.float64],
    seed: int,
) -> None:
    """With so few units of cost that none is rounded, under ties and orders."""
    constraints = tuple(c for c in constraints if not isinstance(c, CostLimit))
    space = make_space(MODULES, constraints=constraints)
    rng = np.random.default_rng(seed)
    plain = variant_costs(space.network, space.rates)
    costs = replace(
        plain,
        tables={**plain.tables, "params": rng.integers(20, size=plain.tables["params"].shape)},
    )
    scores = filled(scores)
    problem = variables(space, costs, constraints)
    every = allowed(space, costs, scores)
    total, harm = costs.total("params", every), harm_of(scores, every)
    bounds = np.unique(rng.choice(total, 4))
    order = rng.permutation(len(problem.choices))
    sweep, _ = sweep_of(problem, order, "params", bounds)
    table = np.zeros(problem.tables["params"].shape)
    np.add.at(table, problem.of_module, scores)
    least = [
        problem.tables["params"][v, choices].min() for v, choices in enumerate(problem.choices)
    ]
    starts = bounds - problem.fixed["params"] - sum(least)
    [words] = sweep.best(table[None], starts)
    for bound, word in zip(bounds, words[:, problem.of_module], strict=True):
        assert word.tolist() in every[total <= bound].tolist()
        assert harm_of(scores, word[None])[0] == pytest.approx(harm[total <= bound].min())


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.integers(1, 4))
def test_picks_are_the_best_that_differ_enough(seed: int, distance: int) -> None:
    """Against the rule, row by row: the firsts, then in turn what is far from all of a rung."""
    rng = np.random.default_rng(seed)
    pool = rng.integers(3, size=(40, 4), dtype=np.uint8)
    scores, costs = rng.permutation(81)[:, None] * 1.0, rng.integers(100, size=81)
    code = pool @ np.array([27, 9, 3, 1])  # equal rows have equal scores and costs
    bounds = np.array([30, 60, 99])
    picks = Picks(pool, scores[code, 0], costs[code], bounds, 25)
    picks.firsts()
    picks.rounds(distance)
    ranked = sorted({(scores[c, 0], c): pool[k].tolist() for k, c in enumerate(code)}.items())
    within = [[row for (_, c), row in ranked if costs[c] <= bound] for bound in bounds]
    found = [rows[:1] for rows in within]
    taken: list[list[int]] = []
    for first in found:
        taken += [row for row in first if row not in taken]
    waiting = [0, 1, 2]
    while waiting and len(taken) < 25:
        for rung in list(waiting):
            if len(taken) == 25:
                break
            good = [
                row
                for row in within[rung]
                if row not in taken
                and all(sum(map(int.__ne__, row, other)) >= distance for other in found[rung])
            ]
            if good:
                found[rung].append(good[0])
                taken.append(good[0])
            else:
                waiting.remove(rung)
    assert picks.taken()[0].tolist() == taken


@settings(max_examples=10)
@given(constraint_lists(), score_tables(), st.integers(1, 3))
def test_further_candidates_keep_their_distance(
    make_space: MakeSpace,
    constraints: tuple[Constraint, ...],
    scores: NDArray[np.float64],
    distance: int,
) -> None:
    """At the only rung: greedily the best of what is far enough, as long as there is any."""
    objective = Objective(target="accuracy", limits=(AccuracyLimit(value=0.5),))
    space = make_space(MODULES, constraints=constraints, objective=objective)
    costs = variant_costs(space.network, space.rates)
    left = allowed(space, costs, scores)
    left = left[np.argsort(harm_of(scores, left), kind="stable")]
    expected = []
    while len(left):
        expected.append(harm_of(scores, left[:1])[0])
        left = left[(left != left[0]).sum(axis=1) >= distance]
    found = proposals(space, costs, scores, 1000, distance=distance)
    assert len(found.bounds) == (1 if expected else 0)
    assert (differences(found.rows[: len(expected)]) >= distance).all()
    assert harm_of(scores, found.rows[: len(expected)]) == pytest.approx(expected)
    assert len(found.rows) == len(allowed(space, costs, scores))


def large(make_space: MakeSpace) -> tuple[Space, VariantCosts, NDArray[np.float64]]:
    """4^22 rows, a chain of orders, a tie, at most 60 % of all parameters; one variant is out."""
    rates = (0.0, 0.3, 0.5, 0.7)
    full = variant_costs(make_space(22, rates).network, rates)
    most = int(full.total("params", np.zeros((1, 22), dtype=np.uint8))[0])
    constraints = (
        Ordered(direction="nondecreasing", modules=tuple(range(5, 16))),
        Tie(modules=(0, 1)),
        CostLimit(metric="params", comparison="<=", value=int(0.6 * most)),
    )
    space = make_space(22, rates, constraints=constraints)
    rng = np.random.default_rng(4)
    scores = rng.gamma(2.0, 1.0, size=(22, 1)) * np.array(rates) ** 2
    scores *= 1 + 0.2 * rng.standard_normal(scores.shape)
    scores[3, 2] = np.inf
    return space, full, scores


def test_proposals_of_a_space_too_large_to_list(make_space: MakeSpace) -> None:
    space, costs, scores = large(make_space)
    found = proposals(space, costs, scores, 60, rungs=8, distance=3)
    rows = found.rows
    held = holds(replace(space, choices=(*space.choices[:3], (0, 1, 3), *space.choices[4:])), costs)
    assert held.exact and held.diagram.count > 10**7
    assert len(np.unique(rows, axis=0)) == len(rows) == 60
    assert held.contains(rows).all()
    assert np.array_equal(rows, proposals(space, costs, scores, 60, rungs=8, distance=3).rows)
    total, harm = costs.total("params", rows), harm_of(scores, rows)
    assert (total <= found.bounds[found.rung]).all() and found.proven.all()
    assert (found.bounds[0], found.bounds[-1]) == held.range("params")
    finite = np.where(np.isfinite(scores), scores, 0.0)
    for rung, bound in enumerate(found.bounds.tolist()):
        _, best = next(held.within("params", (0, bound)).best(finite))
        assert harm[total <= bound].min() == pytest.approx(best)
        assert (differences(rows[found.rung == rung]) >= 3).all()
    # Further candidates are near the front: most are nearer than any of as many random ones.
    drawn = held.sample(60, np.random.default_rng(0))
    chance = [
        harm_of(scores, drawn[costs.total("params", drawn) <= bound]).min(initial=np.inf)
        for bound in found.bounds[found.rung]
    ]
    assert np.mean(harm < chance) > 0.9


def test_where_accuracy_counts_all_are_at_the_limits(make_space: MakeSpace) -> None:
    """Within the limits of the objective too, here one that the ladder's cost says nothing of."""
    space, costs, scores = large(make_space)
    full = int(costs.total("macs", np.zeros((1, 22), dtype=np.uint8))[0])
    limit = CostLimit(metric="macs", comparison="<=", value=full // 2)
    space = replace(space, objective=Objective(target="accuracy", limits=(limit,)))
    found = proposals(space, costs, scores, 40)
    assert len(found.bounds) == 1 and len(found.rows) == 40
    assert (costs.total("macs", found.rows) <= full // 2).all()
    assert (differences(found.rows) >= 2).all()  # an eighth of 22 modules
    constraints = (*space.constraints, limit)
    choices = (*space.choices[:3], (0, 1, 3), *space.choices[4:])
    held = holds(replace(space, constraints=constraints, choices=choices), costs)
    assert held.contains(found.rows).all()
    best, least = next(held.best(np.where(np.isfinite(scores), scores, 0.0)))
    assert found.rows[0].tolist() == best.tolist()
    assert harm_of(scores, found.rows).min() == pytest.approx(least)


def test_highs_is_asked_where_too_few_were_drawn(
    make_space: MakeSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any that were drawn, further candidates are the exact next ones."""
    space = make_space(6)
    costs = variant_costs(space.network, space.rates)
    scores = np.random.default_rng(1).uniform(size=(6, 3))
    nothing = np.zeros((0, 6), dtype=np.uint8)
    monkeypatch.setattr(module, "LISTED", 0)
    monkeypatch.setattr(module, "near", lambda *_: nothing)
    monkeypatch.setattr(SpaceDiagram, "sample", lambda *_: nothing)
    found = proposals(space, costs, scores, 6, rungs=1, distance=4)
    left = np.array(list(itertools.product(range(3), repeat=6)), dtype=np.uint8)
    for row in found.rows[:4]:
        best = harm_of(scores, left).min()
        assert harm_of(scores, row[None])[0] == pytest.approx(best)
        left = left[(left != row).sum(axis=1) >= 4]
    assert (differences(found.rows[:4]) >= 4).all()
    monkeypatch.setattr(module, "WORK", 0)
    assert len(proposals(space, costs, scores, 6).rows) == 0  # and HiGHS has no time


@pytest.mark.parametrize(
    "constraints",
    [
        (CostLimit(metric="params", comparison="<=", value=1),),
        (CostLimit(metric="params", comparison=">=", value=10**9),),
        (
            CostLimit(metric="params", comparison=">=", value=3000),
            CostLimit(metric="macs", comparison="<=", value=30_000),
        ),
    ],
)
def test_nothing_is_proposed_where_nothing_is_left(
    make_space: MakeSpace, constraints: tuple[Constraint, ...]
) -> None:
    space = make_space(MODULES, constraints=constraints)
    costs = variant_costs(space.network, space.rates)
    scores = np.zeros((MODULES, 3))
    for find in (proposals, unlisted):
        found = find(space, costs, scores, 9)
        assert found.rows.shape == (0, MODULES) and len(found.rung) == len(found.bounds) == 0


def test_variants_without_a_score_are_left_out(make_space: MakeSpace) -> None:
    """Of tied modules a rate is out if one of them has no score for it."""
    space = make_space(MODULES, constraints=(Tie(modules=(1, 3)),))
    costs = variant_costs(space.network, space.rates)
    scores = np.ones((MODULES, 3))
    scores[1, 0], scores[3, 2] = np.nan, np.inf
    rows = proposals(space, costs, scores, 1000).rows
    assert len(rows) == 3**3 and (rows[:, [1, 3]] == 1).all()
    scores[1, 1] = -np.inf
    assert proposals(space, costs, scores, 1000).rows.shape == (0, MODULES)
    assert proposals(space, costs, np.ones((MODULES, 3)), 0).rows.shape == (0, MODULES)


def test_orders_may_need_a_larger_diagram(
    make_space: MakeSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    space, costs, scores = large(make_space)
    rows = proposals(space, costs, scores, 12).rows
    monkeypatch.setattr(module, "STATES", 4)
    assert proposals(space, costs, scores, 12).rows.shape == rows.shape


def test_what_c_code_prints_is_not_seen(capfd: pytest.CaptureFixture[str]) -> None:
    print("before")
    with silence():
        ctypes.CDLL(None).puts(b"from C")
        os.write(1, b"as it is\n")
    print("after")
    assert capfd.readouterr().out == "before\nafter\n"
