"""What a user did wrong, where, and the way out. Everything else in wootzc may import this."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open range of characters [start, end) in the text called `file`."""

    file: str = "<unknown>"
    start: int = 0
    end: int = 0


UNKNOWN = Span()


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One mistake or one warning. `code` is stable: docs/diagnostics.md lists them all."""

    span: Span
    code: str  # "WZ017"
    message: str  # what is wrong, and what was expected
    help: str | None = None  # the way out: a fix, a "did you mean"
    severity: Severity = "error"


class WootzError(Exception):
    """User mistakes found in one go. The command line prints them; a library user catches them."""

    def __init__(self, diagnostics: Iterable[Diagnostic], sources: Mapping[str, str] | None = None):
        self.diagnostics = tuple(diagnostics)
        self.sources = dict(sources or {})
        super().__init__("\n".join(f"{d.code} {d.message}" for d in self.diagnostics))

    def __str__(self) -> str:
        return render(self.diagnostics, self.sources)


def fail(code: str, message: str, help: str | None = None, span: Span = UNKNOWN) -> WootzError:
    """A `WootzError` of one diagnostic, for mistakes that stop the work at once."""
    return WootzError([Diagnostic(span, code, message, help)])


def place(span: Span, source: str) -> tuple[int, int]:
    """Line and column of the start of `span`, both counted from 1."""
    before = source[: span.start]
    return before.count("\n") + 1, span.start - (before.rfind("\n") + 1) + 1


def render(diagnostics: Iterable[Diagnostic], sources: Mapping[str, str]) -> str:
    """Diagnostics as text, each with its source line and carets under the span."""
    return "\n\n".join(_render_one(d, sources.get(d.span.file)) for d in diagnostics)


def _render_one(diagnostic: Diagnostic, source: str | None) -> str:
    span = diagnostic.span
    lines = [f"{diagnostic.severity}[{diagnostic.code}]: {diagnostic.message}"]
    if source is not None:
        line, column = place(span, source)
        text = source.splitlines()[line - 1] if line <= len(source.splitlines()) else ""
        shown = text.replace("\t", " ")
        width = max(1, min(span.end - span.start, len(text) - column + 1))
        gutter = " " * len(str(line))
        lines += [
            f"{gutter}--> {span.file}:{line}:{column}",
            f"{gutter} |",
            f"{line} | {shown}",
            f"{gutter} | {' ' * (column - 1)}{'^' * width}",
        ]
    elif span != UNKNOWN:
        lines.append(f" --> {span.file}")
    if diagnostic.help:
        lines.append(f"  help: {diagnostic.help}")
    return "\n".join(lines)
