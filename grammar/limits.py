"""Constraints: metrics, comparisons and limits."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from math import ceil, floor
from typing import assert_never

from wootzc.grammar import syntax
from wootzc.grammar.names import either, nearest
from wootzc.grammar.patterns import modules_of
from wootzc.grammar.report import Report
from wootzc.grammar.search import read_confidence
from wootzc.grammar.values import decimal_of
from wootzc.ir import space as ir
from wootzc.ir.metrics import METRICS, TOLD, Metric, costs
from wootzc.ir.network import Network

_COMPARISONS: dict[str, ir.Comparison] = {"<=": "<=", "≤": "<=", ">=": ">=", "≥": ">="}


def read_metric(name: syntax.Name, report: Report) -> Metric | None:
    """The metric of this name; None after an error."""
    if name.text in METRICS:
        return METRICS[name.text]
    if name.text in TOLD:
        known = [f"{one.name} ({one.meaning or one.unit})" for one in costs().values()]
        report.error(
            name.span, "WZ051",
            f"`{name.text}` cannot be limited: builds and `wootzc benchmark` only tell it",
            f"the costs are {either(known, 'and')}",
        )  # fmt: skip
        return None
    aliases = {alias: one.name for one in METRICS.values() for alias in one.aliases}
    near = aliases.get(name.text.lower()) or nearest(name.text, METRICS)
    words = [one.name + (f" ({one.meaning})" if one.meaning else "") for one in METRICS.values()]
    there = either(words, "and")
    note = METRICS[near].aliases.get(name.text.lower()) if near else None
    report.error(
        name.span, "WZ051", f"there is no metric `{name.text}`",
        f"did you mean `{near}`?{f' {note}' if note else ''}" if near
        else f"there are {there}",
    )  # fmt: skip
    return None


def _comparison(name: syntax.Name, report: Report) -> ir.Comparison | None:
    if name.text in _COMPARISONS:
        return _COMPARISONS[name.text]
    strict = {"<": "<=", ">": ">="}.get(name.text)
    report.error(
        name.span, "WZ065", f"limits are written with <= or >=, not `{name.text}`",
        f"write `{strict}`" if strict else None,
    )  # fmt: skip
    return None


def cost_limit(
    metric: Metric,
    statement: syntax.WhereCost | syntax.Subject,
    full: Mapping[str, int] | None,
    report: Report,
) -> ir.CostLimit | None:
    """A limit in whole units; percentages are of the full network. None after an error."""
    comparison = _comparison(statement.comparison, report)
    limit, name = statement.limit, metric.name
    if metric.known == "trained":
        report.error(
            statement.metric.span, "WZ063", f"{name} is known only after training",
            f"`where` chooses candidates before it; write `subject to {name} >= …`",
        )  # fmt: skip
        return None
    if isinstance(limit, syntax.RelativeLimit):
        report.error(
            limit.span, "WZ063", f"`teacher` limits accuracy, not {name}",
            f"write a share of the full network, `{name} <= 70%`, or a number",
        )  # fmt: skip
        return None
    if limit.unit is not None:
        report.error(
            limit.unit.span, "WZ063", f"`{limit.unit.text}` is no unit of {name}",
            f"write `{name} <= 70%` or `{name} <= 10M`",
        )  # fmt: skip
        return None
    value = decimal_of(limit.number.text)
    percent = limit.number.text.endswith("%")
    if not percent and 0 < value < 1:
        report.error(
            limit.span, "WZ063", f"{limit.number.text} is less than one of the {name}",
            f"write {(value * 100).normalize():f}% for a share of the full network",
        )  # fmt: skip
        return None
    if comparison is None or full is None:
        return None
    if percent:
        value *= full[name]
    whole = floor(value) if comparison == "<=" else ceil(value)
    return ir.CostLimit(
        metric=name, comparison=comparison, value=min(whole, 2**62), span=statement.span
    )


def accuracy_limit(statement: syntax.Subject, report: Report) -> ir.AccuracyLimit | None:
    comparison = _comparison(statement.comparison, report)
    if comparison == "<=":
        report.error(
            statement.comparison.span, "WZ065", "an accuracy is a least one",
            "write `accuracy >= …`",
        )  # fmt: skip
        return None
    limit = statement.limit
    match limit:
        case syntax.RelativeLimit(number=number, unit=unit):
            value = Decimal(0) if number is None else _points(number, unit, report)
        case syntax.PlainLimit(number=number, unit=unit):
            value = decimal_of(number.text)
            if unit is not None:
                report.error(
                    unit.span, "WZ063", f"`{unit.text}` after an accuracy means nothing",
                    f"write `accuracy >= {number.text.rstrip('%')}%`, "
                    f"or `teacher - {number.text.rstrip('%')} points`",
                )  # fmt: skip
                return None
        case _:
            assert_never(limit)
    if value is None or comparison is None:
        return None
    if not 0 <= value <= 1 and isinstance(limit, syntax.RelativeLimit):
        report.error(
            limit.span, "WZ062", "an accuracy cannot lie more than 100 points below the teacher's",
            "one point is 1% of the images: write `teacher - 1.0 points`",
        )  # fmt: skip
        return None
    if not 0 <= value <= 1:
        text = limit.number.text if limit.number else "0"
        by = f"`accuracy >= {text}%`" if 1 < value <= 100 and "%" not in text else "80% or 0.8"
        report.error(
            limit.span, "WZ062", f"an accuracy lies from 0 to 1, so none is {text}",
            f"write {by}",
        )  # fmt: skip
        return None
    confidence = _confidence(statement.confidence, report)
    if confidence is None and statement.confidence is not None:
        return None
    return ir.AccuracyLimit(
        value=float(value),
        below_teacher=isinstance(limit, syntax.RelativeLimit),
        confidence=confidence,
        span=statement.span,
    )


def _confidence(stated: syntax.Confidence | None, report: Report) -> float | None:
    """None where nothing is said, or after an error."""
    if stated is None:
        return None
    if stated.what.text != "confidence":
        report.error(
            stated.what.span, "WZ058", f"a limit holds with no `{stated.what.text}`",
            f"write `with confidence {stated.number.text}`",
        )  # fmt: skip
        return None
    return read_confidence("with confidence", stated.number, report)


def _points(number: syntax.Number, unit: syntax.Name | None, report: Report) -> Decimal | None:
    if unit is not None and unit.text in ("points", "point") and "%" not in number.text:
        return decimal_of(number.text) / 100
    amount = number.text.rstrip("%")
    report.error(
        number.span if unit is None else unit.span, "WZ063",
        "a distance from the teacher is given in points of accuracy",
        f"write `teacher - {amount} points`",
    )  # fmt: skip
    return None


def read_constraints(
    statements: Iterable[syntax.SpaceStatement],
    network: Network | None,
    full: Mapping[str, int] | None,
    report: Report,
) -> tuple[ir.Constraint, ...]:
    """`tie` and `where`, in the order of the file."""
    constraints: list[ir.Constraint] = []
    for statement in statements:
        match statement:
            case syntax.Tie(patterns=patterns):
                modules = _several(statement, patterns, network, report)
                if modules is not None:
                    constraints.append(ir.Tie(modules=modules, span=statement.span))
            case syntax.WhereOrder(relation=relation, patterns=patterns):
                modules = _several(statement, patterns, network, report)
                match relation.text:
                    case "nondecreasing" | "nonincreasing" as direction:
                        if modules is not None:
                            constraints.append(
                                ir.Ordered(
                                    direction=direction, modules=modules, span=statement.span
                                )
                            )
                    case _:
                        _unknown_relation(relation, report)
            case syntax.WhereCost():
                metric = read_metric(statement.metric, report)
                limit = metric and cost_limit(metric, statement, full, report)
                if limit:
                    constraints.append(limit)
            case _:
                pass
    return tuple(constraints)


def _unknown_relation(relation: syntax.Name, report: Report) -> None:
    aliases = {"increasing": "nondecreasing", "ascending": "nondecreasing", "monotone":
               "nondecreasing", "decreasing": "nonincreasing", "descending": "nonincreasing",
               "sorted": "nondecreasing"}  # fmt: skip
    known = ("nondecreasing", "nonincreasing")
    near = aliases.get(relation.text) or nearest(relation.text, known)
    report.error(
        relation.span, "WZ058", f"there is no relation `{relation.text}`",
        f"did you mean `{near}`?" if near else "there are nondecreasing and nonincreasing",
    )  # fmt: skip


def _several(
    statement: syntax.Tie | syntax.WhereOrder,
    patterns: syntax.Patterns,
    network: Network | None,
    report: Report,
) -> tuple[int, ...] | None:
    if network is None:
        return None
    modules = modules_of(patterns, network, report)
    if modules is not None and len(modules) == 1:  # a pattern names at least one
        what = "tie" if isinstance(statement, syntax.Tie) else statement.relation.text
        report.error(
            statement.span, "WZ048", f"`{what}` needs at least two modules",
            f"here it has only `{network.modules[modules[0]].name}`",
        )  # fmt: skip
        return None
    return modules
