"""Arguments against parameters: which is which, and whether each value will do."""

import re
from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any

from wootzc.diagnostics import Span, write
from wootzc.grammar import syntax
from wootzc.grammar.check.edits import remove
from wootzc.grammar.check.elsewhere import ELSEWHERE, alone, of_its_own
from wootzc.grammar.check.report import Report
from wootzc.grammar.check.values import (
    FUNCTIONS,
    Scope,
    Value,
    evaluate,
    near_value,
    sizes_of,
    source_text,
    value_text,
)
from wootzc.grammar.syntax.marks import behind
from wootzc.grammar.syntax.near_misses import did_you_mean, meant, nearest
from wootzc.ir.layers.signature import (
    AMOUNT,
    COUNT,
    FLAG,
    FLAGS,
    PADDING,
    PAIR,
    PART,
    POSITIVE,
    REAL,
    REQUIRED,
    SHARE,
    SIZE,
    Kind,
    Parameter,
    number,
    whole,
    within,
    words,
)

__all__ = [
    "AMOUNT", "ANY", "CONFIDENCE", "COUNT", "FLAG", "FLAGS", "FRACTION", "LIST", "PADDING", "PAIR",
    "PART", "POSITIVE", "REAL", "REQUIRED", "SHARE", "Kind", "Parameter", "bind",
    "signature", "whole", "words",
]  # fmt: skip


def _list(value: Value) -> tuple[float, ...]:
    values = value if isinstance(value, tuple) else (value,)
    if values and all(isinstance(v, int | float) and isfinite(v) for v in values):
        return tuple(float(v) for v in values)
    raise ValueError


ANY = Kind("a value", lambda value: value)
CONFIDENCE = number("a confidence above 50% and below 100%, such as 95%", within(0.5, 1))
FRACTION = number("a fraction above 0 and below 1, such as 1%", within(0, 1))
LIST = Kind("a number, or several with commas between them", _list)


def signature(name: str, parameters: Iterable[Parameter]) -> str:
    """ "conv(kernel, width, stride = 1)", as help shows it."""
    shown = (
        p.name if p.default is REQUIRED else f"{p.name} = {_default_text(p.default)}"
        for p in parameters
    )
    return f"{name}({', '.join(shown)})"


def _form(name: syntax.Name, parameters: Iterable[Parameter]) -> str:
    return f"it is called as {signature(name.text, parameters)}"


def _default_text(default: Any) -> str:
    match default:
        case None:
            return "auto"
        case bool():
            return str(default).lower()
        case (first, second) if first == second:
            return str(first)
        case tuple() | int() | float() | str():
            return value_text(default)
        case _:
            return source_text(default)


def bind(
    name: syntax.Name,
    parameters: tuple[Parameter, ...],
    arguments: tuple[syntax.Argument, ...] | None,
    scope: Scope,
    report: Report,
    note: str = "",
) -> Mapping[str, Any] | None:
    """Values by parameter name; None where one is wrong (reported) or not known yet.

    `note` ends messages that depend on the module's parameters: which use of it is at fault.
    """
    given = _assign(name, parameters, arguments or (), report)
    if given is None:
        return None
    values: dict[str, Any] = {}
    complete = True
    for parameter in parameters:
        argument = given.get(parameter.name)
        if argument is None:
            values[parameter.name] = parameter.default
            if parameter.default is REQUIRED:
                complete = False
                report.error(
                    name.span, "WZ012", f"`{name.text}` needs `{parameter.name}`",
                    _form(name, parameters),
                )  # fmt: skip
            continue
        value = evaluate(argument.value, scope, report)
        if value is None:
            complete = False
            continue
        if parameter.kind in (PAIR, SIZE) and isinstance(argument.value, syntax.Binary):
            _warn_product(argument.value, report)
        try:
            values[parameter.name] = parameter.kind.read(value)
        except ValueError:
            complete = False
            given_here = arguments or ()
            place = next(at for at, one in enumerate(given_here) if one is argument)
            swapped = _swapped(parameters, given_here, place, value, scope)
            swapped = swapped or of_its_own(given_here, place, report)
            _report_value(
                name, parameters, parameter, argument, value, scope, report, note, swapped
            )
    return values if complete else None


def _warn_product(written: syntax.Binary, report: Report) -> None:
    """`3*3` is 9, and was to be a size."""
    sides = written.left, written.right
    if written.operator == "*" and isinstance(sides[0], syntax.Number):
        if isinstance(sides[1], syntax.Number):
            report.warn(
                written.span, "WZ226", f"`{source_text(written)}` is a product, and no size",
                write(f"{sides[0].text}x{sides[1].text}"),
            )  # fmt: skip


_WEIGHTS = ("pretrained", "weights", "checkpoint", "progress")


