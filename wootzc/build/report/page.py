"""The page itself, top to bottom."""

from functools import cache
from importlib.resources import files
from typing import Any

from wootzc.build.report.bars import stages, widths
from wootzc.build.report.blocks import block_map
from wootzc.build.report.dag import grammar_dag
from wootzc.build.report.markup import Markup, join, percent, points, quantity, tag
from wootzc.build.report.scatter import scatter
from wootzc.build.report.tables import blocks_table, candidates_table, counts, provenance
from wootzc.ir.plan import Plan

# Nothing may be loaded, from anywhere: a browser holds the page to being self-contained.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def report_html(summary: dict[str, Any], plan: Plan) -> str:
    """One self-contained page. `summary` is what `result.json` holds, `plan` the compiled plan."""
    title = f"{summary['space']} – wootzc report"
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
        tag("main", *_sections(summary, plan)),
        tag("div", id="tooltip", role="status", hidden="hidden"),
        tag("script", _asset("report.js")),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _sections(summary: dict[str, Any], plan: Plan) -> list[Markup]:
    return [
        _headline(summary),
        _section(
            "Accuracy against cost",
            "Accuracy is on validation data, which chose the winner. "
            "Bars in the background: how the costs of all candidates of the space are spread.",
            scatter(summary, plan),
        ),
        _section(
            "Filters kept in every module",
            "Full length: the full network; filled: the best network. "
            "Several numbers are the prunable groups of one module.",
            widths(summary, plan),
        ),
        _section("Time and steps", "", stages(summary)),
        _section("Tuning blocks", _about_blocks(summary), block_map(summary, plan)),
        *_grammar_section(plan),
        _section(f"Candidates tried ({len(summary['tried']):,})", "", candidates_table(summary)),
        *_blocks_section(summary),
        _section("Where the figures come from", "", provenance(summary)),
        tag("footer", "1 MAC = one multiply and one add = 2 FLOPs; counts are for one image."),
    ]


def _section(title: str, about: str, *content: Markup) -> Markup:
    lead = [tag("p", about, class_="about")] if about else []
    return tag("section", tag("h2", title), *lead, *content)


def _headline(summary: dict[str, Any]) -> Markup:
    best, teacher = summary["best"], summary["teacher"]
    cards = [
        _cost_card("Parameters", teacher["params"], best["params"]),
        _cost_card("MACs per image", teacher["macs"], best["macs"]),
        _accuracy_card("Validation accuracy", teacher["validation_accuracy"], best["accuracy"]),
        _accuracy_card("Test accuracy", teacher["test_accuracy"], best["test_accuracy"]),
    ]
    return tag(
        "header",
        tag("p", "wootzc report", class_="kicker"),
        tag("h1", f"{summary['space']} ", tag("small", f"over {summary['network']}")),
        _verdict(summary),
        tag("div", *cards, class_="cards"),
        counts(summary),
    )


def _verdict(summary: dict[str, Any]) -> Markup:
    """Whether the objective is met, and if not, by how much it is missed."""
    best, target = summary["best"], summary["target_accuracy"]
    objective = summary["objective"].replace(">=", "≥").replace("<=", "≤")
    asked = tag("span", objective, class_="asked")
    if summary["objective_met"]:
        spare = (
            "" if target is None else f", {points(best['accuracy'] - target).lstrip('+±')} to spare"
        )
        return tag("p", tag("b", f"✓ Objective met{spare}"), asked, class_="verdict good")
    by = "" if target is None else f" by {points(target - best['accuracy']).lstrip('+')}"
    text = f"✗ Objective missed{by}; shown is the closest"
    return tag("p", tag("b", text), asked, class_="verdict bad")


def _cost_card(name: str, full: int, kept: int) -> Markup:
    factor = f"{full / kept:.2f}× fewer" if kept else "nothing left"
    return _card(
        name,
        join([quantity(full), tag("i", " → "), tag("b", quantity(kept))]),
        f"{factor}, {percent(kept / full if full else 1.0, 1)} kept",
        f"{full:,} → {kept:,}",
    )


def _accuracy_card(name: str, teacher: float, best: float) -> Markup:
    return _card(
        name,
        join([percent(teacher), tag("i", " → "), tag("b", percent(best))]),
        f"{points(best - teacher)} against the teacher",
        None,
    )


def _card(name: str, figure: Markup, below: str, exact: str | None) -> Markup:
    figures = tag("p", figure, class_="figure", title=exact)
    return tag("div", tag("h3", name), figures, tag("p", below, class_="below"), class_="card")


def _about_blocks(summary: dict[str, Any]) -> Markup:
    blocks = summary["blocks"]
    if not blocks["list"]:
        return Markup()
    text = (
        f": {blocks['planned']:,} planned, {blocks['used']:,} used. "
        "A bar spans the modules of one block, in the row of its rate; darker is used by more "
        "candidates. Thick frames: blocks of the best network. "
        "Green: made in this build; violet: from the store; dashed: never needed."
    )
    return join(["Chosen by ", tag("code", f"blocks {blocks['method']}"), text])


def _grammar_section(plan: Plan) -> list[Markup]:
    drawing = grammar_dag(plan)
    if not drawing:
        return []
    about = (
        "Sequitur's grammar of all candidates: a rule stands above the rules of its body; ×n: how "
        "often it occurs. The lowest row are modules at one rate."
    )
    return [_section("What the candidates share", about, drawing)]


def _blocks_section(summary: dict[str, Any]) -> list[Markup]:
    if not summary["blocks"]["list"]:
        return []
    about = "Loss: mean squared error against the teacher's activations."
    count = len(summary["blocks"]["list"])
    return [_section(f"Blocks used ({count:,})", about, blocks_table(summary))]


@cache
def _asset(name: str) -> Markup:
    return Markup((files("wootzc.build.report") / name).read_text(encoding="utf-8"))
