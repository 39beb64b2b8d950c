"""Commands on what a build wrote: verify, export, report, clean. JAX is imported when needed."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never

import click

from wootzc.cli.options import STORE, fraction, store_option
from wootzc.cli.output import painted
from wootzc.diagnostics import WootzError, fail
from wootzc.units import bytes_text

if TYPE_CHECKING:
    from wootzc.builder.jobs.store import Store
    from wootzc.builder.result.export import Form

result_argument = click.argument(
    "folder", type=click.Path(path_type=Path, exists=True, file_okay=False)
)


@click.command()
@result_argument
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Where the images of the build are: accuracy on its test images is recomputed.",
)
@click.option(
    "--store",
    type=STORE,
    help="A store of which every record and artifact is checked too.",
)
def verify(folder: Path, data: Path | None, store: Path | str | None) -> None:
    """Reload a result and replay its stored images: files, shapes, params, MACs and logits.

    \b
      wootzc verify build/digits
      wootzc verify build/digits --data samples/digits.npz
      wootzc verify build/digits --store ~/.cache/wootzc
    """
    from wootzc.builder.result.replay import verify_result

    for line in verify_result(folder, data):
        click.echo(f"ok  {line}")
    if store is not None:
        click.echo(f"ok  {_store(store).verified():,} jobs of the store: records, artifacts")


@click.command()
@result_argument
@click.option(
    "--to",
    "form",
    type=click.Choice(["onnx", "tflite", "torch", "flax", "stablehlo", "safetensors"]),
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
    "stored. Default: without for onnx, tflite and torch, with for stablehlo.",
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
    type=STORE,
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
    type=fraction,
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
    store: Path | str | None,
    int8: bool,
    data: Path | None,
    at_least: float | None,
) -> None:
    """Write the best network in another form.

    Only FOLDER/best is read; with --candidate the store too, with --int8 the images.

    \b
      onnx         one file: NCHW, float32, opset 17, any batch size; mean, std and classes
                   are in its metadata
      tflite       one file: NHWC, float32, one image at a time (extra tflite: litert-torch)
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
    folded = f", {done.folded:,} of norms folded" if done.folded else ""
    click.echo(f"{done.which}: {done.params:,} parameters{folded}; {done.takes}")
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
def clean(store: Path | str | None, yes: bool) -> None:
    """Forget every finished job in the store and free its disk space."""
    from wootzc.builder.jobs.store import default_root

    chosen = _store(store or default_root())
    jobs, size = chosen.size()
    click.echo(f"{chosen.place}: {jobs:,} jobs, {size / 1e6:,.1f} MB")
    if yes or click.confirm("delete them?"):
        chosen.clear()
        click.echo("deleted")


def _store(address: Path | str) -> "Store":
    from wootzc.builder.jobs.store import Store, is_store

    if not is_store(address):
        raise fail("WZ139", f"{address} is no store of wootzc", "name the one of a build")
    return Store(address)


COMMANDS: tuple[Any, ...] = (verify, export, report, clean)
