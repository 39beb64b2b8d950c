"""What may be pruned how far: `rates`, `prune`, `keep` and what the rows of `configs` imply."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from wootzc.diagnostics import Span
from wootzc.grammar import syntax
from wootzc.grammar.check.report import Report
from wootzc.grammar.check.statements import Statements
from wootzc.grammar.lower.resolved import by_patterns
from wootzc.grammar.space.configs import ListedRow, read_rows
from wootzc.grammar.space.prunable import check_channels, check_filters
from wootzc.grammar.space.rates import (
    RATES,
    TRUNK_RATES,
    SpaceRates,
    StatedRates,
    percent,
    read_prunes,
    read_rates,
)  # fmt: skip
from wootzc.grammar.space.width_rules import Multiple, check_kinds, with_rules
from wootzc.ir.net.criteria import Criterion
from wootzc.ir.net.network import Network
from wootzc.ir.net.skip import SKIP
from wootzc.ir.net.trunk import Trunk
from wootzc.ir.space import Constraint
from wootzc.ir.space.equal_rates import chosen_rates


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruning:
    """`choices`: the smallest of the rates that leave equal widths, for each variable: those are
    the modules, and then the trunks of the network where any is narrowed.
    """

    network: Network  # with what `keep` and `multiple of` say of its modules
    rates: tuple[float, ...]
    choices: tuple[tuple[int, ...], ...]
    chosen: tuple[Mapping[int, int], ...]  # for each variable: every rate it may have → its choice
    criteria: tuple[Any, ...]  # per module
    rows: list[ListedRow] | None
    multiple: Multiple
    trunks: Mapping[str, int]  # those that are narrowed: which variables they are
    trunk_criteria: Mapping[str, Criterion]
    skip: frozenset[int]  # modules that may be left out
    each: Mapping[int, Span]  # modules whose groups have rates of their own, and where that stands


def read_pruning(
    statements: Statements,
    network: Network,  # with the rules of its modules
    multiple: Multiple,
    known: Sequence[Trunk],
    narrow: Mapping[str, StatedRates],
    skip: Collection[int],
    constraints: Sequence[Constraint],
    definition: syntax.SpaceDefinition,
    report: Report,
    *,
    file: str | None,  # that the network was read from
    complete: bool,
) -> Pruning | None:
    """The rates that each module may have, by `rates`, `prune` and `configs`; None after a mistake.

    Mistakes go to `report`; `complete`: the network was understood whole, so what it lacks is one.
    """
    stated = statements.one(syntax.Rates)
    default = read_rates(stated, report) if stated else None
    everywhere = definition.name.span
    prunes = statements.all(syntax.Prune)
    configs = statements.one(syntax.Configs)
    names = [module.name for module in network.modules]
    trunks = [trunk.name for trunk in known]
    each = stated is not None and stated.each
    pruned = read_prunes(
        prunes, statements.all(syntax.Keep), default, network, report, trunks, each=each
    )
    if pruned is not None:
        kept = {trunks[place - len(names)] for place in pruned.kept if place >= len(names)}
        narrow = {name: rates for name, rates in narrow.items() if name not in kept}
        skip = {*skip} - pruned.kept
        pruned.kept &= {*range(len(names))}
    rows = None
    if configs:
        rows = read_rows(configs, names, report, trunks=[*narrow], skips=bool(skip))
    if (stated and default is None) or pruned is None or (configs and rows is None):
        return None
    if not prunes:
        pruned.of_module = {
            m: StatedRates(
                rates=default, criterion="l1", span=configs.span if configs else everywhere,
                stated=configs is not None, each=each,
            )
            for m in range(len(names)) if m not in pruned.kept
        }  # fmt: skip
    for module, of_module in pruned.of_module.items():
        if of_module.rates is None and rows is not None and configs is not None:
            column = {row.rates[module] for row in rows} - {SKIP}
            of_module.rates = dict.fromkeys(sorted(column), configs.span)
        elif of_module.rates is None:
            of_module.rates = dict.fromkeys(RATES, everywhere)
            of_module.stated_rates = False
    others = bool(narrow or skip)  # variables beside the rates of modules
    narrow = _with_rates(narrow, rows, len(names))
    if prunes and not pruned.of_module and pruned.kept == set(range(len(names))) and not others:
        report.error(
            statements.all(syntax.Keep)[0].span, "WZ044",
            "this keeps every module, so that nothing is left to prune",
            "keep only the modules that should stay whole, as in `keep a1`",
        )  # fmt: skip
        check_kinds(statements.all(syntax.Keep), network, pruned.of_module, report)
        return None
    errors = report.errors
    own = [of_module.rates or {} for of_module in pruned.of_module.values()]
    if own and not others and rows is None and all(rates.keys() == {0.0} for rates in own):
        report.warn(
            next(iter(own[0].values())), "WZ346",
            "no rate is above 0, so that nothing is pruned", "as in `rates { 0, 30%, 50% }`",
        )  # fmt: skip
    check_filters(network, pruned, report, file)
    check_channels(network, [t for t in known if t.name in narrow], narrow, report)
    if not pruned.of_module and not prunes and complete and names and not others:
        report.error(
            keeps[0].span if (keeps := statements.all(syntax.Keep)) else everywhere, "WZ044",
            f"space `{definition.name.text}` prunes nothing",
            f"`keep` names every module of network `{network.name}` that has filters to remove"
            if pruned.kept
            else by_patterns(file) if file
            else f"the modules of network `{network.name}` have no inner layers whose filters "
            "could go",
        )  # fmt: skip
    if report.errors == errors:
        check_kinds(statements.all(syntax.Keep), network, pruned.of_module, report)
    if report.errors > errors:
        return None
    table = _table(pruned, default, network, constraints, rows, multiple, known, narrow, skip)
    _note_equal(pruned, table, constraints, report)
    return table


def _table(
    pruned: SpaceRates,
    default: Iterable[float] | None,
    network: Network,
    constraints: Sequence[Constraint],
    rows: list[ListedRow] | None,
    multiple: Multiple,
    known: Sequence[Trunk],
    narrow: Mapping[str, StatedRates],
    skip: Collection[int],
) -> Pruning:
    """One table of rates for the space: ascending, 0 first, and each variable's positions in it."""
    modules = range(len(network.modules))
    places = {trunk.name: len(modules) + place for place, trunk in enumerate(known)}
    own = {m: of_module.rates or {} for m, of_module in pruned.of_module.items()}
    own |= {places[name]: of_trunk.rates or {} for name, of_trunk in narrow.items()}
    every = {0.0, *(default or ()), *(rate for spans in own.values() for rate in spans)}
    rates = tuple(sorted(every | ({SKIP} if skip else set())))
    allowed = tuple(
        tuple(rates.index(rate) for rate in sorted(own.get(variable, (0.0,))))
        for variable in (*modules, *places.values())
    )
    rule = multiple.of, multiple.least
    chosen = [*chosen_rates(network, rates, allowed, constraints, *rule)]
    for module in skip:  # nothing else leaves as little
        chosen[module] = {**chosen[module], len(rates) - 1: len(rates) - 1}
    criteria = {m: of_module.criterion for m, of_module in pruned.of_module.items()}
    return Pruning(
        trunks={name: places[name] for name in narrow},
        trunk_criteria={name: of_trunk.criterion for name, of_trunk in narrow.items()},
        skip=frozenset(skip),
        each={m: one.span for m, one in pruned.of_module.items() if one.each},
        network=network,
        rates=rates,
        choices=tuple(tuple(sorted(set(of_module.values()))) for of_module in chosen),
        chosen=tuple(chosen),
        criteria=tuple(criteria.get(m, "l1") for m in modules),
        rows=rows,
        multiple=multiple,
    )


