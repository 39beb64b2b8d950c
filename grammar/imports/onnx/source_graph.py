"""An ONNX file as plain values: operators that lead to the output, constants, input and output."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from numpy.typing import NDArray

from wootzc.grammar.imports.onnx.model_file import EXPORT_AGAIN, checked_model, damaged, first_line
from wootzc.ir.graph import Refused
from wootzc.ir.graph.graph import leading_to

if TYPE_CHECKING:  # onnx takes 0.2 s to import: only who reads a file pays for it
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

Array: TypeAlias = NDArray[Any]

OLDEST = 7  # before that, arithmetic broadcast by other rules
FLOATS = {1: "float", 10: "float16", 11: "double", 16: "bfloat16"}  # by TensorProto.DataType


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    name: str  # unique
    kind: str  # "Conv"
    inputs: tuple[str, ...]  # "" where one is left out
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    proto: "NodeProto" = field(repr=False)
    opset: int

    def refused(self, why: str, help: str | None = None) -> Refused:
        """To be raised: why this operator, with its name and kind, cannot be read."""
        article = "an" if self.kind[:1] in "AEIOU" else "a"
        return Refused(f'node "{self.name}" is {article} {self.kind}: {why}', help)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    operators: tuple[Operator, ...]  # only what the output needs
    constants: Mapping[str, Array]  # initializers among their inputs
    input: str
    sizes: tuple[int | None, ...]  # of the input's axes, None where open
    whole: bool = False  # whole numbers enter, of which a Cast makes floats
    output: str
    metadata: Mapping[str, str] = field(default_factory=dict)


def load(path: str) -> Source:
    """Raises `Refused`, and `OSError` where the file cannot be opened."""
    model = checked_model(path)
    try:
        return _source(model)
    except Refused:
        raise
    except (TypeError, ValueError) as error:  # text that is no text, attributes of no type
        raise damaged(os.path.basename(path), first_line(error)) from error


def _source(model: "ModelProto") -> Source:
    graph = model.graph
    opset = _opset(model)
    output = _only_output(graph)
    every = [*_operators(graph, opset)]
    made = {name: operator.inputs for operator in every for name in operator.outputs if name}
    needed = leading_to([output], made)
    operators = tuple(operator for operator in every if not needed.isdisjoint(operator.outputs))
    wanted = {name for operator in operators for name in operator.inputs} | {output}
    given = _only_input(graph, wanted)
    _check_type(given, operators)
    return Source(
        operators=operators,
        constants=_constants(graph.initializer, wanted),
        input=given.name,
        sizes=_sizes(given),
        whole=given.type.tensor_type.elem_type not in FLOATS,
        output=output,
        metadata={entry.key: entry.value for entry in model.metadata_props},
    )


def _opset(model: "ModelProto") -> int:
    versions = [o.version for o in model.opset_import if o.domain in ("", "ai.onnx")]
    if not versions:
        raise Refused("the file does not say which opset it uses", EXPORT_AGAIN)
    if versions[0] < OLDEST:
        raise Refused(
            f"the file uses opset {versions[0]}; wootzc reads {OLDEST} and later",
            "`onnx.version_converter.convert_version(model, 13)` converts it",
        )
    return int(versions[0])


def _only_output(graph: "GraphProto") -> str:
    names = [output.name for output in graph.output]
    if len(names) != 1:
        listed = ", ".join(f'"{name}"' for name in names) or "none"
        raise Refused(
            f"the network has {len(names)} outputs ({listed}); wootzc prunes classifiers with one",
            "export it without auxiliary heads, by `model.eval()` before the export, and let "
            "`forward` return the scores alone",
        )
    return str(names[0])


def _only_input(graph: "GraphProto", wanted: set[str]) -> "ValueInfoProto":
    initialized = {tensor.name for tensor in graph.initializer}
    inputs = [i for i in graph.input if i.name in wanted and i.name not in initialized]
    if len(inputs) != 1:
        listed = ", ".join(f'"{i.name}"' for i in inputs) or "none"
        raise Refused(
            f"the network has {len(inputs)} inputs ({listed}); wootzc takes one image",
            "make constants of what enters beside the image, and export it again",
        )
    given: ValueInfoProto = inputs[0]
    return given


def _check_type(given: "ValueInfoProto", operators: Iterable[Operator]) -> None:
    """Floats enter, or what becomes floats at once, as the bytes of images do."""
    readers = [operator for operator in operators if given.name in operator.inputs]
    cast = all(r.kind == "Cast" and r.attributes.get("to") in FLOATS for r in readers)
    if given.type.tensor_type.elem_type not in FLOATS and not cast:
        raise Refused(
            f'the input "{given.name}" does not hold floating-point numbers, and '
            f'node "{readers[0].name}" reads it as it is',
            "export the network that was trained, before it was quantised; a Cast to floats that "
            "reads the input is fine",
        )


def _sizes(value: "ValueInfoProto") -> tuple[int | None, ...]:
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return (None,) * 4
    sizes = [d.dim_value for d in tensor.shape.dim]
    if min(sizes, default=0) < 0:
        said = "x".join(map(str, sizes))
        raise Refused(f'the input "{value.name}" is {said}: no size is below 0', EXPORT_AGAIN)
    return tuple(size or None for size in sizes)


def _constants(tensors: Iterable["TensorProto"], wanted: set[str]) -> dict[str, Array]:
    from onnx import numpy_helper

    constants = {}
    for tensor in tensors:
        if tensor.name in wanted:
            try:
                constants[tensor.name] = numpy_helper.to_array(tensor)
            except Exception:  # sizes, bytes and types that do not belong together
                raise Refused(f'the weights "{tensor.name}" are damaged', EXPORT_AGAIN) from None
    return constants


def _operators(graph: "GraphProto", opset: int) -> Iterator[Operator]:
    from onnx import helper

    taken: set[str] = {""}
    parameters = {t.name for t in graph.initializer if t.name.endswith(".weight")}
    for index, node in enumerate(graph.node):
        base = node.name or next(filter(None, node.output), "") or f"{node.op_type}_{index}"
        name = base = _scope(node, parameters) + base
        copies = 1
        while name in taken:
            name, copies = f"{base}_{copies}", copies + 1
        taken.add(name)
        standard = node.domain in ("", "ai.onnx")
        yield Operator(
            name=name,
            kind=node.op_type if standard else f"{node.domain}.{node.op_type}",
            inputs=tuple(node.input),
            outputs=tuple(node.output),
            attributes={a.name: _plain(helper.get_attribute_value(a)) for a in node.attribute},
            proto=node,
            opset=opset,
        )


def _plain(value: Any) -> Any:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _scope(node: "NodeProto", parameters: set[str]) -> str:
    """The modules around a node of PyTorch's newer exporter, as the older one writes them.

    That exporter names nodes "node_conv2d_1" and says in their metadata where they stand. With
    "/layer1/layer1.0/conv1/" before it a name tells as much as the older exporter's does. A
    convolution that took in its norm is said to stand where the norm did: its weights know better.
    """
    scopes = {p.key: p.value for p in node.metadata_props}.get("pkg.torch.onnx.name_scopes")
    if scopes is None:
        return ""
    owners = [name.removesuffix(".weight") for name in node.input if name in parameters]
    names = re.findall(r"'([^']*)'", scopes)[:-1]  # the last is the operation itself
    parts: list[str] = []
    for part in filter(None, (owners[0] if owners else names[-1] if names else "").split(".")):
        parts.append(f"{parts[-1]}.{part}" if part.isdigit() and parts else part)
    return "".join(f"/{part}" for part in parts) + "/"
