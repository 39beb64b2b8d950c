"""Commands that read and compile, without JAX: fmt, plan, opt, explain."""

import difflib
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wootzc.cli.options import (
    FileOf,
    calibrate_option,
    calibrated,
    override_options,
    passes_option,
    source_argument,
)
from wootzc.cli.output import echo_analysis, echo_diagnostics, foreseen_in
from wootzc.diagnostics import WootzError

if TYPE_CHECKING:
    from wootzc.grammar import Analysis
    from wootzc.ir.plan import Plan
    from wootzc.ir.space import Space


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--check", "check_only", is_flag=True, help="Change nothing; exit 1 if one would.")
@click.option("--diff", is_flag=True, help="Change nothing; print what would change.")
def fmt(files: tuple[Path, ...], check_only: bool, diff: bool) -> int:
    """Format .wz files in place; comments, line ends and a byte order mark are kept.

    `-` reads standard input and prints it formatted.

    \b
      wootzc fmt samples/*.wz
      wootzc fmt --check --diff samples/*.wz      for CI
    """
    from wootzc.driver import read_text
    from wootzc.files import write_atomically
    from wootzc.grammar import format_text

    changed = 0
    failed = False
    for file in files:
        try:
            piped = str(file) == "-"
            before = read_text(file)
            after = format_text(before, "<stdin>" if piped else str(file))
        except WootzError as error:
            echo_diagnostics(error.diagnostics, error.sources)
            failed = True
            continue
        if piped and not check_only and not diff:
            click.echo(after, nl=False)
            continue
        if before == after:
            continue
        changed += 1
        if diff:
            lines = difflib.unified_diff(
                before.splitlines(keepends=True),
                after.splitlines(keepends=True),
                str(file),
                f"{file} (formatted)",
            )
            click.echo("".join(lines), nl=False)
        if not check_only and not diff:
            write_atomically(file, after)
        if not diff:
            click.echo(f"{'would format' if check_only else 'formatted'} {file}")
    return int(failed or (check_only and changed > 0))


@click.command()
@source_argument
@click.option("--json", "as_json", is_flag=True, help="The figures as JSON.")
@click.option(
    "--emit",
    type=click.Choice(["ast", "ir", "plan", "dag", "mermaid"]),
    help="Print a stage instead: syntax tree, IR before the passes, the plan as .wzir, "
    "or the graph of shared runs as Graphviz DOT or Mermaid.",
)
@click.option(
    "--latency",
    type=FileOf(".csv", ".json"),
    metavar="TABLE",
    help="Write what latency was measured to be, as a .csv or .json file that a space takes: "
    'latency from "TABLE".',
)
@calibrate_option
@override_options
def plan(
    file: Path,
    as_json: bool,
    emit: str | None,
    latency: Path | None,
    calibrate: Path | None,
    space: str | None,
    overrides: dict[str, str],
) -> None:
    """Compile a space and say what it holds: candidates, costs, blocks, predicted work.

    \b
      wootzc plan samples/digits.wz
      wootzc plan samples/digits.wz --set blocks=wootz --emit dag | dot -Tsvg > dag.svg
      wootzc plan space.wz --set blocks=optimal --calibrate STORE
      wootzc plan build/digits/plan.wzir --latency phone.csv
    """
    from functools import partial

    from wootzc import driver
    from wootzc.ir.passes import remaining, run

    if sum((as_json, emit is not None, latency is not None)) > 1:
        raise click.UsageError("--json, --emit and --latency print other things: give one of them")
    if emit == "ast" and overrides:
        raise click.UsageError(
            "--emit ast shows the file as it is written: leave out --set and --seed"
        )
    if emit == "ast":
        from wootzc.grammar import print_tree

        analysis = driver.analyze_file(file)
        echo_analysis(analysis)
        click.echo(print_tree(analysis.sources[str(file)], str(file)), nl=False)
        return

    def tell(analysis: "Analysis") -> None:
        echo_analysis(analysis)
        echo_diagnostics(foreseen_in(analysis.spaces), analysis.sources)

    start = _measured(driver.front(file, overrides, space, calibrated(calibrate), tell))
    if latency is not None:
        _write_latency(start.space, latency)
        return
    compiled = partial(run, start, remaining(start))
    match emit:
        case "ir":
            from wootzc.ir.text import print_plan

            click.echo(print_plan(start), nl=False)
        case "plan":
            from wootzc.ir.text import print_plan

            click.echo(print_plan(compiled()), nl=False)
        case "dag" | "mermaid":
            from wootzc.ir.passes.dag import to_dot, to_mermaid

            draw = to_dot if emit == "dag" else to_mermaid
            click.echo(draw(compiled()), nl=False)
        case _:
            from wootzc.cli.plan_text import plan_figures, plan_text
            from wootzc.ir.passes import complete

            figures = plan_figures(complete(compiled()))
            click.echo(json.dumps(figures, indent=2) if as_json else plan_text(figures))


def _write_latency(space: "Space", target: Path) -> None:
    from wootzc.diagnostics import fail
    from wootzc.files import write_atomically
    from wootzc.ir.text.cost_file import print_costs

    if space.measured is None:
        raise fail(
            "WZ310", "nothing in this space goes by latency", "minimize latency, or limit it"
        )
    write_atomically(target, print_costs(space, target.suffix.lower()))
    click.echo(f"wrote {target}: latency of {space.network.name} on {space.measured.on}")


