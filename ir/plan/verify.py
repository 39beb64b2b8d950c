"""What must hold of a plan between passes. A violation is a bug in a pass, not a user's mistake."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, assert_never, cast

import numpy as np
from numpy.typing import NDArray

from wootzc.ir.array import Array
from wootzc.ir.net.cost_tables import network_costs
from wootzc.ir.net.metrics import CostName
from wootzc.ir.net.prune import prune_network
from wootzc.ir.net.rate import SIDES, parts, ranks
from wootzc.ir.plan.places import Problem
from wootzc.ir.plan.plan import (
    Blocked,
    Composed,
    Costed,
    Expanded,
    MinedPlan,
    Plan,
    parts_of,
)  # fmt: skip
from wootzc.ir.plan.verify_blocks import (
    Explored,
    Scheduled,
    Selected,
    block_problems,
    composition_problems,
    exploration_problems,
    selection_problems,
    training_problems,
)
from wootzc.ir.plan.verify_mined import mined_problems
from wootzc.ir.plan.verify_space import space_problems
from wootzc.ir.reflect import slots_of
from wootzc.ir.sequence import distinct_rows
from wootzc.ir.space import CostLimit, Ordered, RateLimit, Relation, Space, Tie, compared
from wootzc.ir.space.space_costs import cost_names

Stage = TypeVar("Stage", bound=Plan)


class VerifyError(AssertionError):
    """A plan that no pass may produce."""

    def __init__(self, problems: list[Problem], after: str | None = None):
        self.problems = tuple(problems)
        origin = f"after the pass `{after}`: " if after else ""
        super().__init__(origin + "; ".join(map(str, problems)))


def verify(plan: Plan, after: str | None = None, since: Plan | None = None) -> None:
    """Raise `VerifyError` where `plan` breaks an invariant; `after` names the pass to blame.

    Parts that are the very objects of `since`, a plan already verified, are not looked at again.
    """
    problems: list[Problem] = _wrong_types(plan)
    if problems:
        raise VerifyError(problems, after)
    for check in CHECKS:
        parts = ("space", *parts_of(check.stage))
        values = [getattr(plan, part) for part in parts]
        if any(value is None for value in values):
            continue
        if since and all(v is getattr(since, p) for p, v in zip(parts, values, strict=True)):
            continue
        problems += check.problems(cast(Any, plan))
        if problems:  # later checks rely on earlier ones
            raise VerifyError(problems, after)


def _wrong_types(plan: object) -> list[Problem]:
    """What a pass of someone else's may give: nothing at all, or an array as NumPy has it."""
    if not isinstance(plan, Plan):
        return [Problem(f"what came out is {type(plan).__name__}, not a Plan", ())]
    arrays = [slot.name for slot in slots_of(Plan) if slot.kind == "array"]
    given = {name: value for name in arrays if (value := getattr(plan, name)) is not None}
    return [
        Problem(f"{name} is {type(value).__name__}, not an Array (wootzc.ir.array)", (name,))
        for name, value in given.items()
        if not isinstance(value, Array)
    ]


def _candidates(plan: Expanded) -> Iterator[Problem]:
    rows, space = plan.candidates.values, plan.space
    if rows.dtype != np.uint8 or rows.ndim != 2 or rows.shape[1] != len(space.choices):
        yield Problem(
            f"candidates are {rows.dtype}{list(rows.shape)}, not uint8 [n, {len(space.choices)}]",
            ("candidates",),
        )
        return
    if len(rows) == 0:
        yield Problem("there is no candidate", ("candidates",))
    if len(distinct_rows(rows)) != len(rows):
        again = int(np.setdiff1d(np.arange(len(rows)), distinct_rows(rows))[0])
        yield Problem("a candidate stands twice", ("candidates", again))
    for module, choice in enumerate(space.choices):
        wrong = np.flatnonzero(~np.isin(rows[:, module], choice))
        if wrong.size:
            yield Problem(
                f"a candidate has module {module} at a rate that it may not have: "
                f"{rows[wrong[0], module]}, of {choice}",
                ("candidates", int(wrong[0])),
            )
            return
    keys = {side: ranks(space.rates, side) for side in SIDES}
    apart = keys["leaving"][rows[:, :-1]] != keys["entering"][rows[:, 1:]]
    if apart.any():
        row = int(np.flatnonzero(apart.any(axis=1))[0])
        yield Problem("what leaves a module does not enter the next", ("candidates", row))
    for constraint in space.constraints:
        match constraint:
            case CostLimit():
                continue  # needs costs
            case RateLimit():
                kept: NDArray[np.bool_] = np.ones(len(rows), dtype=bool)
                for m, side in compared(constraint):
                    within = [constraint.holds(*parts(rate, side)) for rate in space.rates]
                    kept &= np.array(within)[rows[:, m]]
            case Tie() | Ordered():
                chain = np.array([keys[side][rows[:, m]] for m, side in compared(constraint)])
                steps = np.diff(chain, axis=0)
                rises, falls = (steps >= 0).all(axis=0), (steps <= 0).all(axis=0)
                kept = np.asarray(
                    rises & falls if isinstance(constraint, Tie)
                    else rises if constraint.direction == "nondecreasing" else falls
                )  # fmt: skip
        if not kept.all():
            row = int(np.flatnonzero(~kept)[0])
            yield Problem(f"a candidate breaks {_told(constraint)}", ("candidates", row))


