"""Applying the fixes that diagnostics carry."""

from collections.abc import Iterable
from dataclasses import dataclass

from wootzc.diagnostics import Diagnostic, Fix

MAX_ROUNDS = 10  # of fixes: one may have hidden the next


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """A text after some fixes, and those that were applied, in the text's order."""

    text: str
    applied: tuple[Fix, ...] = ()


def chosen_fix(diagnostic: Diagnostic, *, unsafe: bool) -> Fix | None:
    """The fix to apply to one diagnostic: its likeliest, if it may be."""
    first = next(iter(diagnostic.fixes), None)
    return first if first is not None and (unsafe or first.safe) else None


def apply_fixes(
    text: str, file: str, diagnostics: Iterable[Diagnostic], *, unsafe: bool = False
) -> Fixed:
    """`text`, which diagnostics call `file`, with one fix for each of them that has one.

    Of fixes that overlap the first is applied: look at the text again for the rest.
    """
    found = (chosen_fix(diagnostic, unsafe=unsafe) for diagnostic in diagnostics)
    fixes = sorted(
        dict.fromkeys(fix for fix in found if fix is not None and fix.span.file == file),
        key=lambda fix: (fix.span.start, fix.span.end),
    )
    applied: list[Fix] = []
    pieces: list[str] = []
    end = 0
    for fix in fixes:
        if applied and fix.span.start < max(end, applied[-1].span.start + 1):
            continue
        pieces += [text[end : fix.span.start], fix.replacement]
        end = fix.span.end
        applied.append(fix)
    return Fixed(text="".join([*pieces, text[end:]]), applied=tuple(applied))
