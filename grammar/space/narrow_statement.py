"""`narrow` and `skip`: channels between modules that may go, and modules that may go whole."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from wootzc.grammar import syntax
from wootzc.grammar.check.report import Report
from wootzc.grammar.check.statements import Statements, keyword_of
from wootzc.grammar.lower.module_targets import number_range
from wootzc.grammar.space.patterns import listing, modules_of
from wootzc.grammar.space.prune_statement import Pruning
from wootzc.grammar.space.rates import MAX_RATES, RateSpans, percent, read_rates
from wootzc.ir.net.coupling import couple_network
from wootzc.ir.net.network import Network
from wootzc.ir.net.prune import kept_width
from wootzc.ir.net.rate import Rate
from wootzc.ir.net.skip import can_be_skipped
from wootzc.ir.net.trunk import Trunk, trunks
from wootzc.ir.space import Constraint, CostLimit
from wootzc.ir.space.narrow import narrowed

RATES = (0.0, 0.25, 0.5)  # of a trunk, where a file gives none


@dataclass(frozen=True, slots=True, kw_only=True)
class Posed:
    """What a `Space` says of its variables."""

    network: Network
    rates: tuple[Rate, ...]
    choices: tuple[tuple[int, ...], ...]
    criteria: tuple[Any, ...]
    constraints: tuple[Constraint, ...]


def read_narrow(
    statements: Sequence[syntax.Narrow], network: Network, report: Report
) -> Mapping[str, tuple[float, ...]] | None:
    """By trunk its rates; later statements overrule earlier ones. None after an error."""
    found: dict[str, tuple[float, ...]] = {}
    if not statements:
        return found
    known = trunks(network)
    good = True
    for statement in statements:
        rates: RateSpans | None = dict.fromkeys(RATES, statement.span)
        if statement.rates is not None:
            rates = read_rates(statement.rates, report)
        names = _trunks_of(statement.patterns, known, network, report)
        if rates is None or names is None:
            good = False
            continue
        for trunk in (one for one in known if one.name in names):
            good = _leaves_some(trunk, network, rates, report) and good
            found[trunk.name] = tuple(sorted(rates))
    return found if good else None


def read_skip(
    statements: Sequence[syntax.Skip], network: Network, report: Report
) -> frozenset[int] | None:
    """The modules that may be left out: of a pattern those that can be. None after an error."""
    found: set[int] = set()
    errors = report.errors
    for statement in statements:
        named = modules_of(statement.patterns, network, report)
        if named is None:
            continue
        can = {m for m in named if can_be_skipped(network.modules[m])}
        explicit = {pattern.glob.text for pattern in statement.patterns.named}
        wrong = [m for m in named if m not in can and network.modules[m].name in explicit]
        if wrong or not can:
            message = "none of these modules can be left out: no input can go on in its place"
            if wrong:
                name = network.modules[wrong[0]].name
                message = f"`{name}` cannot be left out: its input cannot go on in its place"
            report.error(
                statement.span, "WZ265", message,
                "skip modules that begin with a sum of their input and of what their layers make "
                "of it, add { … { } }, with no weights after it",
            )  # fmt: skip
        found |= can
    return frozenset(found) if report.errors == errors else None


def narrow_pruning(
    pruning: Pruning,
    narrow: Mapping[str, tuple[float, ...]],
    skip: frozenset[int],
    constraints: Sequence[Constraint],
    statements: Statements,
    report: Report,
) -> Posed | None:
    """The variables of the space, trunks among them. None after an error."""
    if not narrow and not skip:
        return Posed(
            network=pruning.network,
            rates=pruning.rates,
            choices=pruning.choices,
            criteria=pruning.criteria,
            constraints=tuple(constraints),
        )
    asked: list[syntax.Narrow | syntax.Skip] = [*statements.all(syntax.Narrow)]
    first = [*asked, *statements.all(syntax.Skip)][0]
    if (configs := statements.one(syntax.Configs)) is not None:
        report.error(
            configs.span, "WZ263",
            f"`configs` lists rates of modules, and `{keyword_of(first)}` asks for more",
            "leave out one of them: `sample 500` or `propose 500` take candidates of both kinds",
        )  # fmt: skip
        return None
    rule = pruning.multiple
    made = narrowed(
        pruning.network, pruning.rates, pruning.choices, narrow, rule.of, rule.least,
        skip - pruning.kept,
    )  # fmt: skip
    if len(made.rates) > MAX_RATES:
        report.error(
            first.span, "WZ264",
            f"a module would have {len(made.rates):,} choices, of its own rates and those of what "
            f"enters and leaves it; at most {MAX_RATES} can be told apart",
            "give fewer rates, to modules or here: narrow t* rates { 0, 50% }",
        )  # fmt: skip
        return None
    criteria: list[Any] = ["l1"] * len(made.network.modules)
    for place, criterion in zip(made.places, pruning.criteria, strict=True):
        criteria[place] = criterion
    return Posed(
        network=made.network,
        rates=made.rates,
        choices=made.choices,
        criteria=tuple(criteria),
        constraints=tuple(
            one
            if isinstance(one, CostLimit)
            else replace(one, modules=tuple(made.places[m] for m in one.modules))
            for one in constraints
        ),
    )


def _leaves_some(trunk: Trunk, network: Network, rates: RateSpans, report: Report) -> bool:
    """Whether each rate leaves channels in every group of the trunk."""
    groups = couple_network(network).groups
    for rate, span in rates.items():
        least = min((groups[g] for g in trunk.groups), key=lambda group: kept_width(group, rate))
        if kept_width(least, rate) == 0:
            report.error(
                span, "WZ042",
                f"the rate {percent(rate)} leaves no channel in trunk `{trunk.name}`, whose "
                f"smallest group has {least.width}", "use a smaller rate",
            )  # fmt: skip
            return False
    return True


def _trunks_of(
    patterns: syntax.Patterns, known: Sequence[Trunk], network: Network, report: Report
) -> set[str] | None:
    """The names that the patterns stand for; None after an error."""
    named = _matching(patterns.named, known, network, report)
    exceptions = _matching(patterns.exceptions, known, network, report)
    if named is None or exceptions is None:
        return None
    if not named - exceptions:
        report.error(
            patterns.span, "WZ248", "`except` leaves out every trunk that is named before it",
            "name fewer trunks after it",
        )  # fmt: skip
        return None
    return named - exceptions


def _matching(
    patterns: Iterable[syntax.Pattern], known: Sequence[Trunk], network: Network, report: Report
) -> set[str] | None:
    names = [trunk.name for trunk in known]
    found: set[str] = set()
    for pattern in patterns:
        mine = _names_of(pattern, names, report)
        if not mine:
            report.error(
                pattern.span, "WZ262",
                f"this names no trunk of network `{network.name}`",
                f"channels between its modules: {listing(names)}; `wootzc explain` shows them"
                if names else "no channels between its modules can go",
            )  # fmt: skip
            return None
        found |= mine
    return found


def _names_of(pattern: syntax.Pattern, names: Sequence[str], report: Report) -> set[str]:
    """t1, t*, t1..t3 or t[1..3]; empty where one of them is unknown."""
    if pattern.numbers is not None:
        numbers = number_range(pattern.numbers, "WZ046", report)
        wanted = {f"{pattern.glob.text}{number}" for number in numbers or ()}
        return wanted if wanted <= {*names} else set()
    if pattern.last is not None:
        if pattern.glob.text not in names or pattern.last.text not in names:
            return set()
        return {*names[names.index(pattern.glob.text) : names.index(pattern.last.text) + 1]}
    expression = re.escape(pattern.glob.text).replace(r"\*", ".*").replace(r"\?", ".")
    return {name for name in names if re.fullmatch(expression, name)}
