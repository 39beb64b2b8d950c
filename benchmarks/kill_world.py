"""A space that builds in seconds, builds of it in processes of their own, and what comes of them:
for `kill_resume.py`.
"""

import collections
import hashlib
import json
import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wootzc.diagnostics import WootzError
from wootzc.files import load_json

SPACE = """
module basic(width, stride = 1) {
  add {
    { conv(3x3, width, stride = stride); norm; relu; conv(3x3, width); norm }
    { shortcut(width, stride = stride) }
  }
  relu
}

network tiny {
  input(8x8x1)
  conv(3x3, 8); norm; relu
  basic(8) as a[1..2]
  basic(16, stride = 2) as b1
  global_pool
  dense(4)
}

space quadrants over tiny {
  data "quadrants.npz" { validation 25%; test 25% }
  teacher { steps 60; optimizer sgd(0.05, momentum = 0.9); batch 32; every 20 }
  rates { 50%, 75% }
  prune a*, b* by l1
  multiple of 1
  all
  minimize params
  subject to accuracy >= 80%
  blocks modules
  pretrain { steps 10; optimizer sgd(0.02); batch 32 }
  finetune { steps 20; optimizer sgd(0.02, momentum = 0.9); batch 32; every 10 }
  polish { steps 40; optimizer sgd(0.02, momentum = 0.9); batch 32; every 20 }
  explore ascending
}
"""
WOOTZC = (sys.executable, "-m", "wootzc")


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A source, and a folder for all that is made of it."""

    folder: Path
    source: Path
    settings: tuple[str, ...] = ()  # as `--set`

    @classmethod
    def of_quadrants(cls, folder: Path, settings: Sequence[str] = ()) -> "World":
        """Four classes of bright quadrants: a teacher, blocks and candidates of a second each."""
        rng = np.random.default_rng(0)
        labels = np.arange(320) % 4
        images = rng.integers(0, 120, (320, 8, 8, 1)).astype(np.uint8)
        for image, label in zip(images, labels, strict=True):
            row, column = divmod(int(label), 2)
            image[4 * row : 4 * row + 4, 4 * column : 4 * column + 4] += 60
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(folder / "quadrants.npz", images=images, labels=labels)
        (folder / "quadrants.wz").write_text(SPACE)
        return cls(folder=folder, source=folder / "quadrants.wz", settings=tuple(settings))

    def build(self, name: str) -> "Build":
        return Build(world=self, folder=self.folder / name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """One store and one result folder, by default in the same folder."""

    world: World
    folder: Path
    shared: Path | None = None  # the store, where several builds have one
    out_in: Path | None = None

    @property
    def store(self) -> Path:
        return self.shared or self.folder / "store"

    @property
    def out(self) -> Path:
        return self.out_in or self.folder / "out"

    @property
    def said(self) -> Path:
        return self.folder / "said.txt"

    def start(
        self,
        *more: str,
        before: Sequence[str] = (),
        environment: dict[str, str] | None = None,
        python: str | None = None,
    ) -> subprocess.Popen[bytes]:
        """`before`: a command that runs it, as another user say; `python`: code that does."""
        self.folder.mkdir(parents=True, exist_ok=True)
        program = WOOTZC if python is None else (sys.executable, "-c", python)
        command = [*before, *program, "build", str(self.world.source), "-q"]
        command += ["--store", str(self.store), "--out", str(self.out), *more]
        command += [f"--set={setting}" for setting in self.world.settings]
        with self.said.open("ab") as said:
            own = os.environ | (environment or {})
            return subprocess.Popen(command, stdout=said, stderr=said, env=own)

    def run(self, *more: str) -> "Build":
        self.start(*more).wait()
        return self

    def events(self) -> list[dict[str, Any]]:
        return events_in(self.out / "log.jsonl")

    def starts(self) -> int:
        """How many processes have begun."""
        return sum(event["event"] == "build_started" for event in self.events())

    def stage(self) -> str:
        """What the log of the latest process says was running."""
        return stage_of(latest(self.events()))

    def outcome(self) -> dict[str, Any] | None:
        """What two builds must have in common; None where there is no result."""
        try:
            result = json.loads((self.out / "result.json").read_text())
        except FileNotFoundError:
            return None
        files = sorted(path for path in (self.out / "best").iterdir() if path.is_file())
        keep = ("rates", "params", "start_accuracy", "accuracy", "steps")
        return {
            "tried": [[one[key] for key in keep] for one in result["tried"]],
            "test": result["best"]["test_accuracy"],
            "files": {
                path.name: hashlib.sha256(path.read_bytes()).hexdigest()
                for path in files
                if path.name != "manifest.json"  # it tells where the data lies
            },
        }

    def is_whole(self) -> bool:
        """There is no result, or every file of it is the one that its seal names."""
        try:
            if (self.out / "result.json").exists():
                load_json(self.out / "result.json")
                load_json(self.out / "best" / "manifest.json")
        except WootzError:
            return False
        return True

    def run_again(self) -> int:
        """Jobs that the log says were finished more than once."""
        finished = collections.Counter(
            (event["event"], event.get("name"))
            for event in self.events()
            if str(event["event"]).endswith("_finished")
            and event["event"] != "build_finished"
            and event.get("seconds") is not None
        )
        return sum(count > 1 for count in finished.values())

    def is_quiet(self) -> bool:
        """No traceback was printed."""
        return b"Traceback" not in self.said.read_bytes()


def events_in(log: Path) -> list[dict[str, Any]]:
    lines = log.read_text().splitlines() if log.exists() else []
    return [json.loads(line) for line in lines if line.endswith("}")]


def latest(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of the latest process."""
    starts = [n for n, event in enumerate(events) if event["event"] == "build_started"]
    return events[starts[-1] :] if starts else []


