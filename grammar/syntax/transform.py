"""The syntax nodes of the grammar's rules: what each makes of what was read for it.

Children arrive as nodes, terminals as their text; None stands for an optional part that is not
there.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any, TypeAlias

from wootzc.diagnostics import Span
from wootzc.grammar import syntax

Make: TypeAlias = Callable[..., Any]  # of a span and the children


def _node(node: Any, **given: Any) -> Make:
    """A node with the children as its fields, in their order, but for those `given`.

    Where the last is a tuple of nodes it takes all children that are left.
    """
    own = [field for field in fields(node) if field.name not in ("span", *given)]
    names = [field.name for field in own]
    if own and str(own[-1].type).endswith(", ...]"):
        *first, rest = names
        count = len(first)

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
_MAKE: Mapping[str, Make] = {
    "module": _definition(syntax.ModuleDefinition),
    "network": _definition(syntax.NetworkDefinition),
    "imported": _imported,
    "space": _node(syntax.SpaceDefinition),
    "parameters": _children,
    "body": _node(syntax.Block),
    "branch": _node(syntax.Branches),
    "arguments": _children,
    "negative": lambda span, _, operand: syntax.Negative(span=span, operand=operand),
    "function": _node(syntax.Invoke),
    "data": _data,
    "plain_source": lambda _, path: (None, path),
    "named_source": _children,
    "teacher": _teacher,
    "stage": _stage,
    "derived_stage": lambda span, name, base, settings: syntax.Stage(
        span=span, name=name, base=base, settings=settings
    ),
    "setting": _setting,
    "measured_setting": _node(syntax.Setting, arguments=None),
    "negative_number": lambda span, _, operand: syntax.Negative(span=span, operand=operand),
    "rates": lambda span, rates: replace(rates, span=span),
    "list_of_rates": _list_of_rates,
    "each": lambda span: True,
    "range_of_rates": _node(syntax.RateRange),
    "patterns": _patterns,
    "exceptions": _children,
    "pattern": _pattern,
    "span_of_numbers": _node(syntax.NumberSpan),
    "configs_file": _node(syntax.Configs),
    "configs_rows": lambda span, *rows: syntax.Configs(span=span, source=rows),
    "minimize": _node(syntax.Goal, direction="minimize"),
    "maximize": _node(syntax.Goal, direction="maximize"),
    "relative_limit": _relative,
    "blocks": _node(syntax.Choice, setting="blocks"),
    "explore": _node(syntax.Choice, setting="explore"),
    "latency_table": _node(syntax.Latency, target=None, command=None, settings=None),
    "precision": _node(syntax.Choice, setting="precision"),
    "quantize": _node(syntax.Choice, setting="quantize"),
    "glob": _node(syntax.Name),
    "comparison": _node(syntax.Name),
    "text": lambda span, token: syntax.Text(span=span, value=token[1:-1]),
}


def make_of(rule: str) -> Make:
    """What a rule or alias makes; of most the node of its name: `where_cost`, a `WhereCost`."""
    known = _MAKE.get(rule)
    return known or _node(getattr(syntax, "".join(map(str.capitalize, rule.split("_")))))
