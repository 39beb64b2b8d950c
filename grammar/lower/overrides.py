"""`--set KEY=VALUE`: settings that replace those of the file, as if they were written in it.

Each becomes one statement of the language, parsed by the same grammar, so it means the same and
its mistakes are shown the same way. A space's other statements stay, also those of the same keyword
that speak of something else: of several `subject to`, only the one about the same metric goes.
"""

from collections.abc import Mapping
from dataclasses import replace

from wootzc.diagnostics import Diagnostic, Span
from wootzc.grammar import syntax
from wootzc.grammar.check.merged_statements import merged, replaced
from wootzc.grammar.check.report import Report
from wootzc.grammar.check.statements import ADDING, KEYWORDS, keyword_of
from wootzc.grammar.lower.program import Program
from wootzc.grammar.parse import parse_statement
from wootzc.grammar.syntax.near_misses import did_you_mean

_DOTTED = ("data", "augment", "teacher", "pretrain", "finetune", "polish", "sample")


def apply_overrides(program: Program, overrides: Mapping[str, str], report: Report) -> None:
    """Change every space of `program`."""
    for key, value in overrides.items():
        statement = _statement(key.strip(), value.strip(), program, report)
        if statement is None:  # no space is what was asked for
            program.broken |= {f"space {name}" for name in program.spaces}
            continue
        for name, space in program.spaces.items():
            old = replaced(space.statements, statement)
            if isinstance(statement, ADDING) and len(old) > 1:
                _report_ambiguous(statement, name, len(old), report)
                program.broken.add(f"space {name}")
                continue
            changed = _applied(space.statements, old, statement, partial="." in key)
            program.spaces[name] = replace(space, statements=changed)


def _statement(
    key: str, value: str, program: Program, report: Report
) -> syntax.SpaceStatement | None:
    head, dot, setting = key.partition(".")
    shown = f"--set {key}"
    if head not in KEYWORDS or (dot and head not in _DOTTED):
        program.sources[shown] = f"{key}={value}"
        report.error(
            Span(shown, 0, len(key)), "WZ078", f"there is nothing to set called `{key}`",
            did_you_mean(key, (*KEYWORDS, *(f"{h}.steps" for h in _DOTTED[2:6])),
                         "keys are statements of a space, such as sample, data or teacher.steps"),
        )  # fmt: skip
        return None
    text = _written(head, setting, value) if dot else _written_whole(head, value)
    program.sources[shown] = text
    statement = parse_statement(text, shown)
    if isinstance(statement, Diagnostic):
        report.add(statement)
        return None
    return statement


def _written(head: str, setting: str, value: str) -> str:
    """The statement that `finetune.batch=32` stands for."""
    if head == "data":
        return f'data "" {{ {setting} {value} }}'
    if head == "sample":
        return f"sample 0 {setting} {'by ' if setting == 'stratified' else ''}{value}"
    if setting == "crop":
        return f"{head} {{ crop({value}) }}"
    return f"{head} {{ {setting} {value} }}"


def _written_whole(head: str, value: str) -> str:
    quoted = f'"{value}"'
    match head:
        case "data" if not value.startswith('"') and "(" not in value:
            return f"data {quoted}"
        case "teacher" | "configs" if not value.startswith(("{", "from")):
            return f"{head} from {value if value.startswith(chr(34)) else quoted}"
        case "rates" if not value.startswith("{"):
            return f"rates {{ {value} }}"
        case "subject" if not value.startswith("to "):
            return f"subject to {value}"
        case "multiple" if not value.startswith("of "):
            return f"multiple of {value}"
        case "all":
            return "all"
        case _:
            return f"{head} {value}"


def _report_ambiguous(
    statement: syntax.SpaceStatement, space: str, count: int, report: Report
) -> None:
    keyword = keyword_of(statement)
    match statement:
        case syntax.Subject(metric=about) | syntax.WhereCost(metric=about):
            which = f"`{keyword}` statements about {about.text}"
        case syntax.WhereOrder(relation=about):
            which = f"`where {about.text}` statements"
        case _:
            which = f"`{keyword}` statements"
    report.error(
        statement.span, "WZ078",
        f"space `{space}` has {count} {which}, so it is not clear which one this replaces",
        "edit the file",
    )  # fmt: skip


def _applied(
    statements: tuple[syntax.SpaceStatement, ...],
    old: list[syntax.SpaceStatement],
    new: syntax.SpaceStatement,
    *,
    partial: bool,
) -> tuple[syntax.SpaceStatement, ...]:
    """The statements with `new` in the place of `old`, or at the end."""
    if not old:
        return (*statements, new)
    first = merged(old[0], new, partial=partial)
    result: list[syntax.SpaceStatement] = []
    for statement in statements:
        if not any(statement is one for one in old):
            result.append(statement)
        elif statement is old[0]:
            result.append(first)
    return tuple(result)