def stage_of(events: Sequence[dict[str, Any]]) -> str:
    """What the last lines of a log say was running."""
    for event in reversed(events):
        kind = str(event["event"])
        if kind == "build_started":
            return "start"
        if kind == "progress":
            return str(event["stage"])
        if kind in ("test_finished", "test_reused"):
            return "write"
        if kind.endswith("_started"):
            return kind.removesuffix("_started")
    return "start"


def harmed(
    build: Build,
    wait: Callable[[subprocess.Popen[bytes]], bool],
    kills: "collections.Counter[str]",
    start: Callable[[], subprocess.Popen[bytes]] | None = None,
) -> None:
    """Kill and resume one build until it ends by itself. `wait` returns when it is to be killed:
    False, where it ended before that.
    """
    while True:
        process = start() if start else build.start()
        if not wait(process):
            process.wait()
            return
        process.kill()
        process.wait()
        kills[build.stage()] += 1


def ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether it ended by itself within so many seconds."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def until(process: subprocess.Popen[bytes], seen: Callable[[], bool]) -> bool:
    """Whether something was seen; False: the process ended first."""
    while process.poll() is None:
        if seen():
            return True
        time.sleep(0.0005)
    return False


def processor_seconds(run: Callable[[], object]) -> float:
    """Of all processes that `run` waits for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def resident(process: int) -> int:
    """Bytes that a process holds."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    what: str
    tried: int
    survived: int
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """What is tried on a world, beside a build of it that nobody touches."""

    world: World
    whole: Build
    options: Any
    rng: random.Random

    def survived(self, build: Build) -> bool:
        same = build.outcome() is not None and build.outcome() == self.whole.outcome()
        return same and build.is_quiet() and build.run_again() == 0

    def killed(
        self, what: str, build: Build, wait: Callable[[subprocess.Popen[bytes]], bool]
    ) -> Row:
        """A build that is killed as often as `wait` says so."""
        kills: collections.Counter[str] = collections.Counter()
        harmed(build, wait, kills)
        resumed = sum(event["event"] == "resumed" for event in build.events())
        stages = ", ".join(f"{count} in {stage}" for stage, count in kills.items())
        survived = kills.total() if self.survived(build) else 0
        note = f"{stages}; {resumed} times on from a checkpoint"
        return Row(what=what, tried=kills.total(), survived=survived, note=note)
