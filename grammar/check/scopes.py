"""What stands for what in a body: constants of the file, parameters, and what enters a place."""

from collections.abc import Mapping

from wootzc.grammar import syntax
from wootzc.grammar.check.report import Report
from wootzc.grammar.check.values import Scope, Value, evaluate
from wootzc.ir.layers.shapes import Shape


def at(scope: Scope, shape: Shape | None) -> Scope:
    """What an argument may name: parameters, constants, and `channels`, those that enter."""
    return {"channels": None if shape is None else shape[-1], **scope}


def scope_of(
    constants: Scope,
    parameters: tuple[syntax.Parameter, ...],
    given: Mapping[str, Value | None],
    outside: Scope,
    report: Report,
) -> dict[str, Value | None]:
    """Constants, and parameters as they are given or by default, which may name those before.

    None stands for what is not known. `outside`: what defaults may name besides.
    """
    inner: dict[str, Value | None] = dict(constants)
    for parameter in parameters:
        name, default = parameter.name.text, parameter.default
        if name in given or default is None:
            inner[name] = given.get(name)
        else:
            inner[name] = evaluate(default, {**outside, **inner}, report)
    return inner
