"""The block map: modules from left to right, tuning blocks as bars over the modules they span."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from wootzc.builder.report.markup import Markup, duration, fullness, picture, plural, tag
from wootzc.builder.result.summary import Summary
from wootzc.builder.search.tried import BlockUse
from wootzc.ir.net.rate import Rate, rate_of, rising, triple
from wootzc.ir.plan import Plan
from wootzc.units import rate_text

UNUSED_SHOWN: Final = 150  # with more blocks planned than this, only those in use are drawn
LABEL, ROW, GAP = 64, 24, 5
COLUMN_LEAST, COLUMN_MOST, WIDE = 27, 96, 910
FITTED: Final = 1050  # a map no wider than this shrinks with the window instead of scrolling
LETTER = 7.2  # pixels a letter takes, about


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One block of the map. `use` is its entry in the summary, None if no candidate needed it."""

    number: int
    start: int
    rates: tuple[Rate, ...]
    use: BlockUse | None

    @property
    def stop(self) -> int:
        return self.start + len(self.rates)


def block_map(summary: Summary, plan: Plan) -> Markup:
    """The map, or a sentence where there is nothing to draw."""
    bars = _bars(summary, plan)
    names = summary.modules
    if not bars or not names:
        return tag("p", "No tuning blocks: every candidate started from inherited weights.")
    column = min(max(WIDE / len(names), COLUMN_LEAST), COLUMN_MOST)
    slanted = max(map(len, names)) * LETTER > column - 6
    top = min(12 + max(map(len, names)) * LETTER * 0.62, 86) if slanted else 24.0
    drawn = [_column_name(n, i, column, top, slanted) for i, n in enumerate(names)]
    drawn += _best_row(summary, column, top)
    y = top + ROW + 14
    for title, lanes in _rows(bars):
        drawn.append(tag("text", title, x=LABEL - 10, y=y + 16, class_="end"))
        for lane in lanes:
            drawn += [_bar(summary, names, bar, column, y) for bar in lane]
            y += ROW
        y += GAP
    width = LABEL + column * len(names) + (60 if slanted else 10)
    drawing = picture(*drawn, size=(width, y), label="Tuning blocks by module and rate")
    return tag("div", drawing, class_="scroll map" + (" fits" if width <= FITTED else ""))


def _bars(summary: Summary, plan: Plan) -> list[Bar]:
    planned = plan.blocks or ()
    uses = {use.block: use for use in summary.blocks.list}
    return [
        Bar(
            number=number,
            start=block.start,
            rates=tuple(plan.space.rates[r] for r in block.rates),
            use=uses.get(number),
        )
        for number, block in enumerate(planned)
        if number in uses or len(planned) <= UNUSED_SHOWN
    ]


def _rows(bars: list[Bar]) -> list[tuple[str, list[list[Bar]]]]:
    """Blocks of one rate in rows named by it, whatever enters and leaves them; those of several
    rates below; no two overlap.
    """
    by_rate: dict[Rate, list[Bar]] = {}
    mixed: list[Bar] = []
    for bar in bars:
        inside = {_inside(rate) for rate in bar.rates}
        (by_rate.setdefault(inside.pop(), []) if len(inside) == 1 else mixed).append(bar)
    rows = [(rate_text(r), _lanes(by_rate[r])) for r in sorted(by_rate, key=rising)]
    return rows + ([("mixed", _lanes(mixed))] if mixed else [])


def _inside(rate: Rate) -> Rate:
    """The rate that there is room for: tips say what enters and leaves, too."""
    return rate_of(triple(rate)[0])


def _lanes(bars: Iterable[Bar]) -> list[list[Bar]]:
    """First fit, left to right: as few lanes as the most crowded module needs."""
    lanes: list[list[Bar]] = []
    for bar in sorted(bars, key=lambda bar: (bar.start, bar.stop, *map(rising, bar.rates))):
        lane = next((lane for lane in lanes if lane[-1].stop <= bar.start), None)
        if lane is None:
            lanes.append([bar])
        else:
            lane.append(bar)
    return lanes


def _column_name(name: str, position: int, column: float, top: float, slanted: bool) -> Markup:
    x, short = LABEL + column * (position + 0.5), name if len(name) <= 16 else name[:15] + "…"
    text = (tag("title", name), short)
    if slanted:
        turn = f"rotate(-40 {x:.1f} {top - 8:.1f})"
        return tag("text", *text, x=x, y=top - 8, transform=turn)
    return tag("text", *text, x=x, y=top - 8, class_="middle")


def _best_row(summary: Summary, column: float, top: float) -> list[Markup]:
    """The best network, module by module: the fuller the colour, the more is pruned."""
    drawn = [tag("text", "best", x=LABEL - 10, y=top + 16, class_="end best-label")]
    pairs = zip(summary.modules, summary.best.rates, strict=True)
    for position, (name, value) in enumerate(pairs):
        x = LABEL + column * position
        title = tag(
            "title", f"{name} in the {summary.written}\n{rate_text(value)} of its filters removed"
        )
        box = tag(
            "rect",
            title,
            **_box(x, top, column),
            class_="rate tip",
            fill_opacity=0.7 * fullness(value),
        )
        shown = rate_text(_inside(value))
        text = tag("text", shown, x=x + column / 2, y=top + 16, class_="middle small")
        drawn += [box, text]
    return drawn


def _bar(summary: Summary, names: Sequence[str], bar: Bar, column: float, y: float) -> Markup:
    x = LABEL + column * bar.start
    kind, opacity, text = _looks(summary, bar)
    modules = zip(names[bar.start : bar.stop], bar.rates, strict=True)
    title = tag("title", ", ".join(f"{n} {rate_text(r)}" for n, r in modules) + "\n" + text)
    box = _box(x, y, column * len(bar.rates))
    inside = [tag("rect", title, **box, class_=f"block {kind} tip", fill_opacity=opacity)]
    if len(set(map(_inside, bar.rates))) > 1:
        for position, value in enumerate(bar.rates):
            middle = x + column * (position + 0.5)
            shown = rate_text(_inside(value))
            inside.append(tag("text", shown, x=middle, y=y + 16, class_="middle small"))
    elif bar.use is not None:
        middle = x + column * len(bar.rates) / 2
        text = f"×{bar.use.uses}"
        inside.append(tag("text", text, x=middle, y=y + 16, class_="middle small"))
    return tag("g", *inside)


def _box(x: float, y: float, width: float) -> dict[str, float]:
    return {"x": x + 1.5, "y": y + 1.5, "width": width - 3, "height": ROW - 3, "rx": 4}


def _looks(summary: Summary, bar: Bar) -> tuple[str, float, str]:
    """Class, opacity and words for a block: its origin, and how often it was used."""
    if bar.use is None:
        return "unused", 0.0, "planned; no candidate tried needed it"
    most = max(use.uses for use in summary.blocks.list)
    kind = "stored" if bar.use.reused else "trained"
    if bar.number in summary.best.blocks:
        kind += " in-best"
    origin = "from the store" if bar.use.reused else "made in this build"
    learned = "refitted by least squares"
    if bar.use.steps:
        learned = (
            f"loss {bar.use.loss_first:.3g} → {bar.use.loss_last:.3g} "
            f"in {bar.use.steps:,} steps, {duration(bar.use.seconds)}"
        )
    words = (
        f"block {bar.number}, {origin}\n"
        f"used by {plural(bar.use.uses, 'candidate')} of those tried\n{learned}"
    )
    return kind, 0.15 + 0.6 * bar.use.uses / max(most, 1), words
