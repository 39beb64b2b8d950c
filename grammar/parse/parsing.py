"""Text → syntax tree, or every syntax error that can be told apart.

After an error it is repaired, or the statement around it blanked, and reading goes on from before
it, so that one slip does not hide the next. This is simpler than error productions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from lark import UnexpectedInput

from wootzc.diagnostics import Diagnostic, Fix, Span
from wootzc.grammar import syntax
from wootzc.grammar.parse.languages import other_language
from wootzc.grammar.syntax.brackets import scan, statement_at, too_long
from wootzc.grammar.syntax.draft import Draft, alike
from wootzc.grammar.syntax.marks import edited
from wootzc.grammar.syntax.reader import Reading

NOWHERE = -1, -1
MAX_ERRORS = 20  # syntax errors in one file before parsing gives up


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """`holes`: stretches of text that could not be read and are missing from `tree`."""

    tree: syntax.File | None
    diagnostics: tuple[Diagnostic, ...] = ()
    holes: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Memory:
    """What an editor keeps from one version of a file to the next: how far files have been read.

    `open`: texts that are not saved yet, by the real path of their file.
    """

    readings: dict[str, Reading] = field(default_factory=dict)  # by path
    open: Mapping[str, str] = field(default_factory=dict)


def parse(text: str, path: str, memory: Memory | None = None) -> Parsed:
    """The tree of a file. `tree` is there even after errors, as long as statements can be told.

    Where a mistake has a fix the rest is read as if it had been made; else the statement around it
    is left out. Either way one slip hides no other and causes none. `memory` keeps how far files
    have been read, so that of the next version only what stands behind the first change is read.
    """
    if (long := too_long(text, path)) is not None:
        return Parsed(tree=None, diagnostics=(long,))
    if (other := other_language(text, path)) is not None:
        return Parsed(tree=None, diagnostics=(other,))
    draft = Draft(text, path)
    holes: list[Span] = []
    reading = _begun(draft, memory)
    found: list[Diagnostic] = []
    tree: syntax.File | None = None
    repair = NOWHERE  # where the last one is
    while len(found) < MAX_ERRORS:
        looked = _look(reading)
        if not isinstance(looked, _Stopped):
            tree = looked
            break
        told = [draft.placed(mistake) for mistake in looked.mistakes]
        if len(told) == 1 and _goes_on(looked.mistakes[0], repair):
            told = [_both(found.pop(), looked.mistakes[0].fixes[0], repair, draft)]
        found += told
        repair = NOWHERE
        if looked.fatal:
            break
        unchanged = len(draft.text)
        for mistake in reversed(looked.mistakes):
            if mistake.fixes:
                unchanged = min(unchanged, mistake.fixes[0].span.start)
                repair = _place(mistake.fixes[0]) if len(told) == 1 else NOWHERE
                draft = draft.repaired(mistake.fixes[0])
                continue
            start, end = statement_at(draft.text, mistake.span.start)
            end = max(end, mistake.span.end)
            unchanged = min(unchanged, start)
            holes.append(draft.span(start, end))
            remaining = draft.without(start, end)
            if remaining.text == draft.text:
                break
            draft = remaining
        else:
            reading.go_on(draft, unchanged)
            continue
        break
    found.sort(key=lambda d: d.span.start)
    return Parsed(tree=tree, diagnostics=tuple(found), holes=tuple(holes))


def _place(fix: Fix) -> tuple[int, int]:
    """Where its replacement is, once it has been made: a block of lines has other mistakes."""
    if "\n" in fix.replacement:
        return NOWHERE
    return fix.span.start, fix.span.start + len(fix.replacement)


def _goes_on(mistake: Diagnostic, repair: tuple[int, int]) -> bool:
    """Whether the fix of a mistake changes what has just been repaired: the slip was one."""
    (start, end), fixes = repair, mistake.fixes
    if repair == NOWHERE or not fixes:
        return False
    first, last = fixes[0].span.start, fixes[0].span.end
    return first <= start <= last if start == end else first < end and last > start


def _both(before: Diagnostic, fix: Fix, repair: tuple[int, int], draft: Draft) -> Diagnostic:
    """A mistake with its fix and the one that had to follow it as one."""
    start, end = min(repair[0], fix.span.start), max(repair[1], fix.span.end)
    text = draft.text
    new = text[start : fix.span.start] + fix.replacement + text[fix.span.end : end]
    first = before.fixes[0]
    place = draft.span(start, end)
    both = min(place.start, first.span.start), max(place.end, first.span.end)
    whole = Fix(Span(place.file, *both), new, first.safe and fix.safe)
    return replace(before, help=f"write `{new.strip()}`", fixes=(whole,))


def _begun(draft: Draft, memory: Memory | None) -> Reading:
    if memory is None:
        return Reading(draft)
    reading = memory.readings.setdefault(draft.path, Reading(draft))
    old, new = reading.draft.text, draft.text
    same, behind = alike(old, new)
    edited(old, same, len(old) - behind, new[same : len(new) - behind])
    reading.go_on(draft, same)
    return reading


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stopped:
    """What stops reading a draft: one mistake, or those of its brackets."""

    mistakes: tuple[Diagnostic, ...]
    fatal: bool = False


def _look(reading: Reading) -> "syntax.File | _Stopped":
    draft = reading.draft
    scanned = scan(draft.text, draft.path)
    if scanned.diagnostics:
        from wootzc.grammar.syntax.bracket_repairs import repaired_brackets

        mistakes = repaired_brackets(draft.text, draft.path, scanned.diagnostics)
        fatal = scanned.fatal and not all(mistake.fixes for mistake in mistakes)
        return _Stopped(mistakes=mistakes, fatal=fatal)
    try:
        tree: syntax.File = reading.tree()
        return tree
    except UnexpectedInput as error:
        return _Stopped(mistakes=(_explain(reading, error),))


def parse_statement(text: str, path: str) -> syntax.SpaceStatement | Diagnostic:
    """One statement of a space, as in `--set`."""
    scanned = scan(text, path)
    if scanned.diagnostics:
        return scanned.diagnostics[0]
    reading = Reading(Draft(text, path), "_space_statement")
    try:
        statement: syntax.SpaceStatement = reading.tree()
    except UnexpectedInput as error:
        return _explain(reading, error)
    return statement


def _explain(reading: Reading, error: UnexpectedInput) -> Diagnostic:
    from wootzc.grammar.parse.syntax_errors import explain  # only a file with mistakes needs it

    return explain(reading, error)
