"""Syntax nodes → the few things the formatter knows: statements, and braces with statements."""

from dataclasses import dataclass
from typing import TypeAlias, assert_never

from wootzc.grammar import syntax
from wootzc.grammar.values import arguments_text, source_text


@dataclass(frozen=True, slots=True)
class Braces:
    """`{ … }` in the source at [start, end). `joiner` stands between items on one line."""

    start: int
    end: int
    items: tuple["Item", ...]
    joiner: str = "; "


@dataclass(frozen=True, slots=True)
class Item:
    """One statement: its text up to the braces, and the braces if it has any."""

    start: int
    end: int
    head: str
    braces: Braces | None = None


Node: TypeAlias = syntax.Item | syntax.Statement | syntax.ImportStatement | syntax.SpaceStatement


def item_of(node: Node, code: str) -> Item:
    """`code` is the source with comments and strings blanked: braces in it are real ones."""
    head, braces = _parts(node, code)
    return Item(node.span.start, node.span.end, head, braces)


def _parts(node: Node, code: str) -> tuple[str, Braces | None]:
    match node:
        case syntax.Include(path=path):
            return f'include "{path.value}"', None
        case syntax.Constant(name=name, value=value):
            return f"let {name.text} = {source_text(value)}", None
        case syntax.ModuleDefinition(name=name, parameters=parameters, body=body):
            shown = ", ".join(_parameter(p) for p in parameters)
            head = f"module {name.text}({shown})" if parameters else f"module {name.text}"
            return head, _block(body, code)
        case syntax.NetworkDefinition(name=name, parameters=parameters, body=body):
            shown = ", ".join(_parameter(p) for p in parameters)
            head = f"network {name.text}({shown})" if parameters else f"network {name.text}"
            return head, _block(body, code)
        case syntax.ImportedNetwork(name=name, path=path, statements=found):
            return f'network {name.text} from "{path.value}"', _import_block(node, found, code)
        case syntax.SpaceDefinition(name=name, statements=statements):
            after = node.arguments[-1].span.end if node.arguments else node.network.span.end
            braces = _statements(node, statements, after, code)
            return f"space {name.text}{_over(node)}", braces
        case syntax.DerivedSpace(name=name, base=base, statements=statements):
            braces = _statements(node, statements, base.span.end, code)
            return f"space {name.text}{_over(node)} from {base.text}", braces
        case syntax.Call() | syntax.Branches() | syntax.InlineModule() | syntax.Auxiliary():
            return _statement_parts(node, code)
        case syntax.Grouping(how=how):
            return f"modules by {how.text}", None
        case syntax.Norms(how=how):
            return f"norms {how.text}", None
        case syntax.FoundModule(name=name, patterns=patterns):
            shown = ", ".join(f'"{pattern.value}"' for pattern in patterns)
            return f"module {name.text} {{ {shown} }}", None
        case _:
            return _space_parts(node, code)


def _over(node: syntax.SpaceDefinition | syntax.DerivedSpace) -> str:
    return f" over {node.network.text}{arguments_text(node.arguments)}" if node.network else ""


def _statements(
    node: Node, statements: tuple[syntax.SpaceStatement, ...], after: int, code: str
) -> Braces:
    items = tuple(item_of(statement, code) for statement in statements)
    return Braces(_brace(code, after), node.span.end, items)


def _statement_parts(node: syntax.Statement, code: str) -> tuple[str, Braces | None]:
    match node:
        case syntax.Call(name=name, arguments=arguments, target=target):
            return name.text + arguments_text(arguments) + _target(target), None
        case syntax.Branches(name=name, arguments=arguments, arms=arms):
            after = arguments[-1].span.end if arguments else name.span.end
            items = tuple(Item(arm.span.start, arm.span.end, "", _block(arm, code)) for arm in arms)
            braces = Braces(_brace(code, after), node.span.end, items, " ")
            return name.text + arguments_text(arguments), braces
        case syntax.InlineModule(name=name, body=body):
            return f"module {name.text}", _block(body, code)
        case syntax.Auxiliary(arguments=arguments, body=body):
            return f"auxiliary{arguments_text(arguments)}", _block(body, code)
        case _:
            assert_never(node)


def _import_block(
    node: syntax.ImportedNetwork, statements: tuple[syntax.ImportStatement, ...], code: str
) -> Braces | None:
    if "{" not in code[node.path.span.end : node.span.end]:
        return None
    items = tuple(item_of(statement, code) for statement in statements)
    return Braces(_brace(code, node.path.span.end), node.span.end, items)


