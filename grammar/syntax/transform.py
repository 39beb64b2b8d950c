"""The syntax nodes of the grammar's rules. One method per rule, in the grammar's order."""

from collections.abc import Callable
from typing import Any, TypeVar

from wootzc.diagnostics import Span as Meta
from wootzc.grammar import syntax
from wootzc.grammar.syntax.draft import Draft

Node = TypeVar("Node")


class ToSyntax:
    """Children arrive as nodes, terminals as their text; `None` stands for an optional part that
    is not there.
    """

    def __init__(self, draft: Draft):
        self.draft = draft

    def node(self, make: Callable[..., Node], meta: Meta, **fields: Any) -> Node:
        return make(span=meta, **fields)

    # files

    def file(self, meta: Meta, *items: Any) -> syntax.File:
        return self.node(syntax.File, meta, items=items)

    def include(self, meta: Meta, path: Any) -> syntax.Include:
        return self.node(syntax.Include, meta, path=path)

    def constant(self, meta: Meta, name: Any, value: Any) -> syntax.Constant:
        return self.node(syntax.Constant, meta, name=name, value=value)

    def module(self, meta: Meta, name: Any, parameters: Any, body: Any) -> syntax.ModuleDefinition:
        return self.node(
            syntax.ModuleDefinition, meta, name=name, parameters=parameters or (), body=body
        )

    def network(
        self, meta: Meta, name: Any, parameters: Any, body: Any
    ) -> syntax.NetworkDefinition:
        return self.node(
            syntax.NetworkDefinition, meta, name=name, parameters=parameters or (), body=body
        )

    def imported(
        self, meta: Meta, name: Any, path: Any, *statements: Any
    ) -> syntax.ImportedNetwork:
        given = tuple(s for s in statements if s is not None)
        return self.node(syntax.ImportedNetwork, meta, name=name, path=path, statements=given)

    def space(
        self, meta: Meta, name: Any, network: Any, arguments: Any, *statements: Any
    ) -> syntax.SpaceDefinition:
        return self.node(
            syntax.SpaceDefinition, meta, name=name, network=network, arguments=arguments,
            statements=statements,
        )  # fmt: skip

    def derived_space(
        self, meta: Meta, name: Any, network: Any, arguments: Any, base: Any, *statements: Any
    ) -> syntax.DerivedSpace:
        return self.node(
            syntax.DerivedSpace, meta, name=name, network=network, arguments=arguments, base=base,
            statements=statements,
        )  # fmt: skip

    def parameters(self, meta: Meta, *parameters: Any) -> tuple[syntax.Parameter, ...]:
        return parameters

    def parameter(self, meta: Meta, name: Any, default: Any) -> syntax.Parameter:
        return self.node(syntax.Parameter, meta, name=name, default=default)

    # modules and networks

    def body(self, meta: Meta, *statements: Any) -> syntax.Block:
        return self.node(syntax.Block, meta, statements=statements)

    def call(self, meta: Meta, name: Any, arguments: Any, target: Any) -> syntax.Call:
        return self.node(syntax.Call, meta, name=name, arguments=arguments, target=target)

    def target(self, meta: Meta, name: Any, numbers: Any) -> syntax.Target:
        return self.node(syntax.Target, meta, name=name, numbers=numbers)

    def branch(self, meta: Meta, name: Any, arguments: Any, *arms: Any) -> syntax.Branches:
        return self.node(syntax.Branches, meta, name=name, arguments=arguments, arms=arms)

    def inline_module(self, meta: Meta, name: Any, body: Any) -> syntax.InlineModule:
        return self.node(syntax.InlineModule, meta, name=name, body=body)

    def auxiliary(self, meta: Meta, arguments: Any, body: Any) -> syntax.Auxiliary:
        return self.node(syntax.Auxiliary, meta, arguments=arguments, body=body)

    def grouping(self, meta: Meta, how: Any) -> syntax.Grouping:
        return self.node(syntax.Grouping, meta, how=how)

    def norms(self, meta: Meta, how: Any) -> syntax.Norms:
        return self.node(syntax.Norms, meta, how=how)

    def found_module(self, meta: Meta, name: Any, *patterns: Any) -> syntax.FoundModule:
        return self.node(syntax.FoundModule, meta, name=name, patterns=patterns)

    def arguments(self, meta: Meta, *arguments: Any) -> tuple[syntax.Argument, ...]:
        return arguments

    def argument(self, meta: Meta, name: Any, value: Any) -> syntax.Argument:
        return self.node(syntax.Argument, meta, name=name, value=value)

    def series(self, meta: Meta, *values: Any) -> syntax.Series:
        return self.node(syntax.Series, meta, values=values)

    def sizes(self, meta: Meta, *parts: Any) -> syntax.Sizes:
        return self.node(syntax.Sizes, meta, parts=parts)

    def binary(self, meta: Meta, left: Any, operator: str, right: Any) -> syntax.Binary:
        return self.node(syntax.Binary, meta, operator=operator, left=left, right=right)

    def negative(self, meta: Meta, minus: str, operand: Any) -> syntax.Negative:
        return self.node(syntax.Negative, meta, operand=operand)

    def function(self, meta: Meta, name: Any, arguments: Any) -> syntax.Invoke:
        return self.node(syntax.Invoke, meta, name=name, arguments=arguments)

    # spaces

    def data(self, meta: Meta, source: Any, options: Any) -> syntax.Data:
        kind, path = source
        return self.node(syntax.Data, meta, kind=kind, path=path, options=options)

    def plain_source(self, meta: Meta, path: Any) -> Any:
        return None, path

    def named_source(self, meta: Meta, kind: Any, path: Any) -> Any:
        return kind, path

    def augment(self, meta: Meta, settings: Any) -> syntax.Augment:
        return self.node(syntax.Augment, meta, settings=settings)

    def teacher(self, meta: Meta, source: Any, more: Any = None) -> syntax.Teacher:
        if isinstance(source, syntax.Settings):
            return self.node(syntax.Teacher, meta, path=None, settings=source)
        return self.node(syntax.Teacher, meta, path=source, settings=more)

    def stage(self, meta: Meta, name: str, detail: Any) -> syntax.Stage:
        word = detail if isinstance(detail, syntax.Name) else None
        settings = detail if word is None else None
        return self.node(syntax.Stage, meta, name=name, settings=settings, word=word)

    def derived_stage(self, meta: Meta, name: str, base: Any, settings: Any) -> syntax.Stage:
        return self.node(syntax.Stage, meta, name=name, settings=settings, base=base)

    def settings(self, meta: Meta, *settings: Any) -> syntax.Settings:
        return self.node(syntax.Settings, meta, settings=settings)

    def setting(self, meta: Meta, name: Any, detail: Any) -> syntax.Setting:
        called = isinstance(detail, tuple)
        return self.node(
            syntax.Setting,
            meta,
            name=name,
            arguments=detail if called else None,
            value=None if called else detail,
        )

    def measured_setting(self, meta: Meta, name: Any, value: Any, unit: Any) -> syntax.Setting:
        return self.node(syntax.Setting, meta, name=name, arguments=None, value=value, unit=unit)

    negative_number = negative

    def invoke(self, meta: Meta, name: Any, arguments: Any) -> syntax.Invoke:
        return self.node(syntax.Invoke, meta, name=name, arguments=arguments)

    def rates(self, meta: Meta, rates: Any) -> syntax.Rates:
        return self.node(syntax.Rates, meta, rates=rates.rates)

    def list_of_rates(self, meta: Meta, *rates: Any) -> syntax.Rates:
        return self.node(syntax.Rates, meta, rates=rates)

    def range_of_rates(self, meta: Meta, first: Any, last: Any, step: Any) -> syntax.RateRange:
        return self.node(syntax.RateRange, meta, first=first, last=last, step=step)

    def prune(self, meta: Meta, patterns: Any, criterion: Any, rates: Any) -> syntax.Prune:
        return self.node(syntax.Prune, meta, patterns=patterns, criterion=criterion, rates=rates)

    def keep(self, meta: Meta, patterns: Any) -> syntax.Keep:
        return self.node(syntax.Keep, meta, patterns=patterns)

    def multiple(self, meta: Meta, number: Any) -> syntax.Multiple:
        return self.node(syntax.Multiple, meta, number=number)

    def tie(self, meta: Meta, patterns: Any) -> syntax.Tie:
        return self.node(syntax.Tie, meta, patterns=patterns)

    def where_order(self, meta: Meta, relation: Any, patterns: Any) -> syntax.WhereOrder:
        return self.node(syntax.WhereOrder, meta, relation=relation, patterns=patterns)

    def where_cost(self, meta: Meta, metric: Any, comparison: Any, limit: Any) -> syntax.WhereCost:
        return self.node(syntax.WhereCost, meta, metric=metric, comparison=comparison, limit=limit)

    def patterns(self, meta: Meta, *patterns: Any) -> syntax.Patterns:
        *named, exceptions = patterns
        return self.node(syntax.Patterns, meta, named=tuple(named), exceptions=exceptions or ())

    def exceptions(self, meta: Meta, *patterns: Any) -> tuple[syntax.Pattern, ...]:
        return patterns

    def pattern(self, meta: Meta, glob: Any, end: Any) -> syntax.Pattern:
        if isinstance(end, syntax.NumberSpan):
            return self.node(syntax.Pattern, meta, glob=glob, numbers=end)
        return self.node(syntax.Pattern, meta, glob=glob, last=end)

    def span_of_numbers(self, meta: Meta, first: Any, last: Any) -> syntax.NumberSpan:
        return self.node(syntax.NumberSpan, meta, first=first, last=last)

    def all(self, meta: Meta) -> syntax.All:
        return self.node(syntax.All, meta)

    def sample(self, meta: Meta, count: Any, *options: Any) -> syntax.Sample:
        return self.node(syntax.Sample, meta, count=count, options=options)

    def stratified(self, meta: Meta, metric: Any) -> syntax.Stratified:
        return self.node(syntax.Stratified, meta, metric=metric)

    def sample_seed(self, meta: Meta, number: Any) -> syntax.SampleSeed:
        return self.node(syntax.SampleSeed, meta, number=number)

    def configs_file(self, meta: Meta, path: Any) -> syntax.Configs:
        return self.node(syntax.Configs, meta, source=path)

    def configs_rows(self, meta: Meta, *rows: Any) -> syntax.Configs:
        return self.node(syntax.Configs, meta, source=rows)

    def row(self, meta: Meta, *rates: Any) -> syntax.Row:
        return self.node(syntax.Row, meta, rates=rates)

    def propose(self, meta: Meta, count: Any) -> syntax.Propose:
        return self.node(syntax.Propose, meta, count=count)

    def minimize(self, meta: Meta, metric: Any) -> syntax.Goal:
        return self.node(syntax.Goal, meta, direction="minimize", metric=metric)

    def maximize(self, meta: Meta, metric: Any) -> syntax.Goal:
        return self.node(syntax.Goal, meta, direction="maximize", metric=metric)

    def subject(
        self, meta: Meta, metric: Any, comparison: Any, limit: Any, confidence: Any
    ) -> syntax.Subject:
        return self.node(
            syntax.Subject, meta, metric=metric, comparison=comparison, limit=limit,
            confidence=confidence,
        )  # fmt: skip

    def confidence(self, meta: Meta, what: Any, number: Any) -> syntax.Confidence:
        return self.node(syntax.Confidence, meta, what=what, number=number)

    def plain_limit(self, meta: Meta, number: Any, unit: Any) -> syntax.PlainLimit:
        return self.node(syntax.PlainLimit, meta, number=number, unit=unit)

    def relative_limit(
        self, meta: Meta, minus: Any = None, number: Any = None, unit: Any = None
    ) -> syntax.RelativeLimit:
        return self.node(syntax.RelativeLimit, meta, number=number, unit=unit)

    def blocks(self, meta: Meta, value: Any) -> syntax.Choice:
        return self.node(syntax.Choice, meta, setting="blocks", value=value)

    def explore(self, meta: Meta, value: Any) -> syntax.Choice:
        return self.node(syntax.Choice, meta, setting="explore", value=value)

    def certify(self, meta: Meta, confidence: Any) -> syntax.Certify:
        return self.node(syntax.Certify, meta, confidence=confidence)

    def until(self, meta: Meta, what: Any, comparison: Any, number: Any) -> syntax.Until:
        return self.node(syntax.Until, meta, what=what, comparison=comparison, number=number)

    def budget(self, meta: Meta, number: Any, unit: Any) -> syntax.Budget:
        return self.node(syntax.Budget, meta, number=number, unit=unit)

    def latency(self, meta: Meta, target: Any, command: Any, settings: Any) -> syntax.Latency:
        return self.node(syntax.Latency, meta, target=target, command=command, settings=settings)

    def precision(self, meta: Meta, value: Any) -> syntax.Choice:
        return self.node(syntax.Choice, meta, setting="precision", value=value)

    def seed(self, meta: Meta, number: Any) -> syntax.Seed:
        return self.node(syntax.Seed, meta, number=number)

    # leaves

    def name(self, meta: Meta, token: str) -> syntax.Name:
        return self.node(syntax.Name, meta, text=token)

    glob = name
    comparison = name

    def word(self, meta: Meta, token: str) -> syntax.Word:
        return self.node(syntax.Word, meta, text=token)

    def number(self, meta: Meta, token: str) -> syntax.Number:
        return self.node(syntax.Number, meta, text=token)

    def shape(self, meta: Meta, token: str) -> syntax.Shape:
        return self.node(syntax.Shape, meta, text=token)

    def text(self, meta: Meta, token: str) -> syntax.Text:
        return self.node(syntax.Text, meta, value=token[1:-1])
