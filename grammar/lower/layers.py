"""One layer: its fields by what a call gives, and its bias by what follows."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

from wootzc.grammar import syntax
from wootzc.grammar.check.arguments import bind
from wootzc.grammar.check.operators import OPERATORS
from wootzc.grammar.check.report import Report
from wootzc.grammar.check.values import words_in
from wootzc.ir.layers import Body, Conv, DepthwiseConv, Layer, Norm
from wootzc.ir.layers.signature import Operator


class Draft(NamedTuple):
    """A layer; with `auto_bias` it gets a bias unless a norm directly follows."""

    layer: Layer
    auto_bias: bool = False


class Settled(NamedTuple):
    """The fields of a layer; `auto_bias` as in `Draft`."""

    fields: Mapping[str, Any]
    auto_bias: bool


def settle(operator: Operator, values: Mapping[str, Any]) -> Settled:
    """A layer's fields: those given, those like another, those that the operator fixes."""
    auto = any(p.auto and values[p.name] is None for p in operator.parameters)
    like = {p.name: values[p.like] for p in operator.parameters if p.like}
    given = {name: value for name, value in values.items() if value is not None}
    return Settled({**like, **given, **operator.fixed}, auto)


@lru_cache(maxsize=4_096)
def written_out(name: str, arguments: tuple[syntax.Argument, ...] | None) -> Settled | None:
    """What a call makes wherever it stands; None where it names something, or has a mistake."""
    if words_in(argument.value for argument in arguments or ()):
        return None
    report, operator = Report(), OPERATORS[name]
    values = bind(syntax.Name(text=name), operator.parameters, arguments, {}, report)
    return None if values is None or report.diagnostics else settle(operator, values)


def settle_bias(drafts: list[Draft]) -> Body:
    """The layers, each with its bias decided: none where a norm directly follows, as mostly."""
    layers: list[Layer] = []
    for index, (layer, auto) in enumerate(drafts):
        follower = drafts[index + 1].layer if index + 1 < len(drafts) else None
        if auto and isinstance(layer, Conv | DepthwiseConv) and not isinstance(follower, Norm):
            layer = replace(layer, bias=True)
        layers.append(layer)
    return tuple(layers)
