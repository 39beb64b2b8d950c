"""Spaces: what each statement means for the network it is over."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from wootzc.diagnostics import Span
from wootzc.grammar import syntax
from wootzc.grammar.check.report import Report
from wootzc.grammar.check.statements import keyword_of, statements_of, topic
from wootzc.grammar.lower.data import (
    check_crop,
    check_normalization,
    lower_augment,
    lower_data,
    lower_teacher,
)
from wootzc.grammar.lower.recipe import lower_polish, lower_recipe, settings_of
from wootzc.grammar.lower.resolved import Resolved, by_patterns
from wootzc.grammar.space.candidates import listed, read_proposed, read_sample, read_seed
from wootzc.grammar.space.constraints import read_constraints
from wootzc.grammar.space.feasible import check_space, default_selection
from wootzc.grammar.space.latency import read_target, with_table
from wootzc.grammar.space.narrow_statement import narrow_pruning, read_narrow, read_skip
from wootzc.grammar.space.objective import check_direction, read_objective
from wootzc.grammar.space.prune_statement import read_pruning
from wootzc.grammar.space.rates import check_patterns, check_values
from wootzc.grammar.space.search_settings import (
    check_predicted,
    read_budget,
    read_certify,
    read_choice,
    read_until,
)
from wootzc.grammar.space.width_rules import kept_layers, read_multiple, with_rules
from wootzc.ir.layers import Conv, Dense, DepthwiseConv, walk
from wootzc.ir.layers.shapes import shape_text
from wootzc.ir.net.network import Module, Network, segment_shapes
from wootzc.ir.net.trunk import Trunk, trunks
from wootzc.ir.space import All, Selection, Space


def lower_space(
    definition: syntax.SpaceDefinition,
    found: Resolved | None,
    names: Network | None,
    report: Report,
    *,
    complete: bool,
) -> Space | None:
    """The space, or None after errors. Without a network the rest is checked all the same.

    `names`: the network, or one without layers where only its modules' names are known.
    `complete`: no statement was lost to a syntax error, so what is missing is really missing.
    """
    errors = report.errors
    network = found.network if found else None
    statements = statements_of(definition, report)
    data = statements.one(syntax.Data)
    if data is None and complete:
        report.error(
            definition.name.span, "WZ075", f"space `{definition.name.text}` has no data",
            'add: data "images.npz"   // or folder("…"), zip("…"), parquet("…")',
        )  # fmt: skip
    lowered_data = lower_data(data, report) if data else None
    seed = statements.one(syntax.Seed)
    seed_value = read_seed(seed.number, report) if seed else 0
    quantize = read_choice(statements, "quantize", "none", report)
    objective = read_objective(
        statements.one(syntax.Goal), statements.all(syntax.Subject), definition, network, report,
        complete=complete, quantize=quantize,
    )  # fmt: skip
    precision = read_choice(statements, "precision", "float32", report)
    stages = {name: statements.stage(name) for name in ("pretrain", "finetune", "polish")}
    finetune = lower_recipe("finetune", settings_of(stages["finetune"], report), precision, report)
    settings: dict[str, Any] = {
        "augment": lower_augment(statements.one(syntax.Augment), report),
        "teacher": lower_teacher(
            statements.one(syntax.Teacher), found, definition.name, precision, report
        ),
        "pretrain": lower_recipe(
            "pretrain", settings_of(stages["pretrain"], report), precision, report
        ),
        "finetune": finetune,
        "polish": lower_polish(stages["polish"], finetune, precision, report),
        "blocks": read_choice(statements, "blocks", "modules", report),
        "explore": read_choice(statements, "explore", "predicted", report),
        "certify": read_certify(statements.one(syntax.Certify), report),
        "until": read_until(statements.one(syntax.Until), report),
        "budget": read_budget(statements.all(syntax.Budget), report),
        "quantize": quantize,
        "latency": read_target(statements.one(syntax.Latency), report),
    }
    if objective is not None and complete:
        check_direction(objective, settings["explore"], statements.choice("explore"), report)
    if complete:
        check_predicted(statements, report)
    known: tuple[Trunk, ...] = ()
    multiple = read_multiple(statements.one(syntax.Multiple), report)
    if network is not None:
        paths = kept_layers(statements.all(syntax.Keep), network, report)
        network = with_rules(network, paths, multiple)
        known = trunks(network) if statements.all(syntax.Narrow) else ()
    names_of_trunks = [trunk.name for trunk in known]
    constraints = read_constraints(statements.kept, network, names_of_trunks, report, quantize)
    if network is None:  # what its modules hold is unknown, but not what a rate is
        check_values(statements, definition.network.text, report)
        check_patterns(statements, names, report)
        return None
    file = found.file if found else None
    _check_network(network, file, definition, report)
    check_normalization(data, lowered_data, network, report)
    check_crop(statements.one(syntax.Augment), settings["augment"], network, report)
    narrow = read_narrow(statements.all(syntax.Narrow), known, network, report)
    skip = read_skip(statements.all(syntax.Skip), network, report)
    pruning = read_pruning(
        statements, network, multiple, known, narrow or {}, skip or (), constraints, definition,
        report, file=file, complete=complete,
    )  # fmt: skip
    selection: Selection | None = None
    chosen = [s for s in statements.kept if topic(s) == topic(syntax.All())]  # which to try
    match chosen:
        case [syntax.Sample() as sample]:
            selection = read_sample(sample, seed_value, report)
        case [syntax.Propose() as propose]:
            selection = read_proposed(propose, report)
        case [syntax.Configs(span=span)] if pruning is not None and pruning.rows is not None:
            selection = listed(pruning, pruning.rows, span, report)
        case _:
            selection = All(span=chosen[0].span if chosen else definition.name.span)
    if (
        report.errors > errors or not complete or pruning is None or selection is None
        or lowered_data is None or objective is None or narrow is None
        or skip is None
    ):  # fmt: skip
        return None
    posed = narrow_pruning(pruning, constraints, selection, statements, report)
    if posed is None:
        return None
    space = Space(
        name=definition.name.text,
        objective=objective,
        data=lowered_data,
        seed=seed_value,
        span=definition.name.span,
        spans=_places(statements.kept),
        **posed,
        **settings,
    )
    space = with_table(space, statements.one(syntax.Latency), definition.span, report)
    if not chosen:
        space = replace(space, selection=default_selection(space))
    if report.is_guessed(definition.span):
        return None  # what it leaves depends on the guess
    check_space(space, report)
    return space if report.errors == errors else None


def _places(statements: Sequence[syntax.SpaceStatement]) -> dict[str, Span]:
    """Where statements stand, by their keyword, and settings of data: `data validation`."""
    places = {keyword_of(said): said.span for said in statements}
    for said in statements:
        if isinstance(said, syntax.Data) and said.options is not None:
            places |= {f"data {one.name.text}": one.span for one in said.options.settings}
    return places


def _lacks_classifier(network: Network) -> bool:
    """Whether the channels of a module, and no layer's own, are what the network gives."""
    for segment in reversed(network.segments):
        for _, layer in reversed(list(walk(segment.body))):
            if isinstance(layer, Dense):
                return False
            if isinstance(layer, Conv | DepthwiseConv):
                # A module that goes on to the scores holds what gives them (SqueezeNet).
                return isinstance(segment, Module) and segment is not network.segments[-1]
    return True


def _check_network(
    network: Network, file: str | None, definition: syntax.SpaceDefinition, report: Report
) -> None:
    if not network.modules:
        report.error(
            definition.network.span, "WZ036",
            f"network `{network.name}` has no modules, so nothing in it can be pruned",
            by_patterns(file) if file
            else "put layers into modules: module basic(width) { … }, then basic(16) in the "
            "network",
        )  # fmt: skip
    leaving = segment_shapes(network)[-1]
    if len(leaving) == 1 and _lacks_classifier(network):
        own = network.span.file == definition.span.file
        report.warn(
            network.span if own else definition.network.span, "WZ222",
            f"network `{network.name}` has no layer that gives the scores of its classes: the "
            f"{leaving[0]} channels of its last module would be those of {leaving[0]} classes",
            "end it with: dense(10)   // the number of classes",
        )  # fmt: skip
    if len(leaving) != 1:
        report.error(
            definition.network.span, "WZ034",
            f"network `{network.name}` ends in {shape_text(leaving)}, not in one score per class",
            "end it with: global_pool; dense(10)   // the number of classes",
        )  # fmt: skip
