"""The syntax nodes of the grammar's rules: what each makes of what was read for it.

Children arrive as nodes, terminals as their text; None stands for an optional part that is not
there.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from wootzc.diagnostics import Span
from wootzc.grammar import syntax

Make: TypeAlias = Callable[..., Any]  # of a span and the children


def _node(node: Callable[..., Any], fields: str = "", **given: Any) -> Make:
    """A node with the children as its fields, in this order; `*last` takes all that are left."""
    names = fields.split()
    if names and names[-1].startswith("*"):
        *first, last = names
        count, rest = len(first), last[1:]

        def make(span: Span, *children: Any) -> Any:
            several = {rest: children[count:]}
            return node(span=span, **dict(zip(first, children, strict=False)), **several, **given)

        return make
    if len(names) == 1:
        [only] = names
        return lambda span, child: node(span=span, **{only: child}, **given)
    return lambda span, *children: node(
        span=span, **dict(zip(names, children, strict=True)), **given
    )


def _children(_: Span, *children: Any) -> tuple[Any, ...]:
    return children


def _definition(node: Callable[..., Any]) -> Make:
    def make(span: Span, name: Any, parameters: Any, body: Any) -> Any:
        return node(span=span, name=name, parameters=parameters or (), body=body)

    return make


def _imported(span: Span, name: Any, path: Any, *statements: Any) -> syntax.ImportedNetwork:
    given = tuple(s for s in statements if s is not None)
    return syntax.ImportedNetwork(span=span, name=name, path=path, statements=given)


def _data(span: Span, source: Any, options: Any) -> syntax.Data:
    kind, path = source
    return syntax.Data(span=span, kind=kind, path=path, options=options)


def _teacher(span: Span, source: Any, more: Any = None) -> syntax.Teacher:
    if isinstance(source, syntax.Settings):
        return syntax.Teacher(span=span, path=None, settings=source)
    return syntax.Teacher(span=span, path=source, settings=more)


def _stage(span: Span, name: Any, detail: Any) -> syntax.Stage:
    word = detail if isinstance(detail, syntax.Name) else None
    settings = detail if word is None else None
    return syntax.Stage(span=span, name=name, settings=settings, word=word)


def _setting(span: Span, name: Any, detail: Any) -> syntax.Setting:
    called = isinstance(detail, tuple)
    arguments, value = (detail, None) if called else (None, detail)
    return syntax.Setting(span=span, name=name, arguments=arguments, value=value)


def _rates(span: Span, rates: syntax.Rates) -> syntax.Rates:
    return syntax.Rates(span=span, rates=rates.rates, each=rates.each)


def _list_of_rates(span: Span, *children: Any) -> syntax.Rates:
    *rates, each = children
    return syntax.Rates(span=span, rates=tuple(rates), each=bool(each))


def _patterns(span: Span, *patterns: Any) -> syntax.Patterns:
    *named, exceptions = patterns
    return syntax.Patterns(span=span, named=tuple(named), exceptions=exceptions or ())


def _pattern(span: Span, glob: Any, end: Any) -> syntax.Pattern:
    if isinstance(end, syntax.NumberSpan):
        return syntax.Pattern(span=span, glob=glob, numbers=end)
    return syntax.Pattern(span=span, glob=glob, last=end)


def _relative(span: Span, _: Any = None, number: Any = None, unit: Any = None) -> Any:
    return syntax.RelativeLimit(span=span, number=number, unit=unit)


# By the rule or its alias, in the grammar's order.
MAKE: Mapping[str, Make] = {
    "file": _node(syntax.File, "*items"),
    "include": _node(syntax.Include, "path"),
    "constant": _node(syntax.Constant, "name value"),
    "module": _definition(syntax.ModuleDefinition),
    "network": _definition(syntax.NetworkDefinition),
    "imported": _imported,
    "space": _node(syntax.SpaceDefinition, "name network arguments *statements"),
    "derived_space": _node(syntax.DerivedSpace, "name network arguments base *statements"),
    "parameters": _children,
    "parameter": _node(syntax.Parameter, "name default"),
    "body": _node(syntax.Block, "*statements"),
    "call": _node(syntax.Call, "name arguments target"),
    "target": _node(syntax.Target, "name numbers"),
    "branch": _node(syntax.Branches, "name arguments *arms"),
    "inline_module": _node(syntax.InlineModule, "name body"),
    "auxiliary": _node(syntax.Auxiliary, "arguments body"),
    "grouping": _node(syntax.Grouping, "how"),
    "norms": _node(syntax.Norms, "how"),
    "found_module": _node(syntax.FoundModule, "name *patterns"),
    "arguments": _children,
    "argument": _node(syntax.Argument, "name value"),
    "series": _node(syntax.Series, "*values"),
    "sizes": _node(syntax.Sizes, "*parts"),
    "binary": _node(syntax.Binary, "left operator right"),
    "negative": lambda span, _, operand: syntax.Negative(span=span, operand=operand),
    "function": _node(syntax.Invoke, "name arguments"),
    "data": _data,
    "plain_source": lambda _, path: (None, path),
    "named_source": _children,
    "augment": _node(syntax.Augment, "settings"),
    "teacher": _teacher,
    "stage": _stage,
    "derived_stage": _node(syntax.Stage, "name base settings"),
    "settings": _node(syntax.Settings, "*settings"),
    "setting": _setting,
    "measured_setting": _node(syntax.Setting, "name value unit", arguments=None),
    "negative_number": lambda span, _, operand: syntax.Negative(span=span, operand=operand),
    "invoke": _node(syntax.Invoke, "name arguments"),
    "rates": _rates,
    "list_of_rates": _list_of_rates,
    "each": lambda span: True,
    "range_of_rates": _node(syntax.RateRange, "first last step"),
    "prune": _node(syntax.Prune, "patterns criterion rates"),
    "narrow": _node(syntax.Narrow, "patterns criterion rates"),
    "skip": _node(syntax.Skip, "patterns"),
    "keep": _node(syntax.Keep, "patterns"),
    "multiple": _node(syntax.Multiple, "number"),
    "tie": _node(syntax.Tie, "patterns"),
    "where_order": _node(syntax.WhereOrder, "relation patterns"),
    "where_cost": _node(syntax.WhereCost, "metric comparison limit"),
    "patterns": _patterns,
    "exceptions": _children,
    "pattern": _pattern,
    "span_of_numbers": _node(syntax.NumberSpan, "first last"),
    "all": _node(syntax.All),
    "sample": _node(syntax.Sample, "count *options"),
    "stratified": _node(syntax.Stratified, "metric"),
    "sample_seed": _node(syntax.SampleSeed, "number"),
    "configs_file": _node(syntax.Configs, "source"),
    "configs_rows": _node(syntax.Configs, "*source"),
    "row": _node(syntax.Row, "*rates"),
    "propose": _node(syntax.Propose, "count"),
    "minimize": _node(syntax.Goal, "metric", direction="minimize"),
    "maximize": _node(syntax.Goal, "metric", direction="maximize"),
    "subject": _node(syntax.Subject, "metric comparison limit confidence"),
    "confidence": _node(syntax.Confidence, "what number"),
    "plain_limit": _node(syntax.PlainLimit, "number unit"),
    "relative_limit": _relative,
    "blocks": _node(syntax.Choice, "value", setting="blocks"),
    "explore": _node(syntax.Choice, "value", setting="explore"),
    "certify": _node(syntax.Certify, "confidence"),
    "until": _node(syntax.Until, "what comparison number"),
    "budget": _node(syntax.Budget, "number unit"),
    "latency": _node(syntax.Latency, "target command table settings"),
    "latency_table": _node(syntax.Latency, "table", target=None, command=None, settings=None),
    "precision": _node(syntax.Choice, "value", setting="precision"),
    "quantize": _node(syntax.Choice, "value", setting="quantize"),
    "seed": _node(syntax.Seed, "number"),
    "name": _node(syntax.Name, "text"),
    "glob": _node(syntax.Name, "text"),
    "comparison": _node(syntax.Name, "text"),
    "word": _node(syntax.Word, "text"),
    "number": _node(syntax.Number, "text"),
    "shape": _node(syntax.Shape, "text"),
    "text": lambda span, token: syntax.Text(span=span, value=token[1:-1]),
}
