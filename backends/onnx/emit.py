"""IR → ONNX: one node a layer where ONNX has it, NCHW, float32, any batch size.

Nodes have the paths of their layers ("a1/0.0.2") and weights their names ("a1/0.0.2/kernel"). The
input is called "input", the output "logits". Dropout is left out: it does nothing after training. A
norm right behind a convolution becomes a part of it (`backends.folding`).
"""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any, TypeAlias, assert_never

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from wootzc.backends.onnx.layers import layer_nodes, pixel_by_pixel
from wootzc.backends.onnx.metadata import metadata
from wootzc.backends.onnx.writer import Value, Writer
from wootzc.backends.weights.channels_first import (
    Array,
    channels_first,
)  # fmt: skip
from wootzc.backends.weights.folding import with_folded_norms
from wootzc.backends.weights.parameters import Weights
from wootzc.backends.weights.stored import check_fits
from wootzc.diagnostics import fail
from wootzc.ir import layers as ir
from wootzc.ir.net.network import Network

# Opset 17 (ONNX 1.12, June 2022) lacks only Gelu, and what runs today has had time to learn it:
# onnxruntime 1.15 of May 2023 was seen to run every kind of layer. IR version 8 came before it.
OPSET, IR_VERSION = 17, 8
LARGEST = 2**31 - 2**16  # bytes: what a protobuf may have, less some for the nodes

INPUT, LOGITS = "input", "logits"

ByLayer: TypeAlias = Mapping[str, Mapping[str, Array]]  # "a1/0.0.2" → "kernel" → array


def to_onnx(
    network: Network,
    weights: Weights,
    *,
    classes: Sequence[str] = (),  # kept in the file's metadata
    mean: NDArray[Any] | None = None,  # [channels], subtracted from stored values …
    std: NDArray[Any] | None = None,  # … and what is left divided by this
    with_normalization: bool = False,  # put (x − mean) / std in front of the network
) -> onnx.ModelProto:
    """The network in evaluation mode: float32 [batch, channels, height, width] → logits.

    It takes what the network was trained on, normalised images, unless `with_normalization`: then
    it takes values as stored in the data. Mean and std are in the metadata either way.
    """
    check_fits(network, weights)
    if sum(value.nbytes for value in weights.values()) > LARGEST:
        raise fail("WZ159", f"network {network.name} is larger than the 2 GB of one ONNX file")
    by_layer: dict[str, dict[str, Array]] = {}
    for name, value in with_folded_norms(network, weights).items():
        path, _, parameter = name.rpartition("/")
        by_layer.setdefault(path, {})[parameter] = value
    writer = Writer()
    x = Value(name=INPUT, shape=network.input)
    if with_normalization:
        x = _normalized(x, mean, std, writer)
    for segment in network.segments:
        x = _body(segment.body, x, f"{segment.name}/", by_layer, writer)
    x = pixel_by_pixel(x, "out", writer)
    _rename_output(x.name, writer)
    graph = helper.make_graph(
        writer.nodes,
        network.name,
        [_declared(INPUT, network.input)],
        [_declared(LOGITS, x.shape)],
        list(writer.tensors.values()),
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="wootzc",
        producer_version=version("wootzc"),
    )
    helper.set_model_props(model, metadata(network, classes, mean, std, with_normalization))
    return model


def _declared(name: str, shape: tuple[int, ...]) -> onnx.ValueInfoProto:
    sizes: list[str | int | None] = ["batch", *channels_first(shape)]
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes)


def _normalized(
    x: Value, mean: NDArray[Any] | None, std: NDArray[Any] | None, writer: Writer
) -> Value:
    if mean is None or std is None:
        raise ValueError("with_normalization needs mean and std")
    sizes = (1, len(mean), *(1,) * (len(x.shape) - 1))
    mean_name = writer.tensor("normalize/mean", np.reshape(mean, sizes))
    std_name = writer.tensor("normalize/std", np.reshape(std, sizes))
    centred = writer.node("Sub", [x.name, mean_name], "normalize/centred")
    return Value(name=writer.node("Div", [centred, std_name], "normalize"), shape=x.shape)


def _rename_output(name: str, writer: Writer) -> None:
    """Call the network's last tensor "logits". Its node keeps its name."""
    if name == INPUT:
        writer.node("Identity", [INPUT], LOGITS)
        return
    for node in writer.nodes:
        for names in (node.input, node.output):
            names[:] = [LOGITS if one == name else one for one in names]


def _body(body: ir.Body, x: Value, prefix: str, weights: ByLayer, writer: Writer) -> Value:
    """`prefix`: of the paths of the body's layers, "a1/0.1."."""
    for index, layer in enumerate(body):
        path = f"{prefix}{index}"
        if isinstance(layer, ir.Branch):
            arms = [
                _body(arm, x, f"{path}.{number}.", weights, writer)
                for number, arm in enumerate(layer.arms)
            ]
            x = _joined(layer, arms, path, writer)
        else:
            x = layer_nodes(layer, x, path, weights.get(path, {}), writer)
    return x


def _joined(branch: ir.Branch, arms: Sequence[Value], path: str, writer: Writer) -> Value:
    shape, order = arms[0].shape, arms[0].order
    if branch.join == "concat" or any(arm.order != order for arm in arms):
        numbered = [(f"{path}.{number}", arm) for number, arm in enumerate(arms)]
        arms, order = [pixel_by_pixel(arm, name, writer) for name, arm in numbered], None
    names = [arm.name for arm in arms]
    match branch.join:
        case "add":
            writer.node("Add" if len(names) == 2 else "Sum", names, path)
        case "concat":
            writer.node("Concat", names, path, axis=1)
            shape = (*shape[:-1], sum(arm.shape[-1] for arm in arms))
        case "scale":
            writer.node("Mul", names, path)
        case _:
            assert_never(branch.join)
    return Value(name=path, shape=shape, order=order)
