"""ONNX files that wootzc cannot prune: what it says, and that it never says it with a traceback."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from wootzc.grammar.imports import read_graph
from wootzc.ir.graph import Graph, Refused
from wootzc.ir.graph.decompose import decompose
from wootzc.ir.layers.shapes import Shape

LINES = 10_000_000  # the most costly takes 2.4 million

FIXTURES = Path(__file__).parent / "onnx_fixtures"

Model = Callable[..., onnx.ModelProto]


def refused(model: onnx.ModelProto, folder: Path, input: Shape | None = None) -> Refused:
    onnx.save(model, folder / "net.onnx")
    with pytest.raises(Refused) as caught:
        read_graph(str(folder / "net.onnx"), input)
    return caught.value


@pytest.fixture(autouse=True)
def soon(worked: Any) -> Iterator[None]:
    with worked() as work:
        yield
    assert work.lines < LINES


def ones(*shape: int) -> Any:
    return np.ones(shape, np.float32)


def ints(*values: int) -> Any:
    return np.array(values, np.int64)


PADS = {"p": ints(0, 0, 1, 1, 0, 0, 1, 1)}
POOL = {"kernel_shape": [3, 3]}
OPERATORS: dict[str, tuple[list[Any], dict[str, Any], str]] = {
    "resize": (
        [("Resize", "x  s", "y", {})],
        {"s": ones(4)},
        'node "y" is a Resize: wootzc has no layer that enlarges images',
    ),
    "layer norm": (
        [("LayerNormalization", "x s", "y", {})],
        {"s": ones(8)},
        'node "y" is a LayerNormalization: it normalises more than the channels of each pixel',
    ),
    "norm of nothing": (
        [("BatchNormalization", "x s s s z", "y", {"epsilon": 0.0})],
        {"s": ones(3), "z": 0 * ones(3)},
        'node "y" is a BatchNormalization: it divides by zero: its variance and its epsilon are '
        "none above 0",
    ),
    "elu of another slope": (
        [("Elu", "x", "y", {"alpha": 0.7})],
        {},
        'node "y" is an Elu: its alpha is 0.7, and that of wootzc\'s elu is 1',
    ),
    "a stride of nothing": (
        [("Conv", "x w", "y", {"strides": [0, 1]})],
        {"w": ones(4, 3, 3, 3)},
        'node "y" is a Conv: its strides are [0, 1], and none may be below 1',
    ),
    "weights by an image": (
        [("MatMul", "w x", "y", {})],
        {"w": ones(5, 8)},
        'node "y" is a MatMul: it multiplies its weights by what enters, whose vectors do not '
        "stand upright",
    ),
    "quantised weights": (
        [("DequantizeLinear", "q s z", "w", {}), ("Conv", "x w", "y", {})],
        {"q": np.ones((4, 3, 3, 3), np.int8), "s": np.float32(0.1), "z": np.int8(0)},
        'node "w" is a DequantizeLinear: wootzc does not compute it before the network runs',
    ),
    "vectors of one length": (
        [("GlobalAveragePool", "x", "g", {}), ("LpNormalization", "g", "y", {"axis": 1})],
        {},
        'node "y" is a LpNormalization: wootzc does not divide vectors by their lengths',
    ),
    "split": (
        [("Split", "x", "y z", {"axis": 2, "num_outputs": 2})],
        {},
        'node "y" is a Split: it takes channels apart, and wootzc\'s layers read all of them',
    ),
    "channel shuffle": (
        [("Conv", "x w", "c", {}), ("Reshape", "c s", "y", {})],
        {"w": ones(4, 3, 1, 1), "s": ints(1, 2, 2, 8, 8)},
        'node "y" is a Reshape: 1x4x8x8 → 1x2x2x8x8: '
        "it splits an axis, as a channel shuffle or attention does",
    ),
    "space to depth": (
        [("Reshape", "x s", "y", {})],
        {"s": ints(1, 3, 4, 2, 4, 2)},
        'node "y" is a Reshape: 1x3x8x8 → 1x3x4x2x4x2: '
        "it takes rows of pixels apart, as space to depth does",
    ),
    "an image of a vector": (
        [("Conv", "x w", "c", {}), ("GlobalAveragePool", "c", "g", {}), ("Flatten", "g", "f", {}),
         ("Reshape", "f s", "y", {})],
        {"w": ones(8, 3, 1, 1), "s": ints(1, 2, 2, 2)},
        'node "y" is a Reshape: 1x8 → 1x2x2x2: it makes an image of a vector, as decoders do',
    ),
    "series": (
        [("LSTM", "x w r", "y", {"hidden_size": 8})],
        {"w": ones(1, 32, 8), "r": ones(1, 32, 8)},
        'node "y" is a LSTM: wootzc has no layer that goes through a series step by step',
    ),
    "attention": (
        [("GlobalAveragePool", "x", "g", {}), ("Softmax", "g", "s", {"axis": 1}),
         ("Mul", "x s", "y", {})],
        {},
        'node "s" is a Softmax: wootzc has one at the end of a network only',
    ),
    "unknown activation": (
        [("Softplus", "x", "s", {}), ("Tanh", "s", "t", {}), ("Mul", "x t", "y", {})],
        {},
        'node "s" is a Softplus: it is none of the activations that wootzc has',
    ),
    "activation of its own": (
        [("Selu", "x", "y", {})],
        {},
        'node "y" is a Selu: it is none of the activations that wootzc has',
    ),
    "clip": (
        [("Clip", "x a b", "y", {})],
        {"a": np.float32(-1), "b": np.float32(1)},
        'node "y" is a Clip: it is none of the activations that wootzc has',
    ),
    "hard sigmoid of another slope": (
        [("HardSigmoid", "x", "y", {"alpha": 0.2})],
        {},
        'node "y" is a HardSigmoid: it is none of the activations that wootzc has',
    ),
    "slopes by pixel": (
        [("PRelu", "x a", "y", {})],
        {"a": np.arange(8, dtype=np.float32).reshape(8, 1)},
        'node "y" is a PRelu: its constant differs from pixel to pixel',
    ),
    "dilated pool": (
        [("MaxPool", "x", "y", POOL | {"dilations": [2, 2]})],
        {},
        'node "y" is a MaxPool: its window is dilated; wootzc pools neighbours',
    ),
    "pad before max pool": (
        [("Pad", "x p", "q", {}), ("MaxPool", "q", "y", POOL)],
        PADS,
        'node "q" is a Pad: the layer behind it does not take in its zeros',
    ),
    "pad before an average that does not count": (
        [("Pad", "x p", "q", {}), ("AveragePool", "q", "y", POOL | {"pads": [1, 1, 1, 1]})],
        PADS,
        'node "q" is a Pad: the layer behind it does not take in its zeros',
    ),
    "pad before an addition": (
        [("Pad", "x p", "q", {}), ("Add", "q k", "y", {})],
        PADS | {"k": ones(1)},
        'node "q" is a Pad: the layer behind it does not take in its zeros',
    ),
    "grey made coloured": (
        [("Conv", "x w", "c", {}), ("Tile", "c s", "y", {})],
        {"w": ones(1, 3, 1, 1), "s": ints(1, 3, 1, 1)},
        'node "y" is a Tile: it repeats numbers, which no layer of wootzc does',
    ),
    "pad with less than any number": (
        [("Pad", "x p low", "y", {})],
        {**PADS, "low": np.float32(-np.inf)},
        'node "y" is a Pad: it pads with less than any number, and no max pool follows at once',
    ),
    "pad with ones": (
        [("Pad", "x p one", "y", {})],
        PADS | {"one": np.float32(1)},
        'node "y" is a Pad: wootzc pads with zeros, nothing else',
    ),
    "crop": (
        [("Slice", "x a b c", "y", {})],
        {"a": ints(1), "b": ints(7), "c": ints(2)},
        'node "y" is a Slice: it cuts a piece out of the image',
    ),
    "half of the channels": (
        [("Slice", "x a b c", "s", {}), ("GlobalAveragePool", "s", "y", {})],
        {"a": ints(0), "b": ints(2), "c": ints(1)},
        'node "s" is a Slice: it takes channels apart, and wootzc\'s layers read all of them',
    ),
    "constant by pixel": (
        [("Add", "x k", "y", {})],
        {"k": np.arange(64, dtype=np.float32).reshape(8, 8)},
        'node "y" is an Add: its constant differs from pixel to pixel',
    ),
    "repeated and added": (
        [("GlobalAveragePool", "x", "g", {}), ("Shape", "x", "s", {}), ("Expand", "g s", "e", {}),
         ("Add", "x e", "y", {})],
        {},
        'node "e" is an Expand: it repeats what enters',
    ),
    "repeated and pooled": (
        [("GlobalAveragePool", "x", "g", {}), ("Expand", "g s", "e", {}),
         ("GlobalAveragePool", "e", "y", {})],
        {"s": ints(1, 3, 8, 8)},
        'node "e" is an Expand: it repeats what enters',
    ),
    "two that are repeated, multiplied": (
        [("GlobalAveragePool", "x", "g", {}), ("GlobalMaxPool", "x", "h", {}),
         ("Expand", "g s", "e", {}), ("Expand", "h s", "f", {}), ("Mul", "e f", "y", {})],
        {"s": ints(1, 3, 8, 8)},
        'node "f" is an Expand: it repeats what enters',
    ),
    "constant by channel and row": (
        [("Reshape", "x s", "r", {}), ("Mul", "r k", "y", {})],
        {"s": ints(1, 24, 8), "k": np.arange(24, dtype=np.float32).reshape(24, 1)},
        'node "y" is a Mul: its constant differs from pixel to pixel',
    ),
    "constant by channel of what was flattened": (
        [("Flatten", "x", "f", {}), ("Add", "f v", "a", {}), ("Reshape", "a s", "r", {}),
         ("Mul", "r k", "y", {})],
        {"v": np.arange(192, dtype=np.float32), "s": ints(1, 3, 64),
         "k": np.arange(3, dtype=np.float32).reshape(3, 1)},
        'node "y" is a Mul: it reads an image that was flattened before',
    ),
    "sums of two sizes": (
        [("GlobalAveragePool", "x", "g", {}), ("Add", "x g", "y", {})],
        {},
        'node "y" is an Add: it adds 1x3x8x8 and 1x3x1x1; wootzc adds tensors of one shape',
    ),
    "quotient of two tensors": (
        [("MaxPool", "x", "m", {"kernel_shape": [1, 1]}), ("Div", "x m", "y", {})],
        {},
        'node "y" is a Div: it takes two tensors; wootzc adds and multiplies them, nothing else',
    ),
    "spatial attention": (
        [("Conv", "x w", "c", {}), ("Sigmoid", "c", "s", {}), ("Mul", "x s", "y", {})],
        {"w": ones(1, 3, 1, 1)},
        'node "y" is a Mul: it multiplies 1x3x8x8 and 1x1x8x8; wootzc multiplies tensors of one '
        "shape, or an image by one number a channel",
    ),
    "concatenated rows": (
        [("Relu", "x", "r", {}), ("Concat", "x r", "y", {"axis": 2})],
        {},
        'node "y" is a Concat: it joins 1x3x8x8 and 1x3x8x8 along axis 2; '
        "wootzc joins channels, nothing else",
    ),
    "concatenated channels, each beside pixels": (
        [("Transpose", "x", "t", {"perm": [0, 2, 3, 1]}), ("Reshape", "t s", "r", {}),
         ("Concat", "r r", "c", {"axis": 2}), ("Flatten", "c", "y", {})],
        {"s": ints(1, 8, 24)},
        'node "c" is a Concat: it joins 1x8x24 and 1x8x24 along an axis that holds pixels and '
        "channels",
    ),
    "flattened channels first, joined and normalised": (
        [("Relu", "x", "r", {}), ("Flatten", "x", "f", {}), ("Flatten", "r", "g", {}),
         ("Concat", "f g", "c", {"axis": 1}), ("BatchNormalization", "c k k k k", "y", {})],
        {"k": ones(384)},
        'node "c" is a Concat: it joins what was flattened channels first, and no dense layer '
        "follows at once",
    ),
    "channels apart, flattened and together": (
        [*[("Gather", f"x i{i}", f"g{i}", {"axis": 1}) for i in (0, 1)],
         *[("Transpose", f"g{i}", f"t{i}", {"perm": [0, 2, 3, 1]}) for i in (0, 1)],
         *[("Flatten", f"t{i}", f"f{i}", {}) for i in (0, 1)],
         ("Concat", "f0 f1", "y", {"axis": 1})],
        {"i0": ints(0, 1), "i1": ints(2, 0)},
        'node "g0" is a Gather: it takes channels apart, and wootzc\'s layers read all of them',
    ),
    "mean over channels": (
        [("ReduceMean", "x a", "y", {})],
        {"a": ints(1)},
        'node "y" is a ReduceMean: it reduces more than height and width',
    ),
    "product of two computed matrices": (
        [("MatMul", "x x", "y", {})],
        {},
        'node "y" is a MatMul: '
        "it multiplies tensors that are both computed from the image, as attention does",
    ),
    "attention behind a split": (
        [("Split", "x", "q k", {"axis": 2, "num_outputs": 2}), ("MatMul", "q k", "s", {}),
         ("Softmax", "s", "y", {})],
        {},
        'node "s" is a MatMul: '
        "it multiplies tensors that are both computed from the image, as attention does",
    ),
    "computed weights": (
        [("MaxPool", "x", "w", {"kernel_shape": [3, 3]}), ("Conv", "x w", "y", {})],
        {},
        'node "y" is a Conv: its input "w" is computed from the image, not a constant',
    ),
    "indices of a pool": (
        [("MaxPool", "x", "m i", POOL), ("Cast", "i", "f", {"to": 1}), ("Add", "m f", "y", {})],
        {},
        'node "f" is a Cast: its input "i" is a second result of another node',
    ),
    "weights of another width": (
        [("Conv", "x w", "y", {})],
        {"w": ones(4, 5, 3, 3)},
        'node "y" is a Conv: it reads 5 channels, and 3 enter',
    ),
    "window larger than the image": (
        [("Conv", "x w", "y", {})],
        {"w": ones(4, 3, 9, 9)},
        'node "y" is a Conv: it does not fit what enters: '
        "a 9x9 window does not fit into 8x8 pixels",
    ),
    "lrn of an even number": (
        [("LRN", "x", "y", {"size": 4})],
        {},
        'node "y" is a LRN: it reads 4 channels around each; wootzc wants an odd number',
    ),
    "windows by strides": (
        [("Reshape", "x all", "f", {}), ("Gather", "f i", "y", {})],
        {"all": ints(-1), "i": np.arange(128).reshape(2, 64) // 2},
        'node "y" is a Gather: it puts numbers in another order',
    ),
    "numbers of several images in one axis": (
        [("Reshape", "x all", "f", {}), ("Relu", "f", "y", {})],
        {"all": ints(-1)},
        'node "f" is a Reshape: 1x3x8x8 → 192: it moves the axis of the batch',
    ),
    "images in one axis, behind a gather": (
        [("Reshape", "x all", "f", {}), ("Gather", "f i", "g", {}), ("Gemm", "g w", "y", {})],
        {"all": ints(-1), "i": np.arange(192).reshape(3, 64), "w": ones(64, 4)},
        'node "f" is a Reshape: 1x3x8x8 → 192: it moves the axis of the batch',
    ),
    "an operator on constants": (
        [("Det", "k", "r", {}), ("Add", "x r", "y", {})],
        {"k": ones(3, 1, 1)},
        'node "r" is a Det: wootzc does not compute it before the network runs',
    ),
    "a bias of another width": (
        [("Conv", "x w b", "y", {})],
        {"w": ones(4, 3, 3, 3), "b": ones(3)},
        'node "y" is a Conv: its bias is 3, and 4 channels leave it',
    ),
    "a norm of another width": (
        [("BatchNormalization", "x k k k k", "y", {})],
        {"k": ones(4)},
        'node "y" is a BatchNormalization: its scale is 4, and 3 channels leave it',
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATORS)
def test_an_operator_that_wootzc_lacks_is_named(
    name: str, onnx_model: Model, tmp_path: Path
) -> None:
    steps, constants, message = OPERATORS[name]
    model = onnx_model(steps, constants, dims=(1, 3, 8, 8), opset=18, head=False)
    set_rank(model, 4)
    assert refused(model, tmp_path).message == message


def test_strides_have_a_way_out(onnx_model: Model, tmp_path: Path) -> None:
    steps, constants, _ = OPERATORS["windows by strides"]
    model = onnx_model(steps, constants, dims=(1, 3, 8, 8), head=False)
    set_rank(model, 2)
    help = refused(model, tmp_path).help
    assert help is not None and "`x.contiguous()`" in help and "`dynamo=False`" in help


@pytest.mark.parametrize(
    ("opset", "axis", "part"), [(13, -1, "`opset_version=17`"), (17, 1, "spatial attention")]
)
def test_means_over_channels_have_a_way_out(
    opset: int, axis: int, part: str, onnx_model: Model, tmp_path: Path
) -> None:
    steps: list[Any] = [("Transpose", "x", "t", {"perm": [0, 2, 3, 1]})] if axis < 0 else []
    mean = ("ReduceMean", "t" if steps else "x", "y", {"axes": [axis]})
    error = refused(onnx_model([*steps, mean], opset=opset), tmp_path)
    assert error.help is not None and part in error.help


def set_rank(model: onnx.ModelProto, rank: int) -> None:
    """The checker wants to know how many axes an output has."""
    for _ in range(rank):
        model.graph.output[0].type.tensor_type.shape.dim.add()


def test_all_of_several_outputs_are_named(onnx_model: Model, tmp_path: Path) -> None:
    model = onnx_model([("GlobalAveragePool", "x", "y", {})])
    model.graph.output.append(model.graph.output[0])
    model.graph.output[1].name = "y"
    error = refused(model, tmp_path)
    assert error.message == (
        'the network has 2 outputs ("logits", "y"); wootzc prunes classifiers with one'
    )
    assert error.help is not None and "auxiliary" in error.help


def test_all_of_several_inputs_are_named(onnx_model: Model, tmp_path: Path) -> None:
    model = onnx_model([("Add", "x x", "y", {})])
    model.graph.input.append(model.graph.input[0])
    model.graph.input[1].name = model.graph.node[0].input[1] = "z"
    message = 'the network has 2 inputs ("x", "z"); wootzc takes one image'
    assert refused(model, tmp_path).message == message


def with_input(model: onnx.ModelProto, dims: list[int | str], kind: int = 1) -> onnx.ModelProto:
    value = onnx.helper.make_tensor_value_info("x", kind, dims)
    model.graph.input[0].CopyFrom(value)
    return model


def test_an_open_size_must_be_said(onnx_model: Model, tmp_path: Path) -> None:
    model = with_input(onnx_model([("GlobalAveragePool", "x", "y", {})]), ["n", 3, "h", "w"])
    error = refused(model, tmp_path)
    assert error.message == 'the file leaves the size of its input "x" open'
    assert error.help == "write `input(224x224x3)` in braces behind the file's name"


def test_a_fixed_size_is_not_to_be_contradicted(onnx_model: Model, tmp_path: Path) -> None:
    model = onnx_model([("GlobalAveragePool", "x", "y", {})])
    error = refused(model, tmp_path, (16, 16, 3))
    assert error.message == 'input(16x16x3) does not fit the input "x" of the file, 8x8x3'
    assert "input(192)" in refused(model, tmp_path, (192,)).message


def test_the_input_is_one_image_of_floats(onnx_model: Model, tmp_path: Path) -> None:
    model = onnx_model([("Relu", "x", "y", {})])
    axes = refused(with_input(model, [1, 192]), tmp_path)
    assert axes.message.startswith('the input "x" has 2 axes; wootzc takes images')
    bytes_ = refused(with_input(model, [1, 3, 8, 8], onnx.TensorProto.UINT8), tmp_path)
    said = 'the input "x" does not hold floating-point numbers, and node "y" reads it as it is'
    assert bytes_.message == said


def test_sizes_that_no_memory_holds(onnx_model: Model, tmp_path: Path) -> None:
    model = with_input(onnx_model([("Slice", "x a b", "y", {})], {"a": ints(1), "b": ints(9)}),
                       [1, 2**31, 8, 8])  # fmt: skip
    message = 'the input "x", 8x8x2147483648, is too large; sizes are at most 4,096'
    assert refused(model, tmp_path).message == message
    steps: list[Any] = [("Pad", "x p", "p1", {}), ("Conv", "p1 w", "y", {})]
    padding = ints(0, 0, 0, 0, 0, 0, 2**30, 0)
    model = onnx_model(steps, {"p": padding, "w": ones(4, 3, 1, 1)}, head=False)
    set_rank(model, 4)
    assert refused(model, tmp_path).message == 'what node "y" makes, 1073741832x8x4, is too large'


def test_an_image_is_no_score_for_each_class(onnx_model: Model, tmp_path: Path) -> None:
    model = onnx_model([("Relu", "x", "y", {})], head=False, dims=(1, 3, 8, 8))
    set_rank(model, 4)
    message = 'the output "y" is 1x3x8x8, not one score for each class'
    assert refused(model, tmp_path).message == message


def test_a_network_without_layers(onnx_model: Model, tmp_path: Path) -> None:
    model = onnx_model([("Flatten", "x", "y", {})], head=False, dims=(1, 3, 1, 1))
    set_rank(model, 2)
    assert refused(model, tmp_path).message == "the network has no layers"


def test_an_output_that_nothing_leads_to(onnx_model: Model, tmp_path: Path) -> None:
    steps: list[Any] = [("Relu", "x", "r", {}), ("Add", "k k", "y", {})]
    model = onnx_model(steps, {"k": ones(1, 3)}, head=False)
    set_rank(model, 2)
    assert "inputs (none)" in refused(model, tmp_path).message


def test_opsets_that_are_too_old(onnx_model: Model, tmp_path: Path) -> None:
    model = onnx_model([("Relu", "x", "y", {})])
    model.opset_import[0].version = 6
    error = refused(model, tmp_path)
    assert error.message == "the file uses opset 6; wootzc reads 7 and later"


@pytest.mark.parametrize(
    ("domain", "why", "help"),
    [
        (
            "net",
            "wootzc has no layer for it",
            "docs/models.md lists the operators that it reads",
        ),
        (
            "com.microsoft",
            "onnxruntime's optimiser makes such nodes out of others",
            "give the file from before it was optimised",
        ),
    ],
)
def test_operators_of_other_vendors(
    domain: str, why: str, help: str | None, onnx_model: Model, tmp_path: Path
) -> None:
    model = onnx_model([("Relu", "x", "y", {})])
    model.graph.node[0].domain = domain
    model.opset_import.append(onnx.helper.make_opsetid(domain, 1))
    error = refused(model, tmp_path)
    assert (error.message, error.help) == (f'node "y" is a {domain}.Relu: {why}', help)


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x07", b"\xff" * 99])
def test_a_file_that_is_no_model(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    with pytest.raises(
        Refused, match=r'^"net\.onnx" (is empty|is not an ONNX|holds no ONNX|is dam)'
    ):
        read_graph(str(path))


def test_a_file_against_the_rules_of_onnx(onnx_model: Model, tmp_path: Path) -> None:
    model = onnx_model([("Relu", "x", "y", {})])
    model.graph.node[0].attribute.append(onnx.helper.make_attribute("depth", 3))
    message = '"net.onnx" does not follow ONNX\'s rules: Unrecognized attribute: depth'
    assert refused(model, tmp_path).message.startswith(message)


@pytest.mark.parametrize("suffix", ["onnx", "prototxt"])
def test_an_input_without_pixels(suffix: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="the input as given, 0x8x3, has a size of 0"):
        read_graph(str(tmp_path / f"net.{suffix}"), (0, 8, 3))


def test_a_folder_and_a_missing_file(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").mkdir()
    with pytest.raises(Refused, match="is a folder"):
        read_graph(str(tmp_path / "net.onnx"))
    with pytest.raises(FileNotFoundError):  # the front end says which statement names it
        read_graph(str(tmp_path / "other.onnx"))


def test_missing_external_weights(tmp_path: Path) -> None:
    model = onnx.load(FIXTURES / "vgg_ts13.onnx")
    path = tmp_path / "net.onnx"
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(Refused, match=r'^the weights of "net\.onnx" are in "weights\.bin"') as lost:
        read_graph(str(path))
    assert lost.value.help is not None and "`external_data=False`" in lost.value.help


def read_or_refused(content: bytes, path: Path) -> Graph | None:
    path.write_bytes(content)
    try:
        graph = read_graph(str(path))
        decompose(graph)
    except Refused as refusal:
        assert refusal.message
        return None
    return graph


SMALL = sorted(FIXTURES.glob("*.onnx"), key=lambda path: path.stat().st_size)[:6]


@pytest.mark.parametrize("path", SMALL, ids=lambda path: path.stem)
def test_files_that_are_cut_short(path: Path, tmp_path: Path) -> None:
    content = path.read_bytes()
    for length in range(0, len(content), max(1, len(content) // 40)):
        assert read_or_refused(content[:length], tmp_path / "net.onnx") is None, length


@pytest.mark.parametrize("path", SMALL, ids=lambda path: path.stem)
def test_files_with_changed_bytes(path: Path, tmp_path: Path) -> None:
    """Whatever a byte becomes, the file is read or refused."""
    content, choice = path.read_bytes(), random.Random(path.stem)
    for _ in range(200):
        changed = bytearray(content)
        for _ in range(choice.choice((1, 4, 16))):
            changed[choice.randrange(len(changed))] = choice.randrange(256)
        read_or_refused(bytes(changed), tmp_path / "net.onnx")


@pytest.mark.parametrize("seed", range(8))
def test_graphs_with_changed_parts(seed: int, tmp_path: Path) -> None:
    """Well-formed files whose nodes, attributes and sizes do not belong together."""
    choice = random.Random(seed)
    for _ in range(40):
        model = onnx.load(choice.choice(SMALL))
        for _ in range(choice.choice((1, 2, 3))):
            change(model.graph, choice)
        read_or_refused(model.SerializeToString(), tmp_path / "net.onnx")


def change(graph: Any, choice: random.Random) -> None:
    node, number = choice.choice(graph.node), choice.choice((-(2**40), -1, 0, 1, 2, 7, 2**31))
    match choice.randrange(6):
        case 0 if node.input:
            node.input[choice.randrange(len(node.input))] = choice.choice(graph.node).output[0]
        case 1:
            node.op_type = choice.choice(graph.node).op_type
        case 2 if node.attribute:
            attribute = choice.choice(node.attribute)
            attribute.i = number
            attribute.ints.append(number)
        case 3:
            tensor = choice.choice(graph.initializer)
            tensor.dims[:] = [number, *tensor.dims[1:]]
        case 4:
            del graph.node[choice.randrange(len(graph.node))]
        case _:
            graph.input[0].type.tensor_type.shape.dim[choice.randrange(4)].dim_value = number
