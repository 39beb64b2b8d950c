"""ONNX files: the checker passes them, onnxruntime computes the same, they shrink with pruning."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from wootzc.backends.flax.train.evaluation import predict
from wootzc.backends.onnx import to_onnx
from wootzc.backends.weights.folding import folded_norms, with_folded_norms
from wootzc.backends.weights.parameters import Weights, count_parameters, network_parameters
from wootzc.backends.weights.slicing import prune_weights
from wootzc.backends.weights.stored import initial_weights
from wootzc.diagnostics import WootzError
from wootzc.grammar.lower.named_networks import zoo_network
from wootzc.ir.layers import Activation, Body, Branch, Conv, Dense, GlobalPool, Norm
from wootzc.ir.net.network import Module, Network, Plain
from wootzc.ir.net.prune import prune_network

Random = Callable[[Network], Weights]
Images = NDArray[np.float32]

TOLERANCE = 1e-4  # of the largest value


def images_for(network: Network, count: int = 3) -> Images:
    drawn = np.random.default_rng(1).normal(0, 2, (count, *network.input))
    return drawn.astype(np.float32)


def run(model: onnx.ModelProto, images: Images) -> Images:
    """What onnxruntime makes of images in our layout, in our layout."""
    session = onnxruntime.InferenceSession(model.SerializeToString())
    given = np.moveaxis(images, -1, 1)
    (made,) = session.run(["logits"], {"input": np.ascontiguousarray(given)})
    return np.moveaxis(made, 1, -1)


def check_same(network: Network, weights: Weights) -> onnx.ModelProto:
    model = to_onnx(network, weights)
    onnx.checker.check_model(model, full_check=True)
    images = images_for(network)
    expected = predict(network, weights, images, batch=8)
    for count in (1, len(images)):
        made = run(model, images[:count])
        assert made.shape == expected[:count].shape
        gap = np.abs(made - expected[:count]).max() / np.abs(expected).max()
        assert gap <= TOLERANCE
    return model


def test_every_kind_of_layer_computes_the_same(any_layer: Network, random_weights: Random) -> None:
    check_same(any_layer, random_weights(any_layer))


def test_pruned_networks_compute_the_same(any_network: Network, random_weights: Random) -> None:
    rates = (0.5,) * len(any_network.modules)
    weights = prune_weights(any_network, random_weights(any_network), rates, ["l1"] * len(rates))
    check_same(prune_network(any_network, rates), weights)


@pytest.mark.parametrize("name", ["cifar_resnet20", "mobilenet_v2", "squeezenet1_1"])
def test_networks_of_the_zoo_compute_the_same(name: str, random_weights: Random) -> None:
    network = zoo_network(name, {"classes": 10, "input": (48, 48, 3)})
    drawn = initial_weights(network, 0)
    # Kernels that keep activations in bounds, or rounding grows from layer to layer.
    kernels = {name: value for name, value in drawn.items() if name.endswith("kernel")}
    check_same(network, random_weights(network) | kernels)


def test_names_are_those_of_the_ir(zoo: dict[str, Network], random_weights: Random) -> None:
    network = zoo["residual"]
    weights = random_weights(network)
    model = check_same(network, weights)
    tensors = {tensor.name for tensor in model.graph.initializer}
    assert tensors == set(with_folded_norms(network, weights))
    assert tensors - set(network_parameters(network)) == {
        f"{path}/bias" for path in folded_norms(network)
    }
    nodes = [node.name for node in model.graph.node]
    assert len(set(nodes)) == len(nodes)
    assert {"m1/0.0.0", "m2/0", "plain2/1"} <= set(nodes)
    assert [value.name for value in model.graph.input] == ["input"]
    assert [value.name for value in model.graph.output] == ["logits"]


def test_no_transposition_is_needed_for_a_flattened_image(
    zoo: dict[str, Network], random_weights: Random
) -> None:
    network = zoo["flatten"]
    model = check_same(network, random_weights(network))
    assert "Transpose" not in {node.op_type for node in model.graph.node}


def test_constants_are_stored_once(random_weights: Random) -> None:
    body: Body = tuple(Activation(kind="relu6") for _ in range(5))
    network = Network(name="n", input=(2, 2, 2), segments=(Plain(name="plain1", body=body),))
    model = check_same(network, random_weights(network))
    assert [tensor.name for tensor in model.graph.initializer] == ["number/0", "number/6"]


def wide(width: int) -> Network:
    inner: Body = (Conv(width=width), Norm(), Activation(), Conv(width=64), Norm())
    module = Module(name="a1", body=(Branch(join="add", arms=(inner, ())), Activation()))
    stem = Plain(name="plain1", body=(Conv(width=64),))
    head = Plain(name="plain2", body=(GlobalPool(), Dense(width=5)))
    return Network(name="wide", input=(8, 8, 3), segments=(stem, module, head))


def test_the_file_shrinks_with_the_parameters(random_weights: Random) -> None:
    network = wide(256)
    full = random_weights(network)
    pruned = prune_weights(network, full, (0.7,), ["l1"])
    sizes = [
        to_onnx(network, full).ByteSize(),
        to_onnx(prune_network(network, (0.7,)), pruned).ByteSize(),
    ]
    counts = [count_parameters(full), count_parameters(pruned)]
    assert counts[1] < 0.4 * counts[0]
    assert sizes[1] / sizes[0] == pytest.approx(counts[1] / counts[0], rel=0.03)
    assert sizes[0] == pytest.approx(4 * counts[0], rel=0.03)


def test_metadata_say_what_stands_in_front(random_weights: Random) -> None:
    network = replace(wide(4), name="named")
    weights = random_weights(network)
    mean, std = np.array([0.1, 120, 3], np.float32), np.array([60, 1 / 3, 2], np.float32)
    classes = ["plane", "o'clock", "naïve", "x", "y"]
    stored = images_for(network) * 50
    normal = ((stored - mean) / std).astype(np.float32)

    def exported(with_normalization: bool) -> tuple[onnx.ModelProto, dict[str, Any]]:
        model = to_onnx(
            network,
            weights,
            classes=classes,
            mean=mean,
            std=std,
            with_normalization=with_normalization,
        )
        onnx.checker.check_model(model, full_check=True)
        return model, {entry.key: entry.value for entry in model.metadata_props}

    bare, said = exported(False)
    whole, inside = exported(True)
    assert said["normalization"] == "before" and inside["normalization"] == "inside"
    assert said["network"] == "named" and json.loads(said["classes"]) == classes
    for key, value in (("mean", mean), ("std", std)):
        assert np.array_equal(np.float32(json.loads(said[key])), value)
    expected = predict(network, weights, normal, batch=8)
    np.testing.assert_allclose(run(bare, normal), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(run(whole, stored), expected, rtol=1e-4, atol=1e-3)


def test_older_readers_can_read_it(random_weights: Random) -> None:
    """onnxruntime 1.15 of May 2023 ran every kind of layer, of this opset and IR version."""
    model = to_onnx(wide(4), random_weights(wide(4)))
    assert model.ir_version == 8
    assert [(one.domain, one.version) for one in model.opset_import] == [("", 17)]


def test_weights_of_another_network_are_refused(random_weights: Random) -> None:
    with pytest.raises(WootzError, match="WZ123"):
        to_onnx(wide(8), random_weights(wide(4)))


def test_a_network_too_large_for_one_file_is_refused(
    random_weights: Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = random_weights(wide(4))
    size = sum(value.nbytes for value in weights.values())
    monkeypatch.setattr("wootzc.backends.onnx.emit.LARGEST", size)
    to_onnx(wide(4), weights)
    monkeypatch.setattr("wootzc.backends.onnx.emit.LARGEST", size - 1)
    with pytest.raises(WootzError, match="WZ159"):
        to_onnx(wide(4), weights)
