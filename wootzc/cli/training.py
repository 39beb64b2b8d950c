"""Commands around a build: build, verify, export, report, clean. JAX is imported when needed."""

import gc
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never

import click

from wootzc.cli.interrupts import Interrupts
from wootzc.cli.options import (
    calibrate_option,
    calibrated,
    cluster_options,
    fraction,
    memory_options,
    override_options,
    overrides,
    passes_option,
    source_argument,
)
from wootzc.cli.output import echo_warnings
from wootzc.diagnostics import WootzError, fail
from wootzc.units import bytes_text

if TYPE_CHECKING:
    from wootzc.backends.flax.device.parallel import Parallel
    from wootzc.builder.result.export import Form
    from wootzc.builder.result.verdict import Kind
    from wootzc.ir.space import Space

result_argument = click.argument(
    "folder", type=click.Path(path_type=Path, exists=True, file_okay=False)
)
store_option = click.option(
    "--store",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where finished jobs are kept. Default: $WOOTZC_STORE or the user's cache folder.",
)


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
    out: Path | None,
    store: Path | None,
    baseline: bool,
    replace: bool,
    parallel: "Parallel",
    take: int | None,
    on: str | None,
    workers: int | None,
    memory: int | None,
    disk: int | None,
    pipeline: str | None,
    calibrate: Path | None,
    verbose: bool,
    quiet: bool,
    space: str | None,
    seed: int | None,
    settings: dict[str, str],
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
    from wootzc.driver import choose_space
    from wootzc.ir.passes import parse_pipeline

    gc.enable()  # `main` turned it off
    given = overrides(settings, seed)
    if file.suffix != ".wzir":
        # Mistakes are told before JAX loads.
        chosen = choose_space(echo_warnings(file, given), space)
        _check_files(chosen)
    passes = None if pipeline is None else parse_pipeline(pipeline)
    from wootzc.builder import Interrupted, Options
    from wootzc.builder import build as run_build
    from wootzc.builder.screen import Screen, Verbosity, summary_text

    options = Options(
        out=out,
        store=store,
        baseline=baseline,
        replace=replace,
        overrides=given,
        space=space,
        parallel=parallel,
        take=take,
        on=on,
        workers=workers,
        memory=memory,
        disk=disk,
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
    return 0 if built.objective_met or take is not None else 1


def _check_files(space: "Space") -> None:
    """Data and weights that are there and cannot be read. An ONNX model was read with the space."""
    from wootzc.backends.data.counting import check_data
    from wootzc.builder.jobs.teacher import read_teacher
    from wootzc.ir.space.recipe import FromFile

    teacher = space.teacher
    if isinstance(teacher, FromFile) and Path(teacher.path).suffix.lower() != ".onnx":
        read_teacher(Path(teacher.path), space.network, new_head=teacher.recipe is not None)
    check_data(space.data)


def painted(text: str, kind: "Kind") -> str:
    return click.style(text, fg={"met": "green", "doubtful": "yellow", "missed": "red"}[kind])


@click.command()
@result_argument
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Where the images of the build are: accuracy on its test images is recomputed.",
)
def verify(folder: Path, data: Path | None) -> None:
    """Reload a result and replay its stored images: files, shapes, params, MACs and logits.

    \b
      wootzc verify build/digits
      wootzc verify build/digits --data samples/digits.npz
    """
    from wootzc.builder.result.replay import verify_result

    for line in verify_result(folder, data):
        click.echo(f"ok  {line}")