def _assign(
    name: syntax.Name,
    parameters: tuple[Parameter, ...],
    arguments: tuple[syntax.Argument, ...],
    report: Report,
) -> dict[str, syntax.Argument] | None:
    """Arguments by parameter name, or None where they cannot be told apart."""
    known = [p.name for p in parameters]
    given: dict[str, syntax.Argument] = {}
    good = True
    for position, argument in enumerate(arguments):
        if argument.name is not None:
            key = argument.name.text
            if key not in known:
                good = False
                likely = [k for k in ELSEWHERE.get(key.lower(), ()) if k in known]
                form = _form(name, parameters)
                if not known and len(arguments) == 1:
                    form = alone(name, argument.span, report)
                elif not known:
                    form = "it takes none"
                elif key in _WEIGHTS:
                    weights = (
                        'leave it out: weights are the teacher\'s, `teacher from "x.safetensors"`'
                    )
                    form = remove(argument.span, report, weights)
                report.error(
                    argument.name.span, "WZ011", f"`{name.text}` has no argument `{key}`",
                    of_its_own(arguments, position, report)
                    or (meant(likely[0]) if likely else did_you_mean(key, known, form)),
                )  # fmt: skip
                continue
        elif any(a.name is not None for a in arguments[:position]):
            report.error(
                argument.span, "WZ013", "arguments without a name come before those with one",
                _form(name, parameters),
            )  # fmt: skip
            return None
        elif position >= len(known):
            count = f"at most {len(known)}" if known else "no"
            plural = "" if len(known) == 1 else "s"
            report.error(
                argument.span, "WZ013", f"`{name.text}` takes {count} argument{plural}",
                _form(name, parameters) if known else alone(name, arguments[-1].span, report),
            )  # fmt: skip
            return None
        else:
            key = known[position]
        if key in given:
            report.error(argument.span, "WZ013", f"`{key}` is given twice", _form(name, parameters))
            return None
        given[key] = argument
    return given if good else None


def _report_value(
    name: syntax.Name,
    parameters: tuple[Parameter, ...],
    parameter: Parameter,
    argument: syntax.Argument,
    value: Value,
    scope: Scope,
    report: Report,
    note: str,
    swapped: str | None,
) -> None:
    shown = source_text(argument.value)
    is_value = value_text(value)
    if (
        isinstance(value, str)
        and not isinstance(argument.value, syntax.Text)
        and "x" not in is_value
    ):
        is_value = f'"{is_value}"' if is_value[:1].isdigit() else is_value
    if value == shown and report.was_taken_out(f"let {shown} "):
        return  # it has a value, where none can be given
    if note and isinstance(argument.value, syntax.Word) and report.is_told(note, shown, is_value):
        return  # one value that a module was given is one mistake, wherever it goes
    worked_out = "" if shown == is_value or shown.strip('"') == is_value else f" = {is_value}"
    fitting = _fitting(shown, value, parameter.kind)
    near = nearest(is_value, scope) if isinstance(value, str) and scope else None
    help: str = _form(name, parameters)
    if swapped is not None:
        help = swapped
    elif argument.name is None and _is_second_width(name, parameter, value):
        end = behind(")", report.sources.get(name.span.file, ""), argument.span.end)
        at = Span(name.span.file, name.span.start, end)
        help = write(f"dense({shown})", ": how many enter is known", at=at)
    elif fitting is not None:
        help = write(fitting)
    elif near is not None and near != is_value:
        help = meant(near)
    elif isinstance(argument.value, syntax.Word) and shown not in (*scope, *FUNCTIONS):
        help = (
            f"nothing is called `{value}` here: it is a parameter of what it stands in, or a "
            f"constant, `let {value} = …` at the top"
        )
    report.error(
        argument.value.span, "WZ014",
        f"`{parameter.name}` of `{name.text}` must be {parameter.kind.expects}, "
        f"not `{shown}`{worked_out}{note}",
        help,
    )  # fmt: skip


def _swapped(
    parameters: tuple[Parameter, ...],
    arguments: tuple[syntax.Argument, ...],
    place: int,
    value: Value,
    scope: Scope,
) -> str | None:
    """Advice on `conv(16, 3x3)`: each of two neighbours is what the other has to be."""
    argument = arguments[place]
    before = arguments[place - 1] if place else None
    if before is None or before.name is not None or argument.name is not None:
        return None
    other = evaluate(before.value, scope, Report())
    if other is None or not _takes(parameters[place].kind, other):
        return None
    if not _takes(parameters[place - 1].kind, value):
        return None
    return write(
        f"{source_text(argument.value)}, {source_text(before.value)}",
        at=Span(before.span.file, before.span.start, argument.span.end),
    )


def _is_second_width(name: syntax.Name, parameter: Parameter, value: Value) -> bool:
    """`dense(64, 10)`: what enters, and what leaves."""
    where = (name.text, parameter.name)
    return where == ("dense", "bias") and isinstance(value, int) and value > 1


def _fitting(shown: str, value: Value, kind: Kind) -> str | None:
    """What was meant by a value that is written as in other languages: `"3x3"`, `SAME`, `-16`."""
    bare = shown.strip('"')
    if kind == FLAG and bare in ("0", "1"):
        return "true" if bare == "1" else "false"
    other = {"none": "false", "null": "false"}.get(bare.lower(), bare)
    for text in (bare, bare.lower(), other):
        sizes = sizes_of(text) if re.fullmatch(r"\d+(x\d+)+", text) else text
        if text != shown and isinstance(value, str) and _takes(kind, sizes):
            return text
    return near_value(shown, kind.read)


def _takes(kind: Kind, value: Value) -> bool:
    try:
        kind.read(value)
    except ValueError:
        return False
    return True
