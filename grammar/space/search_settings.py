"""How a space is searched: `blocks`, `explore`, `certify`, `until`, `budget`, `precision`
and `quantize`.
"""

from collections.abc import Iterable
from typing import Any

from wootzc.diagnostics import Advice, Span, write
from wootzc.grammar import syntax
from wootzc.grammar.check.arguments import CONFIDENCE, COUNT, FRACTION, POSITIVE, Kind
from wootzc.grammar.check.report import Report
from wootzc.grammar.check.statements import (
    BUDGET_UNITS,
    SECONDS,
    Statements,
    keyword_of,
    kind_of_budget,
)
from wootzc.grammar.check.values import number_of
from wootzc.grammar.syntax.near_misses import did_you_mean, meant, nearest
from wootzc.ir.space import Budget

CHOICES: dict[str, tuple[str, ...]] = {
    "blocks": ("none", "modules", "wootz", "maximal", "optimal"),
    "explore": ("ascending", "descending", "all", "predicted"),
    "precision": ("float32", "bfloat16"),
    "quantize": ("none", "int8"),
}
_CHOICE_ALIASES = {"best": "optimal", "smallest": "ascending", "largest": "descending",
                   "module": "modules", "off": "none", "increasing": "ascending",
                   "decreasing": "descending", "everything": "all",
                   "bf16": "bfloat16", "float16": "bfloat16", "fp16": "bfloat16",
                   "8": "int8", "i8": "int8", "uint8": "int8", "static": "int8",
                   "half": "bfloat16", "mixed": "bfloat16",
                   "fp32": "float32", "single": "float32", "full": "float32"}  # fmt: skip

CONFIDENT = 0.95  # what `certify` alone means
LEAST_SAVING = 0.01  # what is not worth a try, where nothing is said

_UNIT_ALIASES = {"configs": "candidates", "networks": "candidates", "trials": "candidates",
                 "s": "seconds", "sec": "seconds", "secs": "seconds",
                 "m": "minutes", "min": "minutes", "mins": "minutes",
                 "h": "hours", "hr": "hours", "hrs": "hours"}  # fmt: skip


def read_choice(statements: Statements, setting: str, default: str, report: Report) -> Any:
    """The word after `blocks`, `explore`, `precision` or `quantize`, one of CHOICES."""
    value = statements.choice(setting)
    if value is None or value.text in CHOICES[setting]:
        return default if value is None else value.text
    near = _CHOICE_ALIASES.get(value.text)
    other = next((o for o, words in CHOICES.items() if value.text in words), None)
    report.error(
        value.span, "WZ058", f"`{setting}` cannot be `{value.text}`",
        Advice(
            f"did you mean `{other} {value.text}`?", f"{other} {value.text}",
            at=next(s.span for s in statements.kept if keyword_of(s) == setting),
        ) if other and near not in CHOICES[setting]
        else meant(near) if near in CHOICES[setting]
        else did_you_mean(value.text, CHOICES[setting]),
    )  # fmt: skip
    return default


def read_certify(statement: syntax.Certify | None, report: Report) -> float | None:
    """A fraction. None where nothing is to be certified, or after an error."""
    if statement is None:
        return None
    if statement.confidence is None:
        return CONFIDENT
    return read_confidence("certify", statement.confidence, report)


def read_confidence(keyword: str, number: syntax.Number, report: Report) -> float | None:
    """A fraction above one half; None after an error."""
    value = number_of(number.text)
    try:
        confidence: float = CONFIDENCE.read(value)
    except ValueError:
        meant = f"{number.text}%" if 50 < value < 100 and "%" not in number.text else "95%"
        report.error(
            number.span, "WZ071", f"`{keyword}` wants {CONFIDENCE.expects}, not {number.text}",
            write(meant),
        )  # fmt: skip
        return None
    return confidence


