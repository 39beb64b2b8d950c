"""The tables of the report: candidates tried, tuning blocks, and where the figures come from."""

import json
import math
from typing import Any, Final

from wootzc.build.report.markup import (
    Markup,
    cell,
    duration,
    percent,
    plural,
    rate,
    table,
    tag,
)

ENDINGS: Final = {
    "steps": "all steps",
    "target": "target reached",
    "patience": "no more gain",
    "diverged": "diverged",
}


def candidates_table(summary: dict[str, Any]) -> Markup:
    """Everything tried, in the order it was tried."""
    head = _head(
        "# in the order of trying",
        "candidate",
        "rates of the modules, first to last: darker is more pruned",
        "params",
        "of full",
        "MACs",
        "before",
        "after fine-tuning",
        "steps",
        "time",
        "ended by",
        "objective",
        "origin",
        short=("#", "no.", "rates", None, None, None, None, "after", None, None, None, None, None),
    )
    rows = [_candidate(summary, n, one) for n, one in enumerate(summary["tried"], start=1)]
    return table(head, rows, "Candidates tried")


def _candidate(summary: dict[str, Any], position: int, one: dict[str, Any]) -> Markup:
    best = one["candidate"] == summary["best"]["candidate"]
    full = max(summary["teacher"]["params"], 1)
    met = tag("span", "met", class_="good") if one["met"] else tag("span", "missed", class_="bad")
    return tag(
        "tr",
        number(position),
        number(one["candidate"]),
        cell(_strip(summary["modules"], one["rates"]), sort=sum(one["rates"])),
        number(one["params"]),
        cell(percent(one["params"] / full, 1), sort=one["params"], class_="n"),
        number(one["macs"]),
        _accuracy(one["start_accuracy"]),
        _accuracy(one["accuracy"]),
        number(one["steps"]),
        cell(duration(one["seconds"]), sort=one["seconds"], class_="n"),
        cell(ENDINGS.get(one["reason"], one["reason"])),
        cell(met),
        cell("store" if one["reused"] else "trained"),
        class_="best" if best else None,
    )


def _strip(names: list[str], rates: list[float]) -> Markup:
    """Rates as a strip of cells, darker where more is pruned."""
    pairs = [f"{name} {rate(value)}" for name, value in zip(names, rates, strict=True)]
    words = "\n".join(", ".join(pairs[i : i + 6]) for i in range(0, len(pairs), 6))
    size = 12 if len(rates) <= 16 else 7
    boxes = [
        tag("rect", x=i * size, y=0, width=size - 1, height=14, rx=1.5, fill_opacity=value)
        for i, value in enumerate(rates)
    ]
    width = max(size * len(rates), 1)
    return tag(
        "svg",
        tag("title", words),
        *boxes,
        width=width,
        height=14,
        viewBox=f"0 0 {width} 14",
        role="img",
        class_="strip tip",
    )


def blocks_table(summary: dict[str, Any]) -> Markup:
    """Tuning blocks that candidates were assembled from."""
    blocks = summary["blocks"]["list"]
    if not blocks:
        return Markup()
    head = _head(
        "block", "modules (rates)", "loss, first", "loss, last", "change", "steps", "time",
        "candidates tried that use it", "origin",
        short=("no.", None, None, None, None, None, None, "uses", None),
    )  # fmt: skip
    return table(head, [_block(block) for block in blocks], "Tuning blocks")


def _block(block: dict[str, Any]) -> Markup:
    first, last = block["loss_first"], block["loss_last"]
    usable = math.isfinite(first) and math.isfinite(last) and first > 0
    change = last / first - 1 if usable else math.nan
    text = f"{change:+.0%}".replace("-", "−") if usable else "–"
    return tag(
        "tr",
        number(block["block"]),
        cell(block["name"]),
        cell(f"{first:.3g}", sort=first, class_="n"),
        cell(f"{last:.3g}", sort=last, class_="n"),
        cell(text, sort=change if usable else 0.0, class_="n"),
        number(block["steps"]),
        cell(duration(block["seconds"]), sort=block["seconds"], class_="n"),
        number(block["uses"]),
        cell("store" if block["reused"] else "trained"),
    )


def provenance(summary: dict[str, Any]) -> Markup:
    """What the figures depend on: enough to get them again."""
    data, versions = summary["data"], dict(summary["versions"])
    command = versions.pop("command", "")
    entries = [
        ("command", tag("code", command)),
        ("seed", str(summary["seed"])),
        ("data", data["source"]),
        ("fingerprint", tag("code", str(data["fingerprint"]))),
        (
            "images",
            f"{data['train']:,} to train, {data['validation']:,} to validate, "
            f"{data['test']:,} to test (read once, for the final figures)",
        ),
        *((name, str(value)) for name, value in versions.items()),
    ]
    rows = [tag("div", tag("dt", name), tag("dd", value)) for name, value in entries if value]
    raw = tag("pre", json.dumps(summary["best"], indent=1, default=str))
    details = tag("details", tag("summary", "The best candidate's entry in result.json"), raw)
    return Markup(tag("dl", *rows, class_="facts") + details)


def counts(summary: dict[str, Any]) -> Markup:
    """One sentence: how much of the space was tried, and what that took."""
    tried, blocks = summary["candidates"], summary["blocks"]
    text = (
        f"Of {plural(tried['in_space'], 'candidate')} in the space, "
        f"{tried['within_cost_limits']:,} lie within its cost limits; "
        f"{tried['tried']:,} {'was' if tried['tried'] == 1 else 'were'} tried "
        f"and {tried['spared']:,} spared."
    )
    if blocks["used"]:
        text += (
            f" They were assembled {blocks['uses']:,} times from "
            f"{plural(blocks['used'], 'block')}: {blocks['trained']:,} trained in this build, "
            f"{blocks['from_store']:,} found in the store."
        )
    return tag("p", text)


def _accuracy(value: float) -> Markup:
    return cell(percent(value), sort=value, class_="n")


def number(value: int) -> Markup:
    return cell(f"{value:,}", sort=value, class_="n")


def _head(*names: str, short: tuple[str | None, ...]) -> list[Markup]:
    """Column headings; where there is a short form, the long one is the tooltip."""
    return [
        tag("th", brief or name, title=name if brief else None, scope="col", tabindex=0)
        for name, brief in zip(names, short, strict=True)
    ]
