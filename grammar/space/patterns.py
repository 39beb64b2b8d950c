"""Patterns → modules: which modules `a*`, `a1..b3` or `a[1..3]` stand for.

Where trunks may be meant too, a pattern stands for these if it names no module. They are numbered
behind the modules.
"""

import re
from collections.abc import Iterable, Sequence

from wootzc.diagnostics import write
from wootzc.grammar import syntax
from wootzc.grammar.check.report import Report
from wootzc.grammar.lower.module_targets import number_range
from wootzc.grammar.syntax.near_misses import meant, nearest
from wootzc.ir.net.network import Network

# Statements that a comma left at the end of the line before would swallow.
CONTINUED = (
    "prune", "narrow", "skip", "keep", "tie", "where", "rates", "sample", "all", "data", "teacher",
    "seed", "minimize", "maximize", "subject", "blocks", "explore", "pretrain", "finetune",
    "polish",
)  # fmt: skip
_EVERY = ("all", "everything", "every", "modules", "any", "layers", "network")


def modules_of(
    patterns: syntax.Patterns,
    network: Network,
    report: Report,
    also: tuple[str, ...] = (),  # words that might have been meant
    trunks: Sequence[str] = (),  # that may be meant
) -> tuple[int, ...] | None:
    """Positions, each once, in the order of the patterns. None after an error."""
    named = _named(patterns.named, network, report, also, trunks)
    if _except_outside(patterns.exceptions, network, report, trunks):
        return None
    exceptions = _named(patterns.exceptions, network, report, (), trunks)
    if named is None or exceptions is None:
        return None
    left = tuple(position for position in named if position not in exceptions)
    if named and not left:
        report.error(
            patterns.span, "WZ248", "`except` leaves out every module that is named before it",
            "name fewer modules after it",
        )  # fmt: skip
        return None
    for pattern in patterns.exceptions:
        if set(_named([pattern], network, report, (), trunks) or ()).isdisjoint(named):
            report.warn(
                pattern.span, "WZ248", "this exception has no effect: no pattern before it names "
                "such a module", "remove it",
            )  # fmt: skip
    return left


def _except_outside(
    exceptions: Iterable[syntax.Pattern], network: Network, report: Report, trunks: Sequence[str]
) -> bool:
    """Report exceptions that seem to mean layers outside of modules, which none needs."""
    names = [*(module.name for module in network.modules), *trunks]
    outside = [
        p for p in exceptions
        if not p.last and not p.numbers and not set("*?") & set(p.glob.text)
        and p.glob.text not in CONTINUED and nearest(p.glob.text, names) is None
    ]  # fmt: skip
    for pattern in outside:
        report.error(
            pattern.span, "WZ040",
            f"`{pattern.glob.text}` is no module of network `{network.name}`",
            f"its modules are {listing(names)}; layers outside of them are never pruned, and need "
            "no exception",
        )  # fmt: skip
    return bool(outside)


def _named(
    patterns: Iterable[syntax.Pattern],
    network: Network,
    report: Report,
    also: tuple[str, ...] = (),
    trunks: Sequence[str] = (),
) -> tuple[int, ...] | None:
    found: list[int] = []
    good = True
    names = [module.name for module in network.modules]
    for pattern in patterns:
        behind = () if matching(pattern, names) else matching(pattern, trunks)
        positions = (
            tuple(len(names) + place for place in behind)
            if behind else _modules_of(pattern, network, report, also)
        )  # fmt: skip
        good = good and positions is not None
        found += [p for p in positions or () if p not in found]
    return tuple(found) if good else None


