"""Whether a space holds any candidate, and if not, by which of its constraints."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wootzc.ir.diagram.construct import STATES, from_words
from wootzc.ir.diagram.space_diagram import SpaceDiagram, counted
from wootzc.ir.net.cost_tables import VariantCosts
from wootzc.ir.sequence import distinct_rows
from wootzc.ir.space import Constraint, Listed, Space
from wootzc.ir.space.variables import Variables, variables


def holds(
    space: Space,
    costs: VariantCosts,
    constraints: Sequence[Constraint] | None = None,
    states: int = STATES,
) -> SpaceDiagram:
    """The candidates of a space under these constraints, or its own; `TooLarge` as `counted`."""
    problem = variables(space, costs, space.constraints if constraints is None else constraints)
    if not isinstance(space.selection, Listed):
        return counted(problem, states)
    rows = listed(space, problem, space.selection.rows.values)
    diagram = from_words(rows[:, problem.firsts], problem.choices)
    order = np.arange(len(problem.choices))
    return SpaceDiagram(problem=problem, diagram=diagram, order=order, related=())


def listed(space: Space, problem: Variables, rows: NDArray[Any]) -> NDArray[np.uint8]:
    """Those of the given rows that are allowed, in their order, the first of equal ones."""
    good = problem.tied(rows)
    for module, choices in enumerate(space.choices):
        good &= np.isin(rows[:, module], choices)
    rows = rows[good].astype(np.uint8)
    rows = rows[problem.allowed(rows[:, problem.firsts])]
    return rows[np.sort(distinct_rows(rows))]


def emptied_by(
    space: Space, costs: VariantCosts, constraints: Sequence[Constraint], states: int = STATES
) -> tuple[int, SpaceDiagram] | None:
    """Which constraint is the first under which, with those before it, nothing is left, and what
    those before it leave. None where all of them leave something, or nothing was there without any.
    """
    whole = holds(space, costs, constraints, states)
    left = holds(space, costs, (), states)
    if whole.diagram.count or not left.diagram.count:
        return None
    some, none = 0, len(constraints)  # so many constraints leave something, and nothing
    while none - some > 1:
        middle = (some + none) // 2
        candidates = holds(space, costs, constraints[:middle], states)
        if candidates.diagram.count:
            some, left = middle, candidates
        else:
            none = middle
    return some, left