def _list_passes(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if not wanted:
        return
    from dataclasses import fields

    from wootzc.ir.passes import available

    for name, kind in sorted(available().items()):
        options = ", ".join(field.name for field in fields(kind))  # type: ignore[arg-type]  # a dataclass
        summary = (kind.__doc__ or "").strip().splitlines()[0]
        click.echo(f"{name}{{{options}}}" if options else name)
        click.echo(f"    {summary}")
    context.exit()


@click.command()
@source_argument
@passes_option
@click.option(
    "-o",
    "--out",
    type=FileOf(".wzir"),
    help="Write the plan there: a .wzir file, which `build` takes too.",
)
@click.option("--print-ir-before", multiple=True, metavar="PASS", help="Print the IR before PASS.")
@click.option("--print-ir-after", multiple=True, metavar="PASS", help="Print the IR after PASS.")
@click.option("--print-ir-before-all", is_flag=True, help="Print the IR before each pass.")
@click.option("--print-ir-after-all", is_flag=True, help="Print the IR after each pass.")
@click.option("--time-passes", is_flag=True, help="Seconds of each pass, to standard error.")
@click.option(
    "--verify-each/--no-verify-each",
    default=True,
    show_default=True,
    help="Check that the plan is sound after each pass.",
)
@click.option(
    "--list",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list_passes,
    help="List the passes, their options and what they do.",
)
@override_options
def opt(
    file: Path,
    pipeline: str | None,
    out: Path | None,
    print_ir_before: tuple[str, ...],
    print_ir_after: tuple[str, ...],
    print_ir_before_all: bool,
    print_ir_after_all: bool,
    time_passes: bool,
    verify_each: bool,
    space: str | None,
    overrides: dict[str, str],
) -> None:
    """Run any list of passes on a .wz or .wzir file and print the IR. FILE may be - .

    \b
      wootzc opt samples/digits.wz -p expand-space,estimate-cost
      wootzc opt samples/digits.wz --time-passes -o plan.wzir
      wootzc opt samples/digits.wz -p expand-space | wootzc opt - -p estimate-cost
    """
    from wootzc import driver
    from wootzc.files import write_atomically
    from wootzc.ir.passes import PASSES, Pass, parse_pipeline, run
    from wootzc.ir.plan import Plan
    from wootzc.ir.text import print_plan

    passes = PASSES if pipeline is None else parse_pipeline(pipeline)
    names = [one.name for one in passes]
    for wanted in (*print_ir_before, *print_ir_after):
        if wanted not in names:
            raise click.UsageError(f"no pass `{wanted}` is run; these are: {', '.join(names)}")
    before = names if print_ir_before_all else print_ir_before
    after = names if print_ir_after_all else print_ir_after
    timings: list[tuple[str, float]] = []

    def observe(done: Pass, result: Plan, seconds: float) -> None:
        timings.append((done.name, seconds))
        if done.name in after:
            click.echo(f"// after {done.name}\n{print_plan(result)}")

    current = driver.compile(file, (), overrides=overrides, space=space)
    for one in passes:
        if one.name in before:
            click.echo(f"// before {one.name}\n{print_plan(current)}")
        current = run(current, (one,), observe=observe, verify_each=verify_each)
    if out is not None:
        write_atomically(out, print_plan(driver.placed(current, out)))
    elif not (before or after):
        click.echo(print_plan(current), nl=False)
    if time_passes:
        for name, seconds in timings:
            click.echo(f"{seconds:9.4f} s  {name}", err=True)


@click.command()
@source_argument
@click.argument("what", nargs=-1)
@calibrate_option
@override_options
def explain(
    file: Path,
    what: tuple[str, ...],
    calibrate: Path | None,
    space: str | None,
    overrides: dict[str, str],
) -> None:
    """Explain what the compiler found: modules and their coupling, blocks, candidates.

    \b
      wootzc explain samples/digits.wz                  every module
      wootzc explain samples/digits.wz module a1        what couples, what a rate costs
      wootzc explain samples/digits.wz trunk t1         channels between modules
      wootzc explain samples/digits.wz block 3          who uses it and why, what it costs
      wootzc explain samples/digits.wz candidate 12     rates, cost, blocks
    """
    from wootzc import driver
    from wootzc.cli.explain_text import explain_text
    from wootzc.ir.passes import complete, remaining, run

    start = _measured(driver.front(file, overrides, space, calibrated(calibrate), echo_analysis))
    click.echo(explain_text(complete(run(start, remaining(start))), what))


def _measured(plan: "Plan") -> "Plan":
    """With what a device must tell of its costs; nothing is imported where that is nothing."""
    from wootzc.ir.space.space_costs import unmeasured

    if not unmeasured(plan.space):
        return plan
    from wootzc.builder.jobs.latency import measured
    from wootzc.builder.jobs.store import Store, default_root

    def tell(message: str) -> None:
        click.echo(message, err=True)

    space = measured(plan.space, lambda: Store(default_root()), tell, commands=False)
    return replace(plan, space=space)


COMMANDS: tuple[Any, ...] = (fmt, plan, opt, explain)