def _exact(space: Space, row: NDArray[Any]) -> dict[CostName, int]:
    """The counted costs of a candidate, by its pruned network."""
    rates = tuple(space.rates[k] for k in row.tolist())
    return network_costs(prune_network(space.network, rates), space.quantize)


def _told(constraint: Relation) -> str:
    """As the text of a plan says it."""
    match constraint:
        case Tie():
            name = "tie"
        case Ordered(direction=direction):
            name = f"ordered {direction}"
        case RateLimit(comparison=comparison, value=value):
            name = f"rate {comparison} {value:g} of "
        case _:
            assert_never(constraint)
    return f"{name}({', '.join(map(str, constraint.modules))})"


def _costs(plan: Costed) -> Iterator[Problem]:
    rows, costs, space = plan.candidates.values, plan.costs, plan.space
    if [table.metric for table in costs.tables] != cost_names(space):
        yield Problem(
            f"there must be one table for each of {', '.join(cost_names(space))}, in this order",
            ("costs",),
        )
        return
    for table in costs.tables:
        values = table.candidates.values
        at = ("costs", "tables", costs.tables.index(table))
        if values.shape != (len(rows),) or values.dtype != np.int64:
            yield Problem(
                f"{table.metric} of candidates are {values.dtype}{list(values.shape)}, "
                f"not int64[{len(rows)}]", (*at, "candidates"),
            )  # fmt: skip
            return
        if (differs := table.total(rows) != values).any():
            row = int(np.flatnonzero(differs)[0])
            together = table.total(rows)[row]
            counted = _exact(space, rows[row]).get(table.metric)
            off = at if values[row] == counted else (*at, "candidates")
            yield Problem(
                f"{table.metric} of candidate {row} are {values[row]} here, and {together} by what "
                "is said of its modules and of what is fixed", off,
            )  # fmt: skip
            return
    row = len(rows) // 2  # one exact look; the tests look at every row
    exact = _exact(space, rows[row])
    if exact != {metric: cost for metric, cost in costs.of(row).items() if metric in exact}:
        yield Problem(
            f"costs of candidate {row} are not those of its pruned network, {exact}", ("costs",)
        )
    for constraint in space.constraints:
        if isinstance(constraint, CostLimit):
            if not constraint.holds(costs[constraint.metric].candidates.values).all():
                yield Problem(
                    f"a candidate breaks {constraint.text}",
                    ("space", "constraints", space.constraints.index(constraint)),
                )


@dataclass(frozen=True, slots=True)
class Check(Generic[Stage]):
    """What must hold of a plan as soon as it has come to a stage."""

    stage: type[Stage]
    problems: Callable[[Stage], Iterator[Problem]]


CHECKS: tuple[Check[Any], ...] = (
    Check(Plan, space_problems),
    Check(Expanded, _candidates),
    Check(Costed, _costs),
    Check(MinedPlan, mined_problems),
    Check(Blocked, block_problems),
    Check(Selected, selection_problems),
    Check(Composed, composition_problems),
    Check(Explored, exploration_problems),
    Check(Scheduled, training_problems),
)
