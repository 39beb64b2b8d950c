"""Whole builds on Ray: the same as in one process, whoever is killed."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from wootzc.builder.jobs.records import Records

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="needs Ray: pip install 'wootzc[ray]'"
)
LIMIT = 300  # seconds that anything may take on a busy machine
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
  teacher { steps 60; optimizer sgd(0.1, momentum = 0.9); batch 32; every 60 }
  rates { 10%, 50%, 80% }
  prune * by l1
  multiple of 1
  all
  maximize accuracy
  blocks modules
  pretrain { steps 5; optimizer sgd(0.02); batch 32 }
  finetune { steps 600; optimizer sgd(0.02, momentum = 0.9); batch 32; every 300 }
  polish off
  explore all
}
"""
# Where a machine is busy, Ray takes its processes for broken too soon.
PATIENT = {"RAY_worker_register_timeout_seconds": "300"}
ONE = "--store one --out out-one"
TWO = "--store two --out out-two --on ray --workers 2"
Log = list[dict[str, Any]]


def start(folder: Path, options: str, **environment: str) -> subprocess.Popen[str]:
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=0"
    command = [sys.executable, "-m", "wootzc.cli", "build", "quadrants.wz", *options.split()]
    environment |= {
        "XLA_FLAGS": flags,
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    return subprocess.Popen(
        command,
        cwd=folder,
        env=os.environ | environment | PATIENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def log(folder: Path, out: str) -> Log:
    path = folder / out / "log.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("}")]


def wait_for(folder: Path, out: str, kind: str, process: subprocess.Popen[str], **more: Any) -> Log:
    """The log once it has such an event."""
    for _ in range(LIMIT * 50):
        entries = log(folder, out)
        if any({"event": kind, **more}.items() <= entry.items() for entry in entries):
            return entries
        if process.poll() is not None:
            raise AssertionError(f"it ended before {kind}:\n{process.communicate()[0]}")
        time.sleep(0.02)
    raise AssertionError(f"no {kind} in {LIMIT} seconds")


def result(folder: Path, number: str) -> dict[str, Any]:
    """Everything that must be the same: figures, and the bits of whatever was trained."""
    summary = json.loads((folder / f"out-{number}" / "result.json").read_text())
    keep = ("candidate", "start_accuracy", "accuracy", "steps", "met", "blocks")
    store = folder / number
    return {
        "tried": [[one[key] for key in keep] for one in summary["tried"]],
        "test": summary["best"]["test_accuracy"],
        "artifacts": {  # their names have a hash of their bytes
            one.key: (one.kind, one.artifact) for one in Records(store / "jobs").sound()
        },
        "best": (folder / f"out-{number}" / "best" / "weights.safetensors").read_bytes(),
    }


@pytest.fixture(scope="module")
def folder(make_space: Any) -> Path:
    """A space, and what one process makes of it."""
    file = Path(make_space())
    file.write_text(SPACE)
    process = start(file.parent, ONE)
    said, _ = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, said
    return file.parent


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_worker_and_then_the_build_are_killed_and_the_result_is_the_same(folder: Path) -> None:
    process = start(folder, TWO)
    entries = wait_for(folder, "out-two", "runs_on", process, what="candidate")
    (chosen, *_) = [entry["worker"] for entry in entries if entry.get("what") == "candidate"]
    pids = {e["worker"]: e["process"] for e in entries if e["event"] == "worker_joined"}
    os.kill(pids[chosen], signal.SIGKILL)  # in the middle of a candidate
    entries = wait_for(folder, "out-two", "candidate_finished", process)
    assert [e["worker"] for e in entries if e["event"] == "worker_lost"] in ([], [chosen])
    process.kill()
    process.communicate()
    pids |= {e["worker"]: e["process"] for e in entries if e["event"] == "worker_joined"}
    for _ in range(LIMIT * 10):
        if all(is_gone(pid) for pid in pids.values()):
            break
        time.sleep(0.1)
    else:
        raise AssertionError("the workers outlive the build")

    process = start(folder, TWO)
    said, _ = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, said
    assert result(folder, "two") == result(folder, "one")
    entries = log(folder, "out-two")
    kinds = [entry["event"] for entry in entries]
    assert kinds.count("teacher_finished") == 1 and kinds.count("teacher_reused") == 1
    finished = [e["candidate"] for e in entries if e["event"] == "candidate_finished"]
    assert len(finished) == len(set(finished)) <= 3  # none was made twice
    assert "worker_lost" in kinds
    assert "worker 1:" in said


def test_sigterm_ends_a_build_cleanly(folder: Path) -> None:
    """Ray puts a handler of its own there, which would end the process at once."""
    options = TWO.replace("two", "three").replace("2", "1") + " --set teacher.steps=200000"
    process = start(folder, options, WOOTZC_CHECKPOINT_SECONDS="0.1")
    wait_for(folder, "out-three", "progress", process, stage="teacher", step=1200)  # under way
    process.terminate()
    said, _ = process.communicate(timeout=LIMIT)
    assert process.returncode == 143, said
    assert log(folder, "out-three")[-1]["event"] == "interrupted"
    assert list((folder / "three").glob("checkpoints/*/*.checkpoint")), "where it stood is kept"
