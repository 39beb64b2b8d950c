"""The paper's experiment: default networks in order, the paper's method, and ours, side by side.

    python benchmarks/paper_table.py --small                        digits, some minutes
    python benchmarks/paper_table.py --data cifar10-train.zip       an hour on two cores
    python benchmarks/paper_table.py --data cifar10-train.zip --full    for an accelerator

Three ways to the smallest network within an accuracy limit, over the same candidates, with the same
teacher, data and fine-tuning recipe:

- baseline: default networks (inherited weights), smallest first;
- paper: a tuning block per module and rate, all trained before the first candidate, smallest first;
- ours: `explore predicted`, from blocks that least squares refits, in a store with nothing in it
  but the teacher: what it compiles, refits and scores is all in its seconds.

The first two are run once, up to the candidate that meets the strictest limit. At the others their
searches are read off its looks at the validation images: a candidate counts up to the look at which
it meets the limit, in seconds by its share of the steps. Ours is run for each limit. Every run is a
`wootzc build` of its own, with nothing compiled before; they run one after the other. Seconds are
those after the teacher, which is the same for all, and the data.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from paper_setting import FULL, NORMAL, SMALL, Setting, space_text, teacher_text, write_data

from wootzc.builder.jobs.store import Store

DIGITS = Path(__file__).parent.parent / "samples" / "digits.npz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One candidate fine-tuned to its end."""

    params: int
    start: float  # accuracy before fine-tuning
    looks: tuple[tuple[int, float], ...]  # (step, accuracy), ascending
    seconds: float

    @property
    def end(self) -> float:
        return max(accuracy for _, accuracy in self.looks)

    def reaches(self, limit: float) -> int | None:
        """The step of the first look that meets the limit."""
        return next((step for step, accuracy in self.looks if accuracy >= limit), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one way of searching found at one limit, and what it took."""

    way: str
    limit: float
    tried: int
    steps: int  # of fine-tuning
    block_steps: int
    seconds: float  # everything after the teacher
    params: int | None  # None: no candidate met the limit
    accuracy: float | None = None
    test: float | None = None
    ended: str = ""


def built(source: Path, out: Path, store: Path) -> dict[str, Any]:
    """`result.json` of a build in a process of its own."""
    command = [sys.executable, "-m", "wootzc.cli", "build", str(source), "-q"]
    done = subprocess.run(
        [*command, "--out", str(out), "--store", str(store)], stdout=subprocess.DEVNULL, check=False
    )
    if done.returncode not in (0, 1):  # 1: no candidate was accurate enough
        sys.exit(f"this failed: {' '.join(command)}")
    result: dict[str, Any] = json.loads((out / "result.json").read_text())
    return result


def spent(summary: dict[str, Any], *stages: str) -> float:
    return float(sum(summary["seconds_now"].get(stage, 0.0) for stage in stages))


def in_order(
    folder: Path, way: str, lines: list[str], setting: Setting
) -> tuple[list[Run], dict[str, Any]]:
    """The candidates up to the first that meets the strictest limit, smallest first."""
    source = folder / f"{way}.wz"
    source.write_text(space_text(setting, min(setting.points), *lines))
    summary = built(source, folder / way, folder / f"store-{way}")
    store = Store(folder / f"store-{way}")
    jobs = [(r, s) for kind, r, s in store.jobs() if kind == "candidate"]
    assert len(jobs) == len(summary["tried"]), "every candidate is run here, in the order tried"
    runs = [
        Run(
            params=one["params"],
            start=one["start_accuracy"],
            looks=tuple((look["step"], look["accuracy"]) for look in result["history"]),
            seconds=seconds,
        )
        for one, (result, seconds) in zip(summary["tried"], jobs, strict=True)
    ]
    return runs, summary


def read_off(
    way: str, runs: list[Run], limit: float, blocks: tuple[int, float] = (0, 0.0)
) -> Answer:
    """The search smallest first, up to the first run that meets the limit."""
    seconds, steps = blocks[1], 0
    for tried, run in enumerate(runs, start=1):
        last = run.looks[-1][0]
        used = run.reaches(limit)
        took = last if used is None else used
        steps += took
        seconds += run.seconds * (max(took, 1) / last)
        if used is not None:
            accuracy = dict(run.looks)[used]
            return Answer(way=way, limit=limit, tried=tried, steps=steps, block_steps=blocks[0],
                          seconds=seconds, params=run.params, accuracy=accuracy)  # fmt: skip
    return Answer(way=way, limit=limit, tried=len(runs), steps=steps, block_steps=blocks[0],
                  seconds=seconds, params=None)  # fmt: skip


def ours(
    folder: Path, points: float, setting: Setting, extra: list[str]
) -> tuple[Answer, dict[str, Any]]:
    source = folder / f"ours-{points}.wz"
    lines = ["explore predicted", setting.predicted, *extra]
    source.write_text(space_text(setting, points, *lines))
    summary = built(source, folder / f"ours-{points}", folder / f"store-ours-{points}")
    best = summary["best"]
    answer = Answer(
        way="ours",
        limit=summary["target_accuracy"],
        tried=len(summary["tried"]),
        steps=summary["steps"]["finetune"],
        block_steps=summary["steps"]["blocks"],
        seconds=spent(summary, "scores", "blocks", "candidates"),
        params=best["params"] if summary["objective_met"] else None,
        accuracy=best["accuracy"],
        test=best["test_accuracy"],
        ended=summary["search"]["ended"],
    )
    return answer, summary


def table(answers: list[Answer], full: int) -> None:
    print(
        "| accuracy ≥ | way | tried | fine-tuning steps | block steps | seconds | size | ratio |\n"
        "|" + " --- |" * 8
    )
    for answer in answers:
        base = next(a for a in answers if a.way == "baseline" and a.limit == answer.limit)
        size = "not met" if answer.params is None else f"{answer.params / full:.1%}"
        print(
            f"| {answer.limit:.2%} | {answer.way} | {answer.tried} | {answer.steps:,} "
            f"| {answer.block_steps:,} | {answer.seconds:.1f} | {size} "
            f"| {base.seconds / answer.seconds:.1f} |"
        )
    print()


def medians(named: dict[str, list[Run]]) -> None:
    """Before and after fine-tuning, over the candidates that all ways have run to their end."""
    count = min(len(runs) for runs in named.values()) - 1  # the last run ended at the limit
    print(f"the {count} smallest candidates, medians:\n")
    print("| start of fine-tuning | accuracy before | after |\n| --- | --- | --- |")
    for name, runs in named.items():
        before = statistics.median(run.start for run in runs[:count])
        after = statistics.median(run.end for run in runs[:count])
        print(f"| {name} | {before:.3f} | {after:.3f} |")
    print(flush=True)


def prepared(setting: Setting, data: Path, folder: Path) -> None:
    """The data's two parts, and the teacher."""
    write_data(setting, data, folder)
    source = folder / "teacher.wz"
    source.write_text(teacher_text(setting))
    built(source, folder / "large", folder / "store-large")
    store = Store(folder / "store-large")
    weights = next(iter(sorted((folder / "store-large" / "artifacts").rglob("*"), key=_age)))
    shutil.copy(weights, folder / "teacher.safetensors")
    took = [s for kind, _, s in store.jobs() if kind == "teacher"]
    print(f"teacher: {took[0]:.0f} s, not counted below", flush=True)


def experiment(setting: Setting, data: Path, folder: Path, extra: list[str], least: bool) -> None:
    started = time.perf_counter()
    prepared(setting, data, folder)
    default, result = in_order(folder, "baseline", ["blocks none"], setting)
    blocks, paper = in_order(folder, "paper", ["blocks modules", setting.pretrain], setting)
    named = {"inherited weights": default, "pre-trained blocks": blocks}
    if least:
        lines = ["blocks modules", setting.predicted]
        named["blocks refitted by least squares"], _ = in_order(folder, "refitted", lines, setting)
    teacher, full = result["teacher"]["validation_accuracy"], result["teacher"]["params"]
    # The paper trains all blocks first. A build trains them as candidates need them: what is
    # missing when it ends early is charged at the mean of those trained.
    trained = [block for block in paper["blocks"]["list"] if not block["reused"]]
    every = len(setting.rates.split(",")) * len(result["modules"]) / len(trained)
    eager = (
        round(paper["steps"]["blocks"] * every),
        spent(paper, "blocks") * every,
    )
    sizes = sorted(run.params / full for run in default)
    print(
        f"{setting.candidates} candidates from {sizes[0]:.1%} of {full:,} parameters on; "
        f"teacher {teacher:.2%} on validation images, {len(trained)} blocks\n"
    )
    medians(named)
    answers: list[Answer] = []
    for points in setting.points:
        one, summary = ours(folder, points, setting, extra)
        assert abs(one.limit - (teacher - points / 100)) < 1e-6
        answers += [
            read_off("baseline", default, one.limit),
            read_off("paper", blocks, one.limit, eager),
            one,
        ]
        own = {k: round(v, 1) for k, v in summary["seconds_now"].items()}
        print(
            f"ours, {points:g} points: ended: {one.ended}; validation {one.accuracy:.2%}, "
            f"test {one.test:.2%} (teacher {summary['teacher']['test_accuracy']:.2%}); {own}; "
            f"{summary['compilations']['count']} programs compiled in "
            f"{summary['compilations']['seconds']:.1f} s",
            flush=True,
        )
    print()
    table(answers, full)
    print(f"the whole experiment took {(time.perf_counter() - started) / 60:.0f} minutes")
    print("versions:", json.dumps(result["versions"]))


def _age(path: Path) -> float:
    return path.stat().st_mtime if path.is_file() else float("inf")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DIGITS, help="a zip of class/name.jpg")
    parser.add_argument("--small", action="store_true", help="the digits, embedded")
    parser.add_argument("--full", action="store_true", help="for an accelerator")
    parser.add_argument("--line", action="append", default=[], help="more lines of our space")
    parser.add_argument("--candidates", type=int, help="how many, in place of the setting's")
    parser.add_argument("--keep", type=Path, help="a folder for the data, stores and results")
    parser.add_argument("--least", action="store_true", help="also medians from least squares")
    options = parser.parse_args()
    small = options.small or options.data == DIGITS
    setting = SMALL if small else FULL if options.full else NORMAL
    if options.candidates:
        setting = replace(setting, candidates=options.candidates)
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print("command:", " ".join(["python", *sys.argv]))
    print(f"machine: {platform.platform()}, {os.cpu_count()} cores, load {load}\n", flush=True)
    data = DIGITS if small else options.data.resolve()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        experiment(setting, data, folder.resolve(), options.line, options.least)


if __name__ == "__main__":
    main()
