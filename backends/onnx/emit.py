"""IR → ONNX: one node a layer where ONNX has it, NCHW, float32, any batch size.

Nodes have the paths of their layers ("a1/0.0.2") and weights their names ("a1/0.0.2/kernel"). The
input is called "input", the output "logits". Dropout is left out: it does nothing after training. A
norm right behind a convolution becomes a part of it (`backends.folding`).
"""

from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any, TypeAlias, assert_never

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from wootzc.backends.onnx.activations import activation
from wootzc.backends.onnx.metadata import metadata
from wootzc.backends.onnx.norms import group_norm, local_norm
from wootzc.backends.onnx.windows import convolution, pool
from wootzc.backends.onnx.writer import Value, Writer
from wootzc.backends.weights.channels_first import (
    Array,
    channels_first,
    conv_kernel,
    order_after_flatten,
    reordered,
)  # fmt: skip
from wootzc.backends.weights.folding import with_folded_norms
from wootzc.backends.weights.parameters import Weights
from wootzc.backends.weights.stored import check_fits
from wootzc.diagnostics import fail
from wootzc.ir import layers as ir
from wootzc.ir.layers.shapes import shape_after
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
    x = _pixel_by_pixel(x, "out", writer)
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
            x = _layer(layer, x, path, weights.get(path, {}), writer)
    return x


def _layer(
    layer: ir.Layer, x: Value, path: str, weights: Mapping[str, Array], writer: Writer
) -> Value:
    shape, order = shape_after(layer, x.shape), x.order
    match layer:
        case ir.Conv() | ir.DepthwiseConv():
            kernel = writer.tensor(f"{path}/kernel", conv_kernel(weights["kernel"]))
            names = [kernel, *_bias(weights, path, writer)]
            name = convolution(layer, x, names, path, writer)
        case ir.Dense():
            name, order = _dense(x, path, weights, writer), None
        case ir.Norm() if not weights:  # it is a part of the convolution before it
            name = x.name
        case ir.Norm(epsilon=epsilon, momentum=momentum):
            names = [
                writer.tensor(f"{path}/{parameter}", reordered(weights[parameter], order))
                for parameter in ("scale", "bias", "mean", "var")
            ]
            attributes = {"epsilon": epsilon, "momentum": momentum}
            name = writer.node("BatchNormalization", [x.name, *names], path, **attributes)
        case ir.GroupNorm():
            x = _pixel_by_pixel(x, path, writer)
            name, order = group_norm(layer, x, weights, path, writer), None
        case ir.PRelu():
            slope = reordered(weights["slope"], order).reshape(-1, *[1] * (len(shape) - 1))
            name = writer.node("PRelu", [x.name, writer.tensor(f"{path}/slope", slope)], path)
        case ir.LocalNorm():
            x = _pixel_by_pixel(x, path, writer)
            name, order = local_norm(layer, x, path, writer), None
        case ir.Activation():
            name = activation(layer, x.name, path, writer)
        case ir.Pool():
            name = pool(layer, x, path, writer)
        case ir.GlobalPool(kind=kind, keep_dims=keep):
            operator = "GlobalMaxPool" if kind == "max" else "GlobalAveragePool"
            name = writer.node(operator, [x.name], path if keep else f"{path}/pool")
            if not keep:
                name = writer.node("Flatten", [name], path)
        case ir.Dropout():
            name = x.name
        case ir.Flatten():
            name, order = writer.node("Flatten", [x.name], path), order_after_flatten(x.shape)
        case ir.Branch():
            raise AssertionError("its arms are walked one by one")
        case _:
            assert_never(layer)
    return Value(name=name, shape=shape, order=order)


def _dense(x: Value, path: str, weights: Mapping[str, Array], writer: Writer) -> str:
    """Gemm of a vector; of a 1x1 image, as in squeeze-and-excite, a 1x1 convolution."""
    kernel = weights["kernel"]  # [in, out]
    bias = _bias(weights, path, writer)
    if len(x.shape) == 1:
        name = writer.tensor(f"{path}/kernel", reordered(kernel, x.order))
        return writer.node("Gemm", [x.name, name, *bias], path)
    name = writer.tensor(f"{path}/kernel", kernel.T[:, :, None, None])
    return writer.node("Conv", [x.name, name, *bias], path, kernel_shape=[1, 1])


def _bias(weights: Mapping[str, Array], path: str, writer: Writer) -> Iterator[str]:
    if "bias" in weights:
        yield writer.tensor(f"{path}/bias", weights["bias"])


def _joined(branch: ir.Branch, arms: Sequence[Value], path: str, writer: Writer) -> Value:
    shape, order = arms[0].shape, arms[0].order
    if branch.join == "concat" or any(arm.order != order for arm in arms):
        numbered = [(f"{path}.{number}", arm) for number, arm in enumerate(arms)]
        arms, order = [_pixel_by_pixel(arm, name, writer) for name, arm in numbered], None
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


def _pixel_by_pixel(x: Value, path: str, writer: Writer) -> Value:
    """A vector in our order, transposed where its values stand channel by channel."""
    if x.order is None:
        return x
    image = writer.whole(0, *channels_first(x.order))
    name = writer.node("Reshape", [x.name, image], f"{path}/image")
    name = writer.node("Transpose", [name], f"{path}/channels_last", perm=[0, 2, 3, 1])
    return Value(name=writer.node("Flatten", [name], f"{path}/vector"), shape=x.shape)