@click.command()
@result_argument
@click.option(
    "--to",
    "form",
    type=click.Choice(["onnx", "torch", "flax", "stablehlo", "safetensors"]),
    required=True,
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="File or folder. Default: FOLDER/export/NETWORK.onnx and the like.",
)
@click.option(
    "--with-normalization/--without-normalization",
    default=None,
    help="Whether (value − mean) / std is the network's first step, so that it takes images as "
    "stored. Default: without for onnx and torch, with for stablehlo.",
)
@click.option(
    "--candidate",
    type=click.IntRange(min=1),
    metavar="N",
    help="Not the best network but candidate N, by the number that `build` printed. Its weights "
    "are read from the store.",
)
@click.option(
    "--store",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the store of the candidates is. Default: where it was at the build.",
)
@click.option(
    "--int8",
    is_flag=True,
    help="With --to onnx: weights and activations of 8 bits, by onnxruntime (extra deploy), "
    "calibrated on training images. Says what that does to the accuracy.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="With --int8: where the images of the build are now. Default: where they were.",
)
@click.option(
    "--at-least",
    callback=fraction,
    metavar="ACCURACY",
    help="With --int8: write nothing where the accuracy on validation or test images is below "
    "this, 90% or 0.9.",
)
def export(
    folder: Path,
    form: "Form",
    out: Path | None,
    with_normalization: bool | None,
    candidate: int | None,
    store: Path | None,
    int8: bool,
    data: Path | None,
    at_least: float | None,
) -> None:
    """Write the best network in another form. Only FOLDER/best is read.

    \b
      onnx         one file: NCHW, float32, opset 17, any batch size; mean, std and classes
                   are in its metadata
      torch        a folder: model.py (plain torch.nn), weights.safetensors, example.npz
      flax         a folder: model.py (plain Flax NNX), weights.safetensors, example.npz
      stablehlo    one file for jax.export.deserialize, any batch size; readable by JAX up to
                   6 months newer and 3 weeks older than this one, which NETWORK.stablehlo.json
                   names
      safetensors  one file of weights; a .wz file of the same name says what they belong to

    \b
      wootzc export build/digits --to onnx
      wootzc export build/digits --to torch -o digits-torch
      wootzc export build/digits --to onnx --candidate 3
      wootzc export build/digits --to onnx --int8 --at-least 95%
    """
    if not int8 and (data is not None or at_least is not None):
        raise click.UsageError("--data and --at-least belong to --int8")
    from wootzc.builder.result.export import export_result
    from wootzc.builder.result.int8 import Int8
    from wootzc.builder.result.summary import DeviceFigures, OnDevice
    from wootzc.builder.result.verdict import latency_text, memory_text

    done = export_result(
        folder,
        form,
        out,
        with_normalization=with_normalization,
        candidate=candidate,
        store=store,
        int8=Int8(data=data, at_least=at_least) if int8 else None,
    )
    for path in done.files:
        click.echo(f"wrote {path}  {bytes_text(path.stat().st_size)}")
    click.echo(f"{done.which}: {done.params:,} parameters; {done.takes}")
    for line in done.accuracy:
        click.echo(line)
    match done.device:
        case None:
            pass
        case OnDevice(latency=latency, memory=memory):
            if latency is not None:
                click.echo(f"latency of an image: {latency.median:.3g} ms")
            if memory is not None:
                click.echo(f"memory: {bytes_text(memory)} of activations at the peak")
        case DeviceFigures(slower=slower):
            took = latency_text(done.device)
            if took is not None:
                text = f"latency of an image: {took}"
                click.echo(painted(text, "missed") if slower else text)
            click.echo(f"memory: {memory_text(done.device)}")
        case _:
            assert_never(done.device)


@click.command()
@result_argument
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Default: FOLDER/report.html.")
def report(folder: Path, out: Path | None) -> None:
    """Write report.html anew from a result's figures.

    \b
      wootzc report build/digits
    """
    from wootzc.builder.report import report_html
    from wootzc.builder.result.summary import read_summary
    from wootzc.driver import compile
    from wootzc.files import damage, write_atomically

    target = out or folder / "report.html"
    summary = read_summary(folder)
    plan = compile(folder / "plan.wzir", ())

    def unusable(reason: str) -> WootzError:
        path = folder / "result.json"
        return fail(
            "WZ145", f"{path} holds other figures than a build writes: {reason}", "build again"
        )

    with damage(unusable):
        page = report_html(summary, plan)
    write_atomically(target, page)
    click.echo(f"wrote {target}")


@click.command()
@store_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def clean(store: Path | None, yes: bool) -> None:
    """Forget every finished job in the store and free its disk space."""
    from wootzc.builder.jobs.store import Store, default_root, is_store

    root = store or default_root()
    if not is_store(root):
        raise fail("WZ139", f"{root} is no store of wootzc", "nothing was deleted")
    chosen = Store(root)
    jobs, size = chosen.size()
    click.echo(f"{chosen.root}: {jobs:,} jobs, {size / 1e6:,.1f} MB")
    if yes or click.confirm("delete them?"):
        chosen.clear()
        click.echo("deleted")


COMMANDS: tuple[Any, ...] = (build, verify, export, report, clean)
