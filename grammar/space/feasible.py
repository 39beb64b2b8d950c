"""What a space can attain, worked out before anything is trained.

Each limit on costs is held against what candidates can cost at all; then all constraints together
against each other, by counting what they leave (ir/diagram/space_diagram.py).
"""

import re
from collections.abc import Sequence
from math import prod

import numpy as np

from wootzc.diagnostics import Advice, write
from wootzc.grammar.check.report import Report
from wootzc.grammar.space.rates import percent
from wootzc.ir.diagram.feasible import emptied_by, holds
from wootzc.ir.diagram.merge_states import TooLarge
from wootzc.ir.diagram.space_diagram import SpaceDiagram
from wootzc.ir.net.cost_tables import VariantCosts
from wootzc.ir.net.metrics import METRICS
from wootzc.ir.net.rate import removed
from wootzc.ir.space import (
    All,
    Constraint,
    CostLimit,
    Listed,
    Ordered,
    Proposed,
    RateLimit,
    Sample,
    Selection,
    Space,
    Tie,
    compared,
    cost_limits,
    tried_within,
)
from wootzc.ir.space.narrow import compared_names, constraint_text
from wootzc.ir.space.space_costs import space_costs, without_unmeasured
from wootzc.ir.space.variables import variables
from wootzc.units import large

MAX_CANDIDATES = 1_000_000  # that `all` may mean
FEW = 500  # candidates that are all tried, where nothing is said
STATES = 300_000  # of a diagram: a fraction of a second, for a check must not be waited for


def default_selection(space: Space) -> Selection:
    """Which candidates are tried where the file does not say: all of few, else the promising ones.

    A search that does not predict takes a sample instead, spread over the costs.
    """
    span = space.selection.span
    if _are_few(without_unmeasured(space)):
        return All(span=span)
    if space.explore == "predicted":
        return Proposed(count=FEW, span=span)
    return Sample(count=FEW, seed=space.seed, stratified=space.objective.cost, span=span)


def _are_few(space: Space) -> bool:
    constraints = tried_within(space)
    product = prod(len(choices) for choices in space.choices)
    linked = any(module.entering for module in space.network.modules)
    if product <= FEW or not (constraints or linked):
        return product <= FEW
    costs = space_costs(space)
    try:
        return holds(space, costs, constraints, STATES).between[1] <= FEW
    except TooLarge:
        return False


def check_space(space: Space, report: Report) -> None:
    """Report empty spaces, limits out of reach, and spaces too large for `all`.

    What is yet to be measured is left out.
    """
    space = without_unmeasured(space)
    costs = space_costs(space)
    if isinstance(space.selection, Listed):
        _check_listed(space, space.selection, costs, report)
        return
    relations = [c for c in space.constraints if not isinstance(c, CostLimit)]
    try:
        related = holds(space, costs, relations, STATES)
        if related.count == 0:
            _report_empty(space, costs, relations, report)
            return
        limits = [one for one in tried_within(space) if isinstance(one, CostLimit)]
        reach = [_check_reachable(limit, related, space, costs, report) for limit in limits]
        if all(reach):
            _check_together(space, costs, related, report)
    except TooLarge:
        report.error(
            space.selection.span, "WZ069",
            "the orders between modules are too entangled to count the candidates",
            "leave out a `where` that compares modules far apart, or list candidates",
        )  # fmt: skip


def _check_reachable(
    limit: CostLimit, held: SpaceDiagram, space: Space, costs: VariantCosts, report: Report
) -> bool:
    low, high = held.range(limit.metric)
    if (low <= limit.value) if limit.comparison == "<=" else (high >= limit.value):
        return True
    full = costs.total(limit.metric, np.zeros((1, len(space.choices)), dtype=np.uint8))[0]
    amount = METRICS[limit.metric].amount
    shares = f"{low / full:.1%} to {high / full:.1%} of the full network's {amount(int(full))}"
    ways = "allow more, or add higher rates"
    if limit.comparison == ">=":
        ways = "ask for less, or allow lower rates"
    elif costs.fixed[limit.metric] == low:
        ways = "what lies outside of all modules needs the least of these, so allow as much"
    report.error(
        limit.span, "WZ047",
        f"no candidate has {limit.text}",
        f"{limit.metric} of the candidates: {amount(low)} to {amount(high)}, {shares}; {ways}",
    )  # fmt: skip
    return False


