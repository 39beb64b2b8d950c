"""The generated model.py: runs alone, gives the same logits, and reads well."""

import ast
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from wootzc.backends.data.images import decode
from wootzc.backends.flax.train.evaluation import predict
from wootzc.backends.flax.write.source import model_source
from wootzc.backends.python_source.text import MAIN
from wootzc.backends.weights.parameters import Weights
from wootzc.backends.weights.slicing import prune_weights
from wootzc.backends.weights.stored import to_bytes
from wootzc.ir.layers import (
    LAYERS,
    Activation,
    Body,
    Branch,
    Conv,
    Dense,
    Flatten,
    GlobalPool,
    Join,
    Norm,
    Pool,
    walk,
)  # fmt: skip
from wootzc.ir.layers.shapes import Shape, shape_after_body, shape_text
from wootzc.ir.net.network import Module, Network, Plain
from wootzc.ir.net.prune import prune_network

Array = NDArray[Any]
Random = Callable[[Network], Weights]
CLASSES = ("plane", "o'clock", 'the "third"')
MEAN, STD = np.array([127.3, 3.1], np.float32), np.array([60.7, 0.3], np.float32)

PADDED_POOL = Pool(size=(3, 3), stride=(1, 1), padding=((1, 1), (0, 2)))

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


def write(folder: Path, network: Network, weights: Weights) -> Path:
    """model.py, its weights and an example whose logits are wootzc's."""
    folder.mkdir(exist_ok=True)
    mean, std = (np.resize(values, network.input[-1]) for values in (MEAN, STD))
    (folder / "model.py").write_text(model_source(network, CLASSES, mean=mean, std=std))
    (folder / "weights.safetensors").write_bytes(to_bytes(weights))
    normal = np.random.default_rng(0).normal(size=(5, *network.input)).astype(np.float32)
    raw = normal * std + mean
    logits = predict(network, weights, normal, batch=8)
    labels = logits.argmax(axis=1)
    np.savez(folder / "example.npz", images=raw, labels=labels, logits=logits)
    return folder / "model.py"


