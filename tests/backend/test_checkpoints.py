"""Tensors under PyTorch's names become weights of the zoo's networks, or errors that say why not.

tests/zoo/state_dicts.json holds what torchvision's and timm's models have, as
benchmarks/checkpoints.py wrote it down: there logits are compared too.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

from wootzc.backends.checkpoints import read_checkpoint
from wootzc.backends.checkpoints.convert import converted
from wootzc.backends.checkpoints.names import namings
from wootzc.backends.checkpoints.read import slots
from wootzc.backends.flax.train.evaluation import predict
from wootzc.backends.python_source.classes import Learned
from wootzc.backends.weights.stored import check_fits, initial_weights, read
from wootzc.diagnostics import WootzError
from wootzc.grammar.lower.named_networks import zoo_network
from wootzc.grammar.zoo import zoo_names
from wootzc.ir import layers as ir
from wootzc.ir.net.network import Network, Plain

Tensors = dict[str, NDArray[np.float32]]

ZOO = Path(__file__).parents[1] / "zoo"
STATE_DICTS: dict[str, dict[str, str]] = json.loads((ZOO / "state_dicts.json").read_text())
LOGITS: dict[str, Any] = json.loads((ZOO / "logits.json").read_text())
FIVE = "weight bias running_mean running_var num_batches_tracked"


def tensor_shapes(state_dict: str) -> dict[str, tuple[int, ...]]:
    """ "weight 64x3x7x7, bias 64" and "norm 64" spelt out."""
    shapes: dict[str, tuple[int, ...]] = {}
    for module, text in STATE_DICTS[state_dict].items():
        kind, _, width = text.partition(" ")
        if kind == "norm":
            shapes |= {f"{module}.{parameter}": (int(width),) for parameter in FIVE.split()}
            shapes[f"{module}.num_batches_tracked"] = ()
            continue
        for part in text.split(", "):
            parameter, _, sizes = part.partition(" ")
            shapes[f"{module}.{parameter}"] = tuple(map(int, sizes.split("x")))
    return shapes


def tensors_of(state_dict: str) -> Tensors:
    """Every tensor is its own number throughout: a value tells where it came from."""
    return {
        name: np.broadcast_to(np.float32(number), shape)
        for number, (name, shape) in enumerate(tensor_shapes(state_dict).items(), 1)
    }


@cache
def network_of(name: str) -> Network:
    return zoo_network(name, {})


def codes(error: pytest.ExceptionInfo[WootzError]) -> list[str]:
    return [diagnostic.code for diagnostic in error.value.diagnostics]


@pytest.mark.parametrize("state_dict", STATE_DICTS)
def test_every_tensor_is_used_and_every_weight_set(state_dict: str) -> None:
    name = state_dict.split()[0]
    tensors = tensors_of(state_dict)
    weights = read_checkpoint(network_of(name), tensors)
    check_fits(network_of(name), weights)
    used = [float(weight.flat[0]) for weight in weights.values()]
    auxiliary = ("aux1.", "aux2.", "AuxLogits.")
    wanted = [
        float(tensor.flat[0])
        for name, tensor in tensors.items()
        if not name.startswith(auxiliary) and not name.endswith("num_batches_tracked")
    ]
    assert sorted(used) == sorted(wanted)
    assert all(weight.dtype == np.float32 for weight in weights.values())


def test_all_networks_but_one_have_a_checkpoint() -> None:
    """Nothing in torchvision or timm is built as inception_v2 of the paper."""
    names = {state_dict.split()[0] for state_dict in STATE_DICTS}
    assert names == set(zoo_names()) - {"inception_v2"}


def test_namings_are_told_apart_by_their_modules() -> None:
    assert len({frozenset(naming.modules) for naming in namings()}) == len(namings())
    assert all(len(set(naming.modules)) == len(naming.modules) for naming in namings())


# Logits, as PyTorch computes them


def drawn(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """The tensor that benchmarks/checkpoints.py gave to PyTorch's model under this name."""
    random = np.random.RandomState(crc32(name.encode()))
    if len(shape) > 1:
        return random.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape).astype(np.float32)
    if name.endswith("running_var"):
        return random.uniform(0.8, 1.5, shape).astype(np.float32)
    return (random.uniform(-0.1, 0.1, shape) + name.endswith("weight")).astype(np.float32)


def drawn_tensors(state_dict: str) -> Tensors:
    return {name: drawn(name, shape) for name, shape in tensor_shapes(state_dict).items() if shape}


@pytest.mark.parametrize("source", LOGITS)
def test_logits_are_those_of_pytorch(source: str) -> None:
    name = source.split()[0]
    shape = tuple(LOGITS[source]["input"])
    network = zoo_network(name, {"input": shape})
    images = np.random.RandomState(1).normal(size=(2, *shape)).astype(np.float32)
    images[1, : shape[0] // 2] += 1
    (state_dict,) = [s for s in STATE_DICTS if s.startswith(f"{name} ") and source.split()[1] in s]
    weights = read_checkpoint(network, drawn_tensors(state_dict))
    ours = predict(network, weights, images, batch=2)[:, :8]
    theirs = np.array(LOGITS[source]["logits"])
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-5 * np.abs(theirs).max())


