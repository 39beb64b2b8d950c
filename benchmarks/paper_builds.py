"""The builds of benchmarks/paper_table.py: one after the other, in as many pieces as it takes."""

import json
import signal
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What was spent on something. Seconds of the processor, and of the clock."""

    cpu: float = 0.0
    seconds: float = 0.0
    steps: int = 0  # of fine-tuning
    block_steps: int = 0

    def plus(self, other: "Spent", share: float = 1.0) -> "Spent":
        return Spent(
            cpu=self.cpu + share * other.cpu,
            seconds=self.seconds + share * other.seconds,
            steps=self.steps + other.steps,
            block_steps=self.block_steps + other.block_steps,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One candidate as far as it was fine-tuned."""

    params: int
    start: float  # accuracy before fine-tuning
    looks: tuple[tuple[int, float], ...]  # (step, accuracy), ascending
    spent: Spent

    @property
    def end(self) -> float:
        return max(accuracy for _, accuracy in self.looks)

    def reaches(self, limit: float) -> int | None:
        """The step of the first look that meets the limit."""
        return next((step for step, accuracy in self.looks if accuracy >= limit), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A build that came to its end."""

    summary: dict[str, Any]  # its result.json
    runs: tuple[Run, ...]  # as they were begun
    fixed: Spent  # blocks, refitting, scores

    @property
    def spent(self) -> Spent:
        total = self.fixed
        for run in self.runs:
            total = total.plus(run.spent)
        return total


@dataclass(frozen=True, slots=True, kw_only=True)
class Builds:
    """What finishes builds in a folder, until its time is up."""

    folder: Path
    until: float | None  # as `time.perf_counter` has it

    def __call__(self, way: str, text: str) -> Finished:
        """The build of this text. Found finished, gone on with, or begun. Exits when time is up."""
        source, out = self.folder / f"{way}.wz", self.folder / way
        meter = self.folder / f"{way}.jsonl"
        done = self.folder / f"{way}.done"
        if source.exists() and source.read_text() != text:
            sys.exit(f"{source} is of other settings: take another folder")
        source.write_text(text)
        if not done.exists():
            self._run(source, out, self.folder / f"store-{way}", meter)
            done.touch()
        summary: dict[str, Any] = json.loads((out / "result.json").read_text())
        return finished(summary, [json.loads(line) for line in meter.read_text().splitlines()])

    def _run(self, *arguments: Path) -> None:
        left = None if self.until is None else self.until - time.perf_counter()
        if left is not None and left < 1:
            _ended()
        script = Path(__file__).with_name("paper_job.py")
        command = [sys.executable, str(script), *map(str, arguments)]
        with subprocess.Popen(command) as process:
            try:
                code = process.wait(left)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGINT)  # it writes down where it stands
                process.wait()
                _ended()
        if code:
            sys.exit(f"this failed with {code}: {' '.join(command)}")


def _ended() -> None:
    print("the time is up: the same command goes on", flush=True)
    sys.exit(3)


def finished(summary: dict[str, Any], lines: list[dict[str, Any]]) -> Finished:
    """A build by its result and its meter."""
    spent: defaultdict[int | None, Spent] = defaultdict(Spent)
    cut = Spent()  # of a job that was interrupted: it belongs to the one that went on
    for line in lines:
        one = Spent(
            cpu=line["cpu"], seconds=line["seconds"], block_steps=line.get("steps", 0)
        ).plus(cut)
        cut = Spent()
        if line["job"] == "interrupted":
            cut = one
        else:
            spent[line.get("candidate")] = spent[line.get("candidate")].plus(one)
    runs = tuple(
        Run(
            params=tried["params"],
            start=tried["start_accuracy"],
            looks=tuple((look["step"], look["accuracy"]) for look in tried["history"]),
            spent=spent.pop(tried["candidate"], Spent()).plus(Spent(steps=tried["steps"])),
        )
        for tried in summary["tried"]
    )
    fixed = Spent()
    for left in spent.values():  # also looks at candidates that were then not tried
        fixed = fixed.plus(left)
    return Finished(summary=summary, runs=runs, fixed=fixed)
