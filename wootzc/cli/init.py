"""`wootzc init`: a first .wz file for a model and a folder of images."""

import shlex
from pathlib import Path
from typing import Any

import click

from wootzc.cli.options import FileOf, shape_option
from wootzc.diagnostics import WootzError, fail
from wootzc.ir.net.metrics import costs


@click.command()
@click.argument("model")
@click.argument("data")
@click.option(
    "-o",
    "--out",
    type=FileOf(".wz"),
    help="The file to write. Default: the model's name with .wz, in this folder.",
)
@click.option(
    "--minimize",
    type=click.Choice(list(costs())),
    default=next(iter(costs())),
    show_default=True,
    help="What is to be as little as it can, of the pruned network.",
)
@shape_option
def init(
    model: str, data: str, out: Path | None, minimize: str, shape: tuple[int, ...] | None
) -> None:
    """Write a first .wz file for MODEL and the images in DATA. Nothing is asked or overwritten.

    MODEL is an ONNX file, a Caffe .prototxt, a .safetensors checkpoint of a network of the zoo
    in PyTorch's names, or the name of a network that `wootzc zoo` lists. DATA is a folder with a
    folder of images per class (or train/, val/ and test/ with such folders), a .zip of it, an .npz
    or parquet.

    \b
      wootzc init model.onnx images        writes model.wz; then:
      wootzc plan model.wz                 what is in the space, what it will cost
      wootzc build model.wz                the search
      wootzc init resnet50 photos.zip -o photos.wz --input 64x64x3

    The file says in comments what was found, how the images are split, which loss of accuracy
    so many images can tell, and what else can be written.
    """
    from wootzc.cli.init_gather import default_out, gather
    from wootzc.cli.init_text import init_text, init_warnings
    from wootzc.driver import analyze_file
    from wootzc.files import write_atomically

    file = out or default_out(model)
    if file.exists():
        raise fail("WZ192", f"{file} is there already, and init overwrites nothing",
                   "write another: -o other.wz")  # fmt: skip
    command = _typed(model, data, out, minimize, shape)
    facts = gather(model, data, file, input=shape, minimize=minimize, command=command)
    text = init_text(facts)
    write_atomically(file, text)
    analysis = analyze_file(file)
    if any(d.severity == "error" for d in analysis.diagnostics):
        file.unlink()  # it would help nobody
        raise WootzError(analysis.diagnostics, analysis.sources)
    for warning in init_warnings(facts):
        click.echo(f"note: {warning}", err=True)
    images = ", ".join(f"{number:,} {part}" for part, number in facts.images.images.items())
    click.echo(
        f"wrote {file}: {len(facts.model.network.modules)} modules, "
        f"{len(facts.images.classes):,} classes, {images} images\n"
        f"next: wootzc plan {shlex.quote(str(file))}"
    )


def _typed(
    model: str, data: str, out: Path | None, minimize: str, shape: tuple[int, ...] | None
) -> str:
    """The command again, as the file names what it comes from."""
    words = ["wootzc", "init", model, data]
    words += ["-o", str(out)] if out else []
    words += ["--minimize", minimize] if minimize != next(iter(costs())) else []
    words += ["--input", "x".join(map(str, shape))] if shape else []
    return shlex.join(words)


COMMANDS: tuple[Any, ...] = (init,)
