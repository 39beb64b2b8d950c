"""`basic(32, stride = 2 then 1) as b[1..3]`: values that differ along the modules of one line."""

from dataclasses import replace

from wootzc.diagnostics import Advice, write
from wootzc.grammar import syntax
from wootzc.grammar.check.report import Report
from wootzc.grammar.check.values import source_text


def at_turn(statement: syntax.Statement, turn: int) -> syntax.Statement:
    """The call as it is for one of the modules that it makes, counted from 0."""
    match statement:
        case syntax.Call(arguments=tuple() as arguments, target=syntax.Target(numbers=numbers)):
            if numbers is not None:
                return replace(statement, arguments=tuple(_turned(a, turn) for a in arguments))
    return statement


def _turned(argument: syntax.Argument, turn: int) -> syntax.Argument:
    match argument.value:
        case syntax.Series(values=values):
            return replace(argument, value=values[min(turn, len(values) - 1)])
        case _:
            return argument


def check_series(statement: syntax.Statement, modules: int, report: Report) -> None:
    """Report more values than there are modules."""
    if not isinstance(statement, syntax.Call) or statement.target is None:
        return
    for argument in statement.arguments or ():
        match argument.value:
            case syntax.Series(values=values, span=span) if modules == 1:
                report.error(
                    span, "WZ242", "`then` tells apart several modules, and this is one",
                    write(source_text(values[0])),
                )  # fmt: skip
            case syntax.Series(values=values, span=span) if modules < len(values):
                report.error(
                    span, "WZ242", f"these are {len(values)} values for {modules} modules",
                    Advice(
                        "the last value is that of all modules that follow; leave out the others",
                        " then ".join(map(source_text, values[:modules])),
                    ),
                )  # fmt: skip
