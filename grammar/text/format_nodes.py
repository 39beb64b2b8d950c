"""Syntax nodes → the few things the formatter knows: statements, their lists, and their braces."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar, assert_never

from wootzc.diagnostics import Span
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


class _Placed(Protocol):
    @property
    def span(self) -> Span: ...


Part = TypeVar("Part", bound=_Placed)
Node: TypeAlias = syntax.Item | syntax.Statement | syntax.ImportStatement | syntax.SpaceStatement


def item_of(node: Node, code: str) -> Item:
    """`code` is the source with comments and strings blanked: brackets in it are real ones."""
    head, braces = _parts(node, code)
    return Item(node.span.start, node.span.end, (head,) if isinstance(head, str) else head, braces)


_Parts: TypeAlias = tuple[str | Head, Braces | None]


def _parts(node: Node, code: str) -> _Parts:
    match node:
        case syntax.Include(path=path):
            return f'include "{path.value}"', None
        case syntax.Constant(name=name, value=value):
            return f"let {name.text} = {source_text(value)}", None
        case syntax.ModuleDefinition(name=name, parameters=parameters, body=body):
            return (f"module {name.text}", *_parameters(parameters, code)), _block(body, code)
        case syntax.NetworkDefinition(name=name, parameters=parameters, body=body):
            return (f"network {name.text}", *_parameters(parameters, code)), _block(body, code)
        case syntax.ImportedNetwork(name=name, path=path, statements=found):
            return f'network {name.text} from "{path.value}"', _import_block(node, found, code)
        case syntax.SpaceDefinition(name=name, statements=statements):
            after = node.arguments[-1].span.end if node.arguments else node.network.span.end
            braces = _statements(node, statements, after, code)
            return (f"space {name.text}", *_over(node, code)), braces
        case syntax.DerivedSpace(name=name, base=base, statements=statements):
            braces = _statements(node, statements, base.span.end, code)
            return (f"space {name.text}", *_over(node, code), f" from {base.text}"), braces
        case syntax.Call() | syntax.Branches() | syntax.InlineModule() | syntax.Auxiliary():
            return _statement_parts(node, code)
        case syntax.Grouping(how=how):
            return f"modules by {how.text}", None
        case syntax.Norms(how=how):
            return f"norms {how.text}", None
        case syntax.FoundModule(name=name, patterns=patterns):
            listed = _listed(patterns, lambda p: f'"{p.value}"', code, "{ ", " }")
            return (f"module {name.text} ", *(listed or ("{ }",))), None
        case _:
            return _space_parts(node, code)


def _over(node: syntax.SpaceDefinition | syntax.DerivedSpace, code: str) -> Head:
    if node.network is None:
        return ()
    return (f" over {node.network.text}", *_arguments(node.arguments, code))


def _statements(
    node: Node, statements: tuple[syntax.SpaceStatement, ...], after: int, code: str
) -> Braces:
    items = tuple(item_of(statement, code) for statement in statements)
    return Braces(_brace(code, after), node.span.end, items)


def _statement_parts(node: syntax.Statement, code: str) -> _Parts:
    match node:
        case syntax.Call(name=name, arguments=arguments, target=target):
            return (name.text, *_arguments(arguments, code), _target(target)), None
        case syntax.Branches(name=name, arguments=arguments, arms=arms):
            after = arguments[-1].span.end if arguments else name.span.end
            items = tuple(Item(a.span.start, a.span.end, (), _block(a, code)) for a in arms)
            braces = Braces(_brace(code, after), node.span.end, items, " ")
            return (name.text, *_arguments(arguments, code)), braces
        case syntax.InlineModule(name=name, body=body):
            return f"module {name.text}", _block(body, code)
        case syntax.Auxiliary(arguments=arguments, body=body):
            return ("auxiliary", *_arguments(arguments, code)), _block(body, code)
        case _:
            assert_never(node)


def _import_block(
    node: syntax.ImportedNetwork, statements: tuple[syntax.ImportStatement, ...], code: str
) -> Braces | None:
    if code.find("{", node.path.span.end, node.span.end) < 0:
        return None
    items = tuple(item_of(statement, code) for statement in statements)
    return Braces(_brace(code, node.path.span.end), node.span.end, items)


def _space_parts(node: syntax.SpaceStatement, code: str) -> _Parts:
    match node:
        case syntax.Data(kind=kind, path=path, options=options):
            shown = f'{kind.text}("{path.value}")' if kind else f'"{path.value}"'
            return f"data {shown}", _settings(options, code)
        case syntax.Augment(settings=settings):
            return "augment", _settings(settings, code)
        case syntax.Teacher(path=path, settings=settings):
            head = f'teacher from "{path.value}"' if path else "teacher"
            return head, _settings(settings, code)
        case syntax.Stage(name=stage, settings=settings, word=word, base=base):
            source = f" from {base.text}" if base else ""
            head = stage + source + (f" {word.text}" if word else "")
            return head, _settings(settings, code)
        case syntax.Rates():
            return _rates(node, code), None
        case syntax.Prune(patterns=patterns, criterion=criterion, rates=rates):
            by = f" by {criterion.text}" if criterion else ""
            own = (" ", *_rates(rates, code)) if rates else ()
            return ("prune ", *_patterns(patterns, code), by, *own), None
        case syntax.Narrow(patterns=patterns, criterion=criterion, rates=rates):
            by = f" by {criterion.text}" if criterion else ""
            own = (" ", *_rates(rates, code)) if rates else ()
            return ("narrow ", *_patterns(patterns, code), by, *own), None
        case syntax.Skip(patterns=patterns):
            return ("skip ", *_patterns(patterns, code)), None
        case syntax.Keep(patterns=patterns):
            return ("keep ", *_patterns(patterns, code)), None
        case syntax.Multiple(number=number):
            return f"multiple of {number.text}", None
        case syntax.Tie(patterns=patterns):
            return ("tie ", *_patterns(patterns, code)), None
        case syntax.WhereOrder(relation=relation, patterns=patterns):
            return (f"where {relation.text}", *_in_order(patterns, code)), None
        case syntax.WhereCost(metric=metric, comparison=comparison, limit=limit):
            return f"where {metric.text} {comparison.text} {_limit(limit)}", None
        case syntax.All():
            return "all", None
        case syntax.Sample(count=count, options=options):
            return " ".join([f"sample {count.text}", *map(_sample_option, options)]), None
        case syntax.Configs(source=listed, span=span):
            if isinstance(listed, syntax.Text):
                return f'configs from "{listed.value}"', None
            items = tuple(Item(r.span.start, r.span.end, _row(r, code)) for r in listed)
            return "configs", Braces(_brace(code, span.start), span.end, items, " ")
        case syntax.Propose(count=count):
            return f"propose {count.text}", None
        case syntax.Goal(direction=direction, metric=metric):
            return f"{direction} {metric.text}", None
        case syntax.Subject(metric=metric, comparison=comparison, limit=limit, confidence=sure):
            by = f" with {sure.what.text} {sure.number.text}" if sure else ""
            return f"subject to {metric.text} {comparison.text} {_limit(limit)}{by}", None
        case syntax.Choice(setting=setting, value=name):
            return f"{setting} {name.text}", None
        case syntax.Certify(confidence=confidence):
            return f"certify {confidence.text}" if confidence else "certify", None
        case syntax.Until(what=what, comparison=comparison, number=number):
            return f"until {what.text} {comparison.text} {number.text}", None
        case syntax.Budget(number=number, unit=unit):
            return f"budget {number.text}" + (f" {unit.text}" if unit else ""), None
        case syntax.Latency(target=target, command=command, settings=settings, table=table):
            given = f' "{command.value}"' if command else ""
            on = f" on {target.text}{given}" if target else ""
            source = f' from "{table.value}"' if table else ""
            return f"latency{on}{source}", _settings(settings, code)
        case syntax.Seed(number=number):
            return f"seed {number.text}", None
        case _:
            assert_never(node)


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


def _listed(
    parts: Iterable[Part], text: Callable[[Part], str], code: str, opening: str, closing: str
) -> Head:
    """A list as a head; nothing where there are no parts."""
    entries = tuple(Entry(p.span.start, p.span.end, text(p)) for p in parts)
    if not entries:
        return ()
    start, end = entries[0].start, entries[-1].end
    if opening:
        start = code.rindex(opening.strip(), 0, start)
        end = code.index(closing.strip(), end) + 1
    return (Listed(start, end, opening, closing, entries),)


def _parameters(parameters: tuple[syntax.Parameter, ...], code: str) -> Head:
    return _listed(parameters, _parameter, code, "(", ")")


def _parameter(parameter: syntax.Parameter) -> str:
    if parameter.default is None:
        return parameter.name.text
    return f"{parameter.name.text} = {source_text(parameter.default)}"


def _arguments(arguments: tuple[syntax.Argument, ...] | None, code: str) -> Head:
    if arguments is None:
        return ()
    return _listed(arguments, argument_text, code, "(", ")") or ("()",)


def _target(target: syntax.Target | None) -> str:
    if target is None:
        return ""
    return f" as {target.name.text}{_numbers(target.numbers)}"


def _numbers(numbers: syntax.NumberSpan | None) -> str:
    return f"[{numbers.first.text}..{numbers.last.text}]" if numbers else ""


def _patterns(patterns: syntax.Patterns, code: str) -> Head:
    named = _listed(patterns.named, _pattern, code, "", "")
    exceptions = _listed(patterns.exceptions, _pattern, code, "", "")
    return (*named, " except ", *exceptions) if exceptions else named


def _in_order(patterns: syntax.Patterns, code: str) -> Head:
    if patterns.exceptions:
        return ("(", *_patterns(patterns, code), ")")
    return _listed(patterns.named, _pattern, code, "(", ")")


def _pattern(pattern: syntax.Pattern) -> str:
    last = f"..{pattern.last.text}" if pattern.last else ""
    return pattern.glob.text + last + _numbers(pattern.numbers)


def _rates(rates: syntax.Rates, code: str) -> Head:
    each = " each" if rates.each else ""
    match rates.rates:
        case ():
            return (f"rates {{ }}{each}",)
        case (syntax.RateRange() as only,):
            return (f"rates {_rate(only)}{each}",)
        case several:
            return ("rates ", *_listed(several, _rate, code, "{ ", " }"), each)


def _rate(rate: syntax.Number | syntax.RateRange) -> str:
    match rate:
        case syntax.Number(text=text):
            return text
        case syntax.RateRange(first=first, last=last, step=step):
            return f"{first.text}..{last.text} step {step.text}"


def _row(row: syntax.Row, code: str) -> Head:
    return _listed(row.rates, lambda rate: rate.text, code, "[", "]") or ("[]",)


def _sample_option(option: syntax.Stratified | syntax.SampleSeed) -> str:
    match option:
        case syntax.Stratified(metric=metric):
            return f"stratified by {metric.text}"
        case syntax.SampleSeed(number=number):
            return f"seed {number.text}"


def _limit(limit: syntax.Limit) -> str:
    unit = f" {limit.unit.text}" if limit.unit else ""
    match limit:
        case syntax.PlainLimit(number=number):
            return number.text + unit
        case syntax.RelativeLimit(number=None):
            return "teacher"
        case syntax.RelativeLimit(number=number):
            return f"teacher - {number.text}{unit}" if number else "teacher"
