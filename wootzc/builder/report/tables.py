"""The tables of the report: candidates tried, tuning blocks, and where the figures come from."""

import json
import math
from collections.abc import Sequence
from typing import Final

from wootzc.builder.report.markup import (
    Markup,
    cell,
    duration,
    fullness,
    join,
    percent,
    plural,
    table,
    tag,
)
from wootzc.builder.result.chance import plus_minus
from wootzc.builder.result.summary import Summary, TriedFigures, to_json
from wootzc.builder.result.verdict import blocks_origin, ending
from wootzc.builder.search.tried import BlockUse
from wootzc.ir.net.metrics import METRICS, Metric
from wootzc.ir.net.rate import Rate
from wootzc.units import rate_text

STRIP: Final = 104  # pixels: the table has to go into a card of 900
ENDINGS: Final = {
    "steps": "all steps",
    "target": "target reached",
    "patience": "no more gain",
    "paused": "paused",
    "polished": "polished",
    "diverged": "diverged",
}


def candidates_table(summary: Summary) -> Markup:
    """Everything tried, in the order it was tried."""
    first, *others = _costs(summary)
    head = [
        heading("#", "in the order of trying: what --take and --candidate go by", number=True),
        heading(
            "rates", "of the modules, first to last: the fuller the colour, the more is pruned"
        ),
        heading(first.heading, first.hint, number=True),
        heading("of full", number=True),
        *(heading(one.heading, one.hint, number=True) for one in others),
        heading("before", "validation accuracy before fine-tuning", number=True),
        *(
            [heading("expected", "accuracy after fine-tuning, before it was tried", number=True)]
            if _is_predicted(summary)
            else []
        ),
        heading("after", "validation accuracy after fine-tuning", number=True),
        heading("objective"),
        heading("steps", "of fine-tuning and polishing", number=True),
        heading("time", "of fine-tuning and polishing", number=True),
        heading("ended by", "store: an earlier build tried it"),
    ]
    rows = [_candidate(summary, n, one) for n, one in enumerate(summary.tried, start=1)]
    return table(head, rows, "Candidates tried")


def _candidate(summary: Summary, position: int, one: TriedFigures) -> Markup:
    best = one.candidate == summary.best.candidate
    main, *others = _costs(summary)
    first, full = main.name, max(summary.teacher.costs[main.name], 1)
    reason, row = str(one.reason), f"row {one.candidate:,} of the plan's candidates"
    met = tag("span", "met", class_="good") if one.met else tag("span", "missed", class_="bad")
    return tag(
        "tr",
        cell(tag("span", str(position), title=row), sort=position, class_="n"),
        cell(_strip(summary.modules, one.rates), sort=sum(map(fullness, one.rates))),
        cell(main.text(one.costs[first]), sort=one.costs[first], class_="n"),
        cell(percent(one.costs[first] / full, 1), sort=one.costs[first], class_="n"),
        *(
            cell(each.text(one.costs[each.name]), sort=one.costs[each.name], class_="n")
            for each in others
        ),
        _accuracy(one.start_accuracy),
        *([_accuracy(one.forecast.accuracy)] if one.forecast else []),
        cell(percent(one.accuracy) + plus_minus(one.error), sort=one.accuracy, class_="n"),
        cell(met),
        number(one.steps),
        cell(duration(one.seconds), sort=one.seconds, class_="n"),
        cell(ENDINGS.get(reason, reason) + " (store)" * one.reused, class_="words"),
        class_="best" if best else None,
        id=f"candidate-{position}",
    )


def _costs(summary: Summary) -> list[Metric]:
    """First the one that candidates are compared by."""
    first, known = summary.metric, summary.teacher.costs
    return [first, *(METRICS[name] for name in known if name != first.name)]


def _is_predicted(summary: Summary) -> bool:
    return all(one.forecast for one in summary.tried)


