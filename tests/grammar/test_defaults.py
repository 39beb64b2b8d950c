"""What a space means where its file says nothing."""

import pytest

from wootzc.diagnostics import render
from wootzc.grammar import analyze
from wootzc.ir.passes import ExpandSpace
from wootzc.ir.plan import Plan
from wootzc.ir.space import All, Proposed, Sample, Selection, Space

SOURCE = """module m(width) {{ conv(3x3, width); norm; relu; conv(3x3, width) }}
network n {{ input(8x8x1); m(32) as a[1..{modules}]; global_pool; dense(3) }}
space s over n {{
  data "x.npz"
  minimize params
  subject to accuracy >= teacher - 1 points
  {more}
}}
"""


def space(modules: int, more: str = "") -> Space:
    analysis = analyze(SOURCE.format(modules=modules, more=more))
    assert not analysis.diagnostics, render(analysis.diagnostics, analysis.sources)
    return analysis.spaces[0]


def test_every_module_is_pruned_far_by_l1() -> None:
    found = space(2)
    assert found.rates == (0, 0.3, 0.5, 0.7, 0.8, 0.9)
    assert found.criteria == ("l1", "l1")
    assert found.choices == ((0, 1, 2, 3), (0, 1, 2, 3))  # 32, 24, 16 and 8 filters
    free = space(2, "multiple of 1")
    assert free.choices == ((0, 1, 2, 3, 4, 5),) * 2


def test_what_is_said_of_one_leaves_the_other_as_it_is() -> None:
    rated = space(2, "rates { 0, 50% }")
    assert (rated.rates, rated.choices) == ((0, 0.5), ((0, 1), (0, 1)))
    pruned = space(2, "prune a1 by l2")
    assert pruned.choices[1] == (0,)
    assert (pruned.choices[0], pruned.criteria) == (space(2).choices[0], ("l2", "l1"))
    kept = space(2, "keep a1")
    assert kept.choices == ((0,), space(2).choices[1])


FEW, MANY = 2, 8  # modules


@pytest.mark.parametrize(
    ("modules", "more", "selection"),
    [
        (FEW, "", All()),
        (MANY, "", Proposed(count=500)),
        (MANY, "rates { 0, 50% }", All()),  # 2⁸
        (MANY, "tie a*", All()),
        (MANY, "where params <= 35%", All()),  # the limit leaves few
        (MANY, "subject to params <= 35%", All()),
        (MANY, "explore predicted", Proposed(count=500)),
        (FEW, "explore ascending", All()),
        (MANY, "explore ascending; seed 3", Sample(count=500, seed=3, stratified="params")),
        (MANY, "explore all", Sample(count=500, stratified="params")),
        (MANY, "sample 7", Sample(count=7)),
    ],
)
def test_few_candidates_are_all_tried_and_of_many_the_promising_ones(
    modules: int, more: str, selection: Selection
) -> None:
    assert space(modules, more).selection == selection


def test_a_sample_in_order_spreads_over_the_cost_that_counts() -> None:
    text = SOURCE.format(modules=MANY, more="explore ascending").replace("params", "macs")
    assert analyze(text).spaces[0].selection == Sample(count=500, stratified="macs")


def test_limits_of_the_objective_come_before_the_draw() -> None:
    """Of all candidates hardly any is so small: a sample of all would have none."""
    source = SOURCE.format(modules=MANY, more="sample 100")
    source = source.replace("minimize params", "maximize accuracy; subject to macs <= 38%")
    [found] = analyze(source).spaces
    candidates = ExpandSpace()(Plan(space=found)).candidates
    assert candidates is not None and len(candidates) == 100
