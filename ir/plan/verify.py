"""What must hold of a plan between passes. A violation is a bug in a pass, not a user's mistake."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from wootzc.ir.array import Array
from wootzc.ir.net.cost_tables import network_costs
from wootzc.ir.net.prune import prune_network
from wootzc.ir.net.rate import Side, parts, ranks
from wootzc.ir.plan.flaw import Problem
from wootzc.ir.plan.plan import (
    Blocked,
    Composed,
    Costed,
    Expanded,
    Grammar,
    MinedPlan,
    Plan,
    Selection,
    Windows,
    parts_of,
)  # fmt: skip
from wootzc.ir.plan.verify_space import space_problems
from wootzc.ir.sequence import distinct_rows
from wootzc.ir.space import CostLimit, Ordered, RateLimit, Tie, compared
from wootzc.ir.space.space_costs import cost_names

Stage = TypeVar("Stage", bound=Plan)


class Selected(Blocked):
    selection: Selection


class Explored(Costed):
    exploration_order: Array


class Scheduled(Composed):
    training_order: tuple[int, ...]
    exploration_order: Array


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
    problems: list[Problem] = []
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
        yield Problem("a candidate stands twice", ("candidates", _second(rows)))
    for module, choice in enumerate(space.choices):
        wrong = np.flatnonzero(~np.isin(rows[:, module], choice))
        if wrong.size:
            yield Problem(
                f"a candidate has module {module} at a rate that it may not have: "
                f"{rows[wrong[0], module]}, of {choice}",
                ("candidates", int(wrong[0])),
            )
            return
    sides: tuple[Side, ...] = ("inside", "entering", "leaving")
    keys = {side: ranks(space.rates, side) for side in sides}
    enters, leaves = keys["entering"], keys["leaving"]
    if (leaves[rows[:, :-1]] != enters[rows[:, 1:]]).any():
        row = int(np.flatnonzero((leaves[rows[:, :-1]] != enters[rows[:, 1:]]).any(axis=1))[0])
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
            yield Problem(f"a candidate breaks {constraint}", ("candidates", row))


def _second(rows: NDArray[Any]) -> int:
    """The first row that stands twice: where it does so again."""
    seen: set[bytes] = set()
    for number, row in enumerate(np.ascontiguousarray(rows)):
        if row.tobytes() in seen:
            return number
        seen.add(row.tobytes())
    return 0


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
        if values.shape != (len(rows),) or values.dtype != np.int64:
            yield Problem(f"{table.metric} of candidates must be int64 [candidates]", ("costs",))
            return
        if (table.total(rows) != values).any():
            yield Problem(
                f"{table.metric} of candidates is not what their modules cost together", ("costs",)
            )
            return
    row = len(rows) // 2  # one exact look; the tests look at every row
    rates = tuple(space.rates[k] for k in rows[row].tolist())
    exact = network_costs(prune_network(space.network, rates), space.quantize)
    if exact != {metric: cost for metric, cost in costs.of(row).items() if metric in exact}:
        yield Problem(
            f"costs of candidate {row} are not those of its pruned network, {exact}", ("costs",)
        )
    for constraint in space.constraints:
        if isinstance(constraint, CostLimit):
            values = costs[constraint.metric].candidates.values
            below = constraint.comparison == "<="
            if not (values <= constraint.value if below else values >= constraint.value).all():
                yield Problem(f"a candidate breaks {constraint}", ("costs",))


def _mined(plan: MinedPlan) -> Iterator[Problem]:
    match plan.mined:
        case Grammar() as grammar:
            yield from _grammar(grammar, plan.candidates.values)
        case Windows(runs=runs):
            yield from _windows(runs.values, plan.candidates.values)


def _grammar(grammar: Grammar, rows: NDArray[Any]) -> Iterator[Problem]:
    rules = grammar.rules
    if not rules or any(v >= len(rules) for rule in rules for v in rule.body):
        bad = next((n for n, r in enumerate(rules) if any(v >= len(rules) for v in r.body)), 0)
        yield Problem("a rule refers to a rule that does not exist", ("mined", "rules", bad))
        return
    if any(bool(rule.body) == (rule.symbol is not None) for rule in rules):
        yield Problem("a rule must have either a body or a symbol", ("mined",))
        return
    if _has_cycle(grammar):
        yield Problem("the rules refer to each other in a circle", ("mined",))
        return
    counts = [0] * len(rules)
    text: list[tuple[int, int] | int] = []
    stack = [0]
    while stack:
        value = stack.pop()
        if value < 0:
            text.append(value)
            continue
        counts[value] += 1
        symbol = rules[value].symbol
        if symbol is not None:
            text.append(symbol)
        stack += rules[value].body[::-1]
    wanted: list[tuple[int, int] | int] = []
    for k, row in enumerate(rows.tolist()):
        wanted += [*enumerate(row), -k - 1]
    if text != wanted:
        yield Problem("the rules do not expand to the candidates", ("mined",))
    elif counts != [rule.frequency for rule in rules]:
        yield Problem("a rule's frequency is not how often it occurs", ("mined",))


def _has_cycle(grammar: Grammar) -> bool:
    state = [0] * len(grammar.rules)  # 1: on the way down, 2: done
    stack = [0]
    while stack:
        rule = stack[-1]
        if state[rule] == 0:
            state[rule] = 1
            children = {v for v in grammar.rules[rule].body if v >= 0}
            if any(state[c] == 1 for c in children):
                return True
            stack += [c for c in children if state[c] == 0]
        else:
            state[rule] = 2
            stack.pop()
    return False


def _windows(runs: NDArray[Any], rows: NDArray[Any]) -> Iterator[Problem]:
    if runs.ndim != 2 or runs.shape[1:] != (4,):
        yield Problem("shared runs must be int32 [runs, 4]", ("mined",))
        return
    start, stop, row, count = runs.T
    inside = (start >= 0) & (start < stop) & (stop <= rows.shape[1])
    if not (inside & (row >= 0) & (row < len(rows)) & (count >= 2) & (count <= len(rows))).all():
        yield Problem("a shared run lies outside of the candidates, or is not shared", ("mined",))


def _blocks(plan: Blocked) -> Iterator[Problem]:
    modules, rates = len(plan.space.choices), len(plan.space.rates)
    if len(set(plan.blocks)) != len(plan.blocks):
        yield Problem("a block stands twice", ("blocks",))
    for number, block in enumerate(plan.blocks):
        inside = 0 <= block.start < block.stop <= modules
        if not inside or any(not 0 <= rate < rates for rate in block.rates):
            yield Problem(f"{block} lies outside of the network or its rates", ("blocks", number))
        elif not any(block.rates):
            yield Problem(f"{block} prunes nothing", ("blocks", number))


def _selection(plan: Selected) -> Iterator[Problem]:
    values = (plan.selection.bound, plan.selection.value, plan.selection.without)
    if not all(map(math.isfinite, values)) or list(values) != sorted(values):
        yield Problem(
            f"the bound, value and seconds without blocks of the selection do not rise: {values}",
            ("selection",),
        )


def _composition(plan: Composed) -> Iterator[Problem]:
    rows, vectors = plan.candidates.values, plan.composition.values
    if vectors.shape != rows.shape or vectors.dtype != np.int32:
        yield Problem("composite vectors must be int32 [candidates, modules]", ("composition",))
        return
    if vectors.size and not (-1 <= vectors.min() and vectors.max() < len(plan.blocks)):
        yield Problem("a composite vector names a block that does not exist", ("composition",))
        return
    rate_of = np.full((len(plan.blocks) + 1, rows.shape[1] + 2), -1)  # [block, module + 1]
    for number, block in enumerate(plan.blocks):
        rate_of[number, block.start + 1 : block.stop + 1] = block.rates
    for module in range(rows.shape[1]):
        here = vectors[:, module]
        covered = here >= 0
        if (rate_of[here, module + 1] != rows[:, module])[covered].any():
            yield Problem(
                f"a block covers module {module} at another rate than the candidate's",
                ("composition",),
            )
            return
        for near in (module - 1, module + 1):
            reaches = covered & (rate_of[here, near + 1] >= 0)
            if reaches.any() and (vectors[:, near] != here)[reaches].any():
                yield Problem(f"a block that covers module {module} is cut off", ("composition",))
                return


def _exploration(plan: Explored) -> Iterator[Problem]:
    order = plan.exploration_order.values
    if order.dtype != np.int32 or order.ndim != 1 or len(np.unique(order)) != len(order):
        yield Problem(
            "the exploration order must be distinct int32 positions of candidates",
            ("exploration_order",),
        )
    elif len(order) == 0 or order.min() < 0 or order.max() >= len(plan.candidates):
        yield Problem(
            "the exploration order is empty or names candidates that do not exist",
            ("exploration_order",),
        )
    else:
        for limit in plan.space.objective.limits:
            if isinstance(limit, CostLimit):
                cost = plan.costs[limit.metric].candidates.values[order]
                below = limit.comparison == "<="
                if not (cost <= limit.value if below else cost >= limit.value).all():
                    yield Problem(f"the exploration order breaks {limit}", ("exploration_order",))


def _training(plan: Scheduled) -> Iterator[Problem]:
    order = plan.training_order
    if len(set(order)) != len(order) or not set(order) <= set(range(len(plan.blocks))):
        yield Problem("the training order must be distinct blocks", ("training_order",))
    used = np.unique(plan.composition.values[plan.exploration_order.values])
    if set(order) != set(used.tolist()) - {-1}:
        yield Problem(
            "the training order must hold exactly the blocks that candidates to explore need",
            ("training_order",),
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
    Check(MinedPlan, _mined),
    Check(Blocked, _blocks),
    Check(Selected, _selection),
    Check(Composed, _composition),
    Check(Explored, _exploration),
    Check(Scheduled, _training),
)
