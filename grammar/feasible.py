"""What a space can attain, worked out before anything is trained.

Ties and orders are narrowed to what each module can still have; that is exact here, because they
only compare rates: the highest remaining rates together are a candidate, and so are the lowest.
Costs never rise with a rate, so these two give the attainable minimum and maximum.
"""

from collections.abc import Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from wootzc.grammar.rates import percent
from wootzc.grammar.report import Report
from wootzc.ir.costs import VariantCosts, variant_costs
from wootzc.ir.space import All, Constraint, CostLimit, Listed, Ordered, Sample, Space, Tie
from wootzc.ir.variables import Variables, enumerate_rows, variables

MAX_CANDIDATES = 1_000_000  # that `all` may mean
FEW = 100_000  # candidates that are quickly counted one by one

Choices = list[NDArray[np.uint8]]


def check_space(space: Space, report: Report) -> None:
    """Report empty spaces, limits out of reach, and spaces too large for `all`."""
    costs = variant_costs(space.network, space.rates)
    if isinstance(space.selection, Listed):
        _check_listed(space, space.selection, costs, report)
        return
    relations = [c for c in space.constraints if not isinstance(c, CostLimit)]
    problem = variables(space, costs, relations)
    choices = narrowed(problem)
    if any(len(c) == 0 for c in choices):
        _report_empty(space, costs, relations, report)
        return
    reachable = True
    for limit in _cost_limits(space):
        low, high = _bounds(problem, choices, limit)
        reachable &= _check_reachable(limit, low, high, space, costs, report)
    if reachable:
        _check_count(space, costs, choices, report)


def narrowed(problem: Variables) -> Choices:
    """Per variable, the rate positions that some candidate has."""
    choices = list(problem.choices)
    changed = all(len(c) for c in choices)
    while changed:
        changed = False
        for pairs in problem.ordered:
            for lower, higher in pairs:
                low, high = choices[lower], choices[higher]
                if len(low) == 0 or len(high) == 0:
                    return choices
                choices[lower], choices[higher] = low[low <= high.max()], high[high >= low.min()]
                changed |= len(low) + len(high) != len(choices[lower]) + len(choices[higher])
    return choices


def _cost_limits(space: Space) -> list[CostLimit]:
    """Those of `where` first: they are also what the candidates are made from."""
    own = [c for c in space.constraints if isinstance(c, CostLimit)]
    return own + [c for c in space.objective.limits if isinstance(c, CostLimit)]


def _bounds(problem: Variables, choices: Choices, limit: CostLimit) -> tuple[int, int]:
    table, fixed = problem.table(limit.metric), problem.fixed[limit.metric]
    rows = [table[variable, c] for variable, c in enumerate(choices)]
    return (
        fixed + sum(int(row.min()) for row in rows),
        fixed + sum(int(row.max()) for row in rows),
    )


def _check_reachable(
    limit: CostLimit, low: int, high: int, space: Space, costs: VariantCosts, report: Report
) -> bool:
    if (low <= limit.value) if limit.comparison == "<=" else (high >= limit.value):
        return True
    full = costs.total(limit.metric, np.zeros((1, len(space.choices)), dtype=np.uint8))[0]
    shares = f"{low / full:.1%} to {high / full:.1%} of the full network's {full:,}"
    report.error(
        limit.span, "WZ047",
        f"no candidate has {limit.metric} {limit.comparison} {limit.value:,}",
        f"candidates go from {low:,} to {high:,} {limit.metric}: {shares}; "
        + ("allow more, or add higher rates" if limit.comparison == "<="
           else "ask for less, or allow lower rates"),
    )  # fmt: skip
    return False


def _report_empty(
    space: Space, costs: VariantCosts, relations: Sequence[Constraint], report: Report
) -> None:
    """Blame the first relation under which, with those before it, nothing is left."""
    for count in range(1, len(relations) + 1):
        problem = variables(space, costs, relations[:count])
        if all(len(c) for c in narrowed(problem)):
            continue
        relation = relations[count - 1]
        assert isinstance(relation, Tie | Ordered)
        word = "tie" if isinstance(relation, Tie) else relation.direction
        listing = "; ".join(
            f"{space.network.modules[m].name} may have "
            + ", ".join(percent(space.rates[c]) for c in space.choices[m])
            for m in relation.modules[:6]
        )
        before = " together with the constraints before it" if count > 1 else ""
        report.error(relation.span, "WZ055", f"this `{word}` leaves no candidate{before}", listing)
        return


def _check_count(space: Space, costs: VariantCosts, choices: Choices, report: Report) -> None:
    most = prod(len(c) for c in choices)
    selection = space.selection
    match selection:
        case All() if most > MAX_CANDIDATES:
            problem = variables(space, costs, space.constraints)
            constrained = bool(problem.ordered or problem.limits)
            rows = enumerate_rows(problem, MAX_CANDIDATES) if constrained else None
            if rows is not None:
                return
            count = f"some {most:.0e}".replace("e+", " × 10^").replace("^0", "^")
            report.error(
                space.selection.span, "WZ057",
                f"`all` would mean {count if not constrained else f'over {MAX_CANDIDATES:,}'} "
                "candidates, too many to list",
                "take some of them, `sample 500 seed 1`, or add constraints, or prune with "
                "fewer rates",
            )  # fmt: skip
        case Sample(count=count_) if most <= FEW:
            problem = variables(space, costs, space.constraints)
            rows = enumerate_rows(problem, FEW)
            if rows is None:
                return
            if len(rows) == 0:
                _report_none_left(space, report)
            elif len(rows) < count_:
                report.warn(
                    selection.span, "WZ054",
                    f"the space has only {len(rows):,} candidates, so all of them are taken",
                    "write `all`, or add rates",
                )  # fmt: skip
        case All() if most <= FEW:
            rows = enumerate_rows(variables(space, costs, space.constraints), FEW)
            if rows is not None and len(rows) == 0:
                _report_none_left(space, report)
        case _:
            pass


def _report_none_left(space: Space, report: Report) -> None:
    limits = [c for c in space.constraints if isinstance(c, CostLimit)]
    span = limits[-1].span if limits else space.selection.span
    report.error(
        span, "WZ055", "no candidate meets all constraints of `where` and `tie` together",
        "loosen one of them, or add rates between those there are",
    )  # fmt: skip


def _check_listed(space: Space, listed: Listed, costs: VariantCosts, report: Report) -> None:
    rows = listed.rows.values
    problem = variables(space, costs, space.constraints)
    firsts = [int(np.flatnonzero(problem.of_module == v)[0]) for v in range(len(problem.choices))]
    good = (rows == rows[:, firsts][:, problem.of_module]).all(axis=1)
    good &= problem.allowed(rows[:, firsts])
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
    for limit in space.objective.limits:
        if isinstance(limit, CostLimit):
            total = costs.total(limit.metric, rows[good])
            _check_reachable(limit, int(total.min()), int(total.max()), space, costs, report)
