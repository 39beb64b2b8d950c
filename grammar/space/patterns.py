"""Patterns → modules: which modules `a*`, `a1..b3` or `a[1..3]` stand for.

Where trunks may be meant too, a pattern stands for these if it names no module. They are numbered
behind the modules.
"""

import re
from collections.abc import Iterable, Sequence

from wootzc.diagnostics import Advice, Span, write
from wootzc.grammar import syntax
from wootzc.grammar.check.edits import add, remove
from wootzc.grammar.check.report import Report
from wootzc.grammar.check.statements import KEYWORDS
from wootzc.grammar.lower.module_targets import number_range
from wootzc.grammar.syntax.near_misses import meant, nearest
from wootzc.ir.net.network import Network
from wootzc.ir.net.trunk import trunks as trunks_of

_TRUNKS = re.compile(r"t[\d*?]+")
TRUNKS = [f"t{number}" for number in range(1, 1000)]  # as channels between modules are called
_PLACES = {"first": 0, "last": -1}  # words for what has a name
_EVERY = ("all", "everything", "every", "modules", "any", "layers", "network")


def modules_of(
    patterns: syntax.Patterns,
    network: Network,
    report: Report,
    also: tuple[str, ...] = (),  # words that might have been meant
    trunks: Sequence[str] = (),  # that may be meant
) -> tuple[int, ...] | None:
    """Positions, each once, in the order of the patterns. None after an error."""
    if _trunks_told(patterns, network, report, trunks):
        return None
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
                "such a module", remove(pattern.span, report),
            )  # fmt: skip
    return left


def _trunks_told(
    patterns: syntax.Patterns, network: Network, report: Report, trunks: Sequence[str]
) -> bool:
    """Report patterns that speak of channels between modules where all of these stay whole."""
    known = [module.name for module in network.modules]
    meant = [
        p for p in (*patterns.named, *patterns.exceptions)
        if _TRUNKS.fullmatch(p.glob.text) and not matching(p, known) and not matching(p, trunks)
    ]  # fmt: skip
    there = [trunk.name for trunk in trunks_of(network)] if meant else []
    if not there or report.is_guessed(network.span):
        return False
    text = report.sources.get(patterns.span.file, "")
    strange = [p for p in meant if not matching(p, there)]
    if strange:
        report.error(
            strange[0].span, "WZ040",
            f"`{text[strange[0].span.start : strange[0].span.end]}` matches no module of network "
            f"`{network.name}`, and no channels between them",
            f"channels between its modules: {listing(there)}",
        )  # fmt: skip
        return True
    names = ", ".join(text[p.span.start : p.span.end] for p in meant)
    end = patterns.span.end + (text[patterns.span.end : patterns.span.end + 1] == ")")
    statement = Span(patterns.span.file, patterns.span.start, end)
    word = re.compile(r"\w+(?=\s*$)").search(text, 0, patterns.span.start)
    place = Span(patterns.span.file, meant[0].span.start, meant[-1].span.end)
    if word is not None and word[0] == "prune":
        report.error(
            place, "WZ040", f"`prune` is about modules, and `{names}` are channels between them",
            write(f"narrow {names}", at=Span(place.file, word.start(), patterns.span.end))
            if len(meant) == len(patterns.named) else f"say of them: narrow {names}",
        )  # fmt: skip
        return True
    report.error(
        place, "WZ040", f"`{names}` are channels between modules, and all of these stay whole",
        add(f"narrow {names}", statement, report, f"say that they may go: narrow {names}"),
    )  # fmt: skip
    return True


def _except_outside(
    exceptions: Iterable[syntax.Pattern], network: Network, report: Report, trunks: Sequence[str]
) -> bool:
    """Report exceptions that seem to mean layers outside of modules, which none needs."""
    names = [*(module.name for module in network.modules), *trunks]
    outside = [
        p for p in exceptions
        if not p.last and not p.numbers and not set("*?") & set(p.glob.text)
        and p.glob.text not in (*KEYWORDS, *_PLACES) and nearest(p.glob.text, names) is None
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
    expression = expression_of(pattern.glob.text)
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
        return matching(pattern, names)
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
    if not (found := matching(pattern, names)):
        _no_match(pattern.glob.text, pattern, names, network, report, also)
        return None
    return found


def expression_of(glob: str) -> str:
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
    elif (
        by_place := named_by_place(
            text, names, "module; layers outside of modules are never pruned"
        )
    ) is not None:
        help = by_place
    elif of:
        help = write(", ".join(of), f": `{text}` is what these are made of")
    elif text != lower and any(re.fullmatch(expression_of(lower), name) for name in names):
        help = meant(lower)
    elif text in KEYWORDS:
        help = remove(
            Span(place.span.file, place.span.start, place.span.start), report,
            "the comma at the end of the line before goes on in this one: remove it",
        )  # fmt: skip
    elif text in plain:
        help = "layers outside of modules are never pruned: put them into a module"
    elif near is not None and "*" not in text:
        help = meant(near)
    elif names:
        help = f"its modules are {listing(names)}"
    else:
        help = "it has no modules: only layers inside of modules are pruned"
    report.error(
        place.span, "WZ040", f"`{text}` matches no module of network `{network.name}`", help
    )


def named_by_place(text: str, names: Sequence[str], what: str) -> Advice | None:
    """Advice on `keep first, last`, which stand for no place in the network."""
    if text not in _PLACES or not names:
        return None
    return write(names[_PLACES[text]], f", the {text} {what}")


def listing(names: list[str], most: int = 12) -> str:
    """Names for a message; the middle of a long list is left out."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[: most - 2])}, … {names[-1]}"