def _strip(names: Sequence[str], rates: Sequence[Rate]) -> Markup:
    """Rates as a strip of cells, fuller in colour where more is pruned."""
    pairs = [f"{name} {rate_text(value)}" for name, value in zip(names, rates, strict=True)]
    words = "\n".join(", ".join(pairs[i : i + 6]) for i in range(0, len(pairs), 6))
    size = min(max(STRIP // max(len(rates), 1), 4), 12)
    boxes = [
        tag(
            "rect", x=i * size, y=0, width=size - 1, height=14, rx=1.5, fill_opacity=fullness(value)
        )
        for i, value in enumerate(rates)
    ]
    width = max(size * len(rates), 1)
    return tag(
        "svg",
        tag("title", words),
        *boxes,
        width=min(width, STRIP),
        height=14,
        viewBox=f"0 0 {width} 14",
        preserveAspectRatio="none",
        role="img",
        class_="strip tip",
    )


def blocks_table(summary: Summary) -> Markup:
    """Tuning blocks that candidates were assembled from."""
    blocks = summary.blocks.list
    if not blocks:
        return Markup()
    head = [
        heading("no.", "position in the plan's blocks", number=True),
        heading("modules (rates)"),
        heading("loss, first", number=True),
        heading("loss, last", number=True),
        heading("change", number=True),
        heading("steps", number=True),
        heading("time", number=True),
        heading("uses", "candidates tried that have this block", number=True),
        heading("origin"),
    ]
    return table(head, [_block(block) for block in blocks], "Tuning blocks")


def _block(block: BlockUse) -> Markup:
    first, last = (
        math.nan if loss is None else loss for loss in (block.loss_first, block.loss_last)
    )
    usable = math.isfinite(first) and math.isfinite(last) and first > 0
    change = last / first - 1 if usable else math.nan
    text = f"{change:+.0%}".replace("-", "−") if usable else "–"
    return tag(
        "tr",
        number(block.block),
        cell(block.name),
        _loss(first),
        _loss(last),
        cell(text, sort=change if usable else 0.0, class_="n"),
        number(block.steps),
        cell(duration(block.seconds), sort=block.seconds, class_="n"),
        number(block.uses),
        cell("store" if block.reused else "trained" if block.steps else "refitted"),
    )


def _loss(value: float) -> Markup:
    """Blocks that took no step have none."""
    known = math.isfinite(value)
    return cell(f"{value:.3g}" if known else "–", sort=value if known else 0.0, class_="n")


def provenance(summary: Summary) -> Markup:
    """What the figures depend on: enough to get them again."""
    data, versions = summary.data, dict(summary.versions)
    command = versions.pop("command", "")
    entries = [
        ("command", tag("code", command)),
        ("seed", str(summary.seed)),
        ("data", data.source),
        ("fingerprint", tag("code", str(data.fingerprint))),
        (
            "images",
            f"{data.train:,} to train, {data.validation:,} to validate, "
            f"{data.test:,} to test (read once, for the final figures)",
        ),
        *((name, str(value)) for name, value in versions.items()),
    ]
    rows = [tag("div", tag("dt", name), tag("dd", value)) for name, value in entries if value]
    raw = tag("pre", json.dumps(to_json(summary.best), indent=1))
    details = tag("details", tag("summary", "The best candidate's entry in result.json"), raw)
    return join([tag("dl", *rows, class_="facts"), details])


def counts(summary: Summary) -> Markup:
    """How much of the space was tried, and from what."""
    tried, blocks = summary.candidates, summary.blocks
    text = f"Of {plural(tried.in_space, 'candidate')}, "
    if tried.within_cost_limits != tried.in_space:
        text += f"{tried.within_cost_limits:,} lie within the objective's cost limits; "
    verb = "was" if tried.tried == 1 else "were"
    text += f"{tried.tried:,} {verb} tried and {tried.spared:,} spared."
    if blocks.used:
        text += (
            f" Those tried were put together from {plural(blocks.used, 'block')} "
            f"({blocks_origin(summary)}), each used {blocks.uses / blocks.used:.1f} times on "
            "average."
        )
        if blocks.unused:  # of candidates that were assembled, looked at and left
            text += f" {plural(blocks.unused, 'more block')} went into none of them."
    how = ending(summary)
    if how:
        text += f" How the search ended: {how}."
    return tag("p", text)


def _accuracy(value: float) -> Markup:
    return cell(percent(value), sort=value, class_="n")


def number(value: int) -> Markup:
    return cell(f"{value:,}", sort=value, class_="n")


def heading(text: str, about: str | None = None, *, number: bool = False) -> Markup:
    """A column heading; `about` is its tooltip, `number` puts it to the right."""
    side = "n" if number else None
    return tag("th", text, title=about, scope="col", tabindex=0, class_=side)
