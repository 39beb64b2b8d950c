"""The page itself, top to bottom."""

from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from typing import Final, assert_never

from wootzc.builder.report.bars import stages, widths
from wootzc.builder.report.block_table import block_map
from wootzc.builder.report.grammar_drawing import grammar_dag
from wootzc.builder.report.markup import Markup, join, percent, points, tag
from wootzc.builder.report.scatter import scatter
from wootzc.builder.report.tables import blocks_table, candidates_table, counts, provenance
from wootzc.builder.report.training_curves import damage_curves, learning_curves
from wootzc.builder.result.chance import plus_minus
from wootzc.builder.result.summary import DeviceFigures, Int8Figures, Summary
from wootzc.builder.result.verdict import Kind, change, percent_of, share_text, verdict
from wootzc.files import seal_page
from wootzc.ir.net.metrics import METRICS, Metric
from wootzc.ir.plan import Plan

# Nothing may be loaded, from anywhere: a browser holds the page to being self-contained.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def report_html(summary: Summary, plan: Plan) -> str:
    """One self-contained page. `summary` is what `result.json` holds, `plan` the compiled plan."""
    title = f"{summary.space} – wootzc report"
    sections = _sections(summary, plan)
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", _asset("report.css")),
    )
    body = tag(
        "body",
        tag("main", _headline(summary, sections), *sections.values()),
        tag("div", id="tooltip", role="status", hidden="hidden"),
        tag("script", _asset("report.js")),
    )
    return seal_page(f"<!doctype html>\n{tag('html', head, body, lang='en')}\n")


def _sections(summary: Summary, plan: Plan) -> dict[str, Markup]:
    """Sections by the name that links call them, in order; without those that would be empty."""
    tried, used = len(summary.tried), len(summary.blocks.list)
    shown = summary.written
    sections = [
        (
            "cost",
            "Accuracy against cost",
            "Accuracy is on validation data, which chose the winner. "
            "Bars in the background: how the costs of all candidates are spread.",
            scatter(summary, plan),
        ),
        (
            "filters",
            "Filters kept in every module",
            f"Full length: the full network; filled: the {shown}. "
            "Several numbers are the prunable groups of one module.",
            widths(summary, plan),
        ),
        (
            "learning",
            "Learning curves",
            "Validation accuracy of every candidate while it was fine-tuned; thick: the "
            f"{shown}. What starts below the drawing is cut off. "
            "A curve leads to its row in the table.",
            learning_curves(summary),
        ),
        (
            "damage",
            "Damage of every module",
            "By how many nats the teacher's loss on validation images rises when one module alone "
            "is pruned and refitted; by the fraction of its filters that is removed, all on one "
            f"scale. Ringed: the rate in the {shown}.",
            damage_curves(summary),
        ),
        ("time", "Time and steps", "", stages(summary)),
        ("blocks", "Tuning blocks", _about_blocks(summary), block_map(summary, plan)),
        (
            "shared",
            "What the candidates share",
            "Sequitur's grammar of all candidates: a rule stands above the rules of its body; ×n: "
            "how often it occurs. The lowest row are modules at one rate.",
            grammar_dag(plan),
        ),
        (
            "tried",
            f"Candidates tried ({tried:,})",
            "By its number another of them becomes the best with wootzc build … --take, or another "
            "file with wootzc export … --candidate.",
            candidates_table(summary),
        ),
        (
            "used",
            f"Tuning blocks, made or found ({used:,})",
            "Loss: mean squared error against the teacher's activations.",
            blocks_table(summary),
        ),
        ("figures", "Where the figures come from", "", provenance(summary)),
    ]
    filled = {
        name: _section(name, title, about, content)
        for name, title, about, content in sections
        if content
    }
    unit = "1 MAC = one multiply and one add = 2 FLOPs; counts are for one image. "
    chance = "± is the half of a 95 % interval: what another draw of so many images may change."
    return filled | {"": tag("footer", unit, chance)}


def _section(name: str, title: str, about: str, content: Markup) -> Markup:
    lead = [tag("p", about, class_="about")] if about else []
    return tag("section", tag("h2", title), *lead, content, id=name)


# What the links at the top say; sections without a word here are further down the page.
LINKS: Final = {
    "cost": "accuracy and cost",
    "filters": "filters",
    "learning": "learning curves",
    "damage": "damage",
    "time": "time",
    "blocks": "blocks",
    "tried": "candidates tried",
    "figures": "provenance",
}


def _headline(summary: Summary, sections: Iterable[str]) -> Markup:
    best, teacher, data = summary.best, summary.teacher, summary.data
    kept = best.costs
    cards = [_cost_card(METRICS[name], full, kept[name]) for name, full in teacher.costs.items()]
    if summary.device is not None:
        cards += _device_cards(summary.device)
    if summary.int8 is not None:
        cards += _int8_cards(summary.int8)
    accuracies = [
        _accuracy_card(
            "Validation accuracy",
            (teacher.validation_accuracy, teacher.validation_error),
            (best.accuracy, best.error),
            data.validation,
        ),
        _accuracy_card(
            "Test accuracy",
            (teacher.test_accuracy, teacher.test_error),
            (best.test_accuracy, best.test_error),
            data.test,
        ),
    ]
    shown = set(sections)
    links = [tag("a", text, href=f"#{name}") for name, text in LINKS.items() if name in shown]
    return tag(
        "header",
        tag("p", "wootzc report", class_="kicker"),
        tag("h1", f"{summary.space} ", tag("small", f"over {summary.network}")),
        _verdict(summary),
        tag("div", *cards, class_="cards"),
        tag("div", *accuracies, class_="cards"),
        counts(summary),
        tag("nav", *links),
    )


