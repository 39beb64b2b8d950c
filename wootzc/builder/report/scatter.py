"""Accuracy against cost of everything tried, before a faint histogram of all candidates."""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wootzc.builder.report.axes import Axes, widened
from wootzc.builder.report.markup import (
    Markup,
    duration,
    join,
    percent,
    picture,
    tag,
)
from wootzc.builder.report.tables import ENDINGS
from wootzc.builder.result.summary import Candidate, Summary, TriedFigures
from wootzc.ir.net.metrics import METRICS, CostName, exact_text
from wootzc.ir.plan import Plan
from wootzc.ir.space import CostLimit
from wootzc.units import rate_text

BINS: Final = 48
WIDTH, HEIGHT = 1000, 430  # of the drawing, in its own units
MARGINS = 64, 132, 26, 56  # left, right, top, bottom; lines are named in the right one
LETTER = 7.4  # pixels a letter of a bold label takes, about


def scatter(summary: Summary, plan: Plan) -> Markup:
    """One drawing per cost and range; radio buttons choose which is seen (without a script)."""
    metrics = {name: METRICS[name] for name in summary.teacher.costs}
    views = [_view(summary, plan, metric, close) for metric in metrics for close in (False, True)]
    choices = tag(
        "div",
        _choice("cost", {name: one.unit for name, one in metrics.items()}),
        _choice("range", {"whole": "all candidates", "close": "close-up of the tried"}),
        class_="choices",
    )
    style = tag("style", Markup("".join(map(_seen, metrics))))
    return tag("div", style, choices, _legend(summary), *views, class_="scatter")


def _seen(metric: CostName) -> str:
    """The rule that shows a drawing where its buttons are pressed; all others are hidden."""
    return "".join(
        f".scatter:has(#cost-{metric}:checked):has(#range-{which}:checked) "
        f".view.{metric}.{which} {{ display: block; }}\n"
        for which in ("whole", "close")
    )


def _choice(name: str, options: dict[str, str]) -> Markup:
    buttons = []
    for position, (value, text) in enumerate(options.items()):
        checked = "checked" if position == 0 else None
        key = f"{name}-{value}"
        buttons.append(tag("input", type="radio", name=name, id=key, checked=checked))
        buttons.append(tag("label", text, for_=key))
    return tag("span", *buttons, class_="choice", role="radiogroup")


def _legend(summary: Summary) -> Markup:
    items = [
        ("start", "assembled, before fine-tuning"),
        ("met", "fine-tuned, objective met"),
        ("miss", "fine-tuned, objective missed"),
        ("front", "Pareto front: none tried is as small and more accurate"),
        ("teacher", "teacher: the full network"),
        ("space", f"all {summary.candidates.in_space:,} candidates by cost"),
    ]
    return tag(
        "p",
        *(tag("span", tag("i", class_=f"key {key}"), text) for key, text in items),
        class_="legend",
    )


def _view(summary: Summary, plan: Plan, metric: CostName, close: bool) -> Markup:
    axes = _axes(summary, plan, metric, close)
    tried = sorted(summary.tried, key=lambda one: _is_best(summary, one))  # best on top
    drawn = [
        *_histogram(axes, plan, metric),
        *axes.grid(METRICS[metric].title),
        *_limits(axes, summary, plan, metric),
        *(_stem(axes, one, metric) for one in tried),
        _front(axes, summary.tried, metric),
        _teacher(axes, summary, metric),
        *(_point(axes, summary, one, metric) for one in tried),
        _best_label(axes, summary, metric),
    ]
    name = f"Validation accuracy against {METRICS[metric].title} of everything tried"
    kind = f"view {metric} {'close' if close else 'whole'}"
    return picture(*drawn, size=(WIDTH, HEIGHT), label=name, class_=kind, fluid=True)


