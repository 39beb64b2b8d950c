"""Widths in multiples of 8, and rates that leave a module the same widths."""

from typing import Any

import numpy as np
import pytest

from wootzc.grammar import analyze
from wootzc.ir.net.coupling import couple_module
from wootzc.ir.net.network import Module, segment_shapes
from wootzc.ir.net.prune import kept_widths, prune_network
from wootzc.ir.passes import run
from wootzc.ir.plan import Plan
from wootzc.ir.space import Listed, Space

SOURCE = """module m(inner) {{ conv(3x3, inner); norm; relu; conv(3x3, 8) }}
network n {{ input(8x8x1); m({inner}) as a1; m(64) as a2; m(12) as a3; global_pool; dense(3) }}
space s over n {{
  data "x.npz"
  minimize params
  subject to accuracy >= 80%
  {more}
}}
"""


def space(more: str = "rates { 0, 50%, 75%, 94% }", inner: int = 16) -> Space:
    analysis = analyze(SOURCE.format(inner=inner, more=more))
    assert [d for d in analysis.diagnostics if d.severity == "error"] == []
    return analysis.spaces[0]


def widths(found: Space, rate: float) -> list[int]:
    """Of the inner convolution of every module."""
    small = prune_network(found.network, (rate,) * 3)
    return [module.body[0].width for module in small.modules]  # type: ignore[union-attr]


def test_layers_of_sixteen_filters_and_more_keep_multiples_of_eight() -> None:
    found = space()
    assert widths(found, 0.5) == [8, 32, 6]
    assert widths(found, 0.7) == [8, 16, 4]  # 19.2 and 3.6 filters are asked for
    assert widths(found, 0.94) == [8, 8, 1]
    assert widths(space("multiple of 1"), 0.7) == [5, 19, 4]
    assert widths(space("multiple of 4"), 0.7) == [4, 20, 4]


def test_a_module_has_one_choice_for_each_of_its_widths() -> None:
    """The smallest rate of equal widths; the plan counts and lists nothing twice."""
    found = space()
    assert found.rates == (0, 0.5, 0.75, 0.94)
    assert found.choices == ((0, 1), (0, 1, 2, 3), (0, 1, 2, 3))
    plan = run(Plan(space=found))
    assert plan.candidates is not None and len(plan.candidates) == 2 * 4 * 4
    kept = {tuple(map(tuple, made(found, row))) for row in plan.candidates.values}
    assert len(kept) == 32


def made(found: Space, row: Any) -> list[tuple[int, ...]]:
    """The widths of every group of every module of a candidate."""
    shapes = segment_shapes(found.network)
    return [
        kept_widths(couple_module(segment, shape), found.rates[position])
        for segment, shape, position in zip(found.network.segments, shapes, row, strict=False)
        if isinstance(segment, Module)
    ]


def test_a_rate_that_leaves_all_is_the_rate_zero() -> None:
    assert space("rates { 10%, 50% }").choices[0] == (0, 2)  # 14.4 filters are 16


def test_listed_rates_are_the_choices_that_they_come_to() -> None:
    found = space("configs { [75%, 75%, 75%] [50%, 75%, 75%] [94%, 50%, 0] }")
    assert isinstance(found.selection, Listed)
    assert found.rates == (0, 0.5, 0.75, 0.94)
    assert found.choices == ((1,), (1, 2), (0, 2))
    assert found.selection.rows.values.tolist() == [[1, 2, 2], [1, 1, 0]]  # each once
    plan = run(Plan(space=found))
    assert plan.candidates is not None and len(plan.candidates) == 2


@pytest.mark.parametrize("relation", ["tie a1, a2", "where nondecreasing(a2, a1)"])
def test_modules_that_are_compared_keep_rates_apart_that_one_of_them_can(relation: str) -> None:
    """Else the wide one could not have a rate that the narrow one has under another name."""
    found = space(f"rates {{ 0, 50%, 75%, 94% }}; {relation}")
    assert found.choices[0] == found.choices[1] == (0, 1, 2, 3)
    plan = run(Plan(space=found))
    assert plan.candidates is not None
    assert np.array_equal(np.unique(plan.candidates.values[:, 1]), [0, 1, 2, 3])


def notes(more: str, inner: int = 16) -> list[tuple[str, str, str | None]]:
    analysis = analyze(SOURCE.format(inner=inner, more=more))
    return [(d.severity, d.message, d.help) for d in analysis.diagnostics]


def test_only_a_rate_that_is_no_choice_anywhere_is_told() -> None:
    assert notes("rates { 0, 50%, 75%, 94% }") == []  # the second module has all of them
    assert notes("") == []  # of rates that nobody asked for nothing is said
    same = "the rate 75% is no choice of its own: it leaves module `a1` the same widths as 50%"
    why = "widths are multiples of 8 here; `multiple of 1` allows any"
    assert notes("prune a1 rates { 0, 50%, 75% }") == [("note", same, why)]
    assert notes("prune a1 rates { 0, 50%, 75% }; multiple of 1") == []
    [(_, _, narrow)] = notes("prune a1 rates { 0, 50%, 51% }; multiple of 1")
    assert narrow == "its layers are too narrow to tell them apart"
