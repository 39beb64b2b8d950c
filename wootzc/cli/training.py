"""The command that builds. JAX is imported when needed."""

import gc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wootzc.cli.interrupts import Interrupts
from wootzc.cli.options import (
    calibrate_option,
    calibrated,
    cluster_options,
    memory_options,
    override_options,
    passes_option,
    source_argument,
    store_option,
)
from wootzc.cli.output import echo_analysis, painted
from wootzc.diagnostics import fail, told_at

if TYPE_CHECKING:
    from wootzc.ir.space import Space


@click.command()
@source_argument
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="The result folder. Default: build/SPACE.",
)
@store_option
@click.option(
    "--baseline",
    is_flag=True,
    help="Explore default networks (inherited weights, no blocks) with the same recipe.",
)
@click.option(
    "--replace",
    is_flag=True,
    help="Overwrite a result that another file's build left in the folder.",
)
@click.option(
    "--parallel",
    type=click.Choice(["auto", "data", "candidates"]),
    default="auto",
    show_default=True,
    help="With several devices: fine-tune one candidate on all of them (data), several candidates "
    "at once (candidates), or several where a batch would leave each device fewer than 32 images "
    "(auto). Teacher and blocks always train on all devices.",
)
@click.option(
    "--take",
    type=click.IntRange(min=1),
    metavar="N",
    help="Search nothing: make candidate N of those that were tried the best of the result folder.",
)
@cluster_options
@memory_options
@passes_option
@calibrate_option
@click.option("-v", "--verbose", is_flag=True, help="Also print every block and every look.")
@click.option("-q", "--quiet", is_flag=True, help="Print only errors and the closing summary.")
@override_options
def build(
    file: Path,
    on: str | None,
    workers: int | None,
    hosts: str | None,
    host: tuple[int, int] | None,
    pipeline: str | None,
    calibrate: Path | None,
    verbose: bool,
    quiet: bool,
    space: str | None,
    overrides: dict[str, str],
    **others: Any,  # the fields of `Options` that are asked for as they are
) -> int:
    """Train, search, and write the best pruned network.

    Finished work is kept in the store: interrupt at any time, run the same command again, and it
    goes on. What met the objective by then is written as a result. After an edit only what the
    edit touches is trained.

    \b
      wootzc build samples/digits.wz
      wootzc build samples/digits.wz --baseline
      wootzc build samples/digits.wz --take 3
      wootzc build samples/cifar10.wz --set data=cifar10-train.zip
      wootzc build space.wz -p "expand-space,my-pass{share=0.5}"
      wootzc build plan.wzir
    """
    if str(file) == "-":
        raise fail("WZ138", "build takes a file, not standard input", "write it to a file")
    from wootzc.builder.result.folder import check_result, folder_of
    from wootzc.driver import front
    from wootzc.ir.passes import parse_pipeline

    if (hosts is None and host is not None) or (hosts not in (None, "auto") and host is None):
        raise click.UsageError("--hosts NAME:PORT and --host N/COUNT go together")
    if hosts is not None and on is not None:
        raise click.UsageError("--on and --hosts are two ways: give one of them")
    if workers is not None and on is None:
        raise click.UsageError("--workers belongs to --on: --on ray --workers 4")
    if quiet and verbose:
        raise click.UsageError("--quiet and --verbose contradict each other: give one of them")
    gc.enable()  # `main` turned it off
    # Mistakes are told before JAX loads, and before anything is measured.
    passes = None if pipeline is None else parse_pipeline(pipeline)
    asked = front(file, overrides, space, tell=echo_analysis).space
    if others["take"] is not None:
        check_result(others["out"] or folder_of(asked.name, others["baseline"]))
    _check_files(asked)
    group = None
    if hosts is not None:
        from wootzc.builder.jobs.hosts import follow
        from wootzc.builder.jobs.joined import join_hosts

        group = join_hosts(None if hosts == "auto" else hosts, host)
        if group.number > 0:
            click.echo(f"host {group.number} of {group.count}: it does what host 0 says", err=True)
            follow(group)
            return 0
    from wootzc.builder import Interrupted, Options
    from wootzc.builder import build as run_build
    from wootzc.builder.result.summary_text import summary_text
    from wootzc.builder.screen import Screen, Verbosity

    options = Options(
        **others,
        overrides=overrides,
        space=space,
        on=on,
        workers=workers,
        group=group,
        cost_model=calibrated(calibrate),
        passes=passes,
    )
    level: Verbosity = "quiet" if quiet else "verbose" if verbose else "normal"
    with Screen(level) as screen, Interrupts() as interrupts:
        try:
            built = run_build(file, options, [screen, interrupts])
            interrupted = False
        except Interrupted as interruption:
            built, interrupted = interruption.built, True
        except KeyboardInterrupt:
            click.echo(
                "\ninterrupted: every finished job is kept; "
                "run the same command again and it goes on",
                err=True,
            )
            return interrupts.exit_code
    click.echo(summary_text(built.result, str(built.out), painted))
    if interrupted:
        tried = built.result.candidates.tried
        click.echo(
            f"\ninterrupted: the best of {tried:,} tried is in {built.out}/best; "
            "run the same command again and the search goes on",
            err=True,
        )
        return interrupts.exit_code
    return 0 if built.objective_met or options.take is not None else 1


def _check_files(space: "Space") -> None:
    """Raise for data and weights that are missing, or cannot be read.

    An ONNX model was read with the space.
    """
    from wootzc.backends.data import check_data
    from wootzc.backends.data.formats import check_exists
    from wootzc.builder.jobs.teacher import read_teacher
    from wootzc.ir.space.recipe import FromFile

    teacher = space.teacher
    if isinstance(teacher, FromFile) and Path(teacher.path).suffix.lower() != ".onnx":
        with told_at(space.at("teacher")):
            read_teacher(Path(teacher.path), space.network, new_head=teacher.recipe is not None)
    with told_at(space.at("data")):
        check_exists(Path(space.data.path).expanduser(), space.data.path)
        check_data(space.data, space.network)


COMMANDS: tuple[Any, ...] = (build,)