def _axes(summary: Summary, plan: Plan, metric: CostName, close: bool) -> Axes:
    tried, teacher = summary.tried, summary.teacher
    spent: list[float] = [one.costs[metric] for one in tried]
    accuracies = [one.accuracy for one in tried] + [teacher.validation_accuracy]
    if summary.target_accuracy is not None:
        accuracies.append(summary.target_accuracy)
    if not close:
        spent.append(teacher.costs[metric])
        values = _of_all(plan, metric)
        if len(values):
            spent += [int(values.min()), int(values.max())]
        accuracies += [one.start_accuracy for one in tried]
    y = widened([a for a in accuracies if math.isfinite(a)], margin=0.08, least=0.01)
    return Axes.inside(
        (WIDTH, HEIGHT),
        MARGINS,
        x=widened(spent, least=max(0.02 * max(spent), 1)),
        y=(y[0], min(y[1], 1.0) if y[0] < 1 else y[1]),
    )


def _histogram(axes: Axes, plan: Plan, metric: CostName) -> list[Markup]:
    """Bars up to a third of the height: how the costs of all candidates are spread."""
    values = _of_all(plan, metric)
    if not len(values):
        return []
    counts, edges = np.histogram(values, bins=BINS, range=axes.x)
    tallest, own = max(int(counts.max()), 1), METRICS[metric]
    bars = []
    for count, low, high in zip(counts.tolist(), edges[:-1], edges[1:], strict=True):
        if not count:
            continue
        height = axes.height / 3 * count / tallest
        x, width = axes.across(low), axes.across(high) - axes.across(low)
        text = f"{count:,} of {len(values):,} candidates\n{own.text(low)} to {own.text(high)}: "
        bars.append(
            tag(
                "rect",
                tag("title", text + own.title),
                x=x,
                y=axes.bottom - height,
                width=max(width - 1, 0.5),
                height=height,
                class_="space tip",
            )
        )
    return bars


def _of_all(plan: Plan, metric: CostName) -> NDArray[np.int64]:
    """What all candidates cost: [candidates]."""
    if plan.costs is None:
        return np.zeros(0, dtype=np.int64)
    return np.asarray(plan.costs[metric].candidates.values)


def _limits(axes: Axes, summary: Summary, plan: Plan, metric: CostName) -> list[Markup]:
    """The teacher's accuracy, the accuracy asked for, and limits on this cost, as named lines."""
    drawn = axes.levels(summary.teacher.validation_accuracy, summary.target_accuracy)
    for limit in plan.space.objective.limits:
        if isinstance(limit, CostLimit) and limit.metric == metric:
            if not axes.x[0] <= limit.value <= axes.x[1]:
                continue
            x, sign = axes.across(limit.value), "≤" if limit.comparison == "<=" else "≥"
            drawn += [
                tag("line", x1=x, x2=x, y1=axes.top, y2=axes.bottom, class_="line target"),
                tag(
                    "text",
                    f"{sign} {METRICS[metric].text(limit.value)}",
                    x=x,
                    y=16,
                    class_="target middle",
                ),
            ]
    return drawn


def pareto(tried: Sequence[TriedFigures], metric: CostName) -> list[TriedFigures]:
    """Those that no other is as cheap as and more accurate than, cheapest first."""
    front: list[TriedFigures] = []
    usable = [one for one in tried if math.isfinite(one.accuracy)]
    for one in sorted(usable, key=lambda one: (one.costs[metric], -one.accuracy)):
        if not front or one.accuracy > front[-1].accuracy:
            front.append(one)
    return front


def _front(axes: Axes, tried: Sequence[TriedFigures], metric: CostName) -> Markup:
    """A staircase: the accuracy that is to be had for every cost."""
    front = pareto(tried, metric)
    if not front:
        return Markup()
    path = f"M{axes.across(front[0].costs[metric]):.1f},{axes.up(front[0].accuracy):.1f}"
    for one in front[1:]:
        path += f" H{axes.across(one.costs[metric]):.1f} V{axes.up(one.accuracy):.1f}"
    return tag("path", d=f"{path} H{axes.right:.1f}", class_="front")


