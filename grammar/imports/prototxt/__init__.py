"""Caffe's network files → graphs of layers. `read_prototxt` is all there is to call.

text      text protobuf → messages (prototxt.lark)
fields    a message's fields by name and type
entries   messages → layers, whatever the syntax and the phase; `module` blocks
wires     which layer reads which, where the scores are, what enters
inputs    how large it is
kinds     layer types → our layers · pools  pooling and local response norm
build     layers → nodes, shapes checked · vectors  1x1 images → vectors
"""

import re
from collections.abc import Iterable
from pathlib import Path

from wootzc.files import Unfit, read_file
from wootzc.grammar.imports.prototxt.build import Builder, Value
from wootzc.grammar.imports.prototxt.early_vectors import as_vectors
from wootzc.grammar.imports.prototxt.entries import entries_of
from wootzc.grammar.imports.prototxt.fields import Fields
from wootzc.grammar.imports.prototxt.inputs import input_shape
from wootzc.grammar.imports.prototxt.text_format import MAX_CHARACTERS, Place, parse
from wootzc.grammar.imports.prototxt.wires import wires_of
from wootzc.ir.graph import INPUT, Graph, Refused
from wootzc.ir.graph.expressible import check_input
from wootzc.ir.layers.shapes import Shape

# Fields of a network that say nothing about its layers.
_IGNORED = ("force_backward", "debug_info", "state")


def read_prototxt(path: str, input: Shape | None = None) -> Graph:
    """The network of a Caffe file, as it is in the TEST phase, without weights.

    `input` (height, width, channels) replaces the size that the file says, if it says any. Raises
    `Refused` naming file and line, and `OSError` where the file cannot be opened.
    """
    name = Path(path).name
    try:
        text = read_file(path, 4 * MAX_CHARACTERS).decode("utf-8-sig")
    except Unfit as unfit:
        raise Refused(f"{name} is not read: {unfit.strerror}") from None
    except UnicodeDecodeError:
        raise Refused(
            f"{name} is no text", "weights (.caffemodel) are not read; give the .prototxt"
        ) from None
    net = Fields(name="net", message=parse(text, name), place=Place(file=name, line=1, column=1))
    entries = entries_of(net)
    wires = wires_of(entries, net.texts("input"))
    shape, notes = input_shape(wires.input, net, entries.sources, input)
    check_input(shape, f"{name}: the input `{wires.input}`")
    title = net.text("name") or Path(path).stem
    for field in ("layer", "layers", "module", "input_shape", "input_dim"):
        net.all(field)
    net.finish(_IGNORED)
    builder = Builder(layers=entries.layers, wires=wires, values={wires.input: Value(INPUT, shape)})
    output = builder.build()
    nodes, output = as_vectors(builder.nodes, output)
    return Graph(
        name=_identifier(title),
        input=shape,
        nodes=tuple(nodes.values()),
        output=output,
        notes=(*notes, *wires.notes, *builder.notes),
        modules=_modules(nodes, builder.modules),
    )


def _modules(nodes: Iterable[str], module_of: dict[str, str]) -> dict[str, tuple[str, ...]]:
    """The nodes of each `module` of the file."""
    names = dict.fromkeys(module for module in module_of.values() if module)
    return {m: tuple(node for node in nodes if module_of[node] == m) for m in names}


def _identifier(title: str) -> str:
    name = re.sub(r"\W", "_", title, flags=re.ASCII)
    return name if name[:1].isalpha() or name[:1] == "_" else f"net_{name}"
