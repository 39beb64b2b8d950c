"""Kill builds with SIGKILL at random moments, resume them, compare with an unharmed one.

    python benchmarks/kill_resume.py samples/digits.wz --kills 12 [--set KEY=VALUE …]
    python benchmarks/kill_resume.py samples/digits.wz --every 45 [--set KEY=VALUE …]
    python benchmarks/kill_resume.py samples/digits.wz --writing 5 [--set KEY=VALUE …]

`--every`: one build, killed after so many seconds each time. `--writing`: killed as soon as the
temporary file of a checkpoint is seen. Prints each kill with the stage it hit, then whether both
builds ended in the same network, candidate for candidate and bit for bit, whether any finished job
was run twice, and how many jobs went on from a checkpoint.
"""

import argparse
import collections
import hashlib
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def start(source: str, folder: Path, settings: list[str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "wootzc.cli", "build", source, "-q"]
    command += ["--store", str(folder / "store"), "--out", str(folder / "out")]
    for setting in settings:
        command += ["--set", setting]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def events(folder: Path) -> list[dict[str, Any]]:
    log = folder / "out" / "log.jsonl"
    lines = log.read_text().splitlines() if log.exists() else []
    return [json.loads(line) for line in lines if line.endswith("}")]


def stage(folder: Path) -> str:
    """What the log's last lines say was running."""
    for event in reversed(events(folder)):
        kind = str(event["event"])
        if kind == "build_started":
            return "start"
        if kind == "progress":
            return str(event["stage"])
        if kind.endswith("_started"):
            return kind.removesuffix("_started")
    return "start"


def outcome(folder: Path) -> dict[str, Any]:
    result = json.loads((folder / "out" / "result.json").read_text())
    weights = (folder / "out" / "best" / "weights.safetensors").read_bytes()
    keep = ("rates", "params", "start_accuracy", "accuracy", "steps")
    return {
        "tried": [[one[key] for key in keep] for one in result["tried"]],
        "test": result["best"]["test_accuracy"],
        "weights": hashlib.sha256(weights).hexdigest(),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("source")
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--every", type=float, help="seconds from one kill to the next")
    parser.add_argument("--writing", type=int, help="kills while a checkpoint is written")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", dest="settings", action="append", default=[])
    options = parser.parse_args()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as temporary:
        whole = Path(temporary) / "whole"
        began = time.perf_counter()
        start(options.source, whole, options.settings).wait()
        seconds = time.perf_counter() - began
        print("command:", " ".join(["python", *sys.argv]))
        print(f"unharmed build: {seconds:.1f} s", flush=True)
        kills: collections.Counter[str] = collections.Counter()
        rounds = same = twice = 0
        least = 1 if options.every else options.writing or options.kills
        resumed = 0
        while kills.total() < least:
            rounds += 1
            harmed = Path(temporary) / f"round{rounds}"
            before = kills.total()

            def wait(process: subprocess.Popen[bytes]) -> bool:
                """Until it is time to kill; False: it ended by itself."""
                if options.writing:
                    left = options.writing - kills.total()
                    return left > 0 and until_writing(process, harmed)  # noqa: B023
                return not ended(process, options.every or rng.uniform(2.0, seconds / 2))

            harm(options.source, harmed, options.settings, wait, kills)
            same += outcome(whole) == outcome(harmed)
            twice += run_again(harmed)
            resumed += sum(event["event"] == "resumed" for event in events(harmed))
            if kills.total() == before:
                break  # nothing to hit: this build is too short
        print(f"{kills.total()} kills in {rounds} builds, by stage: {dict(kills)}")
        print(f"builds that ended in the same result: {same} of {rounds}")
        print(f"finished jobs that were run again: {twice}; went on from a checkpoint: {resumed}")
        sys.exit(same != rounds)


def harm(
    source: str,
    folder: Path,
    settings: list[str],
    wait: Callable[[subprocess.Popen[bytes]], bool],
    kills: collections.Counter[str],
) -> None:
    """Kill and resume one build until it ends by itself."""
    while True:
        process = start(source, folder, settings)
        if not wait(process):
            process.wait()
            return
        process.kill()
        process.wait()
        where = stage(folder)
        kills[where] += 1
        print(f"kill {kills.total():2}: during {where}", flush=True)


def ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def until_writing(process: subprocess.Popen[bytes], folder: Path) -> bool:
    """Whether a checkpoint was seen under way; False: the process ended first."""
    old = set((folder / "store" / "checkpoints").rglob(".*"))  # left by kills before
    while process.poll() is None:
        if set((folder / "store" / "checkpoints").rglob(".*")) - old:
            return True
        time.sleep(0.0005)
    return False


def run_again(folder: Path) -> int:
    """Jobs that the log says were finished more than once."""
    finished = collections.Counter(
        (event["event"], event.get("name"))
        for event in events(folder)
        if str(event["event"]).endswith("_finished") and event["event"] != "build_finished"
    )
    return sum(count > 1 for count in finished.values())


if __name__ == "__main__":
    main()