def _stem(axes: Axes, one: Candidate, metric: CostName) -> Markup:
    """From the start accuracy to the final one."""
    x, start, end = axes.across(one.costs[metric]), one.start_accuracy, one.accuracy
    if not axes.holds(one.costs[metric], start):
        return Markup()
    line = tag("line", x1=x, x2=x, y1=axes.up(start), y2=axes.up(end), class_="stem")
    text = f"{percent(start)} before fine-tuning"
    dot = tag("circle", tag("title", text), cx=x, cy=axes.up(start), r=3.5, class_="start tip")
    return join([line, dot])


def _point(axes: Axes, summary: Summary, one: Candidate, metric: CostName) -> Markup:
    best = _is_best(summary, one)
    x, y = axes.across(one.costs[metric]), axes.up(one.accuracy)
    kind = ("met" if one.met else "miss") + (" best" if best else "")
    title = tag("title", describe(summary, one))
    dot = tag("circle", title, cx=x, cy=y, r=7 if best else 5, class_=f"{kind} tip")
    dot = tag("a", dot, href=f"#candidate-{number_of(summary, one)}")
    if not best:
        return dot
    return join([tag("circle", cx=x, cy=y, r=12, class_=f"ring {_missed(one)}"), dot])


def _teacher(axes: Axes, summary: Summary, metric: CostName) -> Markup:
    teacher = summary.teacher
    cost, accuracy = teacher.costs[metric], teacher.validation_accuracy
    if not axes.holds(cost, accuracy):
        return Markup()
    x, y = axes.across(cost), axes.up(accuracy)
    text = f"teacher\n{percent(accuracy)} validation\n{cost:,} {METRICS[metric].title}"
    diamond = f"M{x:.1f},{y - 8:.1f} l8,8 l-8,8 l-8,-8 z"
    return tag("path", tag("title", text), d=diamond, class_="teacher tip")


def _best_label(axes: Axes, summary: Summary, metric: CostName) -> Markup:
    """Beside the ring, on a side where there is room, below or above the fewest points."""
    best = summary.best
    x, y = axes.across(best.costs[metric]), axes.up(best.accuracy)
    right = x < axes.left + axes.width * 0.75
    text = f"{summary.role}: {METRICS[metric].text(best.costs[metric])}, {percent(best.accuracy)}"
    start = x + 16 if right else x - 16 - LETTER * len(text)
    taken = [
        (axes.across(one.costs[metric]), axes.up(getattr(one, accuracy)))
        for one in summary.tried
        for accuracy in ("accuracy", "start_accuracy")
    ]

    def crowd(base: float) -> tuple[int, float]:
        inside = [start - 6 < px < start + LETTER * len(text) + 6 and base - 15 < py < base + 6
                  for px, py in taken]  # fmt: skip
        return sum(inside), abs(base - y)

    room = [y + down for down in (24, -14, 42, 60) if axes.top < y + down < axes.bottom]
    return tag(
        "text",
        text,
        x=x + (16 if right else -16),
        y=min(room or [y - 14], key=crowd),
        class_=f"best-label {_missed(best)} {'' if right else 'end'}",
    )


def _missed(one: Candidate) -> str:
    return "" if one.met else "missed"


def _is_best(summary: Summary, one: Candidate) -> bool:
    return bool(one.candidate == summary.best.candidate)


def number_of(summary: Summary, one: Candidate) -> int:
    """The place at which a candidate was tried, from 1: what `--take` goes by."""
    return 1 + next(
        place for place, other in enumerate(summary.tried) if other.candidate == one.candidate
    )


def describe(summary: Summary, one: Candidate) -> str:
    """A tried candidate in a few lines, for tooltips."""
    names = summary.modules
    pruned = [f"{n} {rate_text(r)}" for n, r in zip(names, one.rates, strict=True) if r]
    rows = [", ".join(pruned[i : i + 6]) for i in range(0, len(pruned), 6)]
    return "\n".join(
        [
            f"candidate {number_of(summary, one)}"
            + (f" ({summary.role})" if _is_best(summary, one) else ""),
            f"{percent(one.start_accuracy)} → {percent(one.accuracy)} validation",
            exact_text(one.costs),
            f"{one.steps:,} steps, {duration(one.seconds)}: {ENDINGS.get(one.reason, one.reason)}",
            *(rows or ["nothing pruned"]),
        ]
    )