def _with_rates(
    narrow: Mapping[str, StatedRates], rows: Sequence[ListedRow] | None, modules: int
) -> Mapping[str, StatedRates]:
    """Each trunk with its own rates, what `configs` lists, or those where a file gives none."""
    found: dict[str, StatedRates] = {}
    for place, (name, of_trunk) in enumerate(narrow.items(), modules):
        column = TRUNK_RATES if rows is None else sorted({row.rates[place] for row in rows})
        rates = of_trunk.rates or dict.fromkeys(column, of_trunk.span)
        found[name] = replace(of_trunk, rates=rates)
    return found


def _note_equal(
    pruned: SpaceRates, table: Pruning, constraints: Sequence[Constraint], report: Report
) -> None:
    """Say which of the rates that were asked for are no choice of their own in any module."""
    stands: dict[Span, list[tuple[int, int]]] = {}  # where → modules and positions
    for m, of_module in pruned.of_module.items():
        for rate, span in (of_module.rates or {}).items() if of_module.stated_rates else ():
            stands.setdefault(span, []).append((m, table.rates.index(rate)))
    for span, places in stands.items():
        if any(table.chosen[m][position] == position for m, position in places):
            continue
        m, position = places[0]
        rate, other = (table.rates[p] for p in (position, table.chosen[m][position]))
        where = f"module `{table.network.modules[m].name}`"
        report.note(
            span, "WZ059",
            f"the rate {percent(rate)} is no choice of its own: it leaves {where} the same widths "
            f"as {percent(other)}" + (", and others likewise" if len(places) > 1 else ""),
            _why_same(table, m, position, constraints),
        )  # fmt: skip


def _why_same(table: Pruning, m: int, position: int, constraints: Sequence[Constraint]) -> str:
    """What makes rates leave equal widths: few filters, or the `multiple` that they end on."""
    free = with_rules(table.network, {}, Multiple(1))
    allowed = [tuple(p for p in chosen if table.rates[p] != SKIP) for chosen in table.chosen]
    if chosen_rates(free, table.rates, allowed, constraints)[m][position] != position:
        return "its layers are too narrow to tell them apart"
    multiple = table.network.modules[m].multiple
    return f"widths are multiples of {multiple} here; `multiple of 1` allows any"
