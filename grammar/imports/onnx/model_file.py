"""The file itself: opened, counted, checked, with its external data and without functions.

Whatever a file declares is counted before it is done: functions that call functions are many nodes
once they are written out, and sizes may be anything.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from wootzc.files import Unfit, check_file, damage, read_file
from wootzc.ir.graph import Refused
from wootzc.ir.layers.maxima import MAX_LAYERS

if TYPE_CHECKING:  # onnx takes 0.2 s to import: only who reads a file pays for it
    from onnx import AttributeProto, ModelProto, NodeProto, TensorProto

EXPORT_AGAIN = "export it again, or check it with `onnx.checker.check_model`"
MOST_BYTES = 2**31 - 1  # of a protobuf message
MOST_DEEP = 32  # functions within functions, graphs within graphs
FEW = 8  # inputs of a node that count as one

Function: TypeAlias = tuple[str, str, str]  # domain, name, overload


def checked_model(path: str) -> "ModelProto":
    """The model with its external data and without local functions.

    Raises `Refused`, and `OSError` where the file cannot be opened.
    """
    import onnx.checker
    import onnx.inliner
    from google.protobuf.message import DecodeError

    name = os.path.basename(path)
    try:
        content = read_file(path, MOST_BYTES)
    except Unfit as unfit:
        raise Refused(f'"{name}" is not read: {unfit.strerror}') from None
    if not content:
        raise Refused(f'"{name}" is empty', EXPORT_AGAIN)
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except DecodeError:
        raise Refused(f'"{name}" is not an ONNX file, or it is cut short', EXPORT_AGAIN) from None
    if not model.graph.node:
        raise Refused(f'"{name}" holds no ONNX graph', EXPORT_AGAIN)
    if model.graph.sparse_initializer:
        raise Refused(f'"{name}" holds sparse weights', "export it with dense ones")
    tensors = _counted(model, name)
    for tensor in tensors:
        _check_tensor(tensor, path)
    try:
        onnx.checker.check_model(_without_weights(model))
    except onnx.checker.ValidationError as error:
        reason = f'"{name}" does not follow ONNX\'s rules: {first_line(error)}'
        raise Refused(reason, EXPORT_AGAIN) from None
    except Exception as error:
        raise damaged(name, first_line(error)) from None
    with damage(lambda reason: damaged(name, reason)):
        onnx.load_external_data_for_model(model, os.path.dirname(path))
        return onnx.inliner.inline_local_functions(model) if model.functions else model


def first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def damaged(name: str, reason: str) -> Refused:
    return Refused(f'"{name}" is damaged: {reason}', EXPORT_AGAIN)


@dataclass(slots=True)
class _Count:
    """Nodes once every function is written out, and the tensors seen on the way."""

    bodies: "dict[Function, list[NodeProto]]"
    file: str
    sizes: dict[Function, int] = field(default_factory=dict)
    tensors: "list[TensorProto]" = field(default_factory=list)

    def nodes(self, nodes: "Iterator[NodeProto] | list[NodeProto]", depth: int = 0) -> int:
        if depth > MOST_DEEP:
            raise Refused(
                f'"{self.file}" has functions or graphs nested more than {MOST_DEEP} deep'
            )
        total = 0
        for node in nodes:
            total += max(1, len(node.input) - FEW)  # a sum of a thousand is a thousand sums
            total += sum(self._attribute(each, depth) for each in node.attribute)
            called = (node.domain, node.op_type, getattr(node, "overload", ""))
            if called in self.bodies:
                if called not in self.sizes:
                    self.sizes[called] = self.nodes(self.bodies[called], depth + 1)
                total += self.sizes[called]
            if total > MAX_LAYERS:
                raise Refused(
                    f'"{self.file}" has more than {MAX_LAYERS:,} nodes'
                    + (" once its functions are written out" if self.bodies else ""),
                    "wootzc reads smaller networks",
                )
        return total

    def _attribute(self, attribute: "AttributeProto", depth: int) -> int:
        if attribute.HasField("t"):
            self.tensors.append(attribute.t)
        self.tensors += attribute.tensors
        inner = [attribute.g] if attribute.HasField("g") else []
        total = 0
        for graph in (*inner, *attribute.graphs):
            self.tensors += graph.initializer
            total += self.nodes(list(graph.node), depth + 1)
        return total


def _counted(model: "ModelProto", file: str) -> "list[TensorProto]":
    """Every tensor of a model that is small enough, and does not go in circles."""
    bodies = {(f.domain, f.name, getattr(f, "overload", "")): list(f.node) for f in model.functions}
    count = _Count(bodies, file)
    count.nodes(list(model.graph.node))
    return [*model.graph.initializer, *count.tensors]


def _check_tensor(tensor: "TensorProto", path: str) -> None:
    """What is declared can be: sizes, and the file beside the model that the numbers are in."""
    if any(size < 0 for size in tensor.dims):
        sizes = "x".join(map(str, tensor.dims))
        raise Refused(f'the weights "{tensor.name}" are {sizes}: no size is below 0', EXPORT_AGAIN)
    said: dict[str, Any] = {entry.key: entry.value for entry in tensor.external_data}
    if "location" not in said:
        return
    name, location = os.path.basename(path), said["location"]
    folder = os.path.dirname(path)
    place = os.path.join(folder, location.partition("\0")[0])  # paths can't have a zero in them
    real, around = os.path.realpath(place), os.path.realpath(folder)
    if "\0" in location or os.path.commonpath([real, around]) != around:
        raise Refused(
            f'the weights of "{name}" are in "{location}", which is outside of its folder',
            "copy that file beside the model, and export it so that it says so",
        )
    try:
        check_file(place)
        size = os.path.getsize(place)
    except FileNotFoundError:
        raise Refused(
            f'the weights of "{name}" are in "{location}", which must lie beside it and does not',
            "copy that file too, and rename neither; or export with `external_data=False`",
        ) from None
    except OSError as error:
        raise Refused(f'"{location}" beside "{name}" is not read: {error.strerror}') from None
    numbers = [said.get("offset", "0"), said.get("length", "0")]
    if not all(n.isascii() and n.isdigit() for n in numbers) or sum(map(int, numbers)) > size:
        raise Refused(
            f'the weights "{tensor.name}" are said to be at byte {numbers[0]} of "{location}", '
            f"which has {size:,}: it is another file, or cut short",
            "copy that file again",
        )


def _checkable(node: "NodeProto") -> "NodeProto":
    """The node, or one of the same tensors where the checker refuses what is read here.

    ONNX deprecates the GroupNormalization of opset 18, with a factor for each group.
    """
    from onnx import helper

    if node.op_type != "GroupNormalization" or node.domain:
        return node
    return helper.make_node("InstanceNormalization", node.input, node.output, name=node.name)


def _without_weights(model: "ModelProto") -> "ModelProto":
    """A copy for the checker, which else takes seconds over numbers that it only counts."""
    from onnx import ModelProto, helper

    light = ModelProto(ir_version=model.ir_version)
    light.opset_import.extend(model.opset_import)
    light.functions.extend(model.functions)
    graph, given = light.graph, {value.name for value in model.graph.input}
    graph.name = model.graph.name
    graph.node.extend(map(_checkable, model.graph.node))
    graph.input.extend(model.graph.input)
    graph.output.extend(model.graph.output)
    for output in graph.output:  # exporters leave it out, and nothing here needs it
        if output.type.HasField("tensor_type"):
            output.type.tensor_type.shape.SetInParent()
    graph.input.extend(
        helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
        for tensor in model.graph.initializer
        if tensor.name not in given
    )
    return light
