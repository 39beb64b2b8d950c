"""Builds on several hosts: two processes; and what hosts say to each other, by threads."""

import atexit
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from multiprocessing.connection import Pipe
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from wootzc.backends.weights.stored import read
from wootzc.builder import Options, build
from wootzc.builder.jobs import hosts as module
from wootzc.builder.jobs import joined
from wootzc.builder.jobs.announced import Announced, Followed
from wootzc.builder.jobs.checkpoints import Checkpoint
from wootzc.builder.jobs.hosts import follow
from wootzc.builder.jobs.joined import Group
from wootzc.builder.jobs.lines import Found, Line, Present
from wootzc.builder.jobs.store import Store
from wootzc.builder.result.summary import Summary
from wootzc.cli import cli
from wootzc.diagnostics import WootzError, fail

SPACE = """
network one {
  input(8x8x1)
  module a1 { conv(3x3, 4); relu; conv(3x3, 4); relu }
  global_pool
  dense(4)
}

space quadrants over one {
  data "quadrants.npz" { validation 40; test 40 }
  teacher { steps 4; optimizer sgd(0.05); batch 32; every 4 }
  rates { 50% }
  multiple of 1
  all
  minimize params
  subject to accuracy >= 1%
  pretrain { steps 2; optimizer sgd(0.02); batch 32 }
  finetune { steps 2; optimizer sgd(0.02); batch 32; every 2 }
  polish off
  explore ascending
}
"""


@pytest.fixture(scope="module")
def source(make_space: Callable[..., Path]) -> Path:
    file = make_space()
    file.write_text(SPACE.replace("validation 40; test 40", "validation 25%; test 25%"))
    return file


@pytest.fixture(scope="module")
def alone(source: Path) -> Summary:
    """What one process makes."""
    return build(source, Options(out=source.parent / "out", store=source.parent / "store")).result


def same(one: Summary, other: Summary) -> bool:
    def figures(summary: Summary) -> Any:
        return [(one.rates, one.accuracy, one.steps) for one in summary.tried]

    return bool(figures(one) == figures(other))


Two = Callable[[], tuple[Group, "Other"]]


# Two processes


