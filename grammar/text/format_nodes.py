"""Syntax nodes → the few things the formatter knows: statements, their lists, and their braces."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from wootzc.grammar import syntax
from wootzc.grammar.check.values import argument_text, source_text
from wootzc.grammar.text.lists import Entry, Listed


@dataclass(frozen=True, slots=True)
class Braces:
    """`{ … }` in the source at [start, end). `joiner` stands between items on one line."""

    start: int
    end: int
    items: tuple["Item", ...]
    joiner: str = "; "


Head: TypeAlias = tuple[str | Listed, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """One statement: what is before its braces, and the braces if it has any."""

    start: int
    end: int
    head: Head
    braces: Braces | None = None


Node: TypeAlias = syntax.Item | syntax.Statement | syntax.ImportStatement | syntax.SpaceStatement

# How nodes without lists of their own are written, up to their braces: fields in `{ }`, and in
# `[ ]` what stands there only with its field.
_FORMS: Mapping[type[syntax.Node], str] = {
    syntax.Include: "include {path}",
    syntax.Constant: "let {name} = {value}",
    syntax.Target: "{name}[{numbers}]",
    syntax.Grouping: "modules by {how}",
    syntax.Norms: "norms {how}",
    syntax.Augment: "augment",
    syntax.Teacher: "teacher[ from {path}]",
    syntax.Stage: "{name}[ from {base}][ {word}]",
    syntax.Prune: "prune {patterns}[ by {criterion}][ {rates}]",
    syntax.Narrow: "narrow {patterns}[ by {criterion}][ {rates}]",
    syntax.Skip: "skip {patterns}",
    syntax.Keep: "keep {patterns}",
    syntax.Multiple: "multiple of {number}",
    syntax.Tie: "tie {patterns}",
    syntax.WhereCost: "where {metric} {comparison} {limit}",
    syntax.PlainLimit: "{number}[ {unit}]",
    syntax.RelativeLimit: "teacher[ - {number}][ {unit}]",
    syntax.All: "all",
    syntax.Sample: "sample {count}{options}",
    syntax.Stratified: " stratified by {metric}",
    syntax.SampleSeed: " seed {number}",
    syntax.Propose: "propose {count}",
    syntax.Goal: "{direction} {metric}",
    syntax.Subject: "subject to {metric} {comparison} {limit}[{confidence}]",
    syntax.Confidence: " with {what} {number}",
    syntax.Choice: "{setting} {value}",
    syntax.Certify: "certify[ {confidence}]",
    syntax.Until: "until {what} {comparison} {number}",
    syntax.Budget: "budget {number}[ {unit}]",
    syntax.Latency: "latency[ on {target}][ {command}][ from {table}]",
    syntax.Seed: "seed {number}",
    syntax.Parameter: "{name}[ = {default}]",
    syntax.Pattern: "{glob}[..{last}][{numbers}]",
    syntax.RateRange: "{first}..{last} step {step}",
}
_PIECE = re.compile(r"\[([^{]*)\{(\w+)\}\]|\{(\w+)\}|[^\[{]+")


def item_of(node: Node, code: str) -> Item:
    """`code` is the source with comments and strings blanked: brackets in it are real ones."""
    head, braces = _parts(node, code)
    return Item(node.span.start, node.span.end, head, braces)


def _written(node: Any, code: str) -> Head:
    """A node by its form."""
    head: list[str | Listed] = []
    for piece in _PIECE.finditer(_FORMS[type(node)]):
        field = piece[2] or piece[3]
        value = getattr(node, field) if field else piece[0]
        if value is not None:
            head += [piece[1] or "", *_shown(value, code)]
    return tuple(head)


def _shown(value: Any, code: str) -> Head:
    match value:
        case str():
            return (value,)
        case syntax.Name(text=text) | syntax.Number(text=text):
            return (text,)
        case syntax.NumberSpan(first=first, last=last):
            return (f"[{first.text}..{last.text}]",)
        case syntax.Argument():
            return (argument_text(value),)
        case syntax.Patterns():
            return _patterns(value, code)
        case syntax.Rates():
            return _rates(value, code)
        case tuple():
            return tuple(part for one in value for part in _shown(one, code))
        case _ if type(value) in _FORMS:
            return _written(value, code)
        case _:
            return (source_text(value),)


def _text(node: Any) -> str:
    """An entry of a list, which holds no lists."""
    return "".join(part for part in _shown(node, "") if isinstance(part, str))


_Parts: TypeAlias = tuple[Head, Braces | None]


def _parts(node: Node, code: str) -> _Parts:
    match node:
        case syntax.ModuleDefinition() | syntax.NetworkDefinition():
            kind = "module" if isinstance(node, syntax.ModuleDefinition) else "network"
            head = (f"{kind} {node.name.text}", *_listed(node.parameters, code, "(", ")"))
            return head, _block(node.body, code)
        case syntax.ImportedNetwork(name=name, path=path, statements=found):
            braced = code.find("{", path.span.end, node.span.end) >= 0
            braces = _statements(node, found, path.span.end, code) if braced else None
            return (f'network {name.text} from "{path.value}"',), braces
        case syntax.SpaceDefinition() | syntax.DerivedSpace():
            over = (f" over {node.network.text}",) if node.network else ()
            base = (f" from {node.base.text}",) if isinstance(node, syntax.DerivedSpace) else ()
            head = (f"space {node.name.text}", *over, *_arguments(node.arguments, code), *base)
            return head, _statements(node, node.statements, node.name.span.end, code)
        case syntax.Call(name=name, arguments=arguments, target=target):
            named = (" as ", *_written(target, code)) if target else ()
            return (name.text, *_arguments(arguments, code), *named), None
        case syntax.Branches(name=name, arguments=arguments, arms=arms):
            items = tuple(Item(a.span.start, a.span.end, (), _block(a, code)) for a in arms)
            braces = Braces(_brace(code, name.span.end), node.span.end, items, " ")
            return (name.text, *_arguments(arguments, code)), braces
        case syntax.InlineModule(name=name, body=body):
            return (f"module {name.text}",), _block(body, code)
        case syntax.Auxiliary(arguments=arguments, body=body):
            return ("auxiliary", *_arguments(arguments, code)), _block(body, code)
        case syntax.FoundModule(name=name, patterns=patterns):
            listed = _listed(patterns, code, "{ ", " }")
            return (f"module {name.text} ", *(listed or ("{ }",))), None
        case syntax.Data(kind=kind, path=path, options=options):
            shown = f'{kind.text}("{path.value}")' if kind else f'"{path.value}"'
            return (f"data {shown}",), _settings(options, code)
        case syntax.Rates():
            return _rates(node, code), None
        case syntax.WhereOrder(relation=relation, patterns=patterns):
            return (f"where {relation.text}", *_in_order(patterns, code)), None
        case syntax.Configs(source=syntax.Text() as path):
            return (f'configs from "{path.value}"',), None
        case syntax.Configs(source=tuple() as rows, span=span):
            items = tuple(Item(r.span.start, r.span.end, _row(r, code)) for r in rows)
            return ("configs",), Braces(_brace(code, span.start), span.end, items, " ")
        case _:
            return _written(node, code), _settings(getattr(node, "settings", None), code)


def _statements(node: Node, statements: Iterable[Node], after: int, code: str) -> Braces:
    items = tuple(item_of(statement, code) for statement in statements)
    return Braces(_brace(code, after), node.span.end, items)


def _block(block: syntax.Block, code: str) -> Braces:
    items = tuple(item_of(statement, code) for statement in block.statements)
    return Braces(block.span.start, block.span.end, items)


def _settings(settings: syntax.Settings | None, code: str) -> Braces | None:
    if settings is None:
        return None
    items = tuple(Item(s.span.start, s.span.end, _setting(s, code)) for s in settings.settings)
    return Braces(settings.span.start, settings.span.end, items)


def _brace(code: str, after: int) -> int:
    return code.index("{", after)


def _setting(setting: syntax.Setting, code: str) -> Head:
    name = setting.name.text
    match setting.value:
        case None:
            return (name, *_arguments(setting.arguments, code))
        case syntax.Invoke(name=invoked, arguments=arguments):
            return (f"{name} {invoked.text}", *_arguments(arguments, code))
        case expression:
            unit = f" {setting.unit.text}" if setting.unit else ""
            return (f"{name} {source_text(expression)}{unit}",)


def _listed(parts: Iterable[syntax.Node], code: str, opening: str = "", closing: str = "") -> Head:
    """A list as a head; nothing where there are no parts."""
    entries = tuple(Entry(p.span.start, p.span.end, _text(p)) for p in parts)
    if not entries:
        return ()
    start, end = entries[0].start, entries[-1].end
    if opening:
        start = code.rindex(opening.strip(), 0, start)
        end = code.index(closing.strip(), end) + 1
    return (Listed(start, end, opening, closing, entries),)


def _arguments(arguments: tuple[syntax.Argument, ...] | None, code: str) -> Head:
    if arguments is None:
        return ()
    return _listed(arguments, code, "(", ")") or ("()",)


def _patterns(patterns: syntax.Patterns, code: str) -> Head:
    named = _listed(patterns.named, code)
    exceptions = _listed(patterns.exceptions, code)
    return (*named, " except ", *exceptions) if exceptions else named


def _in_order(patterns: syntax.Patterns, code: str) -> Head:
    if patterns.exceptions:
        return ("(", *_patterns(patterns, code), ")")
    return _listed(patterns.named, code, "(", ")")


def _rates(rates: syntax.Rates, code: str) -> Head:
    each = " each" if rates.each else ""
    match rates.rates:
        case ():
            return (f"rates {{ }}{each}",)
        case (syntax.RateRange() as only,):
            return (f"rates {_text(only)}{each}",)
        case several:
            return ("rates ", *_listed(several, code, "{ ", " }"), each)


def _row(row: syntax.Row, code: str) -> Head:
    return _listed(row.rates, code, "[", "]") or ("[]",)
