"""Whole builds on Ray: the same as in one process, whoever is killed."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from wootzc.builder.jobs.records import Records

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="needs Ray: pip install 'wootzc[ray]'"
)
ATTEMPTS = 3  # at a node
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
  rates { 10%, 30%, 50%, 80% }
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
PATIENT = {
    "RAY_gcs_server_port_wait_time_s": "300",
    "RAY_health_check_timeout_ms": "60000",
    "RAY_worker_register_timeout_seconds": "300",
}
LIGHT = {
    "include_dashboard": False,
    "include_log_monitor": False,
    "no_monitor": True,
    "object_store_memory": 10**8,
}
ONE = "--store one --out out-one"
Log = list[dict[str, Any]]


class Machines:
    """A cluster of three nodes: one that has no processor for workers, and one for each worker."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self.cluster = Cluster()
        self.add(num_cpus=0)
        self.add(num_cpus=1)
        self.add(num_cpus=1)

    def add(self, **resources: int) -> None:
        for left in reversed(range(ATTEMPTS)):
            try:
                self.cluster.add_node(**LIGHT, **resources)
                return
            except Exception:  # it has 30 seconds, whatever else the machine does
                if not left:
                    raise

    def kill_the_one_of(self, worker: int) -> None:
        """All processes of the node on which that one runs, and itself."""
        parent = int(Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[1])
        (node,) = [
            one
            for one in self.cluster.worker_nodes
            if parent in [raylet.process.pid for raylet in one.all_processes["raylet"]]
        ]
        self.cluster.remove_node(node, allow_graceful=False)
        os.kill(worker, signal.SIGKILL)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Of every process, so that all compile once what is the same."""
    fast = "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"  # to compile
    flags = f"{os.environ.get('XLA_FLAGS', '')} {fast}"
    cache = tmp_path_factory.mktemp("compiled")
    found = PATIENT | {
        "XLA_FLAGS": flags,
        "JAX_COMPILATION_CACHE_DIR": str(cache),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": os.pathsep.join(sys.path),
        "RAY_AUTH_MODE": "token",  # Ray's default differs from version to version
        "RAY_AUTH_TOKEN": uuid4().hex,
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in found.items():
            patch.setenv(name, value)
        yield found


@pytest.fixture(scope="module")
def machines(environment: dict[str, str]) -> Iterator[Machines]:
    made = Machines()
    yield made
    made.cluster.shutdown()


def start(folder: Path, options: str, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "wootzc.cli", "build", "quadrants.wz", *options.split()]
    return subprocess.Popen(
        command,
        cwd=folder,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def start_on(machines: Machines, folder: Path, number: str) -> subprocess.Popen[str]:
    options = f"--store {number} --out out-{number} --on ray --workers 2"
    return start(folder, options, RAY_ADDRESS=machines.cluster.address)


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
def folder(make_space: Any, environment: dict[str, str]) -> Path:
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


def at_a_candidate(entries: Log) -> int:
    """The process of the worker that has the candidate begun last."""
    *_, chosen = [entry["worker"] for entry in entries if entry.get("what") == "candidate"]
    joined = {e["worker"]: e["process"] for e in entries if e["event"] == "worker_joined"}
    return int(joined[chosen])


def finished_once(entries: Log) -> None:
    """No job was done that was done before."""
    assert [entry["event"] for entry in entries].count("teacher_finished") == 1
    finished = [e["candidate"] for e in entries if e["event"] == "candidate_finished"]
    assert len(finished) == len(set(finished)) <= 4


def test_a_worker_is_killed_and_the_result_is_the_same(folder: Path, machines: Machines) -> None:
    process = start_on(machines, folder, "two")
    entries = wait_for(folder, "out-two", "runs_on", process, what="candidate")
    os.kill(at_a_candidate(entries), signal.SIGKILL)
    said, _ = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, said
    assert result(folder, "two") == result(folder, "one")
    entries = log(folder, "out-two")
    finished_once(entries)
    assert "worker_lost" in [entry["event"] for entry in entries]
    assert "worker 1:" in said and "lost worker" in said


def test_a_node_and_then_the_build_are_killed_and_the_result_is_the_same(
    folder: Path, machines: Machines
) -> None:
    process = start_on(machines, folder, "three")
    entries = wait_for(folder, "out-three", "runs_on", process, what="candidate")
    machines.kill_the_one_of(at_a_candidate(entries))
    entries = wait_for(folder, "out-three", "candidate_finished", process)
    process.kill()
    process.communicate()
    workers = [entry["process"] for entry in entries if entry["event"] == "worker_joined"]
    for _ in range(LIMIT * 10):
        if all(is_gone(one) for one in workers):
            break
        time.sleep(0.1)
    else:
        raise AssertionError("the workers outlive the build")

    machines.add(num_cpus=1)
    process = start_on(machines, folder, "three")
    said, _ = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, said
    assert result(folder, "three") == result(folder, "one")
    entries = log(folder, "out-three")
    finished_once(entries)
    assert [entry["event"] for entry in entries].count("teacher_reused") == 1


def test_sigterm_ends_a_build_cleanly(folder: Path) -> None:
    """Ray puts a handler of its own there, which would end the process at once.

    This cluster is of the build's own.
    """
    options = "--store four --out out-four --on ray --workers 1 --set teacher.steps=200000"
    process = start(folder, options, WOOTZC_CHECKPOINT_SECONDS="0.1")
    wait_for(folder, "out-four", "progress", process, stage="teacher", step=1200)  # under way
    process.terminate()
    said, _ = process.communicate(timeout=LIMIT)
    assert process.returncode == 143, said
    assert log(folder, "out-four")[-1]["event"] == "interrupted"
    assert list((folder / "four").glob("checkpoints/*/*.checkpoint")), "where it stood is kept"
