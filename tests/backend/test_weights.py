"""Weights at rest: names, counts, files, and errors that say what is wrong with them."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from wootzc.backends.weights.parameters import Weights, count_parameters
from wootzc.backends.weights.stored import check_fits, initial_weights, join, read, split, to_bytes
from wootzc.diagnostics import WootzError
from wootzc.ir.layers import Norm, walk
from wootzc.ir.net.cost import network_cost
from wootzc.ir.net.network import Network


def codes(error: WootzError) -> list[str]:
    return [diagnostic.code for diagnostic in error.diagnostics]


def test_real_arrays_hold_what_the_cost_model_counts(any_network: Network) -> None:
    weights = initial_weights(any_network, seed=0)
    assert count_parameters(weights) == network_cost(any_network).params
    norms = sum(
        isinstance(layer, Norm)
        for segment in any_network.segments
        for _, layer in walk(segment.body)
    )
    assert sum(name.endswith("/var") for name in weights) == norms


def test_initial_weights_go_by_seed_and_name(zoo: dict[str, Network]) -> None:
    network = zoo["residual"]
    weights = initial_weights(network, seed=0)
    again, other = initial_weights(network, seed=0), initial_weights(network, seed=1)
    shared = initial_weights(zoo["dropout"], seed=0)  # has the same m1, and nothing after it
    assert all(np.array_equal(weights[name], again[name]) for name in weights)
    assert not np.array_equal(weights["m1/0.0.0/kernel"], other["m1/0.0.0/kernel"])
    assert not np.array_equal(weights["m1/0.0.0/kernel"], weights["m1/0.0.3/kernel"])
    np.testing.assert_array_equal(weights["m1/0.0.0/kernel"], shared["m1/0.0.0/kernel"])


def test_initial_kernels_have_the_deviation_of_he(zoo: dict[str, Network]) -> None:
    weights = initial_weights(zoo["residual"], seed=0)
    kernel = weights["m3/0.0.0/kernel"]  # 3x3x8x8
    assert kernel.dtype == np.float32
    assert kernel.std() == pytest.approx((2 / 72) ** 0.5, rel=0.1)
    np.testing.assert_array_equal(weights["m3/0.0.1/scale"], 1)
    np.testing.assert_array_equal(weights["m3/0.0.1/mean"], 0)


def test_splitting_and_joining_are_inverse(
    any_network: Network, random_weights: Callable[[Network], Weights]
) -> None:
    weights = random_weights(any_network)
    parts = split(any_network, weights)
    assert len(parts) == len(any_network.segments)
    again = join(any_network, reversed(parts[::-1]))
    assert list(again) == list(weights)
    assert all(again[name] is weights[name] for name in weights)


def test_a_file_gives_back_what_was_saved(
    any_network: Network, random_weights: Callable[[Network], Weights], tmp_path: Path
) -> None:
    weights = random_weights(any_network)
    kernel = next(name for name in weights if name.endswith("kernel"))
    weights[kernel] = np.asfortranarray(weights[kernel])  # files know only the other order
    path = tmp_path / "w.safetensors"
    path.write_bytes(to_bytes(weights))
    again = read(path)
    check_fits(any_network, again)
    assert again.keys() == weights.keys()
    for name in weights:
        np.testing.assert_array_equal(again[name], weights[name])


def test_half_precision_is_read_as_single(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file({"a/0/kernel": np.array([[0.5]], np.float16)}, path)
    assert read(path)["a/0/kernel"].dtype == np.float32


def test_bfloat16_is_read_without_jax(tmp_path: Path) -> None:
    """As written by PyTorch: 0x3FC0 is 1.5. NumPy alone has no such type, JAX brings it along."""
    header = b'{"x.weight":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}'
    content = len(header).to_bytes(8, "little") + header + bytes.fromhex("c03fc0bf")
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    code = (
        "import sys; from pathlib import Path; from wootzc.backends.weights.stored import read; "
        "value = read(Path(sys.argv[1]))['x.weight']; assert 'jax' not in sys.modules; "
        "print(value.dtype, value.tolist())"
    )
    command = [sys.executable, "-c", code, str(path)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split(maxsplit=1) == ["float32", "[1.5, -1.5]\n"]


def test_weights_of_another_network_are_refused_with_names(zoo: dict[str, Network]) -> None:
    network = zoo["residual"]
    weights = initial_weights(network, seed=0)
    del weights["m1/0.0.0/kernel"]
    weights["m9/0/kernel"] = np.zeros(1, np.float32)
    weights["plain2/1/bias"] = np.zeros(4, np.float32)
    with pytest.raises(WootzError) as caught:
        check_fits(network, weights)
    assert codes(caught.value) == ["WZ121", "WZ122", "WZ123"]
    missing, unknown, misshapen = (d.message for d in caught.value.diagnostics)
    assert "m1/0.0.0/kernel" in missing
    assert "m9/0/kernel" in unknown
    assert "plain2/1/bias (4, expected 3)" in misshapen


def test_long_lists_of_names_are_cut(zoo: dict[str, Network]) -> None:
    with pytest.raises(WootzError, match=r"and \d+ more"):
        check_fits(zoo["residual"], {})


@pytest.mark.parametrize("content", [None, b"", b"\x10\0\0\0\0\0\0\0not json at all."])
def test_unreadable_files_are_named(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(WootzError, match=r"weights\.safetensors") as caught:
        read(path)
    assert codes(caught.value) == ["WZ120"]


def test_a_truncated_file_is_named(zoo: dict[str, Network], tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(to_bytes(initial_weights(zoo["residual"], seed=0)))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WootzError, match="can't read") as caught:
        read(path)
    assert codes(caught.value) == ["WZ120"]


def test_whole_numbers_are_no_weights(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file({"a/0/kernel": np.zeros(3, np.int32)}, path)
    with pytest.raises(WootzError, match="I32") as caught:
        read(path)
    assert codes(caught.value) == ["WZ125"]
