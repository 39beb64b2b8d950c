"""Verify a result folder: reload everything from disk and replay the stored images."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wootzc.backends.data import Dataset, load
from wootzc.backends.flax.train.evaluation import predict, tested
from wootzc.backends.onnx.runtime import need_installed
from wootzc.backends.weights.parameters import count_parameters
from wootzc.backends.weights.stored import check_fits, read
from wootzc.diagnostics import WootzError, fail
from wootzc.driver import analyze_file, compile
from wootzc.files import (
    changed,
    check_page,
    damage,
    load_json,
    missing_result,
    open_file,
    sha256_of,
)
from wootzc.ir.layers.shapes import Shape
from wootzc.ir.net.cost import network_cost
from wootzc.ir.net.network import Network, segment_shapes
from wootzc.units import percent

Numbers = NDArray[np.float32]
Labels = NDArray[np.integer[Any]]

TOLERANCE = 1e-4  # relative to the largest logit; another machine may round differently
ROUNDING = 1e-3  # of the test images, likewise
COUNTS = ("params", "macs")  # of the manifest, as is
NEEDS = ("weights_sha256", "model_sha256", *COUNTS, "normalize")


def load_best(folder: Path) -> tuple[Network, dict[str, Any]]:
    """The pruned network and its weights. Raises `WootzError`."""
    source = folder / "best" / "network.wz"
    if not source.exists():
        raise missing_result(source)
    analysis = analyze_file(source)
    if not analysis.networks or any(d.severity == "error" for d in analysis.diagnostics):
        raise fail("WZ145", f"{folder}/best/network.wz does not check", "build again")
    network = analysis.networks[0]
    weights = read(folder / "best" / "weights.safetensors")
    check_fits(network, weights)
    return network, weights


def load_manifest(folder: Path, needs: tuple[str, ...] = NEEDS) -> dict[str, Any]:
    """The manifest of best/, whose files are those that were built. Raises `WootzError`."""
    manifest = load_json(folder / "best" / "manifest.json", needs=needs)  # and what it seals
    named = (("weights.safetensors", "weights_sha256"), ("model.py", "model_sha256"))
    for name, key in named:  # all that manifests of earlier versions vouch for
        path = folder / "best" / name
        if key in manifest and sha256_of(path) != manifest[key]:
            raise changed(path)
    with damage(lambda reason: _no_manifest(folder, reason)):
        if not all(isinstance(name, str) for name in manifest.get("classes", ())):
            raise ValueError("the names of classes are no texts")
        if not all(isinstance(manifest.get(name, 0), int) for name in COUNTS):
            raise ValueError("what it costs is no number")
    return manifest


def _no_manifest(folder: Path, reason: str) -> WootzError:
    path = folder / "best" / "manifest.json"
    return fail("WZ145", f"{path} is not what a build writes: {reason}", "build again")


def verify_result(folder: Path, data: Path | None = None) -> Iterator[str]:
    """What holds, one line each. Raises `WootzError` at the first thing that does not.

    With `data`, where the images of the build are now, accuracy on the test images is recomputed.
    """
    manifest = load_manifest(folder)
    yield f"the files of best/ are unchanged (weights {manifest['weights_sha256'][:12]}…)"
    if (folder / "result.json").exists():  # who copied best/ alone has none
        load_json(folder / "result.json")
        if (folder / "report.html").exists():
            check_page(folder / "report.html")
        yield "result.json, plan.wzir and report.html are unchanged"
    network, weights = load_best(folder)
    yield f"network.wz checks; {len(weights)} tensors fit it"

    real = count_parameters(weights)
    cost = network_cost(network)
    if (real, cost.params, cost.macs) != (manifest["params"],) * 2 + (manifest["macs"],):
        raise fail(
            "WZ146",
            f"{real:,} parameters and {cost.macs:,} MACs, but the manifest says "
            f"{manifest['params']:,} and {manifest['macs']:,}",
        )
    yield f"{real:,} parameters and {cost.macs:,} MACs, as the manifest says"

    images, labels, stored = load_example(folder, network)
    mean, std = normalisation(folder, manifest, network)
    logits = predict(network, weights, ((images - mean) / std).astype(np.float32))
    gap = float(np.abs(logits - stored).max()) / (float(np.abs(stored).max()) or np.nan)
    if not gap <= TOLERANCE:
        raise fail("WZ146", f"logits differ by {gap:.2g} of the largest, over {TOLERANCE}")
    right = float((logits.argmax(-1) == labels).mean())
    yield f"{len(images)} stored images replayed: logits within {gap:.1e}, {percent(right)} right"
    if data is not None:
        yield _tested(folder, data, network, weights, manifest)


def _tested(
    folder: Path, data: Path, network: Network, weights: dict[str, Any], manifest: dict[str, Any]
) -> str:
    """What the accuracy on the test images is now. Raises `WootzError` where it is another."""
    dataset = data_of(folder, data, network.input)
    int8 = folder / "best" / "int8.onnx"
    accuracy = _tested_int8(int8, dataset) if int8.exists() else tested(network, weights, dataset)
    with damage(lambda reason: _no_manifest(folder, reason)):
        said = float(manifest["accuracy"]["test"])
    # Where two classes are all but equal, another machine may round to the other one.
    if abs(accuracy - said) > 1 / len(dataset.test) + ROUNDING:
        raise fail(
            "WZ146",
            f"{percent(accuracy)} of the test images are labelled right, but the manifest says "
            f"{percent(said)}",
            "build again",
        )
    return f"{percent(accuracy)} of {len(dataset.test):,} test images right, as the manifest says"


def _tested_int8(file: Path, dataset: Dataset) -> float:
    """Of a space that quantises: what onnxruntime makes of the network that was judged."""
    need_installed("int8 is run")
    import onnx

    from wootzc.backends.onnx.int8 import accuracy

    return accuracy(onnx.load(file), dataset.test)


def data_of(folder: Path, data: Path | None, shape: Shape) -> Dataset:
    """The images of a result's build, as they were split. `data`: where they are now.

    Raises `WootzError` where they are others.
    """
    plan = folder / "plan.wzir"
    if not plan.exists():
        raise missing_result(plan)
    space = compile(plan, ()).space
    spec = space.data if data is None else replace(space.data, path=str(data))
    dataset = load(spec, seed=space.seed, shape=shape)
    manifest = load_manifest(folder, ("data",))
    with damage(lambda reason: _no_manifest(folder, reason)):
        fingerprint = manifest["data"]["fingerprint"]
    if dataset.fingerprint != fingerprint:
        raise fail(
            "WZ261",
            f"{spec.path} is not the data of the build: its content, or the way it is split, is "
            "another",
            "give the images that the network was built with: --data",
        )
    return dataset


def normalisation(
    folder: Path, manifest: dict[str, Any], network: Network
) -> tuple[Numbers, Numbers]:
    """Mean and standard deviation of the images, float32 [channels]. Raises `WootzError`."""
    with damage(lambda reason: _no_manifest(folder, reason)):
        scale = manifest["normalize"]
        mean, std = (np.asarray(scale[key], np.float32) for key in ("mean", "std"))
        if not mean.shape == std.shape == network.input[-1:] or not np.isfinite([mean, std]).all():
            raise ValueError("mean and std are not one number a channel")
        return mean, std


def load_example(folder: Path, network: Network) -> tuple[Numbers, Labels, Numbers]:
    """Images [n, height, width, channels] before normalisation, labels [n] and logits [n, classes]
    that best/ keeps. Raises `WootzError` where these are none of `network`.
    """
    path = folder / "best" / "example.npz"
    shapes = {"images": network.input, "labels": (), "logits": segment_shapes(network)[-1]}

    def unreadable(reason: str) -> WootzError:
        return fail("WZ145", f"can't read {path}: {reason}", "build again")

    try:
        with damage(unreadable), open_file(path) as file, np.load(file) as example:
            arrays: dict[str, Any] = {name: np.asarray(example[name]) for name in shapes}
            count = len(arrays["labels"])
            for name, array in arrays.items():
                if array.shape != (count, *shapes[name]) or array.dtype.kind not in "fiu":
                    raise ValueError(f"its {name} are none of this network: {array.shape}")
                if not np.isfinite(array).all() or not count:
                    raise ValueError(f"its {name} are no numbers")
            return arrays["images"], arrays["labels"], arrays["logits"]
    except OSError as error:
        raise unreadable(str(error.strerror)) from None
