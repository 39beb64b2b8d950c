"""The generated PyTorch file: reads well, is formatted, and computes what the network does."""

import ast
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import wootzc
from wootzc.backends.flax.train.evaluation import predict
from wootzc.backends.torch import model_source, state_dict
from wootzc.backends.torch.taken import TAKEN_ATTRIBUTES
from wootzc.backends.weights.parameters import Weights, count_parameters
from wootzc.backends.weights.slicing import prune_weights
from wootzc.backends.weights.stored import initial_weights
from wootzc.driver import analyze_file
from wootzc.grammar.lower.named_networks import zoo_network
from wootzc.ir.layers import Activation, Branch, Conv, Dense, Flatten, GlobalPool, Norm, Pool
from wootzc.ir.net.network import Module, Network, Plain
from wootzc.ir.net.prune import prune_network

Random = Callable[[Network], Weights]

CASES = Path(__file__).parent / "torch"
TOLERANCE = 1e-4  # of the largest value
CLASSES = ("plane", "o'clock", 'the "third"')

# Imports of wootzc fail, wherever it is installed.
ALONE = """
import sys, runpy
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "wootzc":
            raise ImportError("model.py must not need wootzc")
sys.meta_path.insert(0, Refuse())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def source_of(network: Network, **options: Any) -> str:
    channels = network.input[-1]
    mean, std = np.linspace(0.1, 0.3, channels), np.linspace(2, 3, channels)
    return model_source(network, CLASSES, mean, std, **options)


def write(folder: Path, network: Network, weights: Weights, **options: Any) -> dict[str, Any]:
    """model.py and its weights; what the file defines."""
    (folder / "model.py").write_text(source_of(network, **options))
    save_file(state_dict(network, weights), folder / "weights.safetensors")
    names: dict[str, Any] = {"__name__": "model", "__file__": str(folder / "model.py")}
    exec((folder / "model.py").read_text(), names)
    return names


def check_same(folder: Path, network: Network, weights: Weights) -> None:
    torch: Any = import_module("torch")
    net = write(folder, network, weights)["load"]()
    images = np.random.default_rng(1).normal(0, 2, (3, *network.input)).astype(np.float32)
    expected = predict(network, weights, images, batch=8)
    with torch.inference_mode():
        given = torch.from_numpy(np.ascontiguousarray(np.moveaxis(images, -1, 1)))
        made = np.moveaxis(net(given).numpy(), 1, -1)
    assert made.shape == expected.shape
    assert np.abs(made - expected).max() <= TOLERANCE * np.abs(expected).max()
    trained = sum(parameter.numel() for parameter in net.parameters())
    assert trained == count_parameters(weights)


@pytest.mark.torch
def test_every_kind_of_layer_computes_the_same(
    any_layer: Network, random_weights: Random, tmp_path: Path
) -> None:
    check_same(tmp_path, any_layer, random_weights(any_layer))


@pytest.mark.torch
def test_pruned_networks_compute_the_same(
    any_network: Network, random_weights: Random, tmp_path: Path
) -> None:
    rates = (0.5,) * len(any_network.modules)
    weights = prune_weights(any_network, random_weights(any_network), rates, ["l1"] * len(rates))
    check_same(tmp_path, prune_network(any_network, rates), weights)


@pytest.mark.torch
@pytest.mark.parametrize("name", ["cifar_resnet20", "mobilenet_v2", "squeezenet1_1"])
def test_networks_of_the_zoo_compute_the_same(
    name: str, random_weights: Random, tmp_path: Path
) -> None:
    network = zoo_network(name, {"classes": 10, "input": (48, 48, 3)})
    drawn = initial_weights(network, 0)
    # Kernels that keep activations in bounds, or rounding grows from layer to layer.
    kernels = {name: value for name, value in drawn.items() if name.endswith("kernel")}
    check_same(tmp_path, network, random_weights(network) | kernels)


@pytest.mark.torch
@pytest.mark.parametrize("opset", [17, 20])
def test_what_pytorch_exports_of_layers_with_weights_is_read(
    any_learned: Network, opset: int, random_weights: Random, tmp_path: Path
) -> None:
    torch: Any = import_module("torch")
    weights = random_weights(any_learned)
    net = write(tmp_path, any_learned, weights)["load"]().eval()
    images = np.random.default_rng(1).normal(0, 2, (3, *any_learned.input)).astype(np.float32)
    given = torch.from_numpy(np.ascontiguousarray(np.moveaxis(images, -1, 1)))
    path = tmp_path / "net.onnx"
    try:
        with pytest.warns():  # this exporter is deprecated
            torch.onnx.export(net, (given,), str(path), dynamo=False, opset_version=opset)
    except torch.onnx.errors.UnsupportedOperatorError:
        pytest.skip("PyTorch exports no such layer")
    found = wootzc.import_network(path)
    made = predict(found.network, found.weights, images, batch=4)
    with torch.inference_mode():
        np.testing.assert_allclose(made, net(given).numpy(), rtol=1e-4, atol=1e-4)


UNDERSCORES = ("__init__", "__class__", "__dict__", "__call__", "__debug__", "_modules", "__x", "_")


def odd() -> Network:
    """Names that Python and PyTorch use, layers of one kind in two shapes, many arms."""
    arms = tuple((Conv(width=2, kernel=(1, 1)), Activation(kind="sigmoid")) for _ in range(27))
    segments: tuple[Module | Plain, ...] = (
        Plain(name="plain1", body=(Branch(join="concat", arms=arms), Pool(ceil=True))),
        Module(name="class", definition="net", body=(Conv(width=6), Norm(epsilon=1e-3))),
        Module(name="train", definition="net", body=(Conv(width=6), Norm(epsilon=1e-3))),
        Module(name="mean", definition="", body=(Branch(join="add", arms=arms),)),
        *(Module(name=name, body=(Conv(width=6), Norm())) for name in UNDERSCORES),
        Plain(name="plain2", body=(Flatten(), Activation())),
        Module(name="class_2", body=(Norm(), Dense(width=3, bias=False))),
    )
    return Network(name="odd", input=(7, 6, 2), segments=segments)


def test_odd_names_and_long_joins() -> None:
    text = source_of(odd())
    assert "self.class_3 = Net_2()" in text and "self.train_2 = Net_2()" not in text


@pytest.mark.torch
def test_odd_names_and_long_joins_compute_the_same(random_weights: Random, tmp_path: Path) -> None:
    check_same(tmp_path, odd(), random_weights(odd()))


def test_they_are_formatted_and_free_of_lint(
    layers: dict[str, Network], zoo: dict[str, Network], tmp_path: Path
) -> None:
    networks = {"odd": odd(), **layers, **zoo}
    for number, (name, network) in enumerate(networks.items()):
        text = source_of(network, with_normalization=bool(number % 2))
        (tmp_path / f"{name.replace('-', '_')}.py").write_text(text)
    for count in (0, 1, 200):
        named = model_source(odd(), [f"class {i}" for i in range(count)], np.ones(2), np.ones(2))
        (tmp_path / f"classes{count}.py").write_text(named)
    ruff = [sys.executable, "-m", "ruff"]
    for command in (["format", "--check", "--diff"], ["check", "--select", "E4,E7,E9,F,I,W,B,UP"]):
        done = subprocess.run(
            [*ruff, *command, "--isolated", str(tmp_path)], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.torch
def test_taken_names_are_those_of_torch() -> None:
    torch: Any = import_module("torch")
    own = {name for name in dir(torch.nn.Module()) if not name.startswith("_")}
    assert own <= TAKEN_ATTRIBUTES


@pytest.mark.parametrize("path", sorted(CASES.glob("*.wz")), ids=lambda path: path.stem)
def test_the_text(path: Path, expect: Callable[[Path, str], None]) -> None:
    (network,) = analyze_file(path).networks
    text = source_of(network)
    ast.parse(text)
    start, end = text.index("\n\n\nclass "), text.index("\n\n\ndef load(")
    expect(path, text[start:end].lstrip() + "\n")


def run(model: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", ALONE, str(model), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=model.parent.parent)


def rgb() -> Network:
    body = (Conv(width=4), Norm(), Activation(), GlobalPool(), Dense(width=3))
    return Network(name="rgb", input=(6, 6, 3), segments=(Plain(name="plain1", body=body),))


@pytest.mark.torch
@pytest.mark.parametrize("with_normalization", [False, True])
def test_it_runs_without_wootzc_on_stored_images(
    with_normalization: bool, random_weights: Random, tmp_path: Path
) -> None:
    """Whether the network normalises or `predict` does, raw values go in."""
    image = pytest.importorskip("PIL.Image")
    weights = random_weights(rgb())
    names = write(tmp_path, rgb(), weights, with_normalization=with_normalization)
    raw = np.random.default_rng(0).integers(0, 256, (5, 6, 6, 3)).astype(np.uint8)
    mean, std = np.linspace(0.1, 0.3, 3), np.linspace(2, 3, 3)
    logits = predict(rgb(), weights, ((raw - mean) / std).astype(np.float32), batch=8)
    made = names["predict"](names["load"](), raw, batch=2)
    np.testing.assert_allclose(made, logits, rtol=1e-4, atol=1e-4 * np.abs(logits).max())

    np.savez(tmp_path / "example.npz", images=raw, logits=logits)
    done = run(tmp_path / "model.py")
    assert done.returncode == 0, done.stdout + done.stderr
    np.savez(tmp_path / "example.npz", images=raw, logits=logits + 1)
    assert run(tmp_path / "model.py").returncode == 1
    image.fromarray(raw[0]).save(tmp_path / "one.png")
    done = run(tmp_path / "model.py", str(tmp_path / "one.png"))
    assert f"one.png: {CLASSES[logits[0].argmax()]} (" in done.stdout, done.stderr