def _verdict(summary: Summary) -> Markup:
    """Whether the objective is met, on which images, and if not, by how much it is missed."""
    best, target = summary.best, summary.target_accuracy
    objective = summary.objective.replace(">=", "≥").replace("<=", "≤")
    said = verdict(summary)
    taken = summary.taken
    who = "" if taken is None else f"Candidate {taken}, taken by hand: "
    match said.kind:
        case "met":
            spare = "" if target is None else points(best.accuracy - target).lstrip("+±")
            judged = summary.judgement  # which says below what there is to spare
            text = f"✓ {who}Objective met" + (f", {spare} to spare" if spare and not judged else "")
        case "doubtful":
            text = f"! {said.headline[0].upper()}{said.headline[1:]}"
        case "missed":
            short = 0.0 if target is None else target - best.accuracy
            by = f" by {points(short).lstrip('+')}" if short > 0 else ""
            text = f"✗ {who}Objective missed{by}" + ("; shown is the closest" * (taken is None))
        case _:
            assert_never(said.kind)
    lines = [tag("b", text), tag("span", objective, class_="asked")]
    if said.detail is not None:
        lines.append(tag("span", said.detail, class_="judged"))
    return tag("p", *lines, class_=f"verdict {SHADES[said.kind]}")


SHADES: Final[dict[Kind, str]] = {"met": "good", "doubtful": "doubt", "missed": "bad"}


def _cost_card(cost: Metric, full: int, kept: int) -> Markup:
    factor = change(cost, full, kept, "×", 2) if kept else "nothing left"
    return _card(
        cost.title[0].upper() + cost.title[1:],
        join([cost.text(full), tag("i", " → "), tag("b", cost.text(kept))]),
        f"{factor}, {percent_of(kept, full)} kept",
        f"{full:,} → {kept:,} {cost.unit}",
    )


def _device_cards(device: DeviceFigures) -> Iterator[Markup]:
    """Latency where it was measured."""
    before, after = device.before.latency, device.after.latency
    if before is None or after is None:
        return
    took = after.ratio * before.median
    figure = join([f"{before.median:.3g}", tag("i", " → "), tag("b", f"{took:.3g} ms")])
    yield _card(
        "Latency of an image",
        tag("span", figure, class_="bad") if device.slower else figure,
        f"{share_text(device)}, {device.on}",
        f"half of the readings: {before.low:.3g} to {before.high:.3g} ms, then {after.low:.3g} to "
        f"{after.high:.3g}; {after.ratio_low:.2f} to {after.ratio_high:.2f} of the time",
    )


def _int8_cards(int8: Int8Figures) -> Iterator[Markup]:
    """What quantising costs: all other accuracies of the best are those of int8."""
    for name, one in (("Int8, validation", int8.validation), ("Int8, test", int8.test)):
        figure = join([percent(one.float32), tag("i", " → "), tag("b", percent(one.int8))])
        exact = f"{one.images:,} images; calibrated on {int8.calibrated_on:,} of training"
        yield _card(name, figure, f"float32 → int8, {int8.on}", exact)


def _accuracy_card(
    name: str,
    teacher: tuple[float, float],  # accuracy, and its error
    best: tuple[float, float],
    images: int,
) -> Markup:
    (before, before_error), (after, after_error) = teacher, best
    figure = [percent(before), tag("i", plus_minus(before_error)), tag("i", " → ")]
    figure += [tag("b", percent(after)), tag("i", plus_minus(after_error))]
    return _card(
        name,
        join(figure),
        f"{points(after - before)} against the teacher, on {images:,} images",
        f"±, in points: what another draw of {images:,} images may change",
    )


def _card(name: str, figure: Markup, below: str, exact: str | None) -> Markup:
    figures = tag("p", figure, class_="figure", title=exact)
    return tag("div", tag("h3", name), figures, tag("p", below, class_="below"), class_="card")


def _about_blocks(summary: Summary) -> Markup:
    blocks = summary.blocks
    if not blocks.list:
        return Markup()
    text = (
        f": {blocks.planned:,} planned, {blocks.used:,} used. "
        "A bar spans the modules of one block, in the row of its rate; the fuller its "
        f"colour, the more candidates use it. Thick frames: blocks of the {summary.written}. "
        "Green: made in this build; violet: from the store; dashed: never needed."
    )
    return join(["Chosen by ", tag("code", f"blocks {blocks.method}"), text])


@cache
def _asset(name: str) -> Markup:
    return Markup((files("wootzc.builder.report") / name).read_text(encoding="utf-8"))
