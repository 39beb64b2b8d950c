"""`propose`: candidates of a space too large to list, chosen by the scores of its variants."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from wootzc.builder.jobs.compiling import completed
from wootzc.builder.jobs.events import CandidatesProposed
from wootzc.builder.jobs.jobs import Jobs
from wootzc.builder.jobs.store import Weights
from wootzc.builder.search.forecasts import is_beyond_modules
from wootzc.diagnostics import fail
from wootzc.ir.array import Array
from wootzc.ir.passes import Pass
from wootzc.ir.plan import Plan
from wootzc.ir.propose import proposals
from wootzc.ir.sequence import distinct_rows
from wootzc.ir.space import Listed, Proposed, Space
from wootzc.ir.space.space_costs import space_costs


def with_proposals(jobs: Jobs, teacher: Weights, passes: tuple[Pass, ...]) -> Jobs:
    """The same jobs over the candidates that scores propose, where the space asks for that.

    `passes` see these candidates as they saw the placeholders.
    """
    space = jobs.space
    if not isinstance(space.selection, Proposed):
        return jobs
    with jobs.events.stage("scores"):
        scores = jobs.variants.scores(teacher, space.choices).table
    with jobs.events.stage("propose"):
        allowed: NDArray[np.bool_] = np.zeros(scores.shape, dtype=bool)
        for module, choices in enumerate(space.choices):
            allowed[module, list(choices)] = True
        rows = rows_of(space, np.where(allowed, scores, np.inf), space.selection.count)
        if not len(rows):
            raise fail(
                "WZ055",
                "no candidate meets the constraints and the cost limits",
                "loosen them; `wootzc plan` says what each of them leaves",
                space.selection.span,
            )
        listed = replace(space, selection=Listed(rows=Array(rows), span=space.selection.span))
        plan = completed(Plan(space=listed, cost_model=jobs.plan.cost_model), passes)
    proposed = CandidatesProposed(candidates=len(plan.candidates), blocks=len(plan.blocks))
    jobs.events.emit(proposed)
    return replace(jobs, plan=plan, teacher_file=jobs.keys.file)


def most_proposed(space: Space) -> int:
    """How many candidates a space asks for at most."""
    assert isinstance(space.selection, Proposed)
    return space.selection.count * (2 if is_beyond_modules(space).any() else 1)


def rows_of(space: Space, scores: NDArray[np.float64], count: int) -> NDArray[np.uint8]:
    """At most `count` candidates; where modules may be left out or trunks narrowed, as many again
    that leave that be.

    By its scores it harms least, and would be all that is proposed at some costs; but it may
    recover less than the rest.
    """
    costs, beyond = space_costs(space), is_beyond_modules(space)
    if not beyond.any():
        return proposals(space, costs, scores, count).rows
    alone = proposals(space, costs, np.where(beyond, np.inf, scores), count).rows
    rows = np.concatenate([proposals(space, costs, scores, count).rows, alone])
    return rows[np.sort(distinct_rows(rows))]
