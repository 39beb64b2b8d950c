"""Norms of groups and slopes that are trained: pruned, scored, and as other tools compute them."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flax import nnx
from numpy.typing import NDArray

import wootzc
from wootzc.backends.data import Dataset
from wootzc.backends.flax.train.evaluation import evaluate, predict
from wootzc.backends.flax.train.scores import score_variants
from wootzc.backends.weights.parameters import Weights
from wootzc.backends.weights.refit import losing_layers, refit_module
from wootzc.backends.weights.slicing import Pruner, prune_weights
from wootzc.grammar import analyze, print_network
from wootzc.ir.layers import Activation, Body, Branch, Conv, Dense, GlobalPool, GroupNorm, PRelu
from wootzc.ir.layers.shapes import ShapeError
from wootzc.ir.net.cost import Cost, layer_cost
from wootzc.ir.net.coupling import couple
from wootzc.ir.net.network import Module, Network, Plain
from wootzc.ir.net.norm_after import norm_after
from wootzc.ir.net.prune import prune_network

Random = Callable[[Network], Weights]
Array = NDArray[Any]

BODY: Body = (
    Conv(width=12, kernel=(1, 1)),
    GroupNorm(groups=3),
    PRelu(),
    Conv(width=6, kernel=(1, 1)),
    GroupNorm(groups=1, pixelwise=True),
)


def around(body: Body) -> Network:
    return Network(
        name="tiny",
        input=(6, 6, 2),
        segments=(
            Plain(name="plain1", body=(Conv(width=6),)),
            Module(name="m1", body=body),
            Plain(name="plain2", body=(GlobalPool(), Dense(width=3))),
        ),
    )


def test_the_language_says_them() -> None:
    text = """network n {
  input(8x8x8)
  conv(3x3, 8)
  group_norm
  prelu
  group_norm(groups = 4, epsilon = 0.001)
  layer_norm
  layer_norm(epsilon = 1e-06)
}
"""
    (network,) = analyze(text.replace("group_norm\n", "group_norm(groups = 8)\n")).networks
    made = [layer for segment in network.segments for layer in segment.body]
    assert made == [
        Conv(width=8, bias=True),  # a norm of groups would not cancel it
        GroupNorm(groups=8),
        PRelu(),
        GroupNorm(groups=4, epsilon=1e-3),
        GroupNorm(groups=1, pixelwise=True),
        GroupNorm(groups=1, pixelwise=True, epsilon=1e-6),
    ]
    assert analyze(print_network(network)).networks == (network,)
    (wrong,) = analyze(text).diagnostics
    assert wrong.code == "WZ030" and "32 groups do not divide 8 channels" in wrong.message
    (near,) = analyze(text.replace("  group_norm\n", "  groupnorm(groups = 8)\n")).diagnostics
    assert near.help == "did you mean `group_norm`?"


def test_shapes_and_costs() -> None:
    assert layer_cost(GroupNorm(groups=2), (5, 5, 4)) == Cost(8, 0)
    assert layer_cost(PRelu(), (5, 5, 4)) == Cost(4, 0)
    with pytest.raises(ShapeError, match="3 groups do not divide 4 channels"):
        GroupNorm(groups=3).after((5, 5, 4))
    with pytest.raises(ShapeError, match="one group, not 2"):
        GroupNorm(groups=2, pixelwise=True).after((5, 5, 4))


def test_groups_lose_as_many_channels_each() -> None:
    conv = Conv(width=12)
    partitions = [group.partitions for group in couple((conv, *BODY[1:]), (6, 6, 2)).groups]
    assert partitions == [1, 3, 1]
    grouped = (conv, GroupNorm(groups=3), Conv(width=12, groups=2), Conv(width=4))
    assert [group.partitions for group in couple(grouped, (6, 6, 2)).groups] == [1, 6, 2, 1]
    pieces: Body = (
        Branch(join="concat", arms=((Conv(width=6),), (Conv(width=6),))),
        GroupNorm(groups=3),
        Conv(width=4),
    )
    assert all(group.whole for group in couple(pieces, (6, 6, 2)).groups)
    assert norm_after(BODY, "0") == "1"


def normalised(x: Array, groups: int, scale: Array, bias: Array) -> Array:
    """[n, pixels, channels]"""
    apart = x.reshape(len(x), -1, groups, x.shape[-1] // groups)
    mean = apart.mean(axis=(1, 3), keepdims=True)
    var = apart.var(axis=(1, 3), keepdims=True)
    made = (apart - mean) / np.sqrt(var + 1e-5)
    return np.asarray(made.reshape(x.shape) * scale + bias)


@pytest.mark.parametrize("criterion", ["l1", "bn_scale"])
def test_a_pruned_module_computes_what_is_left(random_weights: Random, criterion: Any) -> None:
    """By hand: the filters that were kept, normalised in their old groups."""
    network = around(BODY)
    weights = random_weights(network)
    sliced = prune_weights(network, weights, [0.5], [criterion])
    judged = {
        "l1": np.abs(weights["m1/0/kernel"]).sum(axis=(0, 1, 2)),
        "bn_scale": np.abs(weights["m1/1/scale"]),
    }[criterion]
    kept = np.concatenate([
        4 * group + np.sort(np.argsort(-judged[4 * group : 4 * group + 4])[:2])
        for group in range(3)
    ])  # fmt: skip
    for name in ("0/kernel", "1/scale", "1/bias", "2/slope"):
        np.testing.assert_array_equal(sliced[f"m1/{name}"], weights[f"m1/{name}"][..., kept])

    images = np.random.default_rng(1).normal(size=(4, 6, 6, 2)).astype(np.float32)
    small = prune_network(network, (0.5,))
    head = small.segments[2].body
    without_head = Network(name="n", input=(6, 6, 2), segments=small.segments[:2])
    own = {name: value for name, value in sliced.items() if not name.startswith("plain2")}
    entering = predict(
        Network(name="n", input=(6, 6, 2), segments=small.segments[:1]),
        {name: value for name, value in own.items() if name.startswith("plain1")}, images, batch=4,
    ).reshape(4, 36, 6)  # fmt: skip
    x = entering @ weights["m1/0/kernel"][0, 0][:, kept]
    x = normalised(x, 3, weights["m1/1/scale"][kept], weights["m1/1/bias"][kept])
    x = np.where(x >= 0, x, x * weights["m1/2/slope"][kept])
    x = x @ weights["m1/3/kernel"][0, 0][kept]
    x = normalised(x.reshape(-1, 1, 6), 1, weights["m1/4/scale"], weights["m1/4/bias"])
    found = predict(without_head, own, images, batch=4)
    np.testing.assert_allclose(found.reshape(-1, 1, 6), x, rtol=1e-3, atol=1e-4)
    assert len(head) == 2


def test_scores_are_those_of_the_pruned_network(random_weights: Random, dataset: Dataset) -> None:
    """Zeros in the place of removed channels would count in the statistics of their group."""
    network = around(BODY)
    weights = random_weights(network)
    sliced = prune_weights(network, weights, [0.5], ["l1"])
    small = prune_network(network, (0.5,))
    expected = evaluate(small, sliced, dataset.validation)
    images = dataset.validation.batch(np.arange(75))
    module = {name: value for name, value in sliced.items() if name.startswith("m1/")}
    ((_, score),) = score_variants(Pruner(network, weights, ["l1"]), {(0, 0.5): module}, images)
    assert score.accuracy == expected


def test_refitting_leaves_them_as_they_are(random_weights: Random) -> None:
    """A norm of groups has no running mean that could take up what a fit adds to every output."""
    network = around(BODY)
    pruner = Pruner(network, random_weights(network), ["l1"])
    own = pruner.parts[0]
    assert losing_layers(*pruner.modules[0], [0.5]) == ("3",)
    x = np.random.default_rng(2).normal(1, 1, (500, 13))
    x[:, -1] = 1
    refitted = refit_module(pruner, 0, {"3": (x.T @ x)[None]}, 0.5)
    assert refitted.keys() == own.keys()
    assert refitted["3/kernel"].shape == (1, 1, 6, 6)
    np.testing.assert_array_equal(refitted["4/bias"], own["4/bias"])


class Model(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.first = nnx.Conv(3, 8, (3, 3), rngs=rngs)
        self.groups = nnx.GroupNorm(8, 4, epsilon=1e-5, rngs=rngs)
        self.slope = nnx.PReLU(0.2)
        self.second = nnx.Conv(8, 6, (3, 3), rngs=rngs)
        self.pixels = nnx.LayerNorm(6, use_bias=False, rngs=rngs)
        self.head = nnx.Linear(6, 4, rngs=rngs)

    def __call__(self, x: Any) -> Any:
        x = self.slope(self.groups(self.first(x)))
        x = self.pixels(self.second(x))
        return self.head(x.mean(axis=(1, 2)))


def test_from_nnx() -> None:
    """`from_nnx` runs both on random images, and refuses what differs."""
    found = wootzc.from_nnx(Model(nnx.Rngs(0)), np.zeros((2, 8, 8, 3), np.float32))
    layers = [layer for segment in found.network.segments for layer in segment.body]
    assert layers[1:3] == [GroupNorm(groups=4), PRelu()]
    assert layers[4] == GroupNorm(groups=1, epsilon=1e-6, pixelwise=True)
    (slopes,) = (value for name, value in found.weights.items() if name.endswith("/slope"))
    np.testing.assert_array_equal(slopes, np.full(8, 0.2, np.float32))


@pytest.mark.torch
@pytest.mark.parametrize("opset", [17, 20])
def test_what_pytorch_exports_is_read(tmp_path: Path, opset: int) -> None:
    torch: Any = import_module("torch")

    class Pixels(torch.nn.LayerNorm):  # type: ignore[misc]
        def forward(self, x: Any) -> Any:
            return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    torch.manual_seed(0)
    nn = torch.nn
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.GroupNorm(4, 8, eps=1e-3), nn.PReLU(8),
        nn.Conv2d(8, 12, 3, padding=1), Pixels(12, eps=1e-6), nn.ReLU(),
        nn.Conv2d(12, 8, 1), nn.GroupNorm(1, 8), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.LayerNorm(8), nn.Linear(8, 5), nn.PReLU(5), nn.Linear(5, 3),
    )  # fmt: skip
    for parameter in model.parameters():
        parameter.data += 0.3 * torch.rand_like(parameter)
    model.eval()
    images = torch.randn(2, 3, 8, 8)
    path = tmp_path / "net.onnx"
    with pytest.warns():  # this exporter is deprecated
        torch.onnx.export(model, (images,), str(path), dynamo=False, opset_version=opset)
    found = wootzc.import_network(path)
    layers = [layer for segment in found.network.segments for layer in segment.body]
    assert [layer for layer in layers if isinstance(layer, GroupNorm | PRelu | Activation)] == [
        GroupNorm(groups=4, epsilon=1e-3), PRelu(),
        GroupNorm(groups=1, epsilon=1e-6, pixelwise=True), Activation(),
        GroupNorm(groups=1), GroupNorm(groups=1, pixelwise=True), PRelu(),
    ]  # fmt: skip
    made = predict(found.network, found.weights, images.permute(0, 2, 3, 1).numpy(), batch=2)
    np.testing.assert_allclose(made, model(images).detach().numpy(), rtol=1e-4, atol=1e-5)
