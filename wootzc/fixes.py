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


def apply_fixes(
    text: str, file: str, diagnostics: Iterable[Diagnostic], *, unsafe: bool = False
) -> Fixed:
    """`text`, which diagnostics call `file`, with the likeliest fix of each of them that has one.

    Of fixes that overlap the first is applied: look at the text again for the rest.
    """
    likeliest = (fix for diagnostic in diagnostics for fix in diagnostic.fixes[:1])
    fixes = sorted(
        dict.fromkeys(f for f in likeliest if f.span.file == file and (unsafe or f.safe)),
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
