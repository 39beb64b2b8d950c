"""What spaces hold: modules, ties and costs on top of diagrams, exact or with rounded costs."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from wootzc.ir.diagram import space_diagram as diagram_space
from wootzc.ir.diagram.feasible import emptied_by, holds
from wootzc.ir.diagram.orders import order_layers
from wootzc.ir.diagram.sampling import band_of, stratified
from wootzc.ir.diagram.space_diagram import SpaceDiagram, counted
from wootzc.ir.net.cost_tables import VariantCosts, variant_costs
from wootzc.ir.space import Constraint, CostLimit, Ordered, Space, Tie
from wootzc.ir.space.variables import Variables, variables

MakeSpace = Callable[..., Space]
MODULES = 5
LIMITS = {  # of five modules: none to all
    "params": (1800, 3900), "macs": (28_000, 60_000), "memory": (700, 1400),
}  # fmt: skip


def rounded(problem: Variables) -> SpaceDiagram:
    """With rounded costs even where few candidates are: what large spaces get."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(diagram_space, "FEW", 0)
        order = np.arange(len(problem.choices))
        related = order_layers(problem.choices, diagram_space.relations_of(problem, order))
        return diagram_space._rounded(problem, order, related, 10**6, (32,))


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


def brute(space: Space, costs: VariantCosts) -> NDArray[np.uint8]:
    """Every candidate, by looking at all rows; ties and orders read from the space itself."""
    rows = np.array(list(itertools.product(*space.choices)), dtype=np.uint8)
    good = np.ones(len(rows), dtype=bool)
    for constraint in space.constraints:
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


def same_rows(space: SpaceDiagram, expected: NDArray[np.uint8]) -> None:
    assert space.rows().tolist() == expected.tolist()
    assert np.concatenate([expected[:0], *space.chunks()]).tolist() == expected.tolist()
    least, most = space.between
    assert least <= len(expected) <= most
    assert space.count in (None, len(expected))


@settings(max_examples=60)
@given(constraint_lists(), st.data())
def test_a_space_holds_what_filtering_gives(
    make_space: MakeSpace, constraints: tuple[Constraint, ...], data: st.DataObject
) -> None:
    space = make_space(MODULES, constraints=constraints)
    costs = variant_costs(space.network, space.rates)
    expected, held = brute(space, costs), holds(space, costs)
    assert held.exact
    same_rows(held, expected)
    every = np.array(list(itertools.product(range(3), repeat=MODULES)), dtype=np.uint8)
    assert every[held.contains(every)].tolist() == expected.tolist()
    start = data.draw(st.integers(0, MODULES - 1))
    stop = data.draw(st.integers(start + 1, MODULES))
    rates = data.draw(st.tuples(*[st.integers(0, 2)] * (stop - start)))
    assert held.frequency(start, rates) == int((expected[:, start:stop] == rates).all(axis=1).sum())
    if len(expected):
        for metric in ("params", "macs"):
            total = costs.total(metric, expected)
            assert held.range(metric) == (total.min(), total.max())
        _best_are_best(held, expected, data.draw(st.integers(0, 99)))


def _best_are_best(held: SpaceDiagram, expected: NDArray[np.uint8], seed: int) -> None:
    scores = np.random.default_rng(seed).integers(-50, 50, size=(MODULES, 3))
    sums = np.sort(scores[np.arange(MODULES), expected].sum(axis=1))[::-1]
    found = list(itertools.islice(held.best(scores, largest=True), 5))
    assert [score for _, score in found] == sums[:5].tolist()
    assert all(scores[np.arange(MODULES), row].sum() == score for row, score in found)


@settings(max_examples=40)
@given(constraints=constraint_lists())
def test_rounded_costs_let_nothing_in_and_lose_nothing(
    make_space: MakeSpace, constraints: tuple[Constraint, ...]
) -> None:
    space = make_space(MODULES, constraints=constraints)
    costs = variant_costs(space.network, space.rates)
    problem = variables(space, costs, space.constraints)
    expected = brute(space, costs)
    held = rounded(problem)
    assert not held.exact or not held.diagram.count
    same_rows(held, expected)
    drawn = held.sample(len(expected), np.random.default_rng(0))
    assert sorted(drawn.tolist()) == expected.tolist()
    if len(expected):
        _best_are_best(held, expected, 3)
        for metric in ("params", "macs"):
            total, (low, high) = costs.total(metric, expected), held.range(metric)
            assert low <= total.min() and total.max() <= high


