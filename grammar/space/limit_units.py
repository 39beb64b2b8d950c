"""Units of limits as other tools write them, and those of other metrics."""

import re
from decimal import Decimal

from wootzc.diagnostics import Advice, Span, write
from wootzc.grammar import syntax
from wootzc.grammar.check.values import decimal_of
from wootzc.grammar.syntax.near_misses import either
from wootzc.ir.net.metrics import METRICS, Metric

_SCALES = {"": "", "k": "k", "thousand": "k", "m": "M", "mio": "M", "million": "M",
           "millions": "M", "g": "G", "b": "G", "billion": "G", "t": "000G",
           "percent": "%", "pct": "%"}  # fmt: skip
_COUNTED = re.compile(r"([kmgt]?)(flops?|macs?|madds?|ops|params?|parameters|weights)", re.I)
# What stands for one unit and how many of it.
_WORDS: dict[str, tuple[Decimal | int, str]] = {
    **dict.fromkeys(("min", "mins", "minute", "minutes"), (60, "s")),
    **dict.fromkeys(("sec", "secs", "second", "seconds"), (1, "s")),
    **dict.fromkeys(("msec", "millisecond", "milliseconds"), (1, "ms")),
    **dict.fromkeys(("usec", "microsecond", "microseconds"), (1, "us")),
    **{f"{scale.lower()}bit{s}": (Decimal("0.125"), f"{scale}B")
       for scale in ("k", "M", "G") for s in ("", "s")},
    **{f"{word}{s}": (1, unit) for word, unit in (("kilobyte", "kB"), ("megabyte", "MB"),
       ("gigabyte", "GB"), ("kibibyte", "KiB"), ("mebibyte", "MiB")) for s in ("", "s")},
}  # fmt: skip


def unit_help(limit: syntax.PlainLimit, metric: Metric, name: Span) -> Advice | str:
    """What a limit of a metric, whose name is at `name`, was to be by its unknown unit."""
    assert limit.unit is not None
    number, unit = limit.number.text, limit.unit.text.lower()
    known = {scale.lower(): scale for scale in metric.scales}
    if unit in known:
        return write(f"{number} {known[unit]}", at=limit.span)
    if unit in _WORDS and _WORDS[unit][1] in metric.scales:
        factor, scale = _WORDS[unit]
        return write(f"{(decimal_of(number) * factor).normalize():f} {scale}", at=limit.span)
    if not known and unit in _SCALES:
        return write(number + _SCALES[unit], at=limit.span)
    if not known and (counted := _COUNTED.fullmatch(unit)) is not None:
        return _counted(number, counted[1], counted[2], limit.span, metric)
    others = [
        one.name for one in METRICS.values() if unit in map(str.lower, one.scales)
    ]  # in the order of the metrics
    if others:
        return Advice(f"did you mean {either(f'`{one}`' for one in others)}?", others[0], at=name)
    if unit in ("fps", "hz", "images") and "ms" in metric.scales and decimal_of(number) > 0:
        milliseconds = f"{1000 / decimal_of(number):.3g}"
        whole = Span(name.file, name.start, limit.span.end)
        return write(f"latency <= {milliseconds} ms", ", the time of one batch", at=whole)
    share = "as in `70%` of the full network, or "
    return share + (f"in {either(metric.scales)}" if known else "`10M`")


def _counted(number: str, scale: str, what: str, at: Span, metric: Metric) -> Advice:
    """`100 MFLOPs` → `50M` MACs."""
    halved = what.startswith("flop") and "flops" in metric.aliases
    value = decimal_of(number) / (2 if halved else 1)
    note = ": 1 MAC is 2 FLOPs" if halved else ""
    return write(f"{value.normalize():f}{_SCALES[scale]}", note, at=at)