def read_until(statement: syntax.Until | None, report: Report) -> float:
    """The share of the network's cost that a try must be expected to save, as a fraction."""
    if statement is None:
        return LEAST_SAVING
    what, sign, number = statement.what, statement.comparison, statement.number
    if what.text != "saving":
        report.error(
            what.span, "WZ058", f"the search does not end by `{what.text}`",
            "as in `until saving < 1%`, or end it by a budget: `budget 10 minutes`",
        )  # fmt: skip
        return LEAST_SAVING
    if sign.text != "<":
        report.error(
            sign.span, "WZ065", f"a saving becomes small: it is written with <, not `{sign.text}`",
            write("<"),
        )  # fmt: skip
        return LEAST_SAVING
    value = number_of(number.text)
    try:
        saving: float = FRACTION.read(value)
    except ValueError:
        percent = 0 < value < 100 and "%" not in number.text
        report.error(
            number.span, "WZ071", f"a saving is {FRACTION.expects}, not {number.text}",
            write(f"{number.text}%") if percent else "as in `until saving < 1%`",
        )  # fmt: skip
        return LEAST_SAVING
    return saving


def read_budget(statements: Iterable[syntax.Budget], report: Report) -> Budget:
    """At most one of candidates and one of time."""
    candidates: int | None = None
    seconds: float | None = None
    for statement in statements:
        match kind_of_budget(statement):
            case "candidates":
                candidates = _amount(statement, COUNT, "10 candidates", report)
            case "time" if statement.unit is not None:
                amount = _amount(statement, POSITIVE, "30 minutes", report)
                seconds = None if amount is None else amount * SECONDS[statement.unit.text]
            case _:
                _report_unit(statement, report)
    return Budget(candidates=candidates, seconds=seconds)


def _amount(statement: syntax.Budget, kind: Kind, example: str, report: Report) -> Any:
    text = statement.number.text
    try:
        if text.endswith("%"):
            raise ValueError
        return kind.read(number_of(text))
    except ValueError:
        what = kind_of_budget(statement)
        report.error(
            statement.number.span, "WZ071",
            f"a budget of {what} is {kind.expects}, not {text}", f"as in `budget {example}`",
        )  # fmt: skip
        return None


def _report_unit(statement: syntax.Budget, report: Report) -> None:
    number, unit = statement.number.text, statement.unit
    if unit is None:
        report.error(
            statement.span, "WZ161", f"`budget {number}` does not say of what",
            write(f"budget {number} minutes", f", or `budget {number} candidates`"),
        )  # fmt: skip
        return
    near = _UNIT_ALIASES.get(unit.text.lower()) or nearest(unit.text, BUDGET_UNITS)
    hours = {"day": 24, "days": 24, "week": 168, "weeks": 168}.get(unit.text.lower(), 0)
    whole = Span(unit.span.file, statement.number.span.start, unit.span.end)
    report.error(
        unit.span, "WZ161", f"there is no budget of `{unit.text}`",
        write(f"{hours * number_of(number):g} hours", at=whole) if hours
        else meant(near) if near
        else "budgets are of candidates, seconds, minutes or hours",
    )  # fmt: skip


_PREDICTS = {
    "certify": "what is not tried is ruled out by predictions",
    "propose": "candidates are proposed by the scores of their modules",
    "until": "what the next try may save is predicted",
}


def check_predicted(statements: Statements, report: Report) -> None:
    """Some statements mean something only where the search predicts."""
    explore = statements.choice("explore")
    if explore is None or explore.text == "predicted" or explore.text not in CHOICES["explore"]:
        return  # an unknown choice has been reported
    for statement in statements.kept:
        if (keyword := keyword_of(statement)) not in _PREDICTS:
            continue
        other = f", or {'`sample 500 seed 1`' if keyword == 'propose' else f'remove `{keyword}`'}"
        report.error(
            statement.span, "WZ160",
            f"`{keyword}` needs `explore predicted`: {_PREDICTS[keyword]}",
            Advice(
                f"write `explore predicted` instead of `explore {explore.text}`{other}",
                "predicted", at=explore.span,
            ),
        )  # fmt: skip
