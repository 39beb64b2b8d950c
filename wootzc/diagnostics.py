"""What a user did wrong, where, and the way out. Everything else in wootzc may import this."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

Severity = Literal["error", "warning", "note"]

MOST = 200  # diagnostics that are shown; what is left out is counted
WIDTH = 300  # columns of a source line that are shown
LONGEST = 2_000  # characters of a message; only what quotes a whole file has more


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open range of characters [start, end) in the text called `file`."""

    file: str = "<unknown>"
    start: int = 0
    end: int = 0


UNKNOWN = Span()


def lies_in(inner: Span, outer: Span) -> bool:
    """Whether one stretch lies within another."""
    return inner.file == outer.file and outer.start <= inner.start and inner.end <= outer.end


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """What a text says somewhere: where that is never makes two of them differ."""

    span: Span = field(default=UNKNOWN, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Fix:
    """A way out as data: `replacement` where `span` is, all in one file.

    `safe`: it says what was written in the language's own form, so it cannot change the meaning.
    Others are guesses, however good, at what was meant.
    """

    span: Span
    replacement: str
    safe: bool = False


class Advice(str):
    """A help line that knows what it says to write: `instead`, where `at` is.

    Without `at` that is the place of the diagnostic it belongs to.
    """

    __slots__ = ("at", "instead", "safe")
    at: Span | None
    instead: str
    safe: bool

    def __new__(
        cls, text: str, instead: str, *, safe: bool = False, at: Span | None = None
    ) -> "Advice":
        made = super().__new__(cls, text)
        made.at, made.instead, made.safe = at, instead, safe
        return made


def write(instead: str, more: str = "", *, safe: bool = False, at: Span | None = None) -> Advice:
    """The advice to write `instead`; `more` goes on in the same sentence."""
    return Advice(f"write `{instead}`{more}", instead, safe=safe, at=at)


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One mistake or one warning. `code` is stable: docs/diagnostics.md lists them all.

    Each of `fixes` is a way out by itself; the first is the likeliest. `help` says it in words.
    """

    span: Span
    code: str  # "WZ017"
    message: str  # what is wrong, and what was expected
    help: str | None = None  # the way out: a fix, a "did you mean"
    severity: Severity = "error"
    fixes: tuple[Fix, ...] = ()


def diagnostic(
    span: Span, code: str, message: str, help: str | None = None, severity: Severity = "error"
) -> Diagnostic:
    """A diagnostic whose fix is what its help advises."""
    fixes: tuple[Fix, ...] = ()
    if isinstance(help, Advice):
        fixes = (Fix(help.at or span, help.instead, help.safe),)
    return Diagnostic(span, code, message, help and str(help), severity, fixes)


class WootzError(Exception):
    """User mistakes found in one go. The command line prints them; a library user catches them."""

    def __init__(self, diagnostics: Iterable[Diagnostic], sources: Mapping[str, str] | None = None):
        self.diagnostics = tuple(diagnostics)
        self.sources = dict(sources or {})
        super().__init__("\n".join(f"{d.code} {d.message}" for d in self.diagnostics))

    def __str__(self) -> str:
        return render(self.diagnostics, self.texts())

    def texts(self) -> dict[str, str]:
        """`sources`, and of other places what stands in their files now."""
        files = {d.span.file for d in self.diagnostics} - {UNKNOWN.file, *self.sources}
        return self.sources | {file: text for file in files if (text := _written(file))}

    def __reduce__(self) -> tuple[object, ...]:  # raised by a worker, it is told elsewhere
        return WootzError, (self.diagnostics, self.sources)


def fail(code: str, message: str, help: str | None = None, span: Span = UNKNOWN) -> WootzError:
    """A `WootzError` of one diagnostic, for mistakes that stop the work at once."""
    return WootzError([diagnostic(span, code, message, help)])


def _written(file: str) -> str | None:
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None


@contextmanager
def told_at(span: Span) -> Iterator[None]:
    """Mistakes that show within, and have no place of their own, are told at this one."""
    try:
        yield
    except WootzError as error:
        found = (replace(d, span=span) if d.span == UNKNOWN else d for d in error.diagnostics)
        raise WootzError(found, error.sources) from error.__cause__


def place(span: Span, source: str) -> tuple[int, int]:
    """Line and column of the start of `span`, both counted from 1."""
    starts = line_starts(source)
    line = bisect_right(starts, min(span.start, len(source)))
    return line, span.start - starts[line - 1] + 1


@lru_cache(maxsize=4)
def line_starts(source: str) -> tuple[int, ...]:
    """Where the lines of a text begin; counted once for all places in it."""
    return (0, *(newline.end() for newline in re.finditer("\n", source)))


def render(diagnostics: Iterable[Diagnostic], sources: Mapping[str, str]) -> str:
    """Diagnostics as text, each with its source line and carets under the span.

    Bounded, whatever the source is: of very many diagnostics the first are shown, errors before
    warnings, and of very long lines the part around the span.
    """
    every = list(diagnostics)
    shown = every
    if len(every) > MOST:
        shown = sorted(every, key=lambda d: d.severity != "error")[:MOST]
    parts = [_render_one(d, sources.get(d.span.file)) for d in shown]
    if len(every) > MOST:
        parts.append(f"… and {len(every) - MOST:,} more")
    return "\n\n".join(parts)


def _render_one(diagnostic: Diagnostic, source: str | None) -> str:
    span = diagnostic.span
    lines = [f"{diagnostic.severity}[{diagnostic.code}]: {_shortened(diagnostic.message)}"]
    if source is not None:
        line, column = place(span, source)
        shown, carets = _marked_line(source, span)
        gutter = " " * len(str(line))
        lines += [
            f"{gutter}--> {_shortened(span.file)}:{line}:{column}",
            f"{gutter} |",
            f"{line} | {shown}",
            f"{gutter} | {carets}",
        ]
    elif span != UNKNOWN:
        lines.append(f" --> {_shortened(span.file)}")
    if diagnostic.help:
        lines.append(f"  help: {_shortened(diagnostic.help)}")
    return "\n".join(lines)


def _marked_line(source: str, span: Span) -> tuple[str, str]:
    """The line that a span begins in, and carets to put under it."""
    begin = source.rfind("\n", 0, span.start) + 1
    end = source.find("\n", span.start)
    end = len(source) if end < 0 else end
    left, right = begin, end
    if end - begin > WIDTH:
        left = max(begin, span.start - WIDTH // 3)
        right = min(end, left + WIDTH)
    before, after = "… " * (left > begin), " …" * (right < end)
    text = "".join(c if c.isprintable() else " " for c in source[left:right])
    carets = "^" * max(1, min(span.end, right) - span.start)
    return f"{before}{text}{after}", " " * (len(before) + span.start - left) + carets


def _shortened(text: str) -> str:
    """Bounded, and without what a terminal obeys: names in a message are whatever a file says."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} … {text[-LONGEST // 4 :]}"
