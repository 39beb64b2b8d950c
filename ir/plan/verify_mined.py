"""What must hold of the runs that candidates were found to share."""

from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from numpy.typing import NDArray

from wootzc.ir.plan.places import Problem
from wootzc.ir.plan.plan import Grammar, MinedPlan, Windows


def mined_problems(plan: MinedPlan) -> Iterator[Problem]:
    match plan.mined:
        case Grammar() as grammar:
            yield from _grammar(grammar, plan.candidates.values, plan.space.choices)
        case Windows(runs=runs):
            yield from _windows(runs.values, plan.candidates.values)


def _grammar(
    grammar: Grammar, rows: NDArray[Any], choices: Sequence[Sequence[int]]
) -> Iterator[Problem]:
    rules = grammar.rules
    if not rules or any(v >= len(rules) for rule in rules for v in rule.body):
        bad = next((n for n, r in enumerate(rules) if any(v >= len(rules) for v in r.body)), 0)
        yield Problem("a rule refers to a rule that does not exist", ("mined", "rules", bad))
        return
    for number, rule in enumerate(rules):
        at = ("mined", "rules", number)
        if bool(rule.body) == (rule.symbol is not None):
            yield Problem("a rule must have either a body or a symbol", at)
            return
        if rule.symbol is not None and not _is_symbol(rule.symbol, choices):
            yield Problem(f"there is no symbol {rule.symbol}: a module, and a rate it may have", at)
            return
    try:
        TopologicalSorter({n: {v for v in r.body if v >= 0} for n, r in enumerate(rules)}).prepare()
    except CycleError as circle:
        yield Problem("this rule contains itself", ("mined", "rules", circle.args[1][0]))
        return
    wanted: list[tuple[int, int] | int] = []
    for k, row in enumerate(rows.tolist()):
        wanted += [*enumerate(row), -k - 1]
    counts = [0] * len(rules)
    text: list[tuple[int, int] | int] = []
    for value in grammar.expansion():
        if len(text) > len(wanted):  # few rules may stand for more than memory has
            break
        if value < 0:
            text.append(value)
            continue
        counts[value] += 1
        if (symbol := rules[value].symbol) is not None:
            text.append(symbol)
    if text != wanted:
        yield Problem("the rules do not expand to the candidates", ("mined",))
        return
    for number, (rule, count) in enumerate(zip(rules, counts, strict=True)):
        if rule.frequency != count:
            yield Problem(
                f"a rule's frequency is {rule.frequency}, and it occurs {count} times",
                ("mined", "rules", number),
            )


def _is_symbol(symbol: tuple[int, int], choices: Sequence[Sequence[int]]) -> bool:
    module, rate = symbol
    return 0 <= module < len(choices) and rate in choices[module]


def _windows(runs: NDArray[Any], rows: NDArray[Any]) -> Iterator[Problem]:
    if runs.ndim != 2 or runs.shape[1:] != (4,):
        yield Problem("shared runs must be int32 [runs, 4]", ("mined",))
        return
    start, stop, row, count = runs.T
    inside = (start >= 0) & (start < stop) & (stop <= rows.shape[1])
    if not (inside & (row >= 0) & (row < len(rows)) & (count >= 2) & (count <= len(rows))).all():
        yield Problem("a shared run lies outside of the candidates, or is not shared", ("mined",))
