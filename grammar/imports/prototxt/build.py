"""Layers of the file → nodes of a graph, in the file's order, each checked against its input."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from wootzc.grammar.imports.prototxt.entries import Entry
from wootzc.grammar.imports.prototxt.kinds import JOINS, KINDS, has_shift
from wootzc.grammar.imports.prototxt.text_format import Message, Scalar
from wootzc.grammar.imports.prototxt.wires import Reference, Wires
from wootzc.grammar.syntax.near_misses import did_you_mean
from wootzc.ir.graph import Node
from wootzc.ir.layers import Body, Flatten, Join, Layer, joined_shape
from wootzc.ir.layers.shapes import Shape, ShapeError, shape_after, shape_text

# What to do about some of the types of Caffe that wootzc does not know.
_AT_THE_END = "it may only stand at the end of the network"
_IMAGES_ONLY = "wootzc prunes networks that give one score per class"
_WAYS = {
    "ArgMax": _AT_THE_END,
    "Crop": _IMAGES_ONLY,
    "Deconvolution": _IMAGES_ONLY,
    "PReLU": "a ReLU with a fixed `negative_slope` is known",
    "Slice": "a convolution with `group: 2` works on halves",
    "Softmax": _AT_THE_END,
}


@dataclass(frozen=True, slots=True)
class Value:
    node: str  # that makes it; INPUT for what enters
    shape: Shape


@dataclass(slots=True, kw_only=True)
class Builder:
    """The nodes built so far, with the `module` of the file that each stands in."""

    layers: Sequence[Entry]
    wires: Wires
    values: dict[Reference, Value]  # at first only what enters
    nodes: dict[str, Node] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)  # that the nodes make
    modules: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    scaled: set[int] = field(default_factory=set)  # norms by number, with a Scale behind them

    def build(self) -> str:
        """Add all nodes. Gives the name of the one that makes the scores."""
        _check_shared_weights(self.layers[number] for number in self.wires.reads)
        for number, reads in self.wires.reads.items():
            entry = self.layers[number]
            if entry.type in KINDS or entry.type in JOINS:
                entry.check_fields()
            self.values[number] = self._value(entry, reads, [self.values[r] for r in reads])
            entry.check_parameters()
        self._note_bare_norms()
        output = self.values[self.wires.output]
        if len(output.shape) == 3 and output.shape[:2] == (1, 1):
            last = self.layers[self.wires.output]
            output = self._node(last, Flatten(), (output.node,), output.shape[2:], "flatten")
        return output.node

    def _value(self, entry: Entry, reads: tuple[Reference, ...], inputs: list[Value]) -> Value:
        match entry.type, inputs:
            case (("Concat" | "Eltwise"), _):
                join = JOINS[entry.type](entry)
                return self._join(entry, join, inputs) if len(inputs) > 1 else inputs[0]
            case "Scale", [image, gate]:
                _check_gate(entry)
                return self._join(entry, "scale", [image, gate])
            case "Axpy", [gate, image, rest]:  # of the Caffe of squeeze-and-excite
                scaled = self._join(entry, "scale", [image, gate], "scale")
                return self._join(entry, "add", [scaled, rest])
            case kind, [value] if kind in KINDS and len(entry.tops) == 1:
                if kind == "Scale" and self._follows_norm(reads[0]):
                    self.scaled.add(int(reads[0]))
                    if not has_shift(entry):
                        without = "has no offset in the file; here every norm has one"
                        self.notes.append(f"`{entry.name}` {without}")
                    return value
                return self._layers(entry, KINDS[kind](entry, value.shape), value)
            case kind, _ if kind in KINDS:
                raise entry.refuse(
                    f"has {len(inputs)} and {len(entry.tops)} of `bottom` and `top`",
                    f"a layer of type {kind} has one of each",
                )
            case kind, _:
                known = (*KINDS, *JOINS)
                otherwise = "describe the network in a .wz file, without such a layer"
                raise entry.refuse(
                    f"is of type {kind}, which wootzc does not prune",
                    _WAYS.get(kind) or did_you_mean(kind, known, otherwise),
                )

    def _follows_norm(self, read: Reference) -> bool:
        """BatchNorm normalises, Scale scales and shifts: together they are our norm."""
        return (
            isinstance(read, int)
            and self.layers[read].type == "BatchNorm"
            and self.wires.readers[read] == 1
        )

    def _note_bare_norms(self) -> None:
        """A BatchNorm of Caffe only normalises. Our norm has a scale and a shift, both trained."""
        for number in self.wires.reads:
            entry = self.layers[number]
            if entry.type == "BatchNorm" and number not in self.scaled:
                self.notes.append(
                    f"`{entry.name}` has no Scale behind it in the file; "
                    "here every norm has a factor and an offset"
                )

    def _layers(self, entry: Entry, body: Body, value: Value) -> Value:
        for layer in body:
            try:
                shape = shape_after(layer, value.shape)
            except ShapeError as error:
                raise entry.refuse(f"does not fit its input: {error}") from None
            part = "" if layer is body[-1] else type(layer).__name__.lower()
            value = self._node(entry, layer, (value.node,), shape, part)
        return value

    def _join(self, entry: Entry, join: Join, inputs: list[Value], part: str = "") -> Value:
        shapes = [value.shape for value in inputs]
        shape = joined_shape(join, shapes)
        if shape is None:
            seen = " and ".join(shape_text(s) for s in shapes)
            raise entry.refuse(f"joins {seen}, which do not fit", _FITS[join])
        return self._node(entry, join, tuple(value.node for value in inputs), shape, part)

    def _node(
        self,
        entry: Entry,
        operation: Layer | Join,
        inputs: tuple[str, ...],
        shape: Shape,
        part: str = "",  # of the entry, where it needs several nodes
    ) -> Value:
        name = f"{entry.name}/{part}" if part else entry.name
        while name in self.nodes:
            name += "_"
        self.nodes[name] = Node(name=name, inputs=inputs, operation=operation)
        self.shapes[name] = shape
        self.modules[name] = entry.module
        return Value(name, shape)


_FITS: dict[Join, str] = {
    "add": "sums have one shape",
    "concat": "heights and widths agree",
    "scale": "the second has the shape of the first, or one value per channel",
}


def _check_gate(entry: Entry) -> None:
    """A Scale of two bottoms: the second has a factor for each channel of the first."""
    own = entry.fields.message_of("scale_param")
    axis, bias = own.signed("axis", 1), own.flag("bias_term", False)
    own.finish(("num_axes", "filler"))
    if axis != 0 or bias:
        raise entry.refuse(
            "scales one blob by another along some axes", "only `axis: 0` without bias is known"
        )


def _check_shared_weights(entries: Iterable[Entry]) -> None:
    """Weights of one name are one: layers of wootzc have weights of their own."""
    owners: dict[str, Entry] = {}
    for entry in entries:
        for found in entry.fields.all("param"):
            match found.value:
                case Scalar(kind="text", text=name):
                    pass
                case Message(fields=fields):
                    name = "".join(str(f.value) for f in fields if f.name == "name").strip('"')
                case _:
                    name = ""
            if name and owners.setdefault(name, entry) is not entry:
                raise entry.refuse(
                    f"shares its weights `{name}` with `{owners[name].name}`",
                    "wootzc prunes layers with weights of their own",
                )
