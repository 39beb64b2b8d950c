"""Curves: accuracy while training, and what each module's pruning does to the teacher by itself."""

import math
from collections.abc import Iterable

from wootzc.builder.report.axes import Axes, widened
from wootzc.builder.report.markup import Markup, percent, picture, tag
from wootzc.builder.result.summary import Look, Summary, TriedFigures
from wootzc.ir.net.rate import Rate
from wootzc.units import rate_text

WIDTH, HEIGHT = 1000, 300  # of a drawing of learning curves, in its own units
MARGINS = 64, 132, 14, 52  # left, right, top, bottom; lines are named in the right one
SMALL_WIDTH, SMALL_HEIGHT = 176, 96  # of one module's damage
EDGES = 8, 8, 20, 18  # its margins


def learning_curves(summary: Summary) -> Markup:
    """Validation accuracy of every candidate by step of fine-tuning; empty where nobody looked."""
    curves = [
        (number, one, _looks(one.history)) for number, one in enumerate(summary.tried, start=1)
    ]
    curves = [curve for curve in curves if len(curve[2]) > 1]
    if not curves:
        return Markup()
    target, teacher = summary.target_accuracy, summary.teacher.validation_accuracy
    seen = [accuracy for _, _, looks in curves for _, accuracy in looks[1:]]
    low, high = widened([*seen, teacher, *([] if target is None else [target])], least=0.01)
    steps = max(looks[-1][0] for _, _, looks in curves)
    axes = Axes.inside((WIDTH, HEIGHT), MARGINS, x=(0, steps), y=(low, min(high, 1.0)))
    best = summary.best.candidate
    curves.sort(key=lambda curve: curve[1].candidate == best)  # the best on top
    drawing = picture(
        *axes.grid("steps of fine-tuning"),
        *axes.levels(teacher, target),
        *(
            _curve(axes, *curve, role=summary.role if curve[1].candidate == best else "")
            for curve in curves
        ),
        size=(WIDTH, HEIGHT),
        label="Validation accuracy by step of fine-tuning",
        fluid=True,
    )
    return tag("div", drawing, class_="curves")


def _looks(history: Iterable[Look]) -> list[tuple[int, float]]:
    """(step, accuracy) of every look at the validation images."""
    return [
        (look.step, look.accuracy)
        for look in history
        if look.accuracy is not None and math.isfinite(look.accuracy)
    ]


def _curve(
    axes: Axes,
    number: int,
    one: TriedFigures,
    looks: list[tuple[int, float]],
    *,
    role: str,  # of the one that was written; "" of others
) -> Markup:
    path = " L".join(f"{axes.across(step):.1f},{axes.up(value):.1f}" for step, value in looks)
    kind = ("met" if one.met else "miss") + (" best" if role else "")
    words = f"candidate {number}{f' ({role})' if role else ''}\n" + "\n".join(
        f"step {step:,}: {percent(value)}" for step, value in looks[-8:]
    )
    drawn = [tag("path", tag("title", words), d=f"M{path}", class_="curve tip")]
    drawn += [
        tag("circle", cx=axes.across(step), cy=axes.up(value), r=2.5, class_="look")
        for step, value in looks
        if axes.holds(step, value)
    ]
    return tag("a", *drawn, href=f"#candidate-{number}", class_=f"learning {kind}")


def damage_curves(summary: Summary) -> Markup:
    """A small drawing per module, all on one scale; empty where nothing was scored.

    Of rates that are one for all groups of a module.
    """
    damage = summary.damage or {}
    curves = {
        module: sorted(
            (float(r), nats) for r, nats in by_rate.items() if math.isfinite(nats) and "+" not in r
        )
        for module, by_rate in damage.items()
    }
    curves = {module: curve for module, curve in curves.items() if curve}
    if not curves:
        return Markup()
    chosen = {one.module: one.rate for one in summary.widths}
    tallest = max(max(nats for _, nats in curve) for curve in curves.values())
    widest = max(curve[-1][0] for curve in curves.values())
    ranges = {"x": (0.0, max(widest, 0.01)), "y": (0.0, max(tallest, 1e-9))}
    axes = Axes.inside((SMALL_WIDTH, SMALL_HEIGHT), EDGES, **ranges)
    drawn = [
        _damage(module, [(0.0, 0.0), *(p for p in curve if p[0])], chosen.get(module), axes)
        for module, curve in curves.items()
    ]
    return tag("div", *drawn, class_="damages")


def _damage(
    module: str, curve: list[tuple[float, float]], chosen: Rate | None, axes: Axes
) -> Markup:
    path = " L".join(f"{axes.across(x):.1f},{axes.up(y):.1f}" for x, y in curve)
    words = f"{module}\n" + "\n".join(f"{rate_text(x)}: {y:.3g} nats" for x, y in curve[1:])
    one = None if isinstance(chosen, tuple) else chosen
    at = next((y for x, y in curve if one is not None and abs(x - one) < 1e-9), None)
    drawn = [
        tag("text", module if len(module) <= 14 else module[:13] + "…", x=EDGES[0], y=13),
        tag("line", x1=axes.left, x2=axes.right, y1=axes.bottom, y2=axes.bottom, class_="axis"),
        tag("path", d=f"M{path}", class_="damage"),
        *(
            tag("circle", cx=axes.across(x), cy=axes.up(y), r=2.2, class_="damage")
            for x, y in curve
        ),
        tag("text", "0", x=axes.left, y=SMALL_HEIGHT - 4, class_="middle"),
        tag("text", rate_text(axes.x[1]), x=axes.right, y=SMALL_HEIGHT - 4, class_="end"),
    ]
    if at is not None and one is not None:
        x, y = axes.across(one), axes.up(at)
        drawn += [
            tag("circle", cx=x, cy=y, r=4.5, class_="ring"),
            tag("text", f"{rate_text(one)}: {at:.2g}", x=axes.right, y=13, class_="end best-label"),
        ]
    drawn.append(
        tag("rect", tag("title", words), x=0, y=0, width=SMALL_WIDTH, height=SMALL_HEIGHT,
            class_="cover tip")
    )  # fmt: skip
    size = SMALL_WIDTH, SMALL_HEIGHT
    return picture(*drawn, size=size, label=f"Damage of {module} by rate")
