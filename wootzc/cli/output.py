"""How things are printed: diagnostics, numbers, tables. Colour only on a terminal."""

import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, TYPE_CHECKING

import click

from wootzc.diagnostics import Diagnostic, WootzError, render

if TYPE_CHECKING:
    from wootzc.builder.result.verdict import Kind
    from wootzc.grammar import Analysis
    from wootzc.ir.space import Space


def wants_color(stream: IO[str]) -> bool:
    """NO_COLOR (no-color.org) and pipes turn colour off."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def echo_diagnostics(diagnostics: Iterable[Diagnostic], sources: Mapping[str, str]) -> None:
    """To standard error, with a count at the end where there are several."""
    shown = list(diagnostics)
    if not shown:
        return
    text = render(shown, sources)
    if wants_color(sys.stderr):
        text = re.sub(
            r"^error\[", click.style("error", fg="red", bold=True) + "[", text, flags=re.M
        )
        text = re.sub(
            r"^warning\[", click.style("warning", fg="yellow", bold=True) + "[", text, flags=re.M
        )
        text = re.sub(r"(\^+)$", click.style(r"\1", fg="red"), text, flags=re.M)
        text = re.sub(r"^  help:", click.style("  help:", fg="cyan"), text, flags=re.M)
    click.echo(text, err=True)
    errors = sum(d.severity == "error" for d in shown)
    if len(shown) > 1:
        click.echo(f"\n{_counted(errors, len(shown) - errors)}", err=True)


def _counted(errors: int, warnings: int) -> str:
    words = ((errors, "error"), (warnings, "warning"))
    return ", ".join(f"{number} {word}{'s' * (number > 1)}" for number, word in words if number)


def echo_analysis(analysis: "Analysis") -> None:
    """Print a source's warnings, and notes on networks that were read from files; raise its errors,
    all of them, before anything is spent.
    """
    if any(d.severity == "error" for d in analysis.diagnostics):
        raise WootzError(analysis.diagnostics, analysis.sources)
    echo_diagnostics(analysis.diagnostics, analysis.sources)
    for note in analysis.notes:
        click.echo(f"note: {note}", err=True)


def foreseen_in(spaces: "Iterable[Space]") -> list[Diagnostic]:
    """What builds of these spaces will not be able to tell."""
    from wootzc.builder.search.foreseen import foreseen

    return [warning for space in spaces for warning in foreseen(space)]


def painted(text: str, kind: "Kind") -> str:
    """A verdict in its colour."""
    return click.style(text, fg={"met": "green", "doubtful": "yellow", "missed": "red"}[kind])


def echo_error(error: WootzError) -> None:
    echo_diagnostics(error.diagnostics, error.texts())


def table(
    rows: Sequence[Sequence[str]],
    header: Sequence[str] = (),
    indent: str = "  ",
    align: str = "<",
) -> str:
    """Columns aligned: to the left where `align` has a `<`, the others to the right."""
    lines = [list(header), *map(list, rows)] if header else [list(row) for row in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        indent
        + "  ".join(
            cell.ljust(width) if align[i : i + 1] == "<" else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
