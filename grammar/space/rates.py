"""Rates: which module may be pruned how far, and by which criterion."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from wootzc.diagnostics import Advice, Span, write
from wootzc.grammar import syntax
from wootzc.grammar.check.edits import remove
from wootzc.grammar.check.report import Report
from wootzc.grammar.check.statements import Statements
from wootzc.grammar.check.values import decimal_of, number_of
from wootzc.grammar.space.patterns import TRUNKS, matching, modules_of
from wootzc.grammar.space.width_rules import KINDS, divide_patterns
from wootzc.grammar.syntax.near_misses import did_you_mean, meant
from wootzc.ir.net.criteria import CRITERIA as JUDGINGS
from wootzc.ir.net.criteria import Criterion
from wootzc.ir.net.network import Network

CRITERIA: tuple[str, ...] = tuple(JUDGINGS)
MAX_RATES = 256  # a candidate holds rate positions as uint8
RATES = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9)  # where a file gives none
TRUNK_RATES = (0.0, 0.25, 0.5, 0.75)  # likewise

RateSpans = Mapping[float, Span]  # rates with the places where they stand


@dataclass(kw_only=True)
class StatedRates:
    """What statements say of one module or trunk; `rates` of None: whatever `configs` lists."""

    rates: RateSpans | None
    criterion: Criterion
    span: Span  # the statement that decides
    stated: bool = True  # or it is pruned only because the file says nothing of pruning
    stated_rates: bool = True  # or they are those of `RATES`
    each: bool = False  # every group of channels has one of its own


@dataclass(kw_only=True)
class SpaceRates:
    """`of_module` holds pruned modules only, by position; `kept` modules, and trunks behind."""

    of_module: dict[int, StatedRates] = field(default_factory=dict)
    kept: set[int] = field(default_factory=set)


def read_rate(number: syntax.Number, report: Report, *, all_of_it: bool = False) -> float | None:
    """A rate from 0 to below 1, or 1 where `all_of_it` may go; None after a mistake, told."""
    value = float(number_of(number.text))
    if 0 <= value < 1 or (value == 1 and all_of_it):
        return value
    text = number.text
    if value == 1:
        help = "a rate of 100% would remove every filter; the largest rates are just below"
    elif value < 100 and "%" not in text:
        help = Advice(f"did you mean {text}%? Rates are percentages or fractions", f"{text}%")
    else:
        help = "a rate is the fraction of filters removed: 30% or 0.3"
    report.error(
        number.span, "WZ041", f"the rate {text} is not in the range from 0 to below 1", help
    )
    return None


def read_rates(rates: syntax.Rates, report: Report) -> RateSpans | None:
    """The rates of a list; None after an error."""
    found: dict[float, Span] = {}
    good = True
    numbers = [one for one in rates.rates if isinstance(one, syntax.Number)]
    if sum(map(_lacks_sign, numbers)) > 1 and len(numbers) == len(rates.rates):
        # one mistake, not several
        whole = ", ".join(map(_with_sign, numbers))
        report.error(
            Span(numbers[0].span.file, numbers[0].span.start, numbers[-1].span.end),
            "WZ041", "rates are percentages, or fractions from 0 to below 1", write(whole),
        )  # fmt: skip
        return None
    for one in rates.rates:
        values = _rates_of(one, report)
        good = good and values is not None
        for value in values or ():
            if value in found:
                report.warn(
                    one.span, "WZ053",
                    f"the rate {one.text if isinstance(one, syntax.Number) else percent(value)} "
                    "stands twice in this list", remove(one.span, report, "remove one of them"),
                )  # fmt: skip
            else:
                found[value] = one.span
    if not rates.rates:
        report.error(
            rates.span, "WZ044", "this list of rates is empty", "as in `rates { 0, 30%, 50% }`"
        )
        return None
    if len(found) > MAX_RATES - 1:
        report.error(
            rates.span, "WZ052", f"{len(found)} rates are too many; at most 255 can be told apart",
            "leave out rates that hardly differ",
        )  # fmt: skip
        return None
    return found if good else None


def _lacks_sign(number: syntax.Number) -> bool:
    """Whether it must have been meant as a percentage: `30`."""
    return "%" not in number.text and 1 < number_of(number.text) < 100


def _with_sign(number: syntax.Number) -> str:
    return f"{number.text}%" if _lacks_sign(number) else number.text


def _rates_of(one: syntax.Number | syntax.RateRange, report: Report) -> tuple[float, ...] | None:
    """A rate, or all of a range; None after an error."""
    if isinstance(one, syntax.Number):
        value = read_rate(one, report)
        return None if value is None else (value,)
    parts = (one.first, one.last, one.step)
    if sum(map(_lacks_sign, parts)) > 1:
        low, high, by = map(_with_sign, parts)
        report.error(
            one.span, "WZ041", "rates are percentages, or fractions from 0 to below 1",
            write(f"{low}..{high} step {by}"),
        )  # fmt: skip
        return None
    if read_rate(one.first, report) is None or read_rate(one.last, report) is None:
        return None
    first, last, step = (decimal_of(n.text) for n in parts)
    if first > last or not 0 < step < 1:
        report.error(
            one.span, "WZ247", "a range of rates goes up, in steps above 0 and below 100%",
            write(f"{one.last.text}..{one.first.text} step {one.step.text}")
            if first > last and 0 < step < 1 else "as in `0..90% step 10%`",
        )  # fmt: skip
        return None
    if (last - first) / step >= MAX_RATES:
        report.error(
            one.span, "WZ052",
            f"these are too many rates; at most {MAX_RATES - 1} can be told apart",
            "take larger steps",
        )  # fmt: skip
        return None
    if (last - first) % step:
        reached = last - (last - first) % step
        report.warn(
            one.span, "WZ247",
            f"the steps miss {one.last.text}: the last rate is {percent(float(reached))}",
            write(
                f"{one.first.text}..{percent(float(reached))} step {one.step.text}",
                ", or other steps",
            ),
        )  # fmt: skip
    return tuple(float(first + k * step) for k in range(int((last - first) / step) + 1))


def read_prunes(
    prunes: Sequence[syntax.Prune],
    keeps: Iterable[syntax.Keep],
    default: RateSpans | None,
    network: Network,
    report: Report,
    trunks: Sequence[str] = (),  # that `keep` may name
    *,
    each: bool = False,  # of the default
) -> SpaceRates | None:
    """Later `prune` statements overrule earlier ones; `keep` overrules all. None after an error."""
    result = SpaceRates()
    owner: dict[int, syntax.Prune] = {}
    good = True
    for prune in prunes:
        positions = modules_of(prune.patterns, network, report)
        rates = read_rates(prune.rates, report) if prune.rates else default
        criterion = read_criterion(prune.criterion, report)
        if positions is None or criterion is None or (prune.rates and rates is None):
            good = False
            continue
        for position in positions:
            owner[position] = prune
            result.of_module[position] = StatedRates(
                rates=rates,
                criterion=criterion,
                span=prune.span,
                each=prune.rates.each if prune.rates else each,
            )
    for keep in keeps:
        named, kinds = divide_patterns(keep.patterns.named, network)
        patterns = replace(keep.patterns, named=tuple(named))
        whole: tuple[int, ...] | None = ()
        if named or not kinds:
            whole = modules_of(patterns, network, report, KINDS, trunks)
        if kinds and not named and keep.patterns.exceptions:
            good = False
            last = keep.patterns.exceptions[-1].span
            report.error(
                keep.patterns.exceptions[0].span, "WZ248",
                "`except` leaves out modules, and `keep` names a kind of layer here",
                remove(
                    Span(last.file, keep.patterns.exceptions[0].span.start, last.end), report,
                    "a kind of layer is kept in every module: remove `except …`",
                ),
            )  # fmt: skip
        good = good and whole is not None
        result.kept |= set(whole or ())
    for position in result.kept:
        result.of_module.pop(position, None)
    if not good:
        return None
    for prune in prunes if result.of_module else ():  # else nothing is pruned, as is said there
        if not any(owner[position] is prune for position in result.of_module):
            report.warn(
                prune.span, "WZ053", "this `prune` has no effect",
                "a later `prune` or a `keep` names all of its modules; remove one of them",
            )  # fmt: skip
    return result


def check_values(statements: Statements, network: str, report: Report) -> None:
    """Report rates, criteria and names of trunks that are wrong in any network."""
    if (rates := statements.one(syntax.Rates)) is not None:
        read_rates(rates, report)
    for one in statements.kept:
        if isinstance(one, syntax.Prune | syntax.Narrow):
            if one.rates is not None:
                read_rates(one.rates, report)
            read_criterion(one.criterion, report)
    for narrow in statements.all(syntax.Narrow):
        for pattern in (*narrow.patterns.named, *narrow.patterns.exceptions):
            if not matching(pattern, TRUNKS):
                report.error(
                    pattern.span, "WZ262", f"this names no trunk of network `{network}`",
                    "channels between its modules are called t1, t2, …, and all of them `t*`",
                )  # fmt: skip


def check_patterns(statements: Statements, names: Network | None, report: Report) -> None:
    """Report patterns that match no module, where only the names of modules are known."""
    if names is None:
        return
    for keep in statements.all(syntax.Keep):
        of_modules = divide_patterns(keep.patterns.named, names)[0]
        modules_of(replace(keep.patterns, named=tuple(of_modules)), names, report, KINDS)
    for statement in statements.kept:
        if isinstance(statement, syntax.Prune | syntax.Tie | syntax.WhereOrder | syntax.Skip):
            modules_of(statement.patterns, names, report)


def read_criterion(name: syntax.Name | None, report: Report) -> Criterion | None:
    """None after an error; l1 where nothing is said."""
    if name is None:
        return "l1"
    for criterion in JUDGINGS:
        if name.text == criterion:
            return criterion
    near = next((own for own, one in JUDGINGS.items() if name.text in one.aliases), None)
    report.error(
        name.span, "WZ058", f"there is no criterion `{name.text}`",
        meant(near) if near else did_you_mean(name.text, CRITERIA),
    )  # fmt: skip
    return None


def percent(rate: float) -> str:
    """A rate for a message: 0.985 is "98.5%"."""
    return f"{rate * 100:.6g}%"
