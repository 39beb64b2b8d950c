"""Kill a build with SIGKILL at random moments, resume it, compare with an unharmed one.

    python benchmarks/kill_resume.py samples/digits.wz --kills 12 [--set KEY=VALUE …]

Prints each kill with the stage it hit, then whether both builds ended in the same network,
candidate for candidate and bit for bit, and whether any finished job was run twice.
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
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", dest="settings", action="append", default=[])
    options = parser.parse_args()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as temporary:
        whole, harmed = Path(temporary) / "whole", Path(temporary) / "harmed"
        began = time.perf_counter()
        start(options.source, whole, options.settings).wait()
        seconds = time.perf_counter() - began
        print(f"unharmed build: {seconds:.1f} s", flush=True)
        kills = 0
        while True:
            process = start(options.source, harmed, options.settings)
            try:
                process.wait(
                    rng.uniform(1.0, max(2.0, seconds / 6)) if kills < options.kills else None
                )
                break
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                kills += 1
                print(f"kill {kills:2}: during {stage(harmed)}", flush=True)
        finished = collections.Counter(
            (event["event"], event.get("name"))
            for event in events(harmed)
            if str(event["event"]).endswith("_finished") and event["event"] != "build_finished"
        )
        same = outcome(whole) == outcome(harmed)
        twice = sum(count > 1 for count in finished.values())
        print(f"{kills} kills; same result: {same}; finished jobs that were run again: {twice}")
        sys.exit(not same)


if __name__ == "__main__":
    main()
