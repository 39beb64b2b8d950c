"""An ONNX file as plain values: operators that lead to the output, constants, input and output."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from numpy.typing import NDArray

from wootzc.ir.graph import Refused

if TYPE_CHECKING:  # onnx takes 0.2 s to import: only who reads a file pays for it
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

Array: TypeAlias = NDArray[Any]

OLDEST = 7  # before that, arithmetic broadcast by other rules
FLOATS = {1: "float", 10: "float16", 11: "double", 16: "bfloat16"}  # by TensorProto.DataType
EXPORT_AGAIN = "export it again, or check it with `onnx.checker.check_model`"


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
        article = "an" if self.kind[:1] in "AEIOU" else "a"
        return Refused(f'node "{self.name}" is {article} {self.kind}: {why}', help)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    operators: tuple[Operator, ...]  # only what the output needs
    constants: Mapping[str, Array]  # initializers among their inputs
    input: str
    sizes: tuple[int | None, ...]  # of the input's axes, None where open
    output: str
    metadata: Mapping[str, str] = field(default_factory=dict)


def load(path: str) -> Source:
    """Raises `Refused`, and `OSError` where the file cannot be opened."""
    if os.path.exists(path) and not os.path.isfile(path):
        what = "a folder" if os.path.isdir(path) else "a device"
        raise Refused(f'"{os.path.basename(path)}" is {what}, not an ONNX file')
    model = _checked_model(path)
    try:
        return _source(model)
    except (TypeError, ValueError) as error:  # text that is no text, attributes of no type
        if isinstance(error, Refused):
            raise
        reason = f'"{os.path.basename(path)}" is damaged: {first_line(error)}'
        raise Refused(reason, EXPORT_AGAIN) from error


def first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _source(model: "ModelProto") -> Source:
    graph = model.graph
    opset = _opset(model)
    output = _only_output(graph)
    operators = _needed(_operators(graph, opset), output)
    wanted = {name for operator in operators for name in operator.inputs} | {output}
    given = _only_input(graph, wanted)
    return Source(
        operators=operators,
        constants=_constants(graph.initializer, wanted),
        input=given.name,
        sizes=_sizes(given),
        output=output,
        metadata={entry.key: entry.value for entry in model.metadata_props},
    )


def _checked_model(path: str) -> "ModelProto":
    """The model with its external data and without local functions."""
    import onnx.checker
    import onnx.inliner
    from google.protobuf.message import DecodeError

    name = os.path.basename(path)
    with open(path, "rb") as file:
        if not file.read(1):
            raise Refused(f'"{name}" is empty', EXPORT_AGAIN)
    try:
        model = onnx.load_model(path, format="protobuf", load_external_data=False)
    except DecodeError:
        raise Refused(f'"{name}" is not an ONNX file, or it is cut short', EXPORT_AGAIN) from None
    if not model.graph.node:
        raise Refused(f'"{name}" holds no ONNX graph', EXPORT_AGAIN)
    if model.graph.sparse_initializer:
        raise Refused(f'"{name}" holds sparse weights', "export it with dense ones")
    _check_data_files(model, path)
    try:
        onnx.checker.check_model(_without_weights(model))
        onnx.load_external_data_for_model(model, os.path.dirname(path))
        return onnx.inliner.inline_local_functions(model) if model.functions else model
    except onnx.checker.ValidationError as error:
        reason = f'"{name}" does not follow ONNX\'s rules: {first_line(error)}'
        raise Refused(reason, EXPORT_AGAIN) from None
    except Exception as error:  # the checker's parts are many, and so are their exceptions
        raise Refused(f'"{name}" is damaged: {first_line(error)}', EXPORT_AGAIN) from None


def _check_data_files(model: "ModelProto", path: str) -> None:
    """The weights may lie in a file of their own, which gets lost when models are copied."""
    places = (entry for tensor in model.graph.initializer for entry in tensor.external_data)
    for location in sorted({entry.value for entry in places if entry.key == "location"}):
        if not os.path.exists(os.path.join(os.path.dirname(path), location)):
            raise Refused(
                f'the weights of "{os.path.basename(path)}" are in "{location}", '
                "which must lie beside it and does not",
                "copy that file too, and rename neither; or export with `external_data=False`",
            )


def _without_weights(model: "ModelProto") -> "ModelProto":
    """A copy for the checker, which else takes seconds over numbers that it only counts."""
    from onnx import ModelProto, helper

    light = ModelProto(ir_version=model.ir_version)
    light.opset_import.extend(model.opset_import)
    light.functions.extend(model.functions)
    graph, given = light.graph, {value.name for value in model.graph.input}
    graph.name = model.graph.name
    graph.node.extend(model.graph.node)
    graph.input.extend(model.graph.input)
    graph.output.extend(model.graph.output)
    graph.input.extend(
        helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
        for tensor in model.graph.initializer
        if tensor.name not in given
    )
    return light


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
            "export it for inference, without auxiliary heads: `model.eval()` before the export",
        )
    return str(names[0])


def _only_input(graph: "GraphProto", wanted: set[str]) -> "ValueInfoProto":
    initialized = {tensor.name for tensor in graph.initializer}
    inputs = [i for i in graph.input if i.name in wanted and i.name not in initialized]
    if len(inputs) != 1:
        listed = ", ".join(f'"{i.name}"' for i in inputs) or "none"
        raise Refused(f"the network has {len(inputs)} inputs ({listed}); wootzc takes one image")
    if inputs[0].type.tensor_type.elem_type not in FLOATS:
        raise Refused(
            f'the input "{inputs[0].name}" does not hold floating-point numbers',
            "quantised networks cannot be pruned: export the one that was trained",
        )
    given: ValueInfoProto = inputs[0]
    return given


def _sizes(value: "ValueInfoProto") -> tuple[int | None, ...]:
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return (None,) * 4
    return tuple(d.dim_value if d.dim_value > 0 else None for d in tensor.shape.dim)


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


def _needed(operators: Iterable[Operator], output: str) -> tuple[Operator, ...]:
    wanted, needed = {output}, []
    for operator in reversed(list(operators)):
        if wanted & set(filter(None, operator.outputs)):
            wanted |= set(operator.inputs)
            needed.append(operator)
    return tuple(reversed(needed))
