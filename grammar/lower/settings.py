"""Blocks of settings, `{ steps 600; batch 64 }`: known names, each once, each with its value."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from wootzc.diagnostics import Advice, Span, write
from wootzc.grammar import syntax
from wootzc.grammar.check.arguments import FLAG, Kind
from wootzc.grammar.check.edits import remove
from wootzc.grammar.check.report import Report
from wootzc.grammar.check.statements import KEYWORDS
from wootzc.grammar.check.values import Value, evaluate, near_value, source_text
from wootzc.grammar.parse.mistakes import NONE_HERE
from wootzc.grammar.syntax.near_misses import did_you_mean


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
    torn: syntax.Setting | None = None  # the value of the one before it
    for setting, following in zip_longest(settings.settings, settings.settings[1:]):
        name = setting.name
        if setting is torn:
            continue
        if _is_torn(setting, following, known) and following is not None:
            torn = following
            span = Span(setting.span.file, setting.span.start, following.span.end)
            text = report.sources.get(span.file, "")
            value = text[following.span.start : following.span.end]
            report.error(
                span, "WZ079", f"`{name.text}` has its value on the same line",
                write(f"{name.text} {value}", safe=True),
            )  # fmt: skip
        elif isinstance(setting.value, syntax.Invoke) and setting.value.name.text in known:
            _report_new(setting.value.name, report)
        elif name.text not in known:
            report.error(
                name.span, "WZ070", f"`{block}` has no setting `{name.text}`",
                _help(setting, settings, known, block, hints or {}, report),
            )  # fmt: skip
        elif name.text in seen:
            report.error(setting.span, "WZ077", f"`{name.text}` is given twice", "keep one of them")
        else:
            seen.add(name.text)
            if setting.unit is not None:
                known_units = (units or {}).get(name.text, ())
                _check_unit(name.text, setting.unit, known_units, known, report)
            yield setting


def _is_torn(
    setting: syntax.Setting, following: syntax.Setting | None, known: Sequence[str]
) -> bool:
    """Whether what follows a setting is its value, on a line of its own."""
    bare = setting.value is None and setting.arguments is None
    if not bare or setting.name.text not in _NAMED or following is None:
        return False
    return following.name.text not in known


_NAMED = ("optimizer", "schedule")  # settings whose value is a name


def _report_new(name: syntax.Name, report: Report) -> None:
    """A setting directly behind another, in one line."""
    before = Span(name.span.file, name.span.start, name.span.start)
    report.error(
        name.span, "WZ006", f"`{name.text}` must begin a new statement or be removed",
        Advice("end the statement before it with a new line or `;`", "; ", safe=True, at=before),
    )  # fmt: skip


def _help(
    setting: syntax.Setting,
    settings: syntax.Settings,
    known: Sequence[str],
    block: str,
    hints: Mapping[str, str],
    report: Report,
) -> str | None:
    name = setting.name.text
    hint = hints.get(name.lower())
    if hint:
        value = _value_text(setting, report)
        padding = re.search(r"\bpadding\s*=\s*(\w+)", value)
        value = padding[1] if padding else value
        taken = any(s.name.text == hint.split()[0].split("(")[0] for s in settings.settings)
        if (value or "{}" not in hint) and not taken:
            return write(hint.format(value), at=setting.span)
        return f"it is written as in `{hint.format(value or '…')}`"
    if name == "from":
        return f"it stands before the braces: `{block} from {_value_text(setting, report)} {{ … }}`"
    if name in KEYWORDS:
        return f"`{name}` is a statement of the space: write it outside of these braces"
    if name.lower() in NONE_HERE:
        return remove(setting.span, report, f"leave it out: {NONE_HERE[name.lower()]}")
    return did_you_mean(name, known, f"`{block}` has the settings {', '.join(known)}")


def _value_text(setting: syntax.Setting, report: Report) -> str:
    """What follows the name of a setting in the file, without parentheses around it."""
    text = report.sources.get(setting.span.file, "")[setting.name.span.end : setting.span.end]
    text = text.strip()
    return text[1:-1].strip() if text.startswith("(") and text.endswith(")") else text


_LENGTHS = ("epochs", "steps")  # behind a number they are its unit, and no setting without a value


def _check_unit(
    name: str, unit: syntax.Name, units: Sequence[str], known: Sequence[str], report: Report
) -> None:
    if unit.text in units:
        return
    if unit.text == name:
        report.error(
            unit.span, "WZ161", f"`{name}` stands twice here", Advice(f"remove `{name}`", "")
        )
    elif unit.text in known and unit.text not in _LENGTHS:
        _report_new(unit, report)
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
                f"the value follows it: `{name} …`",
            )  # fmt: skip
        return None
    try:
        return kind.read(value)
    except ValueError:
        given = setting.arguments[0] if setting.arguments else setting.value
        span = given.value.span if isinstance(given, syntax.Argument) else setting.span
        span = setting.value.span if setting.value else span
        near = near_value(shown or "", kind.read)
        report.error(
            span, "WZ071", f"`{name}` must be {kind.expects}, not `{shown}`",
            write(near) if near else _example(name, kind),
        )  # fmt: skip
        return None


def _example(name: str, kind: Kind) -> str | None:
    """How a setting is written, with a value that its kind names."""
    if kind == FLAG:
        return f"`{name}` alone says that it is on"
    value = re.search(r"such as ([\w.%]+)", kind.expects)
    example = value[1] if value else _EXAMPLES.get(name)
    return f"as in `{name} {example}`" if example else None


_EXAMPLES = {"steps": "600", "epochs": "30", "batch": "64", "crop": "4", "limit": "5_000",
             "normalize": "imagenet"}  # fmt: skip


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