def _space_parts(node: syntax.SpaceStatement, code: str) -> tuple[str, Braces | None]:
    match node:
        case syntax.Data(kind=kind, path=path, options=options):
            shown = f'{kind.text}("{path.value}")' if kind else f'"{path.value}"'
            return f"data {shown}", _settings(options)
        case syntax.Augment(settings=settings):
            return "augment", _settings(settings)
        case syntax.Teacher(path=path, settings=settings):
            head = f'teacher from "{path.value}"' if path else "teacher"
            return head, _settings(settings)
        case syntax.Stage(name=stage, settings=settings, word=word, base=base):
            source = f" from {base.text}" if base else ""
            return stage + source + (f" {word.text}" if word else ""), _settings(settings)
        case syntax.Rates():
            return _rates(node), None
        case syntax.Prune(patterns=patterns, criterion=criterion, rates=rates):
            by = f" by {criterion.text}" if criterion else ""
            own = f" {_rates(rates)}" if rates else ""
            return f"prune {_patterns(patterns)}{by}{own}", None
        case syntax.Keep(patterns=patterns):
            return f"keep {_patterns(patterns)}", None
        case syntax.Multiple(number=number):
            return f"multiple of {number.text}", None
        case syntax.Tie(patterns=patterns):
            return f"tie {_patterns(patterns)}", None
        case syntax.WhereOrder(relation=relation, patterns=patterns):
            return f"where {relation.text}({_patterns(patterns)})", None
        case syntax.WhereCost(metric=metric, comparison=comparison, limit=limit):
            return f"where {metric.text} {comparison.text} {_limit(limit)}", None
        case syntax.All():
            return "all", None
        case syntax.Sample(count=count, options=options):
            return " ".join([f"sample {count.text}", *map(_sample_option, options)]), None
        case syntax.Configs(source=listed, span=span):
            if isinstance(listed, syntax.Text):
                return f'configs from "{listed.value}"', None
            items = tuple(Item(r.span.start, r.span.end, _row(r)) for r in listed)
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
        case syntax.Seed(number=number):
            return f"seed {number.text}", None
        case _:
            assert_never(node)


def _block(block: syntax.Block, code: str) -> Braces:
    items = tuple(item_of(statement, code) for statement in block.statements)
    return Braces(block.span.start, block.span.end, items)


def _settings(settings: syntax.Settings | None) -> Braces | None:
    if settings is None:
        return None
    items = tuple(Item(s.span.start, s.span.end, _setting(s)) for s in settings.settings)
    return Braces(settings.span.start, settings.span.end, items)


def _brace(code: str, after: int) -> int:
    return code.index("{", after)


def _setting(setting: syntax.Setting) -> str:
    name = setting.name.text
    match setting.value:
        case None:
            return name + arguments_text(setting.arguments)
        case syntax.Invoke(name=invoked, arguments=arguments):
            return f"{name} {invoked.text}{arguments_text(arguments)}"
        case expression:
            unit = f" {setting.unit.text}" if setting.unit else ""
            return f"{name} {source_text(expression)}{unit}"


def _parameter(parameter: syntax.Parameter) -> str:
    if parameter.default is None:
        return parameter.name.text
    return f"{parameter.name.text} = {source_text(parameter.default)}"


def _target(target: syntax.Target | None) -> str:
    if target is None:
        return ""
    return f" as {target.name.text}{_numbers(target.numbers)}"


def _numbers(numbers: syntax.NumberSpan | None) -> str:
    return f"[{numbers.first.text}..{numbers.last.text}]" if numbers else ""


def _patterns(patterns: syntax.Patterns) -> str:
    named = ", ".join(map(_pattern, patterns.named))
    exceptions = ", ".join(map(_pattern, patterns.exceptions))
    return f"{named} except {exceptions}" if exceptions else named


def _pattern(pattern: syntax.Pattern) -> str:
    last = f"..{pattern.last.text}" if pattern.last else ""
    return pattern.glob.text + last + _numbers(pattern.numbers)


def _rates(rates: syntax.Rates) -> str:
    inside = ", ".join(map(_rate, rates.rates))
    if len(rates.rates) == 1 and isinstance(rates.rates[0], syntax.RateRange):
        return f"rates {inside}"
    return f"rates {{ {inside} }}" if inside else "rates { }"


def _rate(rate: syntax.Number | syntax.RateRange) -> str:
    match rate:
        case syntax.Number(text=text):
            return text
        case syntax.RateRange(first=first, last=last, step=step):
            return f"{first.text}..{last.text} step {step.text}"


def _row(row: syntax.Row) -> str:
    return f"[{', '.join(rate.text for rate in row.rates)}]"


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
