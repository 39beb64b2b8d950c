"""The objective: what is best, within which limits."""

from collections.abc import Iterable

from wootzc.diagnostics import write
from wootzc.grammar import syntax
from wootzc.grammar.check.edits import add, remove
from wootzc.grammar.check.report import Report
from wootzc.grammar.space.constraints import accuracy_limit, cost_limit, read_metric
from wootzc.ir.net.metrics import Numbers
from wootzc.ir.net.network import Network
from wootzc.ir.space import space as ir


def read_objective(
    goal: syntax.Goal | None,
    subjects: Iterable[syntax.Subject],
    space: syntax.SpaceDefinition,
    network: Network | None,
    report: Report,
    *,
    complete: bool,
    quantize: Numbers = "none",
) -> ir.Objective | None:
    """None after an error."""
    limits: list[ir.AccuracyLimit | ir.CostLimit] = []
    good = True
    for subject in subjects:
        metric = read_metric(subject.metric, report, subject)
        limit: ir.AccuracyLimit | ir.CostLimit | None = None
        if metric is not None and metric.known == "trained":
            limit = accuracy_limit(subject, report)
        elif metric is not None:
            limit = cost_limit(metric, subject, network, report, quantize)
            if (confidence := subject.confidence) is not None:
                report.error(
                    confidence.span, "WZ063",
                    f"what is {metric.known} is known, so {metric.name} needs no confidence",
                    remove(
                        confidence.span, report,
                        "remove it: it belongs to a limit of accuracy, which is measured on some "
                        "images",
                    ),
                )  # fmt: skip
        good = good and limit is not None
        limits += [limit] if limit else []
    if goal is None:
        if complete:
            report.error(
                space.name.span, "WZ060", f"space `{space.name.text}` does not say what is best",
                add(
                    "minimize params; subject to accuracy >= teacher - 1.0 points" if not limits
                    else "minimize params", space.name.span, report,
                    "add: minimize params, and: subject to accuracy >= teacher - 1.0 points",
                    first=True,
                ),
            )  # fmt: skip
        return None
    target = read_metric(goal.metric, report)
    if target is None:
        return None
    if goal.direction != target.verb:
        report.error(
            goal.span, "WZ061", f"{target.name} is to be {target.verb}d, not {goal.direction}d",
            write(f"{target.verb} {target.name}"),
        )  # fmt: skip
        return None
    objective = ir.Objective(target=target.name, limits=tuple(limits), span=goal.span)
    limited = objective.maximizes or any(isinstance(one, ir.AccuracyLimit) for one in limits)
    if good and complete and not limited:  # the first candidate there is would do
        report.warn(
            objective.span, "WZ064",
            "nothing limits accuracy, so the smallest candidate always wins",
            add("subject to accuracy >= teacher - 1.0 points", objective.span, report),
        )  # fmt: skip
    return objective if good else None


def check_direction(
    objective: ir.Objective, explore: str, stated: syntax.Name | None, report: Report
) -> None:
    """A search that ends at the first success begins where the best may be."""
    if explore in ("all", "predicted"):
        return
    place = objective.span if stated is None else stated.span
    best = objective.maximizes
    if explore != ("descending" if best else "ascending"):
        fits, first, kind = (
            ("descending", "smallest", "maximize") if best
            else ("ascending", "largest", "minimize")
        )  # fmt: skip
        report.error(
            place, "WZ067",
            f"`explore {explore}` would stop at the {first} candidate that will do, "
            f"the worst for `{kind} {objective.target}`",
            write(fits, ", or `explore all` to try every candidate") if stated
            else add(f"explore {fits}", objective.span, report),
        )  # fmt: skip
    elif best and not any(isinstance(lm, ir.AccuracyLimit) for lm in objective.limits):
        report.warn(
            place, "WZ068",
            "nothing limits accuracy, so only the largest candidate within the cost limits is "
            "tried: it is taken to be the most accurate",
            write("all", " to try every candidate, `predicted` the promising ones") if stated
            else add(
                "explore all", objective.span, report, "add: explore all, to try every candidate"
            ),
        )  # fmt: skip
