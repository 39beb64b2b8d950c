"""What must hold of a plan between passes. A violation is a bug in a pass, not a user's mistake."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from wootzc.ir.array import Array
from wootzc.ir.costs import network_costs
from wootzc.ir.metrics import costs as known_costs
from wootzc.ir.plan import (
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
from wootzc.ir.prune import prune_network
from wootzc.ir.sequence import distinct_rows
from wootzc.ir.space import CostLimit, Ordered, Tie
from wootzc.ir.verify_space import space_problems

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

    def __init__(self, problems: list[str], after: str | None = None):
        self.problems = tuple(problems)
        origin = f"after the pass `{after}`: " if after else ""
        super().__init__(origin + "; ".join(problems))


def verify(plan: Plan, after: str | None = None, since: Plan | None = None) -> None:
    """Raise `VerifyError` where `plan` breaks an invariant; `after` names the pass to blame.

    Parts that are the very objects of `since`, a plan already verified, are not looked at again.
    """
    problems: list[str] = []
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


def _candidates(plan: Expanded) -> Iterator[str]:
    rows, space = plan.candidates.values, plan.space
    if rows.dtype != np.uint8 or rows.ndim != 2 or rows.shape[1] != len(space.choices):
        yield f"candidates are {rows.dtype}{list(rows.shape)}, not uint8 [n, {len(space.choices)}]"
        return
    if len(rows) == 0:
        yield "there is no candidate"
    if len(distinct_rows(rows)) != len(rows):
        yield "a candidate stands twice"
    for module, choice in enumerate(space.choices):
        if not np.isin(rows[:, module], choice).all():
            yield f"a candidate has module {module} at a rate that it may not have"
    for constraint in space.constraints:
        match constraint:
            case Tie(modules=modules):
                tied = rows[:, list(modules)]
                held = bool((tied == tied[:, :1]).all())
            case Ordered(modules=modules, direction=direction):
                chain = rows[:, list(modules)].astype(int)
                steps = np.diff(chain, axis=1)
                held = bool((steps >= 0 if direction == "nondecreasing" else steps <= 0).all())
            case CostLimit():
                continue  # needs costs
        if not held:
            yield f"a candidate breaks {constraint}"


def _costs(plan: Costed) -> Iterator[str]:
    rows, costs, space = plan.candidates.values, plan.costs, plan.space
    if [table.metric for table in costs.tables] != list(known_costs()):
        yield f"there must be one table for each of {', '.join(known_costs())}, in this order"
        return
    for table in costs.tables:
        values = table.candidates.values
        if values.shape != (len(rows),) or values.dtype != np.int64:
            yield f"{table.metric} of candidates must be int64 [candidates]"
            return
        each = table.variants.values[np.arange(rows.shape[1]), rows]
        if (each.sum(axis=1) + table.fixed != values).any():
            yield f"{table.metric} are not the sums of what the candidates' modules cost"
            return
    row = len(rows) // 2  # one exact look; the tests look at every row
    rates = tuple(space.rates[k] for k in rows[row].tolist())
    exact = network_costs(prune_network(space.network, rates))
    if exact != {metric: cost for metric, cost in costs.of(row).items() if metric in exact}:
        yield f"costs of candidate {row} are not those of its pruned network, {exact}"
    for constraint in space.constraints:
        if isinstance(constraint, CostLimit):
            values = costs[constraint.metric].candidates.values
            below = constraint.comparison == "<="
            if not (values <= constraint.value if below else values >= constraint.value).all():
                yield f"a candidate breaks {constraint}"


def _mined(plan: MinedPlan) -> Iterator[str]:
    match plan.mined:
        case Grammar() as grammar:
            yield from _grammar(grammar, plan.candidates.values)
        case Windows(runs=runs):
            yield from _windows(runs.values, plan.candidates.values)


def _grammar(grammar: Grammar, rows: NDArray[Any]) -> Iterator[str]:
    rules = grammar.rules
    if not rules or any(v >= len(rules) for rule in rules for v in rule.body):
        yield "a rule refers to a rule that does not exist"
        return
    if any(bool(rule.body) == (rule.symbol is not None) for rule in rules):
        yield "a rule must have either a body or a symbol"
        return
    if _has_cycle(grammar):
        yield "the rules refer to each other in a circle"
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
        yield "the rules do not expand to the candidates"
    elif counts != [rule.frequency for rule in rules]:
        yield "a rule's frequency is not how often it occurs"


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


def _windows(runs: NDArray[Any], rows: NDArray[Any]) -> Iterator[str]:
    if runs.ndim != 2 or runs.shape[1:] != (4,):
        yield "shared runs must be int32 [runs, 4]"
        return
    start, stop, row, count = runs.T
    inside = (start >= 0) & (start < stop) & (stop <= rows.shape[1])
    if not (inside & (row >= 0) & (row < len(rows)) & (count >= 2) & (count <= len(rows))).all():
        yield "a shared run lies outside of the candidates, or is not shared"


def _blocks(plan: Blocked) -> Iterator[str]:
    modules, rates = len(plan.space.choices), len(plan.space.rates)
    if len(set(plan.blocks)) != len(plan.blocks):
        yield "a block stands twice"
    for block in plan.blocks:
        inside = 0 <= block.start < block.stop <= modules
        if not inside or any(not 0 <= rate < rates for rate in block.rates):
            yield f"{block} lies outside of the network or its rates"
        elif not any(block.rates):
            yield f"{block} prunes nothing"


def _selection(plan: Selected) -> Iterator[str]:
    values = (plan.selection.bound, plan.selection.value, plan.selection.without)
    if not all(map(math.isfinite, values)) or list(values) != sorted(values):
        yield f"the bound, value and seconds without blocks of the selection do not rise: {values}"


def _composition(plan: Composed) -> Iterator[str]:
    rows, vectors = plan.candidates.values, plan.composition.values
    if vectors.shape != rows.shape or vectors.dtype != np.int32:
        yield "composite vectors must be int32 [candidates, modules]"
        return
    if vectors.size and not (-1 <= vectors.min() and vectors.max() < len(plan.blocks)):
        yield "a composite vector names a block that does not exist"
        return
    rate_of = np.full((len(plan.blocks) + 1, rows.shape[1] + 2), -1)  # [block, module + 1]
    for number, block in enumerate(plan.blocks):
        rate_of[number, block.start + 1 : block.stop + 1] = block.rates
    for module in range(rows.shape[1]):
        here = vectors[:, module]
        covered = here >= 0
        if (rate_of[here, module + 1] != rows[:, module])[covered].any():
            yield f"a block covers module {module} at another rate than the candidate's"
            return
        for near in (module - 1, module + 1):
            reaches = covered & (rate_of[here, near + 1] >= 0)
            if reaches.any() and (vectors[:, near] != here)[reaches].any():
                yield f"a block that covers module {module} is cut off"
                return


def _exploration(plan: Explored) -> Iterator[str]:
    order = plan.exploration_order.values
    if order.dtype != np.int32 or order.ndim != 1 or len(np.unique(order)) != len(order):
        yield "the exploration order must be distinct int32 positions of candidates"
    elif len(order) == 0 or order.min() < 0 or order.max() >= len(plan.candidates):
        yield "the exploration order is empty or names candidates that do not exist"
    else:
        for limit in plan.space.objective.limits:
            if isinstance(limit, CostLimit):
                cost = plan.costs[limit.metric].candidates.values[order]
                below = limit.comparison == "<="
                if not (cost <= limit.value if below else cost >= limit.value).all():
                    yield f"the exploration order breaks {limit}"


def _training(plan: Scheduled) -> Iterator[str]:
    order = plan.training_order
    if len(set(order)) != len(order) or not set(order) <= set(range(len(plan.blocks))):
        yield "the training order must be distinct blocks"
    used = np.unique(plan.composition.values[plan.exploration_order.values])
    if set(order) != set(used.tolist()) - {-1}:
        yield "the training order must hold exactly the blocks that candidates to explore need"


@dataclass(frozen=True, slots=True)
class Check(Generic[Stage]):
    """What must hold of a plan as soon as it has come to a stage."""

    stage: type[Stage]
    problems: Callable[[Stage], Iterator[str]]


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
