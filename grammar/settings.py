"""Blocks of settings, `{ steps 600; batch 64 }`: known names, each once, each with its value."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from wootzc.diagnostics import Advice, Span, write
from wootzc.grammar import syntax
from wootzc.grammar.arguments import Kind
from wootzc.grammar.names import did_you_mean
from wootzc.grammar.report import Report
from wootzc.grammar.statements import KEYWORDS
from wootzc.grammar.values import Value, evaluate, source_text


def read_settings(
    settings: syntax.Settings,
    known: Sequence[str],
    block: str,
    report: Report,
    hints: Mapping[str, str] | None = None,
    units: Mapping[str, Sequence[str]] | None = None,
) -> Iterator[syntax.Setting]:
    """The settings of a block that it really has; others and repetitions are reported.

    `units`: the words that may follow a setting's number.
    """
    seen: set[str] = set()
    for setting in settings.settings:
        name = setting.name
        if name.text not in known:
            report.error(
                name.span, "WZ070", f"`{block}` has no setting `{name.text}`",
                _help(setting, known, block, (hints or {}).get(name.text.lower()), report),
            )  # fmt: skip
        elif name.text in seen:
            report.error(setting.span, "WZ077", f"`{name.text}` is given twice", "keep one of them")
        else:
            seen.add(name.text)
            if setting.unit is not None:
                known_units = (units or {}).get(name.text, ())
                _check_unit(name.text, setting.unit, known_units, known, report)
            yield setting


def _help(
    setting: syntax.Setting, known: Sequence[str], block: str, hint: str | None, report: Report
) -> str | None:
    name = setting.name.text
    if hint:
        value = _value_text(setting, report)
        if value or "{}" not in hint:
            return write(hint.format(value), at=setting.span)
        return f"as in `{hint.format('…')}`"
    if name in KEYWORDS:
        return f"`{name}` is a statement of the space: write it outside of these braces"
    return did_you_mean(name, known, f"`{block}` has the settings {', '.join(known)}")


def _value_text(setting: syntax.Setting, report: Report) -> str:
    """What follows the name of a setting in the file, without parentheses around it."""
    text = report.sources.get(setting.span.file, "")[setting.name.span.end : setting.span.end]
    text = text.strip()
    return text[1:-1].strip() if text.startswith("(") and text.endswith(")") else text


def _check_unit(
    name: str, unit: syntax.Name, units: Sequence[str], known: Sequence[str], report: Report
) -> None:
    if unit.text in units:
        return
    if unit.text in known:
        report.error(
            unit.span, "WZ006", f"`{unit.text}` must begin a new statement or be removed",
            Advice(
                "end the statement before it with a new line or `;`", "; ", safe=True,
                at=Span(unit.span.file, unit.span.start, unit.span.start),
            ),
        )  # fmt: skip
    elif units:
        report.error(
            unit.span, "WZ161", f"`{name}` is not given in `{unit.text}`",
            did_you_mean(unit.text, units, write(units[0], ", or nothing")),
        )  # fmt: skip
    else:
        report.error(
            unit.span, "WZ161", f"`{name}` has no unit",
            Advice(f"remove `{unit.text}`", ""),
        )  # fmt: skip


def setting_value(setting: syntax.Setting, kind: Kind, report: Report) -> Any:
    """The checked value of a setting; None after an error."""
    name = setting.name.text
    value, shown = _given(setting, report)
    if value is None:
        if shown is None:
            report.error(
                setting.span, "WZ079", f"`{name}` needs a value: {kind.expects}",
                f"write the value after it: `{name} …`",
            )  # fmt: skip
        return None
    try:
        return kind.read(value)
    except ValueError:
        given = setting.arguments[0] if setting.arguments else setting.value
        report.error(
            given.span if given else setting.span, "WZ071",
            f"`{name}` must be {kind.expects}, not `{shown}`",
        )  # fmt: skip
        return None


def _given(setting: syntax.Setting, report: Report) -> tuple[Value | None, str | None]:
    """The value of `steps 600` or `crop(4)`, and its text; (None, None) where there is none."""
    if setting.arguments:
        expression: syntax.Expression = setting.arguments[0].value
        if any(argument.name is not None for argument in setting.arguments):
            return (), "named values"
        if len(setting.arguments) > 1:
            numbers: list[Any] = [evaluate(a.value, {}, report) for a in setting.arguments]
            shown = ", ".join(source_text(a.value) for a in setting.arguments)
            return None if None in numbers else tuple(numbers), shown
    elif isinstance(setting.value, syntax.Invoke):
        word = setting.value.name.text
        return ((), f"{word}(…)") if setting.value.arguments else (word, word)
    elif setting.value is None:
        return None, None
    else:
        expression = setting.value
    return evaluate(expression, {}, report), source_text(expression)
