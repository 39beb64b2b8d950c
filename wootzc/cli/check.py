"""`wootzc check`: every mistake of a file, as text or data, and the fixes that come with it."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wootzc.cli.check_data import Checked, as_json, as_sarif
from wootzc.cli.options import override_options
from wootzc.cli.output import echo_diagnostics, foreseen_in
from wootzc.diagnostics import Diagnostic, WootzError, told_at

if TYPE_CHECKING:
    from wootzc.grammar import Analysis
    from wootzc.ir.space import Space


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-q", "--quiet", is_flag=True, help="Print diagnostics only.")
@click.option("--fix", is_flag=True, help="Apply the fixes that cannot change the meaning.")
@click.option("--unsafe-fixes", is_flag=True, help="Apply those that guess what was meant too.")
@click.option("--json", "form", flag_value="json", help="The diagnostics as JSON (docs/check.md).")
@click.option("--sarif", "form", flag_value="sarif", help="The same as SARIF 2.1.0.")
@override_options
def check(
    files: tuple[Path, ...],
    quiet: bool,
    fix: bool,
    unsafe_fixes: bool,
    form: str | None,
    space: str | None,
    overrides: dict[str, str],
) -> int:
    """Find every mistake in .wz files; nothing is trained. `-` reads standard input.

    \b
      wootzc check samples/digits.wz
      wootzc check --fix space.wz             also mend what can be mended without a guess
      wootzc check --json space.wz | jq .diagnostics
    """
    if "-" in map(str, files) and (fix or unsafe_fixes):
        raise click.UsageError("standard input cannot be mended in place: write it to a file")
    every = []
    for file in files:
        checked = _checked(file, overrides, space)
        if (fix or unsafe_fixes) and checked.analysis is not None:
            checked = _mended(checked, overrides, space, unsafe=unsafe_fixes)
        every.append(checked)
        if form is None:
            _tell(checked, quiet=quiet)
    if form is not None:
        data = as_json(every) if form == "json" else as_sarif(every)
        click.echo(json.dumps(data, indent=2, ensure_ascii=False))
    return int(not all(checked.ok for checked in every))


def _checked(
    file: Path, over: Mapping[str, str], space: str | None, text: str | None = None
) -> Checked:
    """`text`: what stands in the file, where it is not what should be looked at."""
    from wootzc.driver import choose_space, read_source
    from wootzc.grammar import analyze

    try:
        analysis = analyze(read_source(file) if text is None else text, str(file), over)
        found = analysis.diagnostics
        if not any(d.severity == "error" for d in found):
            if space is not None:
                choose_space(analysis, space)
            found = (*found, *_of_data(analysis.spaces), *foreseen_in(analysis.spaces))
    except WootzError as error:
        return Checked(file=file, diagnostics=error.diagnostics, sources=error.sources)
    return Checked(file=file, diagnostics=found, sources=analysis.sources, analysis=analysis)


def _of_data(spaces: "Iterable[Space]") -> Iterator[Diagnostic]:
    """What the headers of their data say is wrong with it."""
    from wootzc.backends.data import check_data

    for space in spaces:
        if _is_empty(Path(space.data.path)):
            continue  # a place for what is to come: told as a note, like a missing one
        try:
            with told_at(space.at("data")):
                check_data(space.data, space.network)
        except WootzError as error:
            yield from error.diagnostics


def _mended(
    checked: Checked, over: Mapping[str, str], space: str | None, *, unsafe: bool
) -> Checked:
    """The file after its fixes; its line ends and its byte order mark are kept."""
    from wootzc.files import write_atomically
    from wootzc.fixes import MAX_ROUNDS, apply_fixes

    file = checked.file
    before = file.read_bytes()
    text = before.decode().replace("\r\n", "\n").replace("\r", "\n")
    for _ in range(MAX_ROUNDS):
        fixed = apply_fixes(text, str(file), checked.diagnostics, unsafe=unsafe)
        after = _checked(file, over, space, fixed.text) if fixed.applied else checked
        if not fixed.applied or len(after.diagnostics) > len(checked.diagnostics):
            break
        text = fixed.text
        checked = replace(after, fixes=checked.fixes + len(fixed.applied))
    if checked.fixes:
        write_atomically(file, text.replace("\n", "\r\n" if b"\r\n" in before else "\n"))
    return checked


def _tell(checked: Checked, *, quiet: bool) -> None:
    echo_diagnostics(checked.diagnostics, checked.sources)
    if checked.fixes and not quiet:
        click.echo(f"{checked.file}: {_counted(checked.fixes, 'fix', 'fixes')} applied", err=True)
    safe = sum(any(fix.safe for fix in d.fixes[:1]) for d in checked.diagnostics)
    others = sum(bool(d.fixes) for d in checked.diagnostics) - safe
    if safe and not quiet:
        click.echo(f"{_counted(safe, 'fix', 'fixes')} can be applied with --fix", err=True)
    if others and not quiet:
        what = _counted(others, "likely fix", "likely fixes")
        click.echo(f"{what} can be applied with --unsafe-fixes", err=True)
    if not checked.ok or checked.analysis is None or quiet:
        return
    analysis = checked.analysis
    for note in analysis.notes:
        click.echo(f"note: {note}", err=True)
    for path in _missing(analysis.spaces):
        there = "is empty" if Path(path).exists() else "is not there yet"
        click.echo(f"note: {path} {there}; build will need it", err=True)
    click.echo(f"{checked.file}: ok ({', '.join(_contents(analysis)) or 'modules only'})")


def _counted(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}"


def _contents(analysis: "Analysis") -> list[str]:
    found = [f"network {n.name}" for n in analysis.networks]
    if analysis.spaces:
        from wootzc.cli.holds_text import candidates_text
        from wootzc.grammar.space.feasible import STATES

        found += [f"space {s.name}: {candidates_text(s, STATES)}" for s in analysis.spaces]
    return found


def _missing(spaces: "tuple[Space, ...]") -> list[str]:
    """Data and teachers that spaces name and that are not there."""
    from wootzc.ir.space.recipe import FromFile

    teachers = [s.teacher.path for s in spaces if isinstance(s.teacher, FromFile)]
    named = dict.fromkeys([*(s.data.path for s in spaces), *teachers])
    return [path for path in named if not Path(path).exists() or _is_empty(Path(path))]


def _is_empty(path: Path) -> bool:
    return path.is_file() and not path.stat().st_size


COMMANDS: tuple[Any, ...] = (check,)
