"""What is built: a complete plan, and the passes that make one of other candidates of its space.

Candidates may become known only when variants have scores, and a user's passes must see those too.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import dropwhile

import numpy as np

from wootzc.diagnostics import WootzError
from wootzc.driver import Source, front
from wootzc.ir.array import Array
from wootzc.ir.passes import PASSES, ExpandSpace, Pass, complete, remaining, run
from wootzc.ir.passes.expand_space import placeholder
from wootzc.ir.plan import Complete, Plan
from wootzc.ir.plan.cost_model import CostModel
from wootzc.ir.space import Listed, Proposed, Space


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    plan: Complete
    passes: tuple[Pass, ...] = ()  # from `expand-space` on; what they leave open is completed
    note: str | None = None  # what the user should know


def compiled(
    source: Source,
    passes: Iterable[Pass] | None = None,
    *,
    overrides: Mapping[str, object] | None = None,
    space: str | None = None,
    cost_model: CostModel | None = None,
    measure: Callable[[Space], Space] = lambda space: space,
) -> Compiled:
    """Compile for a build. `passes` go first, the default ones fill in what they leave open.

    `measure`: the space with what it goes by and only a device can tell.

    Candidates that no `expand-space` made, or another one than ours, are what is tried, also where
    the space would have others proposed. Raises `WootzError`.
    """
    start = front(source, overrides, space, cost_model)
    start = replace(start, space=measure(start.space))
    given = tuple(passes or ())
    plan = completed(start, given)
    if not isinstance(plan.space.selection, Proposed):
        return Compiled(plan=plan)
    missing = remaining(start)
    done = tuple(one for one in PASSES if one not in missing)
    again = tuple(dropwhile(lambda one: one.name != ExpandSpace.name, (*done, *given)))
    own = not again and run(start, given).candidates is not None
    if own or not _made_by(start, done):
        return _as_it_is(plan)
    return Compiled(plan=plan, passes=again)


def completed(plan: Plan, passes: tuple[Pass, ...]) -> Complete:
    """The plan after these passes, and after those of ours that fill in what they leave open."""
    after = run(plan, passes)
    return complete(run(after, remaining(after)))


def as_baseline(made: Compiled) -> Compiled:
    """What the search without blocks sees: candidates in their order, weights inherited."""
    plan, space = made.plan, made.plan.space
    selection = space.selection
    if isinstance(selection, Proposed):  # nothing is scored: the sample that stands for them
        selection = placeholder(space, selection)
    explore = space.explore
    if explore == "predicted":
        explore = "descending" if space.objective.maximizes else "ascending"
    whole = Array(np.full_like(plan.composition.values, -1))
    bare = replace(
        plan,
        space=replace(space, blocks="none", explore=explore, certify=None, selection=selection),
        blocks=(),
        selection=None,
        composition=whole,
        training_order=(),
    )
    return replace(made, plan=bare)


def _made_by(plan: Plan, passes: tuple[Pass, ...]) -> bool:
    """Whether nothing but these passes made the plan."""
    if not passes:
        return True
    try:
        return run(Plan(space=plan.space, cost_model=plan.cost_model), passes) == plan
    except WootzError:
        return False


def _as_it_is(plan: Complete) -> Compiled:
    listed = Listed(rows=plan.candidates, span=plan.space.selection.span)
    return Compiled(
        plan=replace(plan, space=replace(plan.space, selection=listed)),
        note="the candidates are those that passes left: none are proposed",
    )
