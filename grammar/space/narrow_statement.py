"""What makes rates more than numbers: `narrow`, channels between modules that may go; `skip`,
modules that may go whole; `each`, groups of channels with rates of their own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from math import prod
from typing import Any

import numpy as np

from wootzc.diagnostics import Advice, Span
from wootzc.grammar import syntax
from wootzc.grammar.check.edits import remove
from wootzc.grammar.check.report import Report
from wootzc.grammar.check.statements import Statements
from wootzc.grammar.space.patterns import listing, matching, modules_of, named_by_place
from wootzc.grammar.space.prune_statement import Pruning
from wootzc.grammar.space.rates import MAX_RATES, StatedRates, read_criterion, read_rates
from wootzc.ir.array import Array
from wootzc.ir.net.coupling import Group, couple_module
from wootzc.ir.net.network import Network, module_shapes
from wootzc.ir.net.prune import kept_width
from wootzc.ir.net.rate import Inside, Side, rate_of
from wootzc.ir.net.skip import SKIP, can_be_skipped
from wootzc.ir.net.trunk import Trunk
from wootzc.ir.space import Constraint, CostLimit, Listed, Ordered, RateLimit, Selection
from wootzc.ir.space.narrow import narrowed


def read_narrow(
    statements: Sequence[syntax.Narrow], known: Sequence[Trunk], network: Network, report: Report
) -> Mapping[str, StatedRates] | None:
    """By trunk its rates; later statements overrule earlier ones. None after an error."""
    found: dict[str, StatedRates] = {}
    good = True
    for statement in statements:
        rates = read_rates(statement.rates, report) if statement.rates else None
        if statement.rates and statement.rates.each:
            report.error(
                statement.span, "WZ272", "what stands side by side in a trunk has one rate",
                _without_each(statement.span, report),
            )  # fmt: skip
            good = False
        names = _trunks_of(statement.patterns, known, network, report)
        criterion = read_criterion(statement.criterion, report)
        if names is None or criterion is None or (statement.rates and rates is None):
            good = False
            continue
        found |= {
            name: StatedRates(rates=rates, criterion=criterion, span=statement.span)
            for name in names
        }
    return {t.name: found[t.name] for t in known if t.name in found} if good else None


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
    constraints: Sequence[Constraint],
    selection: Selection,
    statements: Statements,
    report: Report,
) -> dict[str, Any] | None:
    """What a `Space` says of its variables, trunks among them. None after an error."""
    modules = len(pruning.network.modules)
    asked: list[syntax.Narrow | syntax.Skip] = [*statements.all(syntax.Narrow)]
    asked += statements.all(syntax.Skip)
    if not asked and not pruning.each:
        return dict(
            network=pruning.network,
            rates=pruning.rates,
            choices=pruning.choices,
            criteria=pruning.criteria,
            constraints=tuple(constraints),
            selection=selection,
        )
    rule = pruning.multiple
    narrow = {
        trunk: [pruning.rates[p] for p in pruning.choices[place]]
        for trunk, place in pruning.trunks.items()
    }
    each = _each_group(pruning, constraints, report)
    if each is None:
        return None
    own = [tuple(p for p in choice if pruning.rates[p] != SKIP) for choice in pruning.choices]
    made = narrowed(
        pruning.network,
        pruning.rates,
        own[:modules],
        narrow,
        rule.of,
        rule.least,
        pruning.skip,
        pruning.trunk_criteria,
        each,
    )
    if len(made.rates) > MAX_RATES:
        report.error(
            asked[0].span if asked else next(iter(pruning.each.values())), "WZ264",
            f"a module would have {len(made.rates):,} choices, of its own rates and those of what "
            f"enters and leaves it; at most {MAX_RATES} can be told apart",
            "give fewer rates, to modules or here: narrow t* rates { 0, 50% }",
        )  # fmt: skip
        return None
    if isinstance(selection, Listed):
        rates = np.array(pruning.rates)[selection.rows.values]
        rows = [
            made.row(row[:modules], {t: row[place] for t, place in pruning.trunks.items()})
            for row in rates.tolist()
        ]
        selection = replace(selection, rows=Array(np.array(rows, dtype=np.uint8)))
    criteria: list[Any] = ["l1"] * len(made.network.modules)
    for place, criterion in zip(made.places, pruning.criteria, strict=True):
        criteria[place] = criterion
    places: list[tuple[int, Side]] = [(place, "inside") for place in made.places]
    at: dict[int, tuple[int, Side]] = dict(enumerate(places))
    at |= {place: (made.place(trunk), "leaving") for trunk, place in pruning.trunks.items()}
    for one in constraints:
        if not isinstance(one, CostLimit) and not {*one.modules} <= at.keys():
            report.error(
                one.span, "WZ266", "this speaks of a trunk that stays whole",
                f"of those that may be cut, {listing([*pruning.trunks])}; name others in `narrow`"
                if pruning.trunks else "`keep` names all those that `narrow` does",
            )  # fmt: skip
            return None
    return dict(
        network=made.network,
        rates=made.rates,
        choices=made.choices,
        criteria=tuple(criteria),
        constraints=tuple(_placed(one, at) for one in constraints),
        selection=selection,
    )


def _each_group(
    pruning: Pruning, constraints: Sequence[Constraint], report: Report
) -> Mapping[int, Sequence[Inside]] | None:
    """What may go inside of each module whose groups have rates of their own. None after an error.

    Rates that leave a group the same width are one choice of it.
    """
    found: dict[int, list[Inside]] = {}
    for m, span in pruning.each.items():
        module, shape = module_shapes(pruning.network)[m]
        mine = [one for one in constraints if not isinstance(one, CostLimit) and m in one.modules]
        if any(isinstance(one, Ordered) for one in mine):
            report.error(
                next(one.span for one in mine if isinstance(one, Ordered)), "WZ273",
                f"an order compares rates, and `{module.name}` has one for each of its groups",
                f"order other modules, or prune `{module.name}` without `each`",
            )  # fmt: skip
            return None
        limits = [one for one in mine if isinstance(one, RateLimit)]
        groups = couple_module(module, shape).groups
        inner = [group for group in groups if group.place is not None]
        rates = [pruning.rates[p] for p in pruning.choices[m] if pruning.rates[p] != SKIP]
        options = [_told_apart(group, rates, limits) for group in inner if not group.whole]
        count = prod(map(len, options))
        if count > MAX_RATES:
            report.error(
                span, "WZ271",
                f"`{module.name}` would have {count:,} choices, {len(options)} groups with rates "
                f"of their own; at most {MAX_RATES} can be told apart",
                f"give it fewer rates, or one for all: prune {module.name} rates {{ 0, 50% }}",
            )  # fmt: skip
            return None
        own: list[Inside] = [*rates]
        for some in product(*options):
            if len({*some}) > 1:
                left = iter(some)
                own.append(tuple(max(some) if g.whole else next(left) for g in inner))
        widths = {tuple(kept_width(g, rate_of(one)) for g in inner) for one in rates}
        found[m] = [
            one for one in own
            if not isinstance(one, tuple)
            or tuple(kept_width(g, rate_of(one)) for g in inner) not in widths
        ]  # fmt: skip
    return found


def _told_apart(group: Group, rates: Sequence[float], limits: Sequence[RateLimit]) -> list[float]:
    """Of rates that leave a group one width the smallest, unless a limit tells them apart."""
    smallest: dict[object, float] = {}
    for rate in rates:
        within = tuple(limit.holds(rate) for limit in limits)
        smallest.setdefault((kept_width(group, rate), within), rate)
    return [*smallest.values()]


def _placed(constraint: Constraint, at: Mapping[int, tuple[int, Side]]) -> Constraint:
    """A constraint on modules and trunks as one on the modules that are told of trunks."""
    if isinstance(constraint, CostLimit):
        return constraint
    modules, sides = zip(*(at[variable] for variable in constraint.modules), strict=True)
    inside = all(side == "inside" for side in sides)
    return replace(constraint, modules=modules, sides=() if inside else sides)


def _without_each(statement: Span, report: Report) -> Advice:
    start = report.sources[statement.file].rindex("each", statement.start, statement.end)
    words = "remove `each`: only groups of channels inside of modules may have rates of their own"
    return remove(Span(statement.file, start, start + len("each")), report, words)


def _trunks_of(
    patterns: syntax.Patterns, known: Sequence[Trunk], network: Network, report: Report
) -> set[str] | None:
    """The names that the patterns stand for; None after an error."""
    names = [trunk.name for trunk in known]
    both = patterns.named, patterns.exceptions
    strange = [next((p for p in some if not matching(p, names)), None) for some in both]
    for pattern in filter(None, strange):
        report.error(
            pattern.span, "WZ262",
            f"this names no trunk of network `{network.name}`",
            named_by_place(pattern.glob.text, names, "trunk")
            or f"channels between its modules: {listing(names)}; `wootzc explain` shows them"
            if names else "no channels between its modules can go",
        )  # fmt: skip
    if any(strange):
        return None
    named, without = ({names[place] for p in some for place in matching(p, names)} for some in both)
    if not named - without:
        report.error(
            patterns.span, "WZ248", "`except` leaves out every trunk that is named before it",
            "name fewer trunks after it",
        )  # fmt: skip
        return None
    return named - without