# Layouts


def slot_of(network: Network, path: str) -> Learned:
    return dict(slots(network))[path]


def small(*body: ir.Layer) -> Network:
    return Network(name="small", input=(4, 6, 3), segments=(Plain(name="plain1", body=body),))


BEHIND_FLATTEN = small(
    ir.Conv(width=5), ir.Flatten(), ir.Dropout(), ir.Norm(), ir.Dense(width=7), ir.Dense(width=2)
)
IMAGE = np.random.default_rng(0).normal(size=(4, 6, 5))  # enters the flatten, in our layout
THEIRS = IMAGE.transpose(2, 0, 1).ravel()  # the vector as PyTorch flattens it
OURS = IMAGE.ravel()


def random(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def convert(slot: Learned, parameter: str, value: NDArray[np.float32]) -> NDArray[np.float32]:
    array = converted(slot, parameter, value)
    assert array is not None
    return array


def test_convolutions_change_their_axes() -> None:
    value = random(5, 3, 3, 3)
    kernel = convert(slot_of(small(ir.Conv(width=5)), "plain1/0"), "kernel", value)
    assert kernel[0, 2, 1, 4] == value[4, 1, 0, 2]
    depthwise = random(3, 1, 3, 5)
    slot = slot_of(small(ir.DepthwiseConv(kernel=(3, 5))), "plain1/0")
    kernel = convert(slot, "kernel", depthwise)
    assert kernel[1, 4, 0, 2] == depthwise[2, 0, 1, 4]


def test_a_dense_layer_behind_a_flatten_sees_the_same_pixels() -> None:
    value = random(7, 120)
    kernel = convert(slot_of(BEHIND_FLATTEN, "plain1/4"), "kernel", value)
    np.testing.assert_allclose(OURS @ kernel, value @ THEIRS, rtol=1e-5)
    next_one = random(2, 7)
    np.testing.assert_array_equal(
        convert(slot_of(BEHIND_FLATTEN, "plain1/5"), "kernel", next_one), next_one.T
    )


def test_a_norm_behind_a_flatten_scales_the_same_pixels() -> None:
    value = random(120)
    scale = convert(slot_of(BEHIND_FLATTEN, "plain1/3"), "scale", value)
    np.testing.assert_array_equal(
        (OURS * scale).reshape(4, 6, 5).transpose(2, 0, 1).ravel(), THEIRS * value
    )


def test_a_convolution_over_the_whole_image_is_a_dense_layer() -> None:
    value = random(7, 5, 4, 6)
    kernel = convert(slot_of(BEHIND_FLATTEN, "plain1/4"), "kernel", value)
    np.testing.assert_allclose(
        OURS @ kernel, np.einsum("oihw,hwi->o", value, IMAGE), rtol=1e-4, atol=1e-5
    )
    assert converted(slot_of(BEHIND_FLATTEN, "plain1/4"), "kernel", random(7, 5, 6, 4)) is None


def test_dense_layers_and_convolutions_of_one_pixel_stand_for_each_other() -> None:
    network = small(
        ir.GlobalPool(keep_dims=True), ir.Conv(width=2, kernel=(1, 1)), ir.Dense(width=4)
    )
    flat, pixel = random(2, 3), random(4, 2, 1, 1)
    np.testing.assert_array_equal(
        convert(slot_of(network, "plain1/1"), "kernel", flat), flat.T[None, None]
    )
    np.testing.assert_array_equal(
        convert(slot_of(network, "plain1/2"), "kernel", pixel), pixel[:, :, 0, 0].T
    )
    assert converted(slot_of(network, "plain1/2"), "kernel", random(4, 2, 1, 3)) is None


# Files, wrappers, heads


def test_half_precision_files_and_counters(tmp_path: Path) -> None:
    tensors = {n: t.astype(np.float16) for n, t in tensors_of("squeezenet1_1 torchvision").items()}
    norms = {"features.bn.num_batches_tracked": np.array(3, np.int64)}
    save_file({n: np.ascontiguousarray(t) for n, t in (tensors | norms).items()}, tmp_path / "w")
    weights = read_checkpoint(network_of("squeezenet1_1"), read(tmp_path / "w"))
    assert {weight.dtype for weight in weights.values()} == {np.dtype(np.float32)}
    check_fits(network_of("squeezenet1_1"), weights)


@pytest.mark.parametrize(
    "wrapper",
    ["module.", "model.module.", "module.model.", "_orig_mod.", "_orig_mod.module.model.module."],
)
def test_wrapped_models(wrapper: str) -> None:
    tensors = tensors_of("squeezenet1_1 torchvision")
    wrapped = {f"{wrapper}{name}": tensor for name, tensor in tensors.items()}
    network = network_of("squeezenet1_1")
    plain = read_checkpoint(network, tensors)
    for name, weight in read_checkpoint(network, wrapped).items():
        np.testing.assert_array_equal(weight, plain[name])


@pytest.mark.parametrize("state_dict", ["resnet18 torchvision timm", "squeezenet1_1 torchvision"])
def test_a_new_head_is_left_out(state_dict: str) -> None:
    """A dense classifier, and a convolution; the file's has more classes, or is not there."""
    network = zoo_network(state_dict.split()[0], {"classes": 7})
    tensors = tensors_of(state_dict)
    (head,) = {name.rpartition(".")[0] for name, t in tensors.items() if t.shape[:1] == (1000,)}
    without = {name: t for name, t in tensors.items() if not name.startswith(f"{head}.")}
    for file in (tensors, without):
        weights = read_checkpoint(network, file, new_head=True)
        fresh = {n: w for n, w in initial_weights(network, 0).items() if n not in weights}
        assert {name.rpartition("/")[0] for name in fresh} == {slots(network)[-1][0]}
        check_fits(network, weights | fresh)
    whole = network_of(network.name)
    assert read_checkpoint(whole, tensors, new_head=True).keys() == initial_weights(whole, 0).keys()
    with pytest.raises(WootzError) as error:
        read_checkpoint(network, tensors)
    assert codes(error) == ["WZ156"]
    assert f"{head}.bias (1000, expected 7)" in str(error.value)
    assert "only the classifier differs" in str(error.value)


def test_our_own_names() -> None:
    network = network_of("cifar_resnet20")
    weights = initial_weights(network, 3)
    assert list(read_checkpoint(network, weights)) == list(weights)
    other = zoo_network("cifar_resnet20", {"classes": 7})
    head = {"plain2/1/kernel", "plain2/1/bias"}
    assert weights.keys() - read_checkpoint(other, weights, new_head=True).keys() == head
    body = {name: weight for name, weight in weights.items() if name not in head}
    assert read_checkpoint(network, body, new_head=True).keys() == body.keys()
    assert read_checkpoint(network, weights, new_head=True).keys() == weights.keys()
    with pytest.raises(WootzError) as error:
        read_checkpoint(other, weights)
    assert codes(error) == ["WZ123"]
    with pytest.raises(WootzError) as error:
        read_checkpoint(network, {n: w for n, w in weights.items() if n != "layer1_0/1/kernel"} | {
            "extra": np.zeros(1, np.float32)
        })  # fmt: skip
    assert codes(error) == ["WZ122"]


def test_auxiliary_heads_under_our_own_names_are_left_out() -> None:
    network = network_of("googlenet")
    weights = initial_weights(network, 0)
    file = weights | {"aux1/1/kernel": np.zeros((1, 1, 512, 128), np.float32)}
    assert read_checkpoint(network, file).keys() == weights.keys()


# What does not fit


def test_differences_are_all_listed() -> None:
    tensors = tensors_of("resnet18 torchvision timm")
    del tensors["layer1.0.conv1.weight"]
    tensors["layer1.0.conv1.bias"] = random(64)
    tensors["layer4.1.bn2.bias"] = random(3)
    with pytest.raises(WootzError) as error:
        read_checkpoint(network_of("resnet18"), tensors)
    assert codes(error) == ["WZ154", "WZ155", "WZ156"]
    text = str(error.value)
    assert "lacks tensors of network resnet18: layer1.0.conv1.weight" in text
    assert "has no place for: layer1.0.conv1.bias" in text
    assert "layer4.1.bn2.bias (3, expected 512)" in text
    assert "classifier" not in text


def test_long_lists_are_cut() -> None:
    tensors = {n: t for n, t in tensors_of("resnet18 torchvision timm").items() if "bn2" not in n}
    with pytest.raises(WootzError, match=r" and 24 more\b"):
        read_checkpoint(network_of("resnet18"), tensors)


def test_a_checkpoint_of_another_network_is_named() -> None:
    with pytest.raises(WootzError) as error:
        read_checkpoint(network_of("resnet50"), tensors_of("resnet34 torchvision timm"))
    assert codes(error) == ["WZ153"]
    assert "tensors of torchvision's and timm's resnet34" in str(error.value)


@pytest.mark.parametrize("name", ["resnet18", "inception_v2"])
def test_names_that_nobody_knows(name: str) -> None:
    with pytest.raises(WootzError) as error:
        read_checkpoint(network_of(name), {"encoder.0.weight": random(2, 2), "x": random(1)})
    assert codes(error) == ["WZ153"]
    assert "encoder.0.weight, x" in str(error.value)


def test_an_empty_file_is_told() -> None:
    with pytest.raises(WootzError) as error:
        read_checkpoint(network_of("resnet18"), {})
    assert codes(error) == ["WZ153"]
