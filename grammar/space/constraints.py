"""Constraints: metrics, comparisons and limits."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from math import ceil, floor
from typing import Literal, assert_never

from wootzc.diagnostics import Advice, Diagnostic, Fix, Span, write
from wootzc.grammar import syntax
from wootzc.grammar.check.report import Report
from wootzc.grammar.check.values import decimal_of
from wootzc.grammar.space.limit_units import unit_help
from wootzc.grammar.space.patterns import modules_of
from wootzc.grammar.space.rates import read_rate
from wootzc.grammar.space.search_settings import read_confidence
from wootzc.grammar.syntax.near_misses import either, meant, nearest
from wootzc.ir.net.cost_tables import network_costs
from wootzc.ir.net.metrics import METRICS, Metric, Numbers
from wootzc.ir.net.network import Network
from wootzc.ir.space import space as ir

_SMALL = Decimal("0.2")  # below it a distance without a unit is a fraction, not points

_ERRORS = ("error", "error_rate", "err", "top1_error", "misclassification")
_DROPS = ("drop", "accuracy_drop", "acc_drop", "degradation", "accuracy_loss")
_LOSSES = ("loss", "cross_entropy", "nll", "perplexity")
_FEW = Decimal("0.01")
_MOST = Decimal(2**62)  # beyond it a limit is none
_COMPARISONS: dict[str, ir.Comparison] = {"<=": "<=", "≤": "<=", ">=": ">=", "≥": ">="}


def read_metric(
    name: syntax.Name, report: Report, limit: syntax.Subject | None = None
) -> Metric | None:
    """The metric of this name, limited by `limit`; None after an error."""
    if name.text in METRICS:
        return METRICS[name.text]
    if name.text.lower() in (*_ERRORS, *_LOSSES, *_DROPS):
        help: str = "as in `accuracy >= teacher - 1 points`"
        if name.text.lower() in _ERRORS:
            help = _of_error(limit) if limit else meant("accuracy")
        report.error(
            name.span, "WZ051", f"there is no metric `{name.text}`: accuracy is what is measured",
            help,
        )  # fmt: skip
        return None
    aliases = {alias: one.name for one in METRICS.values() for alias in one.aliases}
    near = aliases.get(name.text.lower()) or nearest(name.text, METRICS)
    words = [one.name + (f" ({one.meaning})" if one.meaning else "") for one in METRICS.values()]
    there = either(words, "and")
    note = METRICS[near].aliases.get(name.text.lower()) if near else None
    report.error(
        name.span, "WZ051", f"there is no metric `{name.text}`",
        Advice(f"did you mean `{near}`?{f' {note}' if note else ''}", near) if near
        else f"there are {there}",
    )  # fmt: skip
    return None


def _of_error(limit: syntax.Subject) -> str:
    """Advice on `error <= 7%`: accuracy >= 93%."""
    match limit.limit:
        case syntax.PlainLimit(number=number, unit=None):
            value = decimal_of(number.text)
            if 0 <= value <= 1:
                accuracy = f"accuracy >= {(100 * (1 - value)).normalize():f}%"
                start, end = limit.metric.span, limit.limit.span
                return write(accuracy, at=Span(start.file, start.start, end.end))
    return "as in `accuracy >= 93%`, for an error of at most 7%"


def _comparison(name: syntax.Name, usual: str, report: Report) -> ir.Comparison | None:
    if name.text in _COMPARISONS:
        return _COMPARISONS[name.text]
    strict = {"<": "<=", ">": ">="}.get(name.text, usual)
    report.error(
        name.span, "WZ065", f"limits are written with <= or >=, not `{name.text}`",
        write(strict),
    )  # fmt: skip
    return None


def cost_limit(
    metric: Metric,
    statement: syntax.WhereCost | syntax.Subject,
    network: Network | None,
    report: Report,
    quantize: Numbers = "none",
) -> ir.CostLimit | None:
    """A limit in whole units; percentages are of the full network. None after an error."""
    comparison = _comparison(statement.comparison, "<=", report)
    limit, name = statement.limit, metric.name
    if metric.known == "trained":
        start = statement.span
        report.error(
            statement.metric.span, "WZ063", f"{name} is known only after training",
            Advice(
                f"write `subject to {name} >= …`: `where` chooses candidates before it",
                "subject to", at=Span(start.file, start.start, start.start + len("where")),
            ),
        )  # fmt: skip
        return None
    if isinstance(limit, syntax.RelativeLimit):
        report.error(
            limit.span, "WZ063", f"`teacher` limits accuracy, not {name}",
            f"it is a share of the full network, as in `{name} <= 70%`, or a number",
        )  # fmt: skip
        return None
    value = min(decimal_of(limit.number.text), _MOST)
    percent = limit.number.text.endswith("%")
    if limit.unit is not None:
        if percent or limit.unit.text not in metric.scales:
            report.error(
                limit.unit.span, "WZ063", f"`{limit.unit.text}` is no unit of {name}",
                unit_help(limit, metric, statement.metric.span),
            )  # fmt: skip
            return None
        value *= metric.scales[limit.unit.text]
    if not percent and 0 < value < 1:
        report.error(
            limit.span, "WZ063", f"{limit.number.text} is less than one of the {metric.unit}",
            write(f"{(value * 100).normalize():f}%", " for a share of the full network"),
        )  # fmt: skip
        return None
    if metric.known == "measured" and metric.scales and not percent and limit.unit is None:
        report.error(
            limit.span, "WZ063", f"a limit of {name} needs a unit",
            write(f"{limit.number.text} {next(iter(metric.scales))}"),
        )  # fmt: skip
        return None
    if comparison is None or network is None:
        return None
    if percent and comparison == "<=" and value >= 1:
        report.warn(
            limit.span, "WZ053", f"the full network has 100% of its {name}, so this limits nothing",
            f"as in `{name} <= 70%`",
        )  # fmt: skip
    share: float | None = None
    if percent and metric.count is None:  # it is yet to be measured
        share, value = float(value), Decimal(0)
    elif percent:
        value *= network_costs(network, quantize)[name]
    whole = min(floor(value) if comparison == "<=" else ceil(value), int(_MOST))
    return ir.CostLimit(
        metric=name, comparison=comparison, value=whole, share=share, span=statement.span
    )


def accuracy_limit(statement: syntax.Subject, report: Report) -> ir.AccuracyLimit | None:
    """`subject to accuracy >= …`, from 0 to 1; None after a mistake, told to `report`."""
    comparison = _comparison(statement.comparison, ">=", report)
    if comparison == "<=":
        report.error(
            statement.comparison.span, "WZ065", "an accuracy is a least one",
            write(">="),
        )  # fmt: skip
        return None
    limit = statement.limit
    match limit:
        case syntax.RelativeLimit():
            value = _points(limit, report)
        case syntax.PlainLimit(number=number, unit=unit):
            value = decimal_of(number.text)
            if unit is not None:
                report.add(_with_unit(limit, unit))
                return None
        case _:
            assert_never(limit)
    if value is None or comparison is None:
        return None
    if not 0 <= value <= 1 and isinstance(limit, syntax.RelativeLimit):
        report.error(
            limit.span, "WZ062", "an accuracy cannot lie more than 100 points below the teacher's",
            Advice(
                "one point is 1% of the images: write `teacher - 1.0 points`",
                "teacher - 1.0 points",
            ),
        )  # fmt: skip
        return None
    if not 0 <= value <= 1:
        text = limit.number.text if limit.number else "0"
        percent = 1 < value <= 100 and "%" not in text
        report.error(
            limit.span, "WZ062", f"an accuracy lies from 0 to 1, so none is {text}",
            write(f"{text}%") if percent else "as in 80%, or 0.8",
        )  # fmt: skip
        return None
    if isinstance(limit, syntax.PlainLimit) and "%" in limit.number.text and 0 < value < _FEW:
        report.warn(
            limit.span, "WZ062", f"an accuracy of {limit.number.text} is below that of guessing",
            meant(f"{(100 * 100 * value).normalize():f}%"),
        )  # fmt: skip
    confidence = _confidence(statement.confidence, report)
    if confidence is None and statement.confidence is not None:
        return None
    return ir.AccuracyLimit(
        value=float(value),
        below_teacher=isinstance(limit, syntax.RelativeLimit),
        confidence=confidence,
        span=statement.span,
    )


def _with_unit(limit: syntax.PlainLimit, unit: syntax.Name) -> Diagnostic:
    """`accuracy >= 0.98 points`: either 98%, or so far below the teacher."""
    bare = limit.number.text.rstrip("%")
    value = decimal_of(bare)
    share = value if value >= 1 or "%" in limit.number.text else 100 * value
    meant = [f"{share.normalize():f}%", f"teacher - {bare} points"]
    if share < 50:  # little, for an accuracy
        meant.reverse()
    return Diagnostic(
        unit.span, "WZ063", f"`{unit.text}` after an accuracy means nothing",
        f"did you mean `{meant[0]}`, or `{meant[1]}`?",
        fixes=tuple(Fix(limit.span, instead) for instead in meant),
    )  # fmt: skip


def _confidence(stated: syntax.Confidence | None, report: Report) -> float | None:
    """None where nothing is said, or after an error."""
    if stated is None:
        return None
    if stated.what.text != "confidence":
        report.error(
            stated.what.span, "WZ058", f"a limit holds with no `{stated.what.text}`",
            write(f"with confidence {stated.number.text}", at=stated.span),
        )  # fmt: skip
        return None
    return read_confidence("with confidence", stated.number, report)


def _points(limit: syntax.RelativeLimit, report: Report) -> Decimal | None:
    number, unit = limit.number, limit.unit
    if number is None:
        return Decimal(0)
    if unit is not None and unit.text in ("points", "point") and "%" not in number.text:
        return decimal_of(number.text) / 100
    amount = decimal_of(number.text.rstrip("%"))
    if unit is None and "%" not in number.text and 0 < amount <= _SMALL:
        amount *= 100  # a fraction of the images, as in `teacher - 0.01`
    points = f"{amount.normalize():f}"
    report.error(
        limit.span, "WZ063", "a distance from the teacher is given in points of accuracy",
        write(f"teacher - {points} points", ": one point is 1% of the images"),
    )  # fmt: skip
    return None


def read_constraints(
    statements: Iterable[syntax.SpaceStatement],
    network: Network | None,
    trunks: Sequence[str],  # that may be named: their numbers come behind those of modules
    report: Report,
    quantize: Numbers = "none",
) -> tuple[ir.Constraint, ...]:
    """`tie` and `where`, in the order of the file."""
    constraints: list[ir.Constraint] = []
    names = [*(module.name for module in network.modules), *trunks] if network else []
    variables = {name: place for place, name in enumerate(names) if name not in METRICS}
    for statement in statements:
        match statement:
            case syntax.Tie():
                modules = _several(statement, network, trunks, report)
                if modules is not None:
                    constraints.append(ir.Tie(modules=modules, span=statement.span))
            case syntax.WhereOrder(relation=relation):
                modules = _several(statement, network, trunks, report)
                if (direction := _direction(relation, report)) and modules is not None:
                    constraints.append(
                        ir.Ordered(direction=direction, modules=modules, span=statement.span)
                    )
            case syntax.WhereCost(metric=name) if name.text in variables:
                rate = _rate_limit(statement, variables[name.text], report)
                if rate is not None:
                    constraints.append(rate)
            case syntax.WhereCost():
                metric = read_metric(statement.metric, report)
                limit = metric and cost_limit(metric, statement, network, report, quantize)
                if limit:
                    constraints.append(limit)
            case _:
                pass
    return tuple(constraints)


def _rate_limit(statement: syntax.WhereCost, variable: int, report: Report) -> ir.RateLimit | None:
    """`where t1 <= 25%`. None after an error."""
    comparison = _comparison(statement.comparison, "<=", report)
    limit, name = statement.limit, statement.metric.text
    if isinstance(limit, syntax.RelativeLimit) or limit.unit is not None:
        report.error(
            limit.span, "WZ269", f"a limit on the rate of `{name}` is a rate",
            f"as in `{name} <= 25%`; 100% is a module left out",
        )  # fmt: skip
        return None
    value = read_rate(limit.number, report, all_of_it=True)
    if comparison is None or value is None:
        return None
    return ir.RateLimit(
        comparison=comparison, value=value, modules=(variable,), span=statement.span
    )


def _direction(
    relation: syntax.Name, report: Report
) -> Literal["nondecreasing", "nonincreasing"] | None:
    match relation.text:
        case "nondecreasing" | "nonincreasing" as direction:
            return direction
    aliases = {"increasing": "nondecreasing", "ascending": "nondecreasing", "monotone":
               "nondecreasing", "decreasing": "nonincreasing", "descending": "nonincreasing",
               "sorted": "nondecreasing"}  # fmt: skip
    known = ("nondecreasing", "nonincreasing")
    near = aliases.get(relation.text) or nearest(relation.text, known)
    report.error(
        relation.span, "WZ058", f"there is no relation `{relation.text}`",
        meant(near) if near else "there are nondecreasing and nonincreasing",
    )  # fmt: skip
    return None


def _several(
    statement: syntax.Tie | syntax.WhereOrder,
    network: Network | None,
    trunks: Sequence[str],
    report: Report,
) -> tuple[int, ...] | None:
    if network is None:
        return None
    modules = modules_of(statement.patterns, network, report, (), trunks)
    if modules is not None and len(modules) == 1:  # a pattern names at least one
        what = "tie" if isinstance(statement, syntax.Tie) else statement.relation.text
        names = [*(module.name for module in network.modules), *trunks]
        report.error(
            statement.span, "WZ048", f"`{what}` needs at least two modules",
            f"here it has only `{names[modules[0]]}`",
        )  # fmt: skip
        return None
    return modules