def test_samples_by_rejection_are_uniform(make_space: MakeSpace) -> None:
    """χ² as in test_diagram, through the path of spaces too large for an exact diagram."""
    constraints = (
        CostLimit(metric="params", comparison="<=", value=2600),
        CostLimit(metric="macs", comparison=">=", value=32_000),
    )
    space = make_space(MODULES, constraints=constraints)
    costs = variant_costs(space.network, space.rates)
    expected = [tuple(row) for row in brute(space, costs).tolist()]
    problem = variables(space, costs, constraints)
    held = rounded(problem)
    assert held.count is None and held.diagram.count > len(expected) > 30
    runs = 60 * len(expected)
    rng = np.random.default_rng(11)
    seen = dict.fromkeys(expected, 0)
    for _ in range(runs // 4):
        for row in held.sample(4, rng).tolist():
            seen[tuple(row)] += 1
    mean = runs / len(expected)
    spread = mean * (1 - 4 / len(expected))
    chi_square = sum((count - mean) ** 2 for count in seen.values()) / spread
    freedom = len(expected) - 1
    assert abs(chi_square - freedom) < 4 * (2 * freedom) ** 0.5


def test_stratified_samples_of_rounded_spaces(
    make_space: MakeSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagram_space, "FEW", 0)
    monkeypatch.setattr(diagram_space, "BAND_BINS", (32,))
    monkeypatch.setattr(diagram_space, "BAND_STATES", 200)
    space = make_space(9)
    plain = variables(space, variant_costs(space.network, space.rates), ())
    params = np.random.default_rng(5).integers(10**6, size=(9, 3))
    held = counted(replace(plain, tables={**plain.tables, "params": params}))
    low, high = held.range("params")
    assert not held.within("params", band_of(3, (low, high), 6)).exact
    rows = stratified(held, "params", 60, 6, np.random.default_rng(0))
    total = held.problem.total("params", rows)
    assert len(np.unique(rows, axis=0)) == 60
    assert np.histogram(total, bins=6, range=(low, high))[0].tolist() == [10] * 6


def test_too_many_states_are_rounded(make_space: MakeSpace) -> None:
    """Arbitrary costs, two limits: more than 100,000 states, but sampled all the same."""
    space = make_space(30)
    plain = variables(space, variant_costs(space.network, space.rates), ())
    params, macs = np.random.default_rng(5).integers(10**9, size=(2, 30, 3))
    half = {"params": (0, int(params.mean(axis=1).sum())), "macs": (0, 2 * 10**10)}
    problem = replace(plain, tables={"params": params, "macs": macs}, limits=half)
    held = counted(problem, states=100_000)
    assert held.count is None and held.frequency(0, (0,)) is None
    least, most = held.between
    assert 0 < least < most < 3**30
    rows = held.sample(200, np.random.default_rng(0))
    assert len(np.unique(rows, axis=0)) == 200
    assert held.contains(rows).all() and problem.allowed(rows).all()


def test_chains_far_apart_are_reordered(make_space: MakeSpace) -> None:
    """Fifteen chains that cross: 6^15 of 3^30 words, which the modules' own order cannot hold."""
    chains = tuple(Ordered(direction="nondecreasing", modules=(k, k + 15)) for k in range(15))
    space = make_space(30, constraints=chains)
    held = holds(space, variant_costs(space.network, space.rates))
    assert held.count == 6**15
    rows = held.sample(300, np.random.default_rng(0))
    assert (rows[:, :15] <= rows[:, 15:]).all() and held.contains(rows).all()
    assert held.frequency(14, (2, 0)) == 6**13  # which leaves one rate to modules 29 and 0
    assert not held.contains(np.array([[1] * 15 + [0] * 15])).any()
    scores = np.tile([0, 1, 3], (30, 1)) * (1 - 2 * (np.arange(30) >= 15))[:, None]
    best, score = next(held.best(scores, largest=True))
    assert score == 0 and (best[:15] == best[15:]).all()


@settings(max_examples=60)
@given(constraint_lists())
def test_the_first_constraint_that_empties_a_space_is_found(
    make_space: MakeSpace, constraints: tuple[Constraint, ...]
) -> None:
    space = make_space(MODULES, constraints=constraints)
    costs = variant_costs(space.network, space.rates)
    left = [len(brute(replace(space, constraints=constraints[:n]), costs)) for n in range(5)]
    found: Any = emptied_by(space, costs, constraints)
    if left[len(constraints)]:
        assert found is None
    else:
        place, before = found
        assert left[place] == before.count > 0 == left[place + 1]
