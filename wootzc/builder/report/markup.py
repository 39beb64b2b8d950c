"""HTML and SVG as text: elements that escape what they are given, and numbers people can read."""

import html
import math
from collections.abc import Iterable, Sequence
from typing import Final, get_args

from wootzc.ir.net.rate import Rate, Side, removed

VOID: Final = frozenset({"br", "input", "meta"})  # elements without an end tag
PREFIXES: Final = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


class Markup(str):
    """Text that is markup already; every other str is escaped on its way into an element."""

    __slots__ = ()


def tag(name: str, /, *children: str, **attributes: object) -> Markup:
    """`tag("b", "x < y", class_="c")`. `_` in a name reads as `-`; None leaves an attribute out."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(_value(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{join(children)}</{name}>")


def join(children: Iterable[str]) -> Markup:
    """Several children as one, each escaped unless it is markup."""
    return Markup("".join(c if isinstance(c, Markup) else html.escape(c) for c in children))


def table(head: Iterable[Markup], rows: Iterable[Markup], name: str) -> Markup:
    """A table that scrolls in its own box; `name` is read out by screen readers."""
    body = tag("thead", tag("tr", *head)), tag("tbody", *rows)
    return tag("div", tag("table", *body, aria_label=name, class_="sortable"), class_="scroll")


def cell(text: str, *, sort: float | str | None = None, class_: str | None = None) -> Markup:
    """A table cell; `sort`: what its column is sorted by, where the text would not do."""
    return tag("td", text, data_sort=sort, class_=class_)


def picture(
    *drawn: str,
    size: tuple[float, float],
    label: str,
    class_: str | None = None,
    fluid: bool = False,
) -> Markup:
    """A drawing, `size` in its own units. Fluid: as wide as the page allows, else in pixels."""
    width, height = size
    return tag(
        "svg",
        *drawn,
        width=None if fluid else round(width),
        height=None if fluid else round(height),
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        class_=class_,
        role="img",
        aria_label=label,
    )


def _value(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


# Numbers


def quantities(values: Sequence[float]) -> list[str]:
    """Evenly spaced numbers in one unit, with just the digits that tell them apart."""
    largest = max(map(abs, values), default=0)
    size, prefix = next(((s, f" {p}") for s, p in PREFIXES if largest >= s), (1.0, ""))
    step = (values[1] - values[0]) / size if len(values) > 1 else 0.01
    places = max(0, -math.floor(math.log10(step) + 1e-9))
    return [f"{value / size:.{places}f}{prefix}" for value in values]


def _three(value: float) -> str:
    places = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    return f"{value:.{places}f}"


def percent(fraction: float, places: int = 2) -> str:
    """A fraction in percent; a dash for what is not a number."""
    return f"{fraction:.{places}%}" if math.isfinite(fraction) else "–"


def fullness(value: Rate) -> float:
    """How much of a module a rate removes, for a colour: on the side that loses most."""
    return max(removed(value, side) for side in get_args(Side))


def points(difference: float) -> str:
    """A difference of two accuracies, signed, in percentage points."""
    if not math.isfinite(difference):
        return "–"
    text = f"{difference * 100:+.2f}"
    return ("±0.00" if float(text) == 0 else text.replace("-", "−")) + " points"


def duration(seconds: float) -> str:
    """0 s, 0.42 s, 12.3 s, 2 min 05 s, 1 h 02 min."""
    if seconds < 59.95:
        return "0 s" if seconds == 0 else f"{_three(seconds)} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