def _check_together(
    space: Space, costs: VariantCosts, related: SpaceDiagram, report: Report
) -> None:
    """All limits can be met one by one: count what meets those of `where`, then all of them."""
    own = any(isinstance(c, CostLimit) for c in space.constraints)
    whole = holds(space, costs, space.constraints, STATES) if own else related
    if whole.count == 0:
        _report_empty(space, costs, space.constraints, report)
        return
    if cost_limits(space.objective):
        every = tried_within(space)
        whole = holds(space, costs, every, STATES)
        if whole.count == 0:
            _report_empty(space, costs, every, report)
            return
    _check_count(space, whole, report)


def _report_empty(
    space: Space, costs: VariantCosts, constraints: Sequence[Constraint], report: Report
) -> None:
    """Blame the first constraint under which, with those before it, nothing is left."""
    found = emptied_by(space, costs, constraints, STATES)
    if found is None:
        return
    place, before = found
    constraint = constraints[place]
    others = " together with the constraints before it" if place else ""
    match constraint:
        case CostLimit(metric=metric):
            low, high = map(METRICS[metric].amount, before.range(metric))
            goal = place >= len(space.constraints)
            report.error(
                constraint.span, "WZ066" if goal else "WZ055",
                f"no candidate has {constraint.text}{others}",
                f"{metric} of those that meet the others: {low} to {high}; "
                "loosen one of them, or add rates between those there are",
            )  # fmt: skip
        case Tie() | Ordered() | RateLimit():
            said = constraint_text(constraint, space.network)
            word = said if isinstance(constraint, RateLimit) else re.split("[ (]", said)[0]
            names = compared_names(space.network, constraint)
            listing = "; ".join(
                f"{name} may have "
                + ", ".join(
                    dict.fromkeys(percent(removed(space.rates[c], side)) for c in space.choices[m])
                )
                for name, (m, side) in [*zip(names, compared(constraint), strict=True)][:6]
            )
            report.error(
                constraint.span, "WZ055", f"this `{word}` leaves no candidate{others}", listing
            )


def _check_count(space: Space, whole: SpaceDiagram, report: Report) -> None:
    match space.selection:
        case All() if whole.between[0] > MAX_CANDIDATES:
            count = f"over {MAX_CANDIDATES:,}" if whole.count is None else large(whole.count)
            report.error(
                space.selection.span, "WZ057",
                f"`all` would mean {count} candidates, too many to list",
                Advice(
                    "take some of them, `sample 500 seed 1`; or have them proposed, `propose 500` "
                    "with `explore predicted`; or add constraints, or prune with fewer rates",
                    "sample 500 seed 1",
                ),
            )  # fmt: skip
        case Sample(count=wanted, span=span) | Proposed(count=wanted, span=span) if (
            whole.count is not None and whole.count < wanted
        ):
            report.warn(
                span, "WZ054",
                f"the space has only {whole.count:,} candidates, so all of them are taken",
                write("all", ", or add rates"),
            )  # fmt: skip
        case _:
            pass


def _check_listed(space: Space, listed: Listed, costs: VariantCosts, report: Report) -> None:
    rows = listed.rows.values
    problem = variables(space, costs, space.constraints)
    good = problem.tied(rows) & problem.allowed(rows[:, problem.firsts])
    if not good.any():
        report.error(
            listed.span, "WZ055", "none of the listed candidates meets the constraints",
            "loosen `tie` and `where`, or list others",
        )  # fmt: skip
        return
    if not good.all():
        count = int((~good).sum())
        report.warn(
            listed.span, "WZ053",
            f"{count:,} of the {len(rows):,} listed candidates break a constraint; "
            "they are left out",
            f"the first is row {int(np.argmin(good)) + 1}",
        )  # fmt: skip
    held = holds(space, costs)
    for limit in cost_limits(space.objective):
        _check_reachable(limit, held, space, costs, report)
