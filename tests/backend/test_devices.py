"""Eight devices must do what one does. Their number is fixed when JAX starts: hence a process."""

import os
import runpy
import socket
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE, STDOUT, Popen

import jax
import numpy as np
import pytest

from wootzc.backends.flax.device.parallel import (
    Devices,
    Parallel,
    candidate_groups,
    chunk_size,
    training_devices,
)
from wootzc.backends.weights.parameters import Weights
from wootzc.backends.weights.stored import read

pytestmark = pytest.mark.bits

FOLDER = Path(__file__).parent


def start(script: str, devices: int, *arguments: str, flags: str = "", **more: str) -> "Popen[str]":
    flags = f"{os.environ.get('XLA_FLAGS', '')} {flags}"  # those that make another machine of it
    environment = os.environ | {
        "XLA_FLAGS": f"{flags} --xla_force_host_platform_device_count={devices}",
        "JAX_PLATFORMS": "cpu",
        **more,
    }
    command = [sys.executable, "-W", "error", str(FOLDER / script), *arguments]
    return Popen(command, env=environment, stdout=PIPE, stderr=STDOUT, text=True)


def run(*processes: "Popen[str]") -> None:
    """Wait for these, which end well."""
    for process in processes:
        said, _ = process.communicate()
        assert process.returncode == 0, said


def on(devices: int, out: Path) -> Path:
    run(start("on_devices.py", devices, str(devices), str(out)))
    return out


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    """What one device makes: this process has one."""
    out = tmp_path_factory.mktemp("one") / "one.safetensors"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "argv", ["on_devices.py", "1", str(out)])
        runpy.run_path(str(FOLDER / "on_devices.py"))
    return read(out)


def same(some: Weights, one: Weights) -> None:
    assert one.keys() == some.keys()
    for name in one:
        np.testing.assert_allclose(some[name], one[name], rtol=2e-3, atol=2e-3, err_msg=name)


def test_eight_devices_equal_one(one: Weights, tmp_path: Path) -> None:
    kinds = {name.split(":")[0] for name in one}
    assert kinds == {"trained", "block", "refitted", "figures", "logits"}
    same(read(on(8, tmp_path / "eight.safetensors")), one)


def test_two_hosts_of_four_devices_equal_one(one: Weights, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    files = [tmp_path / f"{host}.safetensors" for host in (0, 1)]
    run(
        *(
            start("on_devices.py", 4, "8", str(file), address, "2", str(host), NPROC="16")
            for host, file in enumerate(files)
        )
    )
    first, second = map(read, files)
    same(first, one)
    for name, value in first.items():  # not a bit apart, or they would choose differently
        np.testing.assert_array_equal(second[name], value, err_msg=name)


def test_groups_of_devices_train_at_once_as_one_does() -> None:
    fast = "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"  # to compile
    run(start("on_groups.py", 8, flags=fast))


@pytest.mark.parametrize(
    ("parallel", "devices", "batch", "candidates", "platform", "groups"),
    [
        ("data", 8, 16, 99, "gpu", [Devices(8)]),
        ("candidates", 4, 512, 99, "gpu", [Devices(1, n) for n in range(4)]),
        ("candidates", 8, 512, 3, "gpu", [Devices(2, 0), Devices(2, 2), Devices(2, 4)]),
        ("candidates", 8, 512, 3, "cpu", [Devices(1, n) for n in range(3)]),
        ("candidates", 8, 512, 1, "gpu", [Devices(8)]),
        ("candidates", 1, 16, 99, "gpu", [Devices(1)]),
        ("auto", 4, 127, 99, "gpu", [Devices(1, n) for n in range(4)]),
        ("auto", 4, 128, 99, "gpu", [Devices(4)]),
        ("auto", 1, 16, 99, "cpu", [Devices(1)]),
    ],
)
def test_candidates_share_the_devices(
    parallel: Parallel,
    devices: int,
    batch: int,
    candidates: int,
    platform: str,
    groups: list[Devices],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jax, "local_device_count", lambda: devices)
    assert candidate_groups(parallel, batch, candidates, platform) == tuple(groups)


def test_arrays_survive_the_way_to_the_device_and_back() -> None:
    devices = Devices(1)
    tree = ({"a": np.arange(3.0)},)
    np.testing.assert_array_equal(devices.first(devices.replicate(tree))[0]["a"], tree[0]["a"])


@pytest.mark.parametrize("axis", [0, 1])
def test_spreading_cuts_the_batch_in_order(axis: int) -> None:
    array = np.arange(2 * 12 * 3).reshape(2, 12, 3) if axis else np.arange(12 * 3).reshape(12, 3)
    spread = np.asarray(Devices(4).spread(array, axis))
    assert spread.shape[0] == 4
    np.testing.assert_array_equal(np.concatenate(list(spread), axis=axis), array)


@pytest.mark.parametrize(
    ("devices", "batch", "used"),
    [(8, 16, 8), (8, 12, 6), (8, 7, 7), (4, 7, 1), (3, 8, 2), (8, 1, 1), (1, 64, 1)],
)
def test_as_many_devices_as_divide_the_batch(
    devices: int, batch: int, used: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jax, "local_device_count", lambda: devices)
    assert training_devices(batch) == Devices(used)
    assert training_devices(batch, Devices(devices, 8)) == Devices(used, 8)


@pytest.mark.parametrize(
    ("distances", "size"),
    [
        ([50, 50, 20], 10),  # no tail
        ([50, 50], 25),
        ([32] * 4, 32),
        ([5], 5),
        ([53] * 100, 26),  # a prime: two chunks and one step, for one program more
        ([53, 53], 1),  # which two looks are not worth
        ([], 1),
    ],
)
def test_chunks_are_few_and_of_one_size(distances: list[int], size: int) -> None:
    assert chunk_size(distances) == size


@pytest.mark.usefixtures("no_shared_cache")
def test_compiled_functions_are_kept_and_a_broken_entry_is_silent(tmp_path: Path) -> None:
    code = """
import sys, pathlib, jax, wootzc.backends.flax.device.parallel as parallel
parallel.configure(pathlib.Path(sys.argv[1]))
print(jax.jit(lambda x: x + 1)(1.0))
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    for _ in range(2):
        done = subprocess.run(command, capture_output=True, text=True)
        assert (done.stdout, done.stderr) == ("2.0\n", "")
        entries = list(tmp_path.glob("*/*-cache"))
        assert entries
        for entry in entries:
            entry.write_bytes(entry.read_bytes()[:20])