def run(model: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", ALONE, str(model), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=model.parent.parent)


UNDERSCORES = ("__init__", "__class__", "__dict__", "__call__", "__debug__", "_graph", "__x", "_")


def odd_network() -> Network:
    """Names that Python and nnx use, explicit padding, a segment that learns nothing."""
    return Network(
        name="odd",
        input=(6, 6, 2),
        segments=(
            Plain(
                name="plain1", body=(Pool(size=(3, 3), stride=(1, 1), padding=((1, 1), (0, 2))),)
            ),
            Module(
                name="class",
                definition="res_block",
                body=(Conv(width=6, groups=2, dilation=(2, 1)), Norm(epsilon=1e-3), Conv(width=6)),
            ),
            Module(name="train", definition="res_block", body=(Conv(width=4, padding="valid"),)),
            *(Module(name=name, body=(Conv(width=4), Norm())) for name in UNDERSCORES),
            Plain(
                name="plain2",
                body=(
                    Pool(kind="avg", size=(2, 2), stride=(2, 2), padding="same"),
                    Flatten(),
                    Dense(width=3, bias=False),
                ),
            ),
        ),
    )


def test_it_runs_without_wootzc_and_gives_the_same_logits(
    random_weights: Random, tmp_path: Path
) -> None:
    network = odd_network()
    model = write(tmp_path / "odd", network, random_weights(network))
    done = run(model)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert "100.0% of 5 labels right" in done.stdout
    assert "wootzc" not in model.read_text().replace("pruned by wootzc", "")

    example = dict(np.load(model.parent / "example.npz"))
    labels = example["labels"][:, None]  # a column, as some keep them
    np.savez(model.parent / "example.npz", **(example | {"labels": labels}))
    assert "100.0% of 5 labels right" in run(model).stdout
    np.savez(model.parent / "example.npz", **(example | {"logits": example["logits"] + 1}))
    assert run(model).returncode == 1


def test_every_kind_of_pruned_network_gives_the_same_logits(
    any_network: Network, random_weights: Random, tmp_path: Path
) -> None:
    weights = random_weights(any_network)
    count = len(any_network.modules)
    rates = (0.5,) * count
    small = prune_network(any_network, rates)
    sliced = prune_weights(any_network, weights, rates, ["l1"] * count)
    model = write(tmp_path / "net", small, sliced)
    np.testing.assert_allclose(*run_here(model), rtol=1e-3, atol=1e-4)


def loaded(model: Path) -> dict[str, Any]:
    """What the file defines."""
    names: dict[str, Any] = {"__name__": "model", "__file__": str(model)}
    exec(compile(model.read_text(), str(model), "exec"), names)
    return names


def run_here(model: Path) -> tuple[Array, Array]:
    """What the file computes of its example, and what wootzc does."""
    names = loaded(model)
    example = np.load(model.parent / "example.npz")
    return names["predict"](names["load"](), example["images"], batch=4), example["logits"]


def side_by_side(layers: Iterable[Network], entering: Shape) -> Network:
    """Every layer that is there for such images, in one network."""
    bodies = [network.segments[0].body for network in layers if network.input == entering]
    leaving = [shape_after_body(body, entering) for body in bodies]
    arms = tuple(
        (*body, GlobalPool()) if len(shape) == 3 else body
        for body, shape in zip(bodies, leaving, strict=True)
    )
    body = (Branch(join="concat", arms=arms), Dense(width=3))
    return Network(name="kinds", input=entering, segments=(Plain(name="plain1", body=body),))


INPUTS = [(9, 8, 4), (3, 2, 4), (3, 2, 6), (1, 1, 5)]


@pytest.mark.parametrize("entering", INPUTS, ids=shape_text)
def test_every_layer_gives_the_same_logits(
    layers: dict[str, Network], entering: Shape, random_weights: Random, tmp_path: Path
) -> None:
    network = side_by_side(layers.values(), entering)
    got, expected = run_here(write(tmp_path / "kinds", network, random_weights(network)))
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_the_layers_side_by_side_are_all_there_are(layers: dict[str, Network]) -> None:
    seen = {type(layer) for network in layers.values() if network.input in INPUTS
            for segment in network.segments for _, layer in walk(segment.body)}  # fmt: skip
    assert seen == set(LAYERS)


def test_it_reads_image_files(random_weights: Random, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    network = replace(odd_network(), input=(6, 6, 3))
    body = (Conv(width=2, kernel=(1, 1)), *network.segments[0].body)
    network = replace(network, segments=(Plain(name="plain1", body=body), *network.segments[1:]))
    folder = tmp_path / "rgb"
    folder.mkdir()
    mean, std = np.full(3, 120, np.float32), np.full(3, 60, np.float32)
    (folder / "model.py").write_text(model_source(network, CLASSES, mean=mean, std=std))
    weights = random_weights(network)
    (folder / "weights.safetensors").write_bytes(to_bytes(weights))
    pixels = np.random.default_rng(0).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    image.fromarray(pixels).save(tmp_path / "one.png")
    done = run(folder / "model.py", str(tmp_path / "one.png"))
    assert done.returncode == 0, done.stderr
    normal = (pixels[None] - mean) / std
    best = predict(network, weights, normal.astype(np.float32), batch=8).argmax()
    assert f"one.png: {CLASSES[best]} (" in done.stdout
    (tmp_path / "text.png").write_text("no image")
    for name, message in (
        ("two.png", "can't read the image two.png: No such file or directory"),
        ("text.png", "can't read the image text.png: cannot identify image file 'text.png'"),
    ):
        assert ending(folder / "model.py", name) == message


@pytest.mark.parametrize("shape", [(4, 4, 1), (4, 4, 3)])
def test_it_reads_16_bits_as_training_did(shape: tuple[int, int, int], tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    path = tmp_path / "deep.png"
    image.fromarray(np.arange(16, dtype=np.uint16).reshape(4, 4) * 4000).save(path)
    names: dict[str, Any] = {"__name__": "model", "np": np, "INPUT": shape}
    exec(MAIN, names)
    (found,) = names["read_images"]([str(path)])
    np.testing.assert_array_equal(found, decode(path.read_bytes(), shape, "deep.png"))


def ending(model: Path, argument: str) -> str:
    """What the file ends with; a process prints it and exits with 1."""
    with chdir(model.parent.parent), pytest.raises(SystemExit) as ended:
        loaded(model)["main"]([argument])
    return str(ended.value.code)


def test_a_file_that_cannot_be_read_is_told_in_a_line(
    random_weights: Random, tmp_path: Path
) -> None:
    network = odd_network()
    model = write(tmp_path / "odd", network, random_weights(network))
    (tmp_path / "text.npz").write_text("no zip")
    (tmp_path / "cut.npz").write_bytes((model.parent / "example.npz").read_bytes()[:300])
    np.savez(tmp_path / "other.npz", images=np.zeros((2, 9, 9, 2), np.float32))
    for name, message in (
        ("missing.npz", "can't read missing.npz: No such file or directory"),
        ("text.npz", "can't read text.npz: it is no .npz file of numbers"),
        ("other.npz", "other.npz must hold images of shape (n, *(6, 6, 2))"),
        ("one.png", "no image file has 2 channels: give the values in an .npz file"),
    ):
        assert ending(model, name) == message
    done = run(model, "cut.npz")  # of which NumPy leaves the file open
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "can't read cut.npz: it is no .npz file of numbers\n"


def test_the_text_is_clean(
    zoo: dict[str, Network], layers: dict[str, Network], tmp_path: Path
) -> None:
    kinds = {shape_text(entering): side_by_side(layers.values(), entering) for entering in INPUTS}
    for name, network in (zoo | kinds).items():
        for count in (3, 200):
            classes = [f"class number {i}" for i in range(count)]
            channels = np.linspace(0.1, 0.9, network.input[-1])
            source = model_source(network, classes, mean=channels, std=channels)
            assert max(map(len, source.splitlines())) <= 100
            assert all(line == line.rstrip() for line in source.splitlines())
            (tmp_path / f"{name}_{count}.py").write_text(source)
    rules = ["--isolated", "--select", "E4,E7,E9,F,I,W,B"]
    command = [sys.executable, "-m", "ruff", "check", *rules, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("join", ["add", "concat"])  # scale has two arms
@pytest.mark.parametrize("depth", [1, 2])
def test_any_number_of_arms_keep_apart(
    join: Join, depth: int, random_weights: Random, tmp_path: Path
) -> None:
    """27 arms, and arms of arms, none of which may take the name of another."""
    arm: Body = (Conv(width=2, kernel=(1, 1)),)
    if depth > 1:
        arm = (*arm, Branch(join="add", arms=((Norm(),), (Conv(width=2, kernel=(1, 1)),))))
    many = Branch(join=join, arms=tuple((*arm, Activation(kind="sigmoid")) for _ in range(27)))
    body = (many, Conv(width=4, kernel=(1, 1)), GlobalPool(), Dense(width=3))
    network = Network(name="wide", input=(6, 6, 2), segments=(Plain(name="plain1", body=body),))
    model = write(tmp_path / "wide", network, random_weights(network))
    text = model.read_text()
    ast.parse(text)
    assert max(map(len, text.splitlines())) <= 100
    np.testing.assert_allclose(*run_here(model), rtol=1e-3, atol=1e-3)


def test_normalising_figures_come_back_exactly() -> None:
    network = odd_network()
    mean = np.array([1 / 3, 0.1], np.float32)
    names: dict[str, object] = {"__name__": "model", "__file__": "model.py"}
    exec(model_source(network, CLASSES, mean=mean, std=mean), names)
    np.testing.assert_array_equal(names["MEAN"], mean)
    assert names["CLASSES"] == CLASSES
