"""Diagnostics as editors show them, and their fixes as actions."""

from collections.abc import Iterable, Iterator, Mapping

from lsprotocol import types

from wootzc.diagnostics import UNKNOWN, Diagnostic, Fix, Severity
from wootzc.fixes import apply_fixes
from wootzc.lsp.places import range_of
from wootzc.lsp.snapshot import Snapshot

_SEVERITIES: Mapping[Severity, types.DiagnosticSeverity] = {
    "error": types.DiagnosticSeverity.Error,
    "warning": types.DiagnosticSeverity.Warning,
    "note": types.DiagnosticSeverity.Information,
}
FIX_ALL = f"{types.CodeActionKind.SourceFixAll.value}.wootzc"


def shown(found: Diagnostic, source: str) -> types.Diagnostic:
    """A diagnostic as an editor shows it, its help in the message."""
    help = f"\nhelp: {found.help}" if found.help else ""
    return types.Diagnostic(
        range=range_of(source, found.span),
        message=found.message + help,
        severity=_SEVERITIES[found.severity],
        code=found.code,
        source="wootzc",
    )


def by_file(snapshot: Snapshot) -> dict[str, list[types.Diagnostic]]:
    """Of the file and of those that it includes; an empty list where there is nothing to say."""
    found: dict[str, list[types.Diagnostic]] = {file: [] for file in snapshot.analysis.sources}
    found.setdefault(snapshot.path, [])
    for diagnostic in snapshot.analysis.diagnostics:
        file = snapshot.path if diagnostic.span == UNKNOWN else diagnostic.span.file
        found.setdefault(file, []).append(shown(diagnostic, snapshot.source(file)))
    return found


def actions(
    snapshot: Snapshot, uri: str, start: int, end: int, only: Iterable[str] | None
) -> Iterator[types.CodeAction]:
    """Fixes of what is told within [start, end], and one for all that are safe."""
    wanted = None if only is None else tuple(only)
    here = [d for d in snapshot.analysis.diagnostics if d.span.file == snapshot.path]
    if _wanted(types.CodeActionKind.QuickFix.value, wanted):
        for diagnostic in here:
            if diagnostic.span.start <= end and start <= diagnostic.span.end:
                for fix in diagnostic.fixes:
                    yield _action(snapshot, uri, diagnostic, fix)
    if _wanted(FIX_ALL, wanted):
        fixed = apply_fixes(snapshot.text, snapshot.path, here)
        if fixed.applied:
            yield types.CodeAction(
                title="fix all that has a safe fix",
                kind=FIX_ALL,
                edit=_edit(snapshot, uri, fixed.applied),
            )


def _wanted(kind: str, only: tuple[str, ...] | None) -> bool:
    return only is None or any(kind == o or kind.startswith(f"{o}.") for o in only)


def _action(snapshot: Snapshot, uri: str, found: Diagnostic, fix: Fix) -> types.CodeAction:
    return types.CodeAction(
        title=_title(found, fix),
        kind=types.CodeActionKind.QuickFix,
        diagnostics=[shown(found, snapshot.text)],
        is_preferred=fix.safe,
        edit=_edit(snapshot, uri, [fix]),
    )


def _title(found: Diagnostic, fix: Fix) -> str:
    """As the help says it where that tells what to do, and is about this fix alone."""
    line = fix.replacement.strip().split("\n")[0]
    if found.help and len(found.fixes) == 1 and not (line and found.help.endswith("?")):
        return found.help
    return f"write `{line}`" if line else "remove it"


def _edit(snapshot: Snapshot, uri: str, fixes: Iterable[Fix]) -> types.WorkspaceEdit:
    edits = [types.TextEdit(range_of(snapshot.text, f.span), f.replacement) for f in fixes]
    return types.WorkspaceEdit(changes={uri: edits})
