"""Bars: filters of every module before and after, and the time of every stage."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

from wootzc.builder.report.markup import Markup, duration, tag
from wootzc.builder.result.summary import Summary
from wootzc.ir.net.metrics import METRICS
from wootzc.ir.net.widths import ModuleWidths
from wootzc.ir.plan import Plan
from wootzc.units import rate_text

# Stage → its words. Stages outside this table come last, under their own name.
STAGES: Final = {
    "compile": "compile the space",
    "data": "read the data",
    "teacher": "train the teacher",
    "scores": "score modules at single rates",
    "propose": "propose candidates",
    "blocks": "train or refit blocks",
    "candidates": "fine-tune candidates",
    "polish": "polish (behind the result: with the candidates)",
    "test": "test",
    "write": "write the result",
}
STEPS: Final = {"teacher": "teacher", "blocks": "blocks", "candidates": "finetune"}


def widths(summary: Summary, plan: Plan) -> Markup:
    """One row per module, and per trunk that may be cut: filters of the full network, and filled
    how many are kept.
    """
    rows = summary.widths
    if not rows:
        return tag("p", "The network has no modules.")
    widest = max((sum(row.filters) for row in rows), default=0)
    items = [_width(plan, row, max(widest, 1)) for row in rows]
    columns = "widths two" if len(rows) > 12 else "widths"
    name = min(max(len(row.module) for row in rows), 20)
    figures = max(len(_figures(row)) for row in rows)
    space = f"--name:{name * 0.7 + 0.5:.1f}em;--figures:{figures * 0.6 + 0.5:.1f}em"
    return tag("div", *items, class_=columns, style=space)


def _width(plan: Plan, row: ModuleWidths, widest: int) -> Markup:
    pairs = list(zip(row.filters, row.kept, strict=True))
    groups = [
        tag(
            "span",
            tag("span", style=f"width:{100 * kept / max(full, 1):.4g}%"),
            class_="group",
            style=f"width:{100 * full / widest:.4g}%",
        )
        for full, kept in pairs
    ]
    title = f"{row.module}: {rate_text(row.rate)} of the filters removed{_costs(plan, row)}"
    return tag(
        "div",
        tag("span", row.module, class_="name"),
        tag("span", rate_text(row.rate), class_="n"),
        tag("span", *groups, class_="groups"),
        tag("span", _figures(row), class_="figures"),
        class_="width",
        title=title,
    )


def _figures(row: ModuleWidths) -> str:
    if not row.filters:
        return "nothing to prune"
    full, kept = (", ".join(map(str, side)) for side in (row.filters, row.kept))
    return f"{full} → {kept}"


def _costs(plan: Plan, row: ModuleWidths) -> str:
    """In the measure that candidates are compared by."""
    names = [module.name for module in plan.space.network.modules]
    if plan.costs is None or row.rate not in plan.space.rates or row.module not in names:
        return ""
    table = plan.costs[plan.space.objective.cost]
    costs = table.variants.values[names.index(row.module)].tolist()
    kept = costs[plan.space.rates.index(row.rate)]
    return f"\n{costs[0]:,} → {METRICS[table.metric].exact(kept)}"


def stages(summary: Summary) -> Markup:
    """Two bars on one scale, and the same in numbers."""
    recorded, now = summary.seconds_recorded, summary.seconds_now
    names = [name for name in STAGES if name in recorded or name in now]
    names += [name for name in (*recorded, *now) if name not in STAGES and name not in names]
    longest = max(_total(recorded), _total(now), 1e-9)
    return tag(
        "div",
        _stack("all training behind this result", recorded, names, longest),
        _stack("this run", now, names, longest),
        _numbers(summary, names),
        class_="stages",
    )


def _stack(title: str, seconds: Mapping[str, float], names: list[str], longest: float) -> Markup:
    parts = [
        tag(
            "span",
            class_=f"stage {_colour(name)}",
            style=f"width:{100 * _known(seconds[name]) / longest:.4g}%",
            title=f"{STAGES.get(name, name)}\n{duration(_known(seconds[name]))}",
        )
        for name in names
        if _known(seconds.get(name, 0.0)) > 0
    ]
    total = tag("span", duration(_total(seconds)), class_="n total")
    return tag(
        "div",
        tag("span", title, class_="name"),
        tag("span", *parts, class_="bar"),
        total,
        class_="stack",
    )


def _numbers(summary: Summary, names: list[str]) -> Markup:
    recorded, now, steps = summary.seconds_recorded, summary.seconds_now, asdict(summary.steps)
    heads = ("stage", "training behind the result", "this run", "training steps")
    head = tag(
        "tr",
        *(tag("th", text, scope="col", class_="n" if text != heads[0] else None) for text in heads),
    )
    rows = []
    for name in names:
        key = tag("i", class_=f"key stage {_colour(name)}")
        count = steps.get(STEPS.get(name, ""))
        rows.append(
            tag(
                "tr",
                tag("td", key, STAGES.get(name, name)),
                _seconds(recorded, name),
                _seconds(now, name),
                tag("td", "" if count is None else f"{count:,}", class_="n"),
            )
        )
    sums = [duration(_total(recorded)), duration(_total(now)), f"{sum(steps.values()):,}"]
    foot = tag("tr", tag("td", "together"), *(tag("td", text, class_="n") for text in sums))
    parts = tag("thead", head), tag("tbody", *rows), tag("tfoot", foot)
    return tag("div", tag("table", *parts), class_="scroll")


def _seconds(seconds: Mapping[str, float], name: str) -> Markup:
    return tag("td", duration(_known(seconds[name])) if name in seconds else "", class_="n")


def _colour(name: str) -> str:
    return f"of-{name}" if name in STAGES else "of-other"


def _known(seconds: float) -> float:
    return seconds if math.isfinite(seconds) and seconds > 0 else 0.0


def _total(seconds: Mapping[str, float]) -> float:
    return sum(map(_known, seconds.values()))
