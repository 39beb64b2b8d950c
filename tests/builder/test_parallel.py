"""Whole builds on eight devices: several candidates at once, or one over all of them."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from wootzc.builder.jobs.records import Record, Records

pytestmark = pytest.mark.bits

SCRIPT = Path(__file__).with_name("on_groups.py")
EIGHT = {f"{number}+1": [number] for number in range(8)}  # groups of one device each
SPACE = """
module pair { conv(3x3, 20); norm; relu; conv(3x3, 8); norm; relu }

network tiny {
  input(8x8x1)
  pair as a1
  global_pool
  dense(4)
}

space quadrants over tiny {
  data "quadrants.npz" { validation 25%; test 25% }
  teacher { steps 150; optimizer sgd(0.1, momentum = 0.9); batch 32; every 150 }
  rates { 10%, 20%, 30%, 40%, 50%, 60%, 70%, 80% }
  prune * by l1
  multiple of 1
  all
  minimize params
  subject to accuracy >= TARGET
  blocks modules
  pretrain { steps 5; optimizer sgd(0.02); batch 32 }
  finetune { steps 20; optimizer sgd(0.02, momentum = 0.9); batch 32; every 10 }
  explore all
}
"""


class Ran(NamedTuple):
    summary: dict[str, Any]
    used: dict[str, list[int]]
    said: str
    store: Path


def start(file: Path, store: Path, out: Path, devices: int, *options: str) -> subprocess.Popen[str]:
    fast = "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"  # to compile
    flags = f"{fast} --xla_force_host_platform_device_count={devices}"
    flags = f"{os.environ.get('XLA_FLAGS', '')} {flags}"  # those that make another machine of it
    # XLA sums convolutions in another order with another number of threads, which grows with that
    # of virtual devices.
    environment = {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu", "NPROC": "8"}
    script: list[str | Path] = [sys.executable, SCRIPT, out.with_suffix(".used")]
    command: list[str | Path] = ["build", file, "--store", store, "--out", out, *options]
    return subprocess.Popen(
        script + command,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def build(file: Path, store: Path, out: Path, devices: int, *options: str) -> Ran:
    process = start(file, store, out, devices, *options)
    said, _ = process.communicate()
    assert process.returncode == 0, said
    summary = json.loads((out / "result.json").read_text())
    return Ran(summary, json.loads(out.with_suffix(".used").read_text()), said, store)


def without_candidates(store: Path, copy: Path) -> Path:
    """A store that knows the teacher and the blocks."""
    shutil.copytree(store, copy)
    tried = [one for one in Records(copy / "jobs").sound() if one.kind == "candidate"]
    assert len(tried) == 8
    for one in tried:
        Records(copy / "jobs").path(one.key).unlink()
        artifact(copy, one).unlink()
    return copy


def artifact(store: Path, of: Record) -> Path:
    return store / "artifacts" / of.key[:2] / f"{of.key}.{of.artifact}.safetensors"


def candidates(store: Path) -> dict[str, bytes]:
    """The weights of every candidate that was tried, by the key of its job."""
    tried = (one for one in Records(store / "jobs").sound() if one.kind == "candidate")
    return {one.key: artifact(store, one).read_bytes() for one in tried}


def tried(ran: Ran) -> list[tuple[Any, ...]]:
    keep = ("candidate", "start_accuracy", "accuracy", "steps", "met", "blocks")
    return [tuple(one[key] for key in keep) for one in ran.summary["tried"]]


@pytest.fixture(scope="module")
def make(make_space: Callable[[], Path]) -> Callable[[str], Path]:
    """The .wz file with this accuracy limit, beside its images."""

    def written(target: str) -> Path:
        file = make_space()
        file.write_text(SPACE.replace("TARGET", target))
        return file

    return written


@pytest.fixture(scope="module")
def one(make: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("one")
    return build(make("65%"), folder / "store", folder / "out", 1)


def wait_for(log: Path, text: str, times: int, process: subprocess.Popen[str]) -> None:
    for _ in range(15_000):
        if log.exists() and log.read_text().count(text) == times:
            return
        assert process.poll() is None, "the build ended early"
        time.sleep(0.02)
    raise AssertionError(f"{text} was not said {times} times in five minutes")


def test_candidates_at_once_are_the_same_bit_for_bit(
    make: Callable[[str], Path], one: Ran, tmp_path: Path
) -> None:
    """Also after Ctrl-C, which ends all of them at once."""
    store, out = without_candidates(one.store, tmp_path / "store"), tmp_path / "out"
    options = "--parallel", "candidates"
    # One that is right on all images at a look would end before the last has begun.
    long = "--set", "finetune.steps=1000000", "--set", "finetune.every=1000000"
    process = start(make("100%"), store, out, 8, *options, *long)
    log = out / "log.jsonl"
    wait_for(log, '"candidate_started"', 8, process)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=300)
    assert process.returncode == 130
    assert '"interrupted"' in log.read_text()
    assert not candidates(store)
    eight = build(make("65%"), store, tmp_path / "again", 8, *options)
    assert tried(eight) == tried(one)
    assert candidates(store) == candidates(one.store)
    assert eight.used == EIGHT
    assert "devices: 8, 8 candidates at once" in eight.said
    assert eight.said.count(" steps (") == 8 + 1  # candidates, and the winner as it is polished


def test_teacher_blocks_and_candidates_over_all_devices_find_the_same(
    make: Callable[[str], Path], one: Ran, tmp_path: Path
) -> None:
    data = build(make("65%"), tmp_path / "store", tmp_path / "out", 8, "--parallel", "data")
    assert data.used == {"0+8": list(range(8))}
    assert "devices: 8, every step over all of them" in data.said
    assert data.summary["blocks"]["trained"] == one.summary["blocks"]["trained"] == 8
    assert data.summary["best"]["candidate"] == one.summary["best"]["candidate"]
    assert data.summary["best"]["met"]
