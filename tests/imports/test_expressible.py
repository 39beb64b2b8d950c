"""What an importer takes, the language says: builds print the best network and read it back."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from wootzc import networks
from wootzc.diagnostics import WootzError
from wootzc.grammar import analyze, print_network
from wootzc.ir.graph import Graph, Node, Refused
from wootzc.ir.graph.expressible import check_input, check_network, flaws
from wootzc.ir.graph.forms import steps_of
from wootzc.ir.layers import (
    Activation,
    Conv,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    Layer,
    LocalNorm,
    Norm,
    Pool,
)
from wootzc.ir.layers.maxima import MAX_COUNT, MAX_LAYERS, MAX_MODULES, MAX_SIDE
from wootzc.ir.layers.shapes import ShapeError, shape_after
from wootzc.ir.net.network import Module, Network, Plain

HERE = Path(__file__).parent
FIXTURES = sorted([*HERE.glob("onnx_fixtures/*.onnx"), *HERE.glob("prototxt/**/*.prototxt")])

Model = Callable[..., onnx.ModelProto]


def said(network: Network) -> bool:
    """Whether the language reads what is printed, and as the same network."""
    analysis = analyze(print_network(network), "net.wz")
    assert analysis.diagnostics or analysis.networks[0] == network
    return not analysis.diagnostics


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: f"{path.stem}{path.suffix}")
def test_a_network_from_a_file_is_said(path: Path) -> None:
    imported = networks.import_network(path)
    assert said(imported.network)
    text = f'network net from "{path}"\n'
    assert said(analyze(text, "net.wz").networks[0])


NUMBERS = (0.0, 1e-12, 0.5, 1.0, 1.5, 1e29, 1e30, float("inf"), float("nan"), -1e-5, -1e30)
SIZES = (0, 1, 2, MAX_SIDE, MAX_SIDE + 1, MAX_COUNT, MAX_COUNT + 1, -1)
PAIRS = tuple((size, 1) for size in SIZES) + tuple((1, size) for size in SIZES)
EDGES: dict[str, tuple[Layer, tuple[Any, ...]]] = {
    "epsilon": (Norm(), NUMBERS),
    "momentum": (Norm(), NUMBERS),
    "size": (LocalNorm(), SIZES),
    "alpha": (LocalNorm(), NUMBERS),
    "beta": (LocalNorm(), NUMBERS),
    "k": (LocalNorm(), NUMBERS),
    "rate": (Dropout(), NUMBERS),
    "slope": (Activation(kind="leaky_relu"), NUMBERS),
    "width": (Conv(width=1, kernel=(1, 1)), SIZES),
    "groups": (Conv(width=1, kernel=(1, 1)), SIZES),
    "kernel": (Conv(width=1, kernel=(1, 1)), PAIRS),
    "dilation": (DepthwiseConv(kernel=(1, 1)), PAIRS),
    "stride": (DepthwiseConv(kernel=(1, 1)), PAIRS),
    "padding": (DepthwiseConv(kernel=(1, 1)), tuple((pair, (0, 0)) for pair in PAIRS)),
}
LAYERS = [
    *(replace(layer, **{field: value}) for field, (layer, values) in EDGES.items()
      for value in values),
    *(replace(Pool(), size=pair, padding="same") for pair in PAIRS),
    *(Dense(width=width) for width in SIZES),
]  # fmt: skip


def fits(layer: Layer, network: Network) -> bool:
    try:
        shape_after(layer, network.input)
    except (ShapeError, ZeroDivisionError):
        return False
    return True


@pytest.mark.parametrize("field", [*EDGES, "pool", "dense"])
def test_flaws_are_what_the_language_refuses(field: str) -> None:
    pool, dense = len(LAYERS) - len(PAIRS) - len(SIZES), len(LAYERS) - len(SIZES)
    among = {
        "pool": LAYERS[pool:dense],
        "dense": LAYERS[dense:],
    }.get(field) or [replace(EDGES[field][0], **{field: value}) for value in EDGES[field][1]]
    found = {True: 0, False: 0}
    for layer in among:
        input = (1, 1, 1) if isinstance(layer, Dense) else (8, 8, 1)
        network = Network(name="n", input=input, segments=(Plain(name="plain1", body=(layer,)),))
        flawed = any(flaws(layer))
        found[flawed] += 1
        if flawed or fits(layer, network):  # what does not fit is told of by another message
            assert said(network) is not flawed, layer
    assert all(found.values())


def graph_of(layer: Layer, input: tuple[int, ...] = (8, 8, 3)) -> Graph:
    node = Node(name="odd", inputs=("",), operation=layer)
    return Graph(name="n", input=input, nodes=(node,), output="odd")


def test_a_flaw_names_the_node() -> None:
    with pytest.raises(Refused, match="`odd` has an epsilon of -1; wootzc takes 0 and more"):
        steps_of(graph_of(Norm(epsilon=-1)))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((0, 8, 3), "the input, 0x8x3, has a size of 0; sizes are above 0"),
        ((8, -2, 3), "the input, 8x-2x3, has a size of -2; sizes are above 0"),
        ((5000, 8, 3), "the input, 5000x8x3, is too large; sizes are at most 4,096"),
        ((8, 8), "the input has 2 sizes; wootzc takes height, width and channels"),
    ],
)
def test_inputs_of_no_size_or_too_large(shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(Refused) as caught:
        check_input(shape)
    assert caught.value.message == message
    with pytest.raises(Refused) as caught:
        steps_of(graph_of(Norm(), shape))
    assert caught.value.message == message


def test_a_flattened_image_has_a_bound() -> None:
    """Channels are followed through it one by one."""
    assert shape_after(Flatten(), (1000, 1000, 1)) == (MAX_COUNT,)
    with pytest.raises(Refused, match=r"`odd` does not fit .* at most 1,000,000 are possible"):
        steps_of(graph_of(Flatten(), (1000, 1001, 1)))


def body(count: int) -> tuple[Layer, ...]:
    return (Activation(),) * count


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Network(name="1n", input=(1,), segments=(Plain(name="plain1", body=body(1)),)), "`1n`"),
        (Network(name="n", input=(1,), segments=()), "no layers"),
        (
            Network(
                name="n", input=(1,), segments=(Plain(name="plain1", body=body(MAX_LAYERS + 1)),)
            ),
            "10,001 layers",
        ),
        (
            Network(
                name="n",
                input=(1,),
                segments=tuple(Module(name=f"m{i}", body=body(1)) for i in range(MAX_MODULES + 1)),
            ),
            "1,001 modules",
        ),
        (
            Network(
                name="n",
                input=(4096, 4096, 4096),
                segments=(Plain(name="plain1", body=(Conv(width=MAX_COUNT),)),),
            ),
            "than can be counted",
        ),
    ],
)
def test_networks_that_are_too_large_are_refused_here_as_there(
    network: Network, message: str
) -> None:
    with pytest.raises(Refused, match=message):
        check_network(network)
    assert not said(network)


def norm(**attributes: Any) -> list[Any]:
    return [("BatchNormalization", "x s s s s", "y", attributes)]


def lrn(**attributes: Any) -> list[Any]:
    return [("LRN", "x", "y", {"size": 3, **attributes})]


ONNX: dict[str, tuple[list[Any], str]] = {  # what it says, where it is refused
    "epsilon 0": (norm(epsilon=0.0), ""),
    "epsilon -1": (norm(epsilon=-1.0), "`y` has an epsilon of -1"),
    "momentum 0": (norm(momentum=0.0), ""),
    "momentum 1": (norm(momentum=1.0), ""),
    "momentum 1.5": (norm(momentum=1.5), "`y` has a momentum of 1.5; wootzc takes 0 to 1"),
    "bias 0": (lrn(bias=0.0), ""),
    "bias -1": (lrn(bias=-1.0), "`y` has a k of -1"),
    "alpha -1": (lrn(alpha=-1.0), "`y` has an alpha of -1"),
    "ratio 0": ([("Dropout", "x zero", "y", {})], ""),
    "ratio 1": ([("Dropout", "x s1", "y", {})], "`y` drops a fraction of 1;"),
    "ratio -1": ([("Dropout", "x minus", "y", {})], "`y` drops a fraction of -1;"),
    "stride": (
        [("MaxPool", "x", "y", {"kernel_shape": [1, 1], "strides": [5000, 1]})],
        "`y` has a stride of 5000x1",
    ),
}
ARRAYS = {
    "s": np.ones(3, np.float32),
    "zero": np.float32(0),
    "s1": np.float32(1),
    "minus": np.float32(-1),
}


@pytest.mark.parametrize("name", ONNX)
def test_edge_values_of_onnx(name: str, onnx_model: Model, tmp_path: Path) -> None:
    steps, message = ONNX[name]
    model = onnx_model([("GlobalAveragePool", "x", "y", {})])
    del model.graph.node[0]
    for kind, inputs, outputs, attributes in reversed(
        [*((*step[:2], step[2].replace("y", "odd"), step[3]) for step in steps),
         ("GlobalAveragePool", "odd", "y", {})]
    ):  # fmt: skip
        node = onnx.helper.make_node(
            kind, inputs.split(), outputs.split(), name=outputs.replace("odd", "y"), **attributes
        )
        model.graph.node.insert(0, node)
    model.graph.initializer.extend(
        onnx.numpy_helper.from_array(np.asarray(v), k) for k, v in ARRAYS.items()
    )
    check(tmp_path / "net.onnx", model.SerializeToString(), message)


CAFFE = {
    "k 0": ('type: "LRN" lrn_param { k: 0 }', ""),
    "k -1": ('type: "LRN" lrn_param { k: -1 }', "`x` has a k of -1"),
    "alpha": ('type: "LRN" lrn_param { alpha: -2 }', "`x` has an alpha of -2"),
    "width": (
        'type: "InnerProduct" inner_product_param { num_output: 2000000 }',
        "`x` has a width of 2000000; wootzc takes 1 to 1,000,000",
    ),
    "stride": (
        'type: "Convolution" convolution_param { num_output: 4 kernel_size: 1 stride: 5000000 }',
        "`x` has a stride of 5000000x5000000; wootzc takes 1 to 4,096",
    ),
    "eps": ('type: "BatchNorm" batch_norm_param { eps: 0 }', ""),
    "eps 1e300": ('type: "BatchNorm" batch_norm_param { eps: 1e300 }', "`x` has an epsilon of 1e"),
}
INPUT = 'input: "data" input_dim: 1 input_dim: 3 input_dim: {size} input_dim: {size}\n'
CLASSES = (
    'layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" '
    "inner_product_param { num_output: 5 } }\n"
)


@pytest.mark.parametrize("name", CAFFE)
def test_edge_values_of_caffe(name: str, tmp_path: Path) -> None:
    layer, message = CAFFE[name]
    text = (
        f'{INPUT.format(size=13)}layer {{ name: "x" bottom: "data" top: "x" {layer} }}\n{CLASSES}'
    )
    check(tmp_path / "net.prototxt", text.encode(), message)


@pytest.mark.parametrize("size", [4096, 4097, 2_000_000_000])
def test_a_large_image_of_caffe_is_refused_at_once(size: int, tmp_path: Path) -> None:
    layer = 'layer { name: "x" type: "ReLU" bottom: "data" top: "x" }\n'
    message = "numbers, and at most 1,000,000" if size == 4096 else "is too large"
    check(tmp_path / "net.prototxt", (INPUT.format(size=size) + layer + CLASSES).encode(), message)


def check(path: Path, content: bytes, message: str) -> None:
    """The file is refused with a message, or without one, said by the language."""
    path.write_bytes(content)
    if not message:
        assert said(networks.import_network(path).network)
        return
    with pytest.raises(WootzError) as caught:
        networks.import_network(path)
    assert message in str(caught.value)
