"""Rates of each group inside of a module: counts, costs and orders against all combinations."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from wootzc.diagnostics import WootzError
from wootzc.driver import compile
from wootzc.ir.array import Array
from wootzc.ir.diagram.feasible import holds
from wootzc.ir.layers import Conv, walk
from wootzc.ir.net.cost_tables import network_costs
from wootzc.ir.net.network import Module
from wootzc.ir.net.prune import prune_network
from wootzc.ir.net.rate import Rate, parts, ranks, rate_of, removed, rising, short
from wootzc.ir.net.widths import module_widths
from wootzc.ir.passes import PASSES, run
from wootzc.ir.plan import Plan
from wootzc.ir.plan.verify_space import space_problems
from wootzc.ir.space import Measured, Space
from wootzc.ir.space.space_costs import space_costs
from wootzc.ir.text import parse_plan, print_plan
from wootzc.ir.text.cost_file import print_costs, read_costs

TEXT = """
module bottle(width, inner) {
  add { { conv(1x1, inner); norm; relu; conv(3x3, 12); norm; relu; conv(1x1, width); norm } { } }
  relu
}
network n {
  input(8x8x1)
  conv(3x3, 8); norm; relu
  bottle(8, 4) as a[1..2]
  global_pool; dense(4)
}
space s over n {
  data "x.npz"
  teacher { steps 10 }
  minimize params
  subject to accuracy >= 90%
  multiple of 1
  STATEMENTS
}
"""
RATES = (0.0, 0.25, 0.5)


def space_of(*statements: str) -> Space:
    return compile(TEXT.replace("STATEMENTS", "\n  ".join(statements))).space


def candidates(space: Space) -> list[tuple[Rate, ...]]:
    rows = holds(space, space_costs(space)).rows()
    return [tuple(space.rates[position] for position in row) for row in rows.tolist()]


def filters(space: Space, rates: tuple[Rate, ...]) -> tuple[int, ...]:
    """Of the inner convolutions, as the pruned network has them."""
    return tuple(
        layer.width
        for module in prune_network(space.network, rates).segments
        if isinstance(module, Module)
        for path, layer in walk(module.body)
        if isinstance(layer, Conv) and path in ("0.0.0", "0.0.3")
    )


def test_every_combination_is_a_candidate_and_costs_what_its_network_does() -> None:
    space = space_of("rates { 0, 25%, 50% } each")
    own = [(round(4 * (1 - a)), round(12 * (1 - b))) for a in RATES for b in RATES]
    found = candidates(space)
    assert {filters(space, rates) for rates in found} == {
        (*one, *other) for one, other in itertools.product(own, own)
    }
    assert len(found) == len(own) ** 2
    costs = space_costs(space)
    for rates in found[::7]:
        row = np.array([[space.rates.index(rate) for rate in rates]])
        exact = network_costs(prune_network(space.network, rates))
        assert {name: costs.total(name, row)[0] for name in exact} == exact


def test_it_stands_beside_trunks_skips_and_ties() -> None:
    space = space_of("prune a1 rates { 0, 50% } each", "narrow t1 rates { 0, 50% }", "skip a2",
                     "prune a2 rates { 50% }")  # fmt: skip
    assert len(candidates(space)) == 4 * 2 * 2
    tied = space_of("rates { 0, 50% } each", "tie a1, a2")
    assert {rates for rates in candidates(tied)} == {
        (rate, rate) for rate in (0.0, 0.5, ((0.0, 0.5), 0.0, 0.0), ((0.5, 0.0), 0.0, 0.0))
    }
    limited = space_of("rates { 0, 50% } each", "where a1 >= 50%", "where a2 <= 25%")
    assert candidates(limited) == [(0.5, 0.0)]


def test_rates_that_leave_a_group_its_width_are_one_choice_of_it() -> None:
    """10 % of 4 filters is none, of 12 it is one."""
    space = space_of("prune a1 rates { 0, 10%, 50% } each", "keep a2")
    assert {filters(space, rates)[:2] for rates in candidates(space)} == {
        *itertools.product((4, 2), (12, 11, 6))
    }
    assert len(candidates(space)) == 6


def test_plans_and_tables_hold_it() -> None:
    space = space_of("rates { 0, 50% } each", "blocks wootz", "all")
    plan = run(Plan(space=space), PASSES)
    assert parse_plan(print_plan(plan)) == plan
    assert plan.candidates is not None and len(plan.candidates) == 16


def test_a_plan_whose_rates_are_of_other_groups_is_refused() -> None:
    space = space_of("rates { 0, 50% } each")
    rates: list[Rate] = [
        ((0.0, 0.5, 0.5), 0.0, 0.0) if rate == ((0.0, 0.5), 0.0, 0.0) else rate
        for rate in space.rates
    ]
    wrong = replace(space, rates=tuple(rates))
    assert [p.message for p in space_problems(Plan(space=space))] == []
    messages = [problem.message for problem in space_problems(Plan(space=wrong))]
    assert any("module 0 has 2 groups inside" in message for message in messages)


def test_a_table_of_latency_names_every_rate() -> None:
    space = space_of("rates { 0, 50% } each", "narrow t1 rates { 0, 25% }")
    table = np.arange(len(space.choices) * len(space.rates), dtype=np.int64)
    shape = (len(space.choices), len(space.rates))
    for module, choices in enumerate(space.choices):
        for place in {*range(shape[1])} - {*choices}:
            table.reshape(shape)[module, place] = 0
    table.reshape(shape)[:, 0] = 0
    own = Measured(metric="latency", on="here", full=100, variants=Array(table.reshape(shape)))
    written = print_costs(replace(space, measured=own), ".csv")
    assert "0.5+0/0.25/0.25" in written
    assert read_costs(written.encode(), ".csv", space) == own


def test_a_rate_says_what_it_removes() -> None:
    one: Rate = ((0.5, 0.25), 0.0, 0.0)
    assert rate_of((0.5, 0.5)) == 0.5 and rate_of((0.5, 0.25)) == one
    assert (removed(one, "inside"), removed(one, "leaving")) == (0.5, 0.0)
    assert parts(one, "inside") == (0.5, 0.25) and short(one) == "0.5+0.25/0/0"
    rates: list[Rate] = [0.5, one, 0.0, (0.25, 0.0, 0.5)]
    assert sorted(rates, key=rising) == [0.0, (0.25, 0.0, 0.5), one, 0.5]
    assert len({*ranks(rates, "inside").tolist()}) == 4


def test_widths_are_told_with_their_rates() -> None:
    space = space_of("rates { 0, 50% } each")
    mixed: Rate = ((0.5, 0.0), 0.0, 0.0)
    rows = {row.module: row for row in module_widths(space.network, (mixed, 0.5))}
    assert (rows["a1"].rate, rows["a1"].kept) == (mixed, (2, 12))
    assert (rows["a2"].rate, rows["a2"].kept) == (0.5, (2, 6))


def test_too_many_are_told_before_they_are_listed() -> None:
    many = ", ".join(f"{rate / 100}" for rate in range(0, 96, 5))
    wide = TEXT.replace("inner); norm", "64); norm").replace("conv(3x3, 12)", "conv(3x3, 64)")
    with pytest.raises(WootzError, match=r"WZ271.*400 choices"):
        compile(wide.replace("STATEMENTS", f"rates {{ {many} }} each"))


def test_modules_of_other_groups_are_costed_by_their_own_rates() -> None:
    """The space's rates are those of all modules: some are for more groups than a module has."""
    three = """
module three(width) {
  add { { conv(1x1, 4); norm; conv(3x3, 4); norm; conv(3x3, 4); norm; conv(1x1, width) } { } }
  relu
}
"""
    text = three + TEXT.replace("as a[1..2]", "as a1; three(8) as a2")
    space = compile(text.replace("STATEMENTS", "rates { 0, 50% } each")).space
    rates = candidates(space)
    assert len(rates) == 2**2 * 2**3
    for row, own in zip(holds(space, space_costs(space)).rows(), rates, strict=True):
        exact = network_costs(prune_network(space.network, own))
        assert exact["params"] == space_costs(space).total("params", row[None])[0]
