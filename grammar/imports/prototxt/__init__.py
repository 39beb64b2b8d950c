"""Caffe's network files → graphs of layers. `read_prototxt` is all there is to call.

text      text protobuf → messages (prototxt.lark)
fields    a message's fields by name and type
entries   messages → layers, whatever the syntax and the phase; `module` blocks
wires     which layer reads which, where the scores are, what enters
inputs    how large it is
kinds     layer types → our layers · pools  pooling and local response norm
build     layers → nodes, shapes checked
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from wootzc.files import Unfit, read_file
from wootzc.grammar.imports.names import identifier
from wootzc.grammar.imports.prototxt.build import Builder, Value
from wootzc.grammar.imports.prototxt.entries import entries_of
from wootzc.grammar.imports.prototxt.fields import Fields
from wootzc.grammar.imports.prototxt.inputs import input_shape
from wootzc.grammar.imports.prototxt.text_format import MAX_CHARACTERS, Place, parse
from wootzc.grammar.imports.prototxt.wires import wires_of
from wootzc.ir.graph import INPUT, Graph, Node, Refused
from wootzc.ir.graph.expressible import check_input
from wootzc.ir.graph.vectors import as_vectors
from wootzc.ir.layers.shapes import Shape

FLATTEN = "/flatten"  # behind the name of what it reads

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
    graph = Graph(
        name=identifier(title),
        input=shape,
        nodes=tuple(builder.nodes.values()),
        output=output,
        notes=(*notes, *wires.notes, *builder.notes),
    )
    graph = as_vectors(graph, builder.shapes, FLATTEN)
    return replace(graph, modules=_modules(graph.nodes, builder.modules))


def _modules(nodes: Iterable[Node], module_of: dict[str, str]) -> dict[str, tuple[str, ...]]:
    """The nodes of each `module` of the file; a new flatten is where what it reads is."""
    found: dict[str, list[str]] = {module: [] for module in module_of.values() if module}
    for node in nodes:
        own = node.name if node.name in module_of else node.name.removesuffix(FLATTEN)
        module = module_of[own]
        if module:
            found[module].append(node.name)
    return {module: tuple(names) for module, names in found.items()}
