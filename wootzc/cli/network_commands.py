"""Commands about networks: what the zoo holds, and what is in a file of another tool."""

from pathlib import Path
from typing import Any

import click

from wootzc.cli.options import FileOf, shape_option
from wootzc.cli.output import table
from wootzc.diagnostics import fail


@click.command()
@click.argument("name", required=False)
def zoo(name: str | None) -> None:
    """List the networks that come with wootzc, or print the source of one.

    \b
      wootzc zoo
      wootzc zoo resnet50 > my_resnet.wz      a copy to change

    A space takes one by its name: space s over resnet50(classes = 102, input = 224x224x3) { … }
    """
    from wootzc import networks
    from wootzc.grammar.lower.named_networks import zoo_source
    from wootzc.grammar.zoo import zoo_names
    from wootzc.ir.layers.shapes import shape_text
    from wootzc.ir.net.cost import network_cost
    from wootzc.units import count

    if name is None:
        rows = []
        for each in zoo_names():
            network = networks.zoo(each)
            cost = network_cost(network)
            rows.append(
                (each, shape_text(network.input), f"{cost.params:,}", count(cost.macs),
                 str(len(network.modules)))
            )  # fmt: skip
        click.echo(table(rows, ("network", "input", "params", "MACs", "modules")))
        click.echo("\n1 MAC = 2 FLOPs. `wootzc zoo NAME` prints the source of one.")
        return
    networks.zoo(name)  # refuses what is not there
    click.echo(zoo_source(name), nl=False)


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@shape_option
@click.option(
    "--modules",
    type=click.Choice(["structure", "names", "file"]),
    help="How modules are found: by structure, by the names of the layers, or as the file marks "
    "them (a prototxt may). Default: as marked, else by structure.",
)
@click.option(
    "--norms",
    type=click.Choice(["folded"]),
    help="Keep norms that an exporter folded into convolutions as they are. Default: put back.",
)
@click.option("--names", is_flag=True, help="List the names that the file gives its layers.")
@click.option("--out", type=FileOf(".wz"), help="Write the network there: a .wz file.")
@click.option(
    "--weights",
    type=FileOf(".safetensors"),
    help="Write the weights there: a .safetensors file for `teacher from`.",
)
def import_network(
    file: Path,
    shape: tuple[int, ...] | None,
    modules: str | None,
    norms: str | None,
    names: bool,
    out: Path | None,
    weights: Path | None,
) -> None:
    """Show an ONNX model or a Caffe prototxt as a network of the language.

    \b
      wootzc import model.onnx                              what wootzc finds in it
      wootzc import model.onnx --out net.wz --weights net.safetensors

    A .wz file can also read the model itself: network net from "model.onnx"
    """
    from wootzc import networks
    from wootzc.cli.reach_text import reach_text
    from wootzc.files import names_beside, write_atomically
    from wootzc.grammar import print_network
    from wootzc.ir.net.reach import reach

    if not file.exists():
        raise fail("WZ130", f"there is no file {file}", names_beside(file))
    imported = networks.import_network(file, input=shape, modules=modules, norms=norms)
    for note in imported.notes:
        click.echo(f"note: {note}", err=True)
    click.echo(f"note: {reach_text(reach(imported.network))}", err=True)
    if weights is not None and not imported.weights:
        raise fail("WZ097", f"{file} holds no weights", "leave --weights out")
    text = print_network(imported.network)
    if out is not None:
        write_atomically(out, text)
        click.echo(f"wrote {out}", err=True)
    if weights is not None:
        from safetensors.numpy import save

        write_atomically(weights, save(imported.weights, {"format": "wootzc"}))
        click.echo(f"wrote {weights}", err=True)
    if names:
        rows = [
            (place, imported.kinds.get(name) or type(piece.layer).__name__.lower(), name)
            for place, piece in imported.origins
            for name in piece.names
        ]
        click.echo(table(rows, ("segment", "layer", "name in the file"), align="<<<"))
    elif out is None:
        click.echo(text, nl=False)


COMMANDS: tuple[Any, ...] = (zoo, import_network)
