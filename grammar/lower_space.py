"""Spaces: what each statement means for the network it is over."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from wootzc.diagnostics import Span
from wootzc.grammar import syntax
from wootzc.grammar.configs import ListedRow, read_rows
from wootzc.grammar.feasible import check_space
from wootzc.grammar.found import Found
from wootzc.grammar.kept import check_kinds, kept_layers, read_multiple, with_rules
from wootzc.grammar.limits import check_direction, read_constraints, read_objective
from wootzc.grammar.lower_data import lower_augment, lower_data, lower_teacher
from wootzc.grammar.lower_recipe import lower_recipe
from wootzc.grammar.names import did_you_mean
from wootzc.grammar.rates import (
    ModuleRates,
    SpaceRates,
    check_filters,
    check_values,
    no_prune_help,
    read_prunes,
    read_rates,
)  # fmt: skip
from wootzc.grammar.report import Report
from wootzc.grammar.selection import listed, read_sample, read_seed
from wootzc.ir.cost import network_cost
from wootzc.ir.network import Network, segment_shapes
from wootzc.ir.shapes import shape_text
from wootzc.ir.space import All, Selection, Space

_CHOICES: dict[str, tuple[str, ...]] = {
    "blocks": ("none", "modules", "wootz", "maximal", "optimal"),
    "explore": ("ascending", "descending", "all"),
}
_CHOICE_ALIASES = {"best": "optimal", "smallest": "ascending", "largest": "descending",
                   "module": "modules", "off": "none", "increasing": "ascending",
                   "decreasing": "descending", "everything": "all"}  # fmt: skip

Node = TypeVar("Node", bound=syntax.SpaceStatement)


def keyword_of(statement: syntax.SpaceStatement) -> str:
    """How the statement begins in the source."""
    match statement:
        case syntax.Stage(name=name):
            return name
        case syntax.Choice(setting=setting):
            return setting
        case syntax.Goal(direction=direction):
            return direction
        case syntax.WhereOrder() | syntax.WhereCost():
            return "where"
        case syntax.Subject():
            return "subject"
        case _:
            return type(statement).__name__.lower()


def _slot(statement: syntax.SpaceStatement) -> str | None:
    """What can be said only once; None for statements that add up."""
    match statement:
        case syntax.All() | syntax.Sample() | syntax.Configs():
            return "says which candidates to try"
        case syntax.Goal():
            return "says what is best"
        case (
            syntax.Prune() | syntax.Keep() | syntax.Tie() | syntax.WhereOrder()
            | syntax.WhereCost() | syntax.Subject()
        ):  # fmt: skip
            return None
        case _:
            return f"has `{keyword_of(statement)}`"


@dataclass(kw_only=True)
class _Statements:
    """The statements of a space by kind; repetitions have been reported and dropped."""

    kept: Sequence[syntax.SpaceStatement]

    def all(self, kind: type[Node]) -> list[Node]:
        return [s for s in self.kept if isinstance(s, kind)]

    def one(self, kind: type[Node]) -> Node | None:
        return next(iter(self.all(kind)), None)

    def stage(self, name: str) -> syntax.Settings | None:
        return next((s.settings for s in self.all(syntax.Stage) if s.name == name), None)

    def choice(self, setting: str) -> syntax.Name | None:
        return next((s.value for s in self.all(syntax.Choice) if s.setting == setting), None)


def _statements(definition: syntax.SpaceDefinition, report: Report) -> _Statements:
    seen: dict[str, Span] = {}
    kept: list[syntax.SpaceStatement] = []
    for statement in definition.statements:
        slot = _slot(statement)
        if slot is not None and slot in seen:
            report.error(
                statement.span, "WZ045", f"line {report.line(seen[slot])} already {slot}",
                "keep one of the two statements",
            )  # fmt: skip
            continue
        if slot is not None:
            seen[slot] = statement.span
        kept.append(statement)
    return _Statements(kept=kept)


def lower_space(
    definition: syntax.SpaceDefinition, found: Found | None, report: Report, *, complete: bool
) -> Space | None:
    """The space, or None after errors. Without a network the rest is checked all the same.

    `complete`: no statement was lost to a syntax error, so what is missing is really missing.
    """
    errors = report.errors
    network = found.network if found else None
    statements = _statements(definition, report)
    data = statements.one(syntax.Data)
    if data is None and complete:
        report.error(
            definition.name.span, "WZ075", f"space `{definition.name.text}` has no data",
            'add: data "images.npz"   // or folder("…"), zip("…"), parquet("…")',
        )  # fmt: skip
    lowered_data = lower_data(data, report) if data else None
    seed = statements.one(syntax.Seed)
    seed_value = read_seed(seed.number, report) if seed else 0
    full = network_cost(network) if network else None
    objective = read_objective(
        statements.one(syntax.Goal), statements.all(syntax.Subject), definition, full, report,
        complete=complete,
    )  # fmt: skip
    target_is_accuracy = objective is not None and objective.target == "accuracy"
    settings: dict[str, Any] = {
        "augment": lower_augment(statements.one(syntax.Augment), report),
        "teacher": lower_teacher(statements.one(syntax.Teacher), found, definition.name, report),
        "pretrain": lower_recipe("pretrain", statements.stage("pretrain"), report),
        "finetune": lower_recipe("finetune", statements.stage("finetune"), report),
        "blocks": _choice(statements, "blocks", "modules", report),
        "explore": _choice(
            statements, "explore", "descending" if target_is_accuracy else "ascending", report
        ),
    }
    if objective is not None and complete:
        check_direction(objective, settings["explore"], statements.choice("explore"), report)
    constraints = read_constraints(statements.kept, network, full, report)
    if network is None:  # what its modules are called is unknown, but not what a rate is
        check_values(statements.one(syntax.Rates), statements.all(syntax.Prune), report)
        return None
    _check_network(network, definition, report)
    pruning = _pruning(statements, network, definition, report, complete=complete)
    sample = statements.one(syntax.Sample)
    selection: Selection | None = All(span=definition.name.span)
    if (every := statements.one(syntax.All)) is not None:
        selection = All(span=every.span)
    elif sample is not None:
        selection = read_sample(sample, seed_value, report)
    configs = statements.one(syntax.Configs)
    if configs is not None and pruning is not None and pruning.rows is not None:
        selection = listed(
            pruning.rows, pruning.rates, pruning.choices, network, configs.span, report
        )
    if (
        report.errors > errors or not complete or pruning is None or selection is None
        or lowered_data is None or objective is None
    ):  # fmt: skip
        return None
    space = Space(
        name=definition.name.text,
        network=pruning.network,
        rates=pruning.rates,
        choices=pruning.choices,
        criteria=pruning.criteria,
        constraints=constraints,
        selection=selection,
        objective=objective,
        data=lowered_data,
        seed=seed_value,
        span=definition.name.span,
        **settings,
    )
    check_space(space, report)
    return space if report.errors == errors else None


def _choice(statements: _Statements, setting: str, default: str, report: Report) -> str:
    value = statements.choice(setting)
    if value is None or value.text in _CHOICES[setting]:
        return default if value is None else value.text
    near = _CHOICE_ALIASES.get(value.text)
    report.error(
        value.span, "WZ058", f"`{setting}` cannot be `{value.text}`",
        f"did you mean `{near}`?" if near in _CHOICES[setting]
        else did_you_mean(value.text, _CHOICES[setting]),
    )  # fmt: skip
    return default


def _check_network(network: Network, definition: syntax.SpaceDefinition, report: Report) -> None:
    if not network.modules:
        report.error(
            definition.network.span, "WZ036",
            f"network `{network.name}` has no modules, so nothing in it can be pruned",
            "put layers into modules: module basic(width) { … }, then basic(16) in the network",
        )  # fmt: skip
    leaving = segment_shapes(network)[-1]
    if len(leaving) != 1:
        report.error(
            definition.network.span, "WZ034",
            f"network `{network.name}` ends in {shape_text(leaving)}, not in one score per class",
            "end it with: global_pool; dense(10)   // the number of classes",
        )  # fmt: skip


# ---- rates, with what the rows of `configs` imply


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pruning:
    network: Network  # with what `keep` and `multiple of` say of its modules
    rates: tuple[float, ...]
    choices: tuple[tuple[int, ...], ...]
    criteria: tuple[Any, ...]
    rows: list[ListedRow] | None


def _pruning(
    statements: _Statements,
    network: Network,
    definition: syntax.SpaceDefinition,
    report: Report,
    *,
    complete: bool,
) -> _Pruning | None:
    stated = statements.one(syntax.Rates)
    default = read_rates(stated, report) if stated else None
    prunes = statements.all(syntax.Prune)
    configs = statements.one(syntax.Configs)
    names = [module.name for module in network.modules]
    rows = read_rows(configs, names, report) if configs else None
    pruned = read_prunes(prunes, statements.all(syntax.Keep), default, network, report)
    paths = kept_layers(statements.all(syntax.Keep), network, report)
    multiple = read_multiple(statements.one(syntax.Multiple), report)
    if (stated and default is None) or pruned is None or (configs and rows is None):
        return None
    if not prunes and configs:
        everything = range(len(names))
        pruned.of_module = {
            m: ModuleRates(rates=default, criterion="l1", span=configs.span)
            for m in everything if m not in pruned.kept
        }  # fmt: skip
    elif not prunes:
        if complete and names:
            report.error(
                definition.name.span, "WZ044",
                f"space `{definition.name.text}` prunes nothing", no_prune_help(network, stated),
            )  # fmt: skip
        return None
    for module, of_module in pruned.of_module.items():
        if of_module.rates is None and rows is not None and configs is not None:
            column = {row.rates[module] for row in rows}
            of_module.rates = dict.fromkeys(sorted(column), configs.span)
        elif of_module.rates is None:
            if complete:
                report.error(
                    of_module.span, "WZ044", "these modules have no rates",
                    "add: rates { 0, 30%, 50%, 70% }   // fractions of filters removed",
                )  # fmt: skip
            return None
    errors = report.errors
    network = with_rules(network, paths, multiple)
    check_filters(network, pruned, report)
    if report.errors == errors:
        check_kinds(statements.all(syntax.Keep), network, pruned.of_module, report)
    return _table(pruned, default, network, rows) if report.errors == errors else None


def _table(
    pruned: SpaceRates,
    default: Iterable[float] | None,
    network: Network,
    rows: list[ListedRow] | None,
) -> _Pruning:
    """One table of rates for the space: ascending, 0 first, and each module's positions in it."""
    every = {0.0, *(default or ())}
    for of_module in pruned.of_module.values():
        every |= set(of_module.rates or ())
    rates = tuple(sorted(every))
    known = {
        m: tuple(rates.index(rate) for rate in sorted(of_module.rates or ()))
        for m, of_module in pruned.of_module.items()
    }
    criteria = {m: of_module.criterion for m, of_module in pruned.of_module.items()}
    modules = len(network.modules)
    return _Pruning(
        network=network,
        rates=rates,
        choices=tuple(known.get(m, (0,)) for m in range(modules)),
        criteria=tuple(criteria.get(m, "l1") for m in range(modules)),
        rows=rows,
    )