def matching(pattern: syntax.Pattern, names: Sequence[str]) -> tuple[int, ...]:
    """Where the names stand that a pattern stands for; () where one of its own is unknown."""
    if pattern.numbers is not None:
        first, last = pattern.numbers.first.text, pattern.numbers.last.text.lstrip(".")
        if not (first.isdecimal() and last.isdecimal()) or int(last) - int(first) > len(names):
            return ()
        wanted = [f"{pattern.glob.text}{n}" for n in range(int(first), int(last) + 1)]
        return tuple(map(names.index, wanted)) if {*wanted} <= {*names} else ()
    if pattern.last is not None:
        if pattern.glob.text not in names or pattern.last.text not in names:
            return ()
        return tuple(range(names.index(pattern.glob.text), names.index(pattern.last.text) + 1))
    expression = _expression(pattern.glob.text)
    return tuple(i for i, name in enumerate(names) if re.fullmatch(expression, name))


def _modules_of(
    pattern: syntax.Pattern, network: Network, report: Report, also: tuple[str, ...]
) -> tuple[int, ...] | None:
    names = [module.name for module in network.modules]
    if pattern.last is not None:
        ends = [_end(end, names, network, report) for end in (pattern.glob, pattern.last)]
        if ends[0] is None or ends[1] is None:
            return None
        if ends[0] > ends[1]:
            report.error(
                pattern.span, "WZ046",
                f"`{pattern.last.text}` comes before `{pattern.glob.text}` in the network",
                write(f"{pattern.last.text}..{pattern.glob.text}"),
            )  # fmt: skip
            return None
        return tuple(range(ends[0], ends[1] + 1))
    if pattern.numbers is not None:
        numbers = number_range(pattern.numbers, "WZ046", report)
        if numbers is None:
            return None
        base = pattern.glob.text
        missing = next((f"{base}{n}" for n in numbers if f"{base}{n}" not in names), None)
        if missing is not None:
            _no_match(missing, pattern, names, network, report)
            return None
        wanted = {f"{base}{number}" for number in numbers}
        return tuple(i for i, name in enumerate(names) if name in wanted)
    expression = _expression(pattern.glob.text)
    found = tuple(i for i, name in enumerate(names) if re.fullmatch(expression, name))
    if not found:
        _no_match(pattern.glob.text, pattern, names, network, report, also)
        return None
    return found


def _expression(glob: str) -> str:
    """The regular expression of a pattern."""
    return re.escape(re.sub(r"\*+", "*", glob)).replace(r"\*", ".*").replace(r"\?", ".")


def _end(end: syntax.Name, names: list[str], network: Network, report: Report) -> int | None:
    if end.text in names:
        return names.index(end.text)
    _no_match(end.text, end, names, network, report)
    return None


def _no_match(
    text: str,
    place: syntax.Pattern | syntax.Name,
    names: list[str],
    network: Network,
    report: Report,
    also: tuple[str, ...] = (),
) -> None:
    if report.is_guessed(network.span):
        return  # its modules may be called otherwise
    plain = {s.name for s in network.segments} - set(names)
    near = nearest(text.strip("*?"), (*names, *also))
    of = [m.name for m in network.modules if m.definition == text]
    lower = text.lower()
    help: str
    if text in _EVERY:
        help = write("*", " for all modules")
    elif of:
        help = write(", ".join(of), f": `{text}` is what these are made of")
    elif text != lower and any(re.fullmatch(_expression(lower), name) for name in names):
        help = meant(lower)
    elif text in CONTINUED:
        help = "the comma at the end of the line before goes on in this one: remove it"
    elif text in plain:
        help = "layers outside of modules are never pruned: put them into a module"
    elif near is not None and "*" not in text:
        help = meant(near)
    elif re.fullmatch(r"t[\d*?]+", text):
        help = f"if channels between modules are meant, say that they may go: narrow {text}"
    elif names:
        help = f"its modules are {listing(names)}"
    else:
        help = "it has no modules: only layers inside of modules are pruned"
    report.error(
        place.span, "WZ040", f"`{text}` matches no module of network `{network.name}`", help
    )


def listing(names: list[str], most: int = 12) -> str:
    """Names for a message; the middle of a long list is left out."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[: most - 2])}, … {names[-1]}"
