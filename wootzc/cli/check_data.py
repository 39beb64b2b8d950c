"""What `check` found, and as data: our JSON, and SARIF 2.1.0 (OASIS). docs/check.md has both."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wootzc import __version__
from wootzc.diagnostics import Diagnostic, Fix, Span, place

if TYPE_CHECKING:
    from wootzc.grammar import Analysis

VERSION = 1  # of the JSON: raised when a field goes or changes its meaning, not when one comes

Json = dict[str, Any]
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was found in one file; `analysis` is None where it could not be read."""

    file: Path
    diagnostics: tuple[Diagnostic, ...]
    sources: dict[str, str]
    analysis: "Analysis | None" = None
    fixes: int = 0  # applied

    @property
    def ok(self) -> bool:
        return not any(d.severity == "error" for d in self.diagnostics)


def as_json(every: Iterable[Checked]) -> Json:
    """What `check --json` prints: see docs/check.md."""
    every = list(every)
    return {
        "version": VERSION,
        "files": [{"file": str(c.file), "ok": c.ok, "fixed": c.fixes} for c in every],
        "diagnostics": [_diagnostic(d, c.sources) for c in every for d in c.diagnostics],
    }


def _diagnostic(found: Diagnostic, sources: Mapping[str, str]) -> Json:
    return {
        "code": found.code,
        "severity": found.severity,
        "message": found.message,
        "help": found.help,
        **_stretch(found.span, sources),
        "fixes": [_fix(fix, sources) for fix in found.fixes],
    }


def _fix(fix: Fix, sources: Mapping[str, str]) -> Json:
    return {**_stretch(fix.span, sources), "replacement": fix.replacement, "safe": fix.safe}


def _stretch(span: Span, sources: Mapping[str, str]) -> Json:
    """`file`, `start` and `end`; the places are None where the file could not be read as text."""
    source = sources.get(span.file)
    if source is None:
        return {"file": None if span.file == Span().file else span.file, "start": None, "end": None}
    return {"file": span.file, "start": _at(span.start, source), "end": _at(span.end, source)}


def _at(offset: int, source: str) -> Json:
    line, column = place(Span(start=offset), source)
    return {"line": line, "column": column, "offset": offset}


def as_sarif(every: Iterable[Checked]) -> Json:
    """A log in SARIF 2.1.0 of the diagnostics of all files."""
    results = [_result(d, c) for c in every for d in c.diagnostics]
    rules = sorted({result["ruleId"] for result in results})
    driver = {
        "name": "wootzc",
        "version": __version__,
        "rules": [{"id": code} for code in rules],
    }
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _result(found: Diagnostic, checked: Checked) -> Json:
    help = f"\nhelp: {found.help}" if found.help else ""
    result: Json = {
        "ruleId": found.code,
        "level": found.severity,
        "message": {"text": found.message + help},
        "locations": [{"physicalLocation": _location(found.span, checked)}],
    }
    if found.fixes:
        result["fixes"] = [_change(fix, checked, found.help) for fix in found.fixes]
    return result


def _location(span: Span, checked: Checked) -> Json:
    source = checked.sources.get(span.file)
    file = str(checked.file) if source is None else span.file
    location: Json = {"artifactLocation": {"uri": file.replace("\\", "/")}}
    return location if source is None else {**location, "region": _region(span, source)}


def _region(span: Span, source: str) -> Json:
    (line, column), (last, end) = place(span, source), place(Span(start=span.end), source)
    return {"startLine": line, "startColumn": column, "endLine": last, "endColumn": end}


def _change(fix: Fix, checked: Checked, help: str | None) -> Json:
    location = _location(fix.span, checked)
    replacement = {
        "deletedRegion": location.pop("region"),
        "insertedContent": {"text": fix.replacement},
    }
    return {
        "description": {"text": help or "write it so"},
        "artifactChanges": [{**location, "replacements": [replacement]}],
        "properties": {"safe": fix.safe},
    }
