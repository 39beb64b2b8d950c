"""What a file builds on what it says elsewhere: spaces `from` spaces, stages `from` stages, and
constants in settings.

All of it is written out in the syntax tree, so that what reads a space need not know of it.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeAlias, TypeVar

from wootzc.diagnostics import Span, write
from wootzc.grammar import syntax
from wootzc.grammar.check.merged_statements import merged, merged_settings, replaced
from wootzc.grammar.check.report import Report
from wootzc.grammar.check.statements import FORMS, keyword_of
from wootzc.grammar.check.values import value_text
from wootzc.grammar.lower.program import Program
from wootzc.grammar.lower.recipe import USELESS
from wootzc.grammar.syntax.brackets import blanked
from wootzc.grammar.syntax.near_misses import did_you_mean, meant, nearest

Node = TypeVar("Node")
Literal: TypeAlias = syntax.Number | syntax.Shape | syntax.Word
Literals: TypeAlias = Mapping[str, Literal | None]  # of constants

STAGES = ("teacher", "pretrain", "finetune", "polish")


def write_out_spaces(program: Program, report: Report) -> None:
    """Fill `program.spaces`: those of the main file, with the statements they have from others.

    One without data or a goal that others build on is there for these alone.
    """
    built_on = {
        item.base.text
        for item in program.space_items.values()
        if isinstance(item, syntax.DerivedSpace)
    }
    known: dict[str, syntax.SpaceDefinition | None] = {}
    for name, item in program.space_items.items():
        chain = {name: None}  # an ordered set: each builds on the next
        while chain:
            current = program.space_items[last := next(reversed(chain))]
            if isinstance(current, syntax.SpaceDefinition):
                known[last] = current
            elif (base := current.base.text) in known:
                known[last] = _built_on(known[base], current, program)
            elif base in program.space_items and base not in chain:
                chain[base] = None
                continue
            else:
                known[last] = None
                _report_base(current, list(chain), program, report)
            del chain[last]
        space = known[name]
        if item.span.file == program.main and space is not None:
            if name not in built_on or _says_all(space):
                program.spaces[name] = space


def _says_all(space: syntax.SpaceDefinition) -> bool:
    kinds = {type(statement) for statement in space.statements}
    return {syntax.Data, syntax.Goal} <= kinds


def _report_base(
    item: syntax.DerivedSpace, chain: list[str], program: Program, report: Report
) -> None:
    base = item.base
    if base.text in chain:
        circle = [*chain[chain.index(base.text) :], base.text]
        shown = circle if len(circle) < 8 else [*circle[:6], "…", base.text]
        report.error(
            base.span, "WZ245", f"spaces build on each other in a circle: {' → '.join(shown)}",
            "say of one of them which network it is over, and all else that it needs",
        )  # fmt: skip
    elif not program.incomplete:
        others = [name for name in program.space_items if name not in chain]
        begin = item.name.span.end
        between = report.sources.get(base.span.file, "")[begin : base.span.start]
        word = begin + blanked(between).rfind("from")
        report.error(
            base.span, "WZ244", f"there is no space `{base.text}` to build on",
            write(
                f"over {base.text}", ": it is a network",
                at=Span(base.span.file, word, base.span.end),
            ) if base.text in program.networks and not item.network
            else did_you_mean(base.text, others, "as in `space NAME over NETWORK { … }`"),
        )  # fmt: skip


def _built_on(
    base: syntax.SpaceDefinition | None, item: syntax.DerivedSpace, program: Program
) -> syntax.SpaceDefinition | None:
    if base is None:
        return None
    if f"space {base.name.text}" in program.broken:
        program.broken.add(f"space {item.name.text}")
    gone: list[syntax.SpaceStatement] = []
    added: list[syntax.SpaceStatement] = []
    for statement in item.statements:
        same = replaced(base.statements, statement)
        gone += same
        added.append(merged(same[0], statement) if same else statement)
    kept = [s for s in base.statements if not any(s is old for old in gone)]
    return syntax.SpaceDefinition(
        name=item.name,
        network=item.network or base.network,
        arguments=item.arguments if item.network else base.arguments,
        statements=(*kept, *added),
        span=item.span,
    )


def write_out_settings(program: Program, report: Report) -> None:
    """Stages `from` stages, and constants where settings and networks are given values."""
    for name, space in program.spaces.items():
        said = reversed(space.statements)  # of several the first counts: only one is allowed
        stages = {keyword_of(s): s for s in said if isinstance(s, syntax.Teacher | syntax.Stage)}
        statements = tuple(
            _with_base(s, stages, (), report) if isinstance(s, syntax.Stage) else s
            for s in space.statements
        )
        space = replace(space, statements=statements)
        program.spaces[name] = space
    literals = {name: _literal(name, program) for name in program.constants}
    for name, space in program.spaces.items():
        kept = []
        for statement in space.statements:
            written = _with_constants(statement, literals, report)
            if all([_is_number(n, statement, program, report) for n in _named_numbers(written)]):
                kept.append(written)
            else:
                report.holes.append(statement.span)
                program.broken.add(f"space {name}")
        arguments = _in_place(space.arguments, literals, report)
        program.spaces[name] = replace(space, arguments=arguments, statements=tuple(kept))
    for name, network in program.networks.items():
        if isinstance(network, syntax.ImportedNetwork):
            program.networks[name] = _with_constants(network, literals, report)


def _named_numbers(node: syntax.Node) -> list[syntax.Number]:
    """Names that stand for numbers and have not become any."""
    numbers = (n for n in syntax.descendants(node) if isinstance(n, syntax.Number))
    return [number for number in numbers if number.text[0].isidentifier()]


def _is_number(
    number: syntax.Number, statement: syntax.SpaceStatement, program: Program, report: Report
) -> bool:
    """Reports that a name is none of a number, where that is known."""
    name, keyword = number.text, keyword_of(statement)
    if name in program.constants:
        value = program.constants[name]
        if value is not None:
            report.error(
                number.span, "WZ315", f"`{name}` is `{value_text(value)}`, and no number",
                f"as in `{FORMS[keyword]}`",
            )  # fmt: skip
    elif not program.incomplete:
        from wootzc.grammar.parse.syntax_errors import misread  # only mistakes need it

        near = nearest(name, program.constants)
        file = number.span.file
        if not near and (found := misread(report.sources[file], file, number.span.start)):
            report.add(found)
            return False
        report.error(
            number.span, "WZ315", f"`{name}` is no number, and there is no constant of that name",
            meant(near) if near else f"as in `{FORMS[keyword]}`",
        )  # fmt: skip
    return False


def _with_base(
    stage: syntax.Stage,
    stages: Mapping[str, syntax.Teacher | syntax.Stage],
    above: tuple[str, ...],
    report: Report,
) -> syntax.Stage:
    """The stage with the settings of the one it builds on, as far as they mean something in it."""
    if stage.base is None:
        return stage
    name, span = stage.base.text, stage.base.span
    bare = replace(stage, base=None, settings=stage.settings or syntax.Settings(settings=()))
    chain = (*above, stage.name)
    other = stages.get(name)
    if isinstance(other, syntax.Stage) and name not in chain:
        other = _with_base(other, stages, chain, report)
    if name in chain:
        circle = (*chain[chain.index(name) :], name)
        if name == min(circle, key=STAGES.index):  # it is met from each of them
            report.error(
                span, "WZ245", f"stages build on each other in a circle: {' → '.join(circle)}",
                "give one of them settings of its own, without `from`",
            )  # fmt: skip
    elif name not in STAGES:
        report.error(
            span, "WZ244", f"there is no stage `{name}` to build on", did_you_mean(name, STAGES)
        )
    elif other is None or other.settings is None:
        report.error(
            span, "WZ244", f"`{name}` has no settings here that `{stage.name}` could build on",
            f"write `{name} {{ … }}` in this space, or the settings in `{stage.name}`",
        )  # fmt: skip
    else:
        useless = USELESS[stage.name]
        fit = tuple(s for s in other.settings.settings if s.name.text not in useless)
        below = replace(other.settings, settings=fit)
        assert bare.settings is not None
        return replace(bare, settings=merged_settings(below, bare.settings))
    return bare


def _with_constants(node: Node, literals: Literals, report: Report) -> Node:
    """Constants replaced by their values, which stand where the constants stood.

    Nothing more is said of a place where one without a value stands.
    """
    changes: dict[str, Any] = {}
    for field in fields(node):  # type: ignore[arg-type]
        value = getattr(node, field.name)
        changes[field.name] = _in_place(value, literals, report)
    return replace(node, **changes)  # type: ignore[type-var]


def _in_place(child: Any, literals: Literals, report: Report) -> Any:
    match child:
        case tuple():
            return tuple(_in_place(one, literals, report) for one in child)
        case syntax.Word(text=text, span=span) if text in literals:
            value = literals[text]
            if value is not None:
                return replace(value, span=span)
            report.holes.append(span)
        case syntax.Number(text=text, span=span) if text in literals:
            value = literals[text]
            return replace(value, span=span) if isinstance(value, syntax.Number) else child
        case syntax.Setting(value=syntax.Invoke(name=name, arguments=None) as invoke):
            value = _in_place(syntax.Word(text=name.text, span=name.span), literals, report)
            if not isinstance(value, syntax.Word):
                return replace(child, value=value)
            return replace(child, value=replace(invoke, name=replace(name, text=value.text)))
        case _ if is_dataclass(child) and not isinstance(child, Span):
            return _with_constants(child, literals, report)
    return child


def _literal(name: str, program: Program) -> Literal | None:
    """The value of a constant as it would be written; None where it has none."""
    match program.constant_items[name].value, program.constants[name]:
        case _, None:
            return None
        case (syntax.Number() | syntax.Shape()) as written, _:
            return written
        case _, str(value):
            return syntax.Word(text=value)
        case _, tuple(value):
            return syntax.Shape(text=value_text(value))
        case _, value:
            return syntax.Number(text=repr(value))