@pytest.mark.bits
def test_two_hosts_build_what_one_does(source: Path, alone: Summary, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    fast = "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"  # to compile
    flags = f"{os.environ.get('XLA_FLAGS', '')} {fast}"
    command = [sys.executable, "-m", "wootzc", "build", str(source), "-q", "--hosts", address]
    processes = [
        subprocess.Popen(
            [*command, "--host", f"{host}/2", "--out", str(tmp_path / f"out{host}")],
            env=os.environ | {"XLA_FLAGS": flags, "WOOTZC_STORE": str(tmp_path / f"store{host}")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for host in (0, 1)
    ]
    for process in processes:
        said, _ = process.communicate(timeout=300)
        assert process.returncode == 0, said
    weights = [
        read(out / "best" / "weights.safetensors")
        for out in (source.parent / "out", tmp_path / "out0")
    ]
    for name, value in weights[0].items():
        np.testing.assert_allclose(weights[1][name], value, rtol=2e-3, atol=2e-3, err_msg=name)
    assert not (tmp_path / "out1").exists()
    assert not [*(tmp_path / "store1" / "jobs").rglob("*.json")]


# Threads that stand for hosts: each has devices of its own, and runs all of a job


class Other(threading.Thread):
    """A host that follows."""

    def __init__(self, wire: Any):
        super().__init__(daemon=True)
        self.group = Group(number=1, count=2)
        self.group.lines.append(Line(wire, "host 0", self.group.ended))
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            follow(self.group)
        except BaseException as error:
            self.error = error


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Two]:
    monkeypatch.setattr(joined, "leave", lambda: None)
    monkeypatch.setattr(module, "_leave_with", lambda line: None)
    monkeypatch.setattr(atexit, "register", lambda call: call)
    monkeypatch.setenv("WOOTZC_STORE", str(tmp_path / "followed"))
    groups: list[Group] = []

    def make() -> tuple[Group, Other]:
        mine, theirs = Pipe()
        group = Group(number=0, count=2)
        group.lines.append(Line(mine, "another host", group.ended))
        other = Other(theirs)
        other.start()
        groups.append(group)
        return group, other

    yield make
    for group in groups:
        group.part()


def with_group(source: Path, folder: Path, group: Group, **more: Any) -> Summary:
    return build(
        source, Options(out=folder / "out", store=folder / "store", group=group, **more)
    ).result


def test_a_host_that_follows_does_every_job_and_keeps_nothing(
    two: Two, source: Path, alone: Summary, tmp_path: Path
) -> None:
    for _ in range(2):  # the second time all is in the store of host 0
        group, other = two()
        assert same(with_group(source, tmp_path, group), alone)
        other.join()
        assert other.error is None
    assert not [*(tmp_path / "followed" / "jobs").rglob("*.json")]


def test_checkpoints_are_those_of_host_0(tmp_path: Path) -> None:
    said: list[Any] = []
    own = Store(tmp_path / "own")
    written = Checkpoint(result={"steps": 3}, seconds=1.0, arrays={"0": np.arange(3.0)})
    own.checkpoints.write("ab", written)
    followed = Followed(tmp_path / "followed", lambda: said.pop(0))
    for key in ("ab", "cd"):
        found = Announced(own, said.append).checkpoints.find(key)
        assert followed.checkpoints.find(key) is found
    assert not said


def test_of_two_that_record_a_job_the_first_is_told(tmp_path: Path) -> None:
    said: list[Any] = []
    own = Store(tmp_path / "own")
    announced, followed = Announced(own, said.append), Followed(tmp_path / "f", lambda: said.pop(0))
    for job in ("new", "made by another build"):
        made = announced.finish("ab", "test", "best", {"accuracy": job}, 1.0)
        heard = followed.finish("ab", "test", "best", {"accuracy": job}, 1.0)
        assert made.result == heard.result == {"accuracy": "new"}
    assert own.find("ab") is not None


def test_hosts_that_are_out_of_step_are_told(tmp_path: Path) -> None:
    followed = Followed(tmp_path, lambda: Found(("find", "ab"), None))
    with pytest.raises(WootzError, match="WZ292"):
        followed.find("cd")


def test_a_host_that_is_gone_ends_the_build(
    two: Two, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: Any) -> Any:
        other.group.part()
        raise SystemExit

    group, other = two()
    monkeypatch.setattr(Followed, "finish", dies)
    with pytest.raises(WootzError, match=r"WZ291.*host 1 .* is gone"):
        with_group(source, tmp_path, group)


def test_what_a_host_can_not_read_is_told_by_host_0(
    two: Two, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other_images(*_: Any, **__: Any) -> Any:
        raise fail("WZ279", "other images there")

    monkeypatch.setattr(module, "jobs_of", other_images)
    group, other = two()
    with pytest.raises(WootzError, match="WZ279"):
        with_group(source, tmp_path, group)
    other.join()
    assert "WZ279" in str(other.error)


@pytest.mark.usefixtures("two")
def test_a_host_of_another_version_is_told(source: Path, tmp_path: Path) -> None:
    mine, theirs = Pipe()
    group = Group(number=0, count=2)
    group.lines.append(Line(mine, "another host", group.ended))
    older = Present(number=1, name="node7", version="0.0.1", devices=1, memory=1, disk=1)
    theirs.send(older)
    with pytest.raises(WootzError, match=r"WZ278.*host 1 \(node7\) has wootzc 0.0.1"):
        with_group(source, tmp_path, group)


def test_those_that_follow_end_with_host_0(two: Two) -> None:
    group, other = two()
    group.part()
    other.join()
    assert "WZ291" in str(other.error)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--hosts", "head:99"], "go together"),
        (["--host", "0/2"], "go together"),
        (["--hosts", "head", "--host", "0/2"], "no address"),
        (["--hosts", "head:99", "--host", "2/2"], "no host"),
        (["--hosts", "auto", "--on", "ray"], "two ways"),
    ],
)
def test_hosts_are_named_whole(given: list[str], said: str) -> None:
    result = CliRunner().invoke(cli, ["build", "space.wz", *given])
    assert result.exit_code == 2
    assert said in result.output
