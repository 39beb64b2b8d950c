"""The paper's experiment: default networks in order, the paper's method, and ours, side by side.

    python benchmarks/paper_table.py                                        digits, some minutes
    python benchmarks/paper_table.py cifar10 --data cifar10-train.zip       hours on two cores
    python benchmarks/paper_table.py resnet50 --data cifar10-train.zip      likewise; and inception
    python benchmarks/paper_table.py full --data cifar10-train.zip          for an accelerator

With `--keep DIR --minutes 30` it ends after half an hour, and the same command goes on. With
`--quick` it trains next to nothing, to see that it runs.

Three ways to the smallest network within an accuracy limit, over the same candidates, with the same
teacher, data and fine-tuning recipe:

- baseline: default networks (inherited weights), smallest first;
- paper: a tuning block per module and rate, all trained before the first candidate, smallest first;
- ours: `explore predicted`, from blocks that least squares refits, in a store with nothing in it
  but the teacher: what it compiles, refits and scores is all in its seconds.

The first two are run once, up to the candidate that meets the strictest limit. At the others their
searches are read off its looks at the validation images: a candidate counts up to the look at which
it meets the limit, in seconds by its share of the steps. Ours is run for each limit, to the end of
its search; its size is told by the same rule, and as the build judges it, which corrects for having
chosen among all that it tried. Every run is a build of its own, with nothing compiled before; they
run one after the other. Seconds, of the processor and of the clock, are those after the teacher,
which is the same for all, and the data.

`resnet50` and `inception` are the zoo's with an eighth of their channels, on 32×32 images. There
all candidates are fine-tuned to their end, from each start, and medians are told as in the paper.
"""

import argparse
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from paper_builds import Builds, Finished, Run, Spent
from paper_setting import SETTINGS, Setting, quick, space_text, teacher_text, write_data

DIGITS = Path(__file__).parent.parent / "samples" / "digits.npz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one way of searching found at one limit, and what it took."""

    way: str
    limit: float
    tried: int
    spent: Spent  # everything after the teacher
    params: int | None  # of the smallest with a look that meets the limit; None: there is none
    judged: int | None = None  # of ours: what the build answers, which corrects for the choice


def read_off(way: str, built: Finished, limit: float, blocks: Spent) -> Answer:
    """The search smallest first, up to the first run that meets the limit."""
    spent = blocks
    for tried, run in enumerate(built.runs, start=1):
        last, used = run.looks[-1][0], run.reaches(limit)
        took = last if used is None else used
        part = replace(run.spent, steps=took)
        spent = spent.plus(part, max(took, 1) / max(last, 1))
        if used is not None:
            return Answer(way=way, limit=limit, tried=tried, spent=spent, params=run.params)
    return Answer(way=way, limit=limit, tried=len(built.runs), spent=spent, params=None)


def ours(built: Finished) -> Answer:
    """By the rule that the others are read off by, and as a build judges it."""
    summary = built.summary
    limit = summary["target_accuracy"]
    return Answer(
        way="ours",
        limit=limit,
        tried=len(summary["tried"]),
        spent=built.spent,
        params=min((r.params for r in built.runs if r.reaches(limit) is not None), default=None),
        judged=summary["best"]["params"] if summary["objective_met"] else None,
    )


def table(answers: list[Answer], full: int) -> None:
    """Ratios are of steps, the processor's seconds, and those of the clock, to the baseline's."""
    columns = "accuracy ≥|way|tried|fine-tuning steps|block steps|CPU s|s|size|ratio: steps|CPU|s"
    print(f"| {columns.replace('|', ' | ')} |\n|" + " --- |" * (columns.count("|") + 1))
    for answer in answers:
        base = next(a for a in answers if a.way == "baseline" and a.limit == answer.limit).spent
        own = answer.spent
        size = _size(answer.params, full)
        if answer.way == "ours" and answer.judged != answer.params:
            size += f"; judged {_size(answer.judged, full)}"
        ratios = [
            f"{before / after:.1f}" if after else "–"
            for before, after in (
                (base.steps, own.steps),
                (base.cpu, own.cpu),
                (base.seconds, own.seconds),
            )
        ]
        print(
            f"| {answer.limit:.2%} | {answer.way} | {answer.tried} | {own.steps:,} "
            f"| {own.block_steps:,} | {own.cpu:.1f} | {own.seconds:.1f} | {size} "
            f"| {' | '.join(ratios)} |"
        )
    print(flush=True)


def _size(params: int | None, full: int) -> str:
    return "not met" if params is None else f"{params / full:.1%}"


def medians(named: dict[str, tuple[Run, ...]], whole: bool) -> None:
    """Before and after fine-tuning, over the candidates that all ways have run to their end."""
    count = min(len(runs) for runs in named.values())
    count -= not whole  # the last run ended at the limit
    if not count:
        return
    print(f"the {count} smallest candidates, medians:\n")
    print("| start of fine-tuning | accuracy before | after |\n| --- | --- | --- |")
    for name, runs in named.items():
        before = statistics.median(run.start for run in runs[:count])
        after = statistics.median(run.end for run in runs[:count])
        print(f"| {name} | {before:.3f} | {after:.3f} |")
    print(flush=True)


def prepared(setting: Setting, data: Path, build: Builds) -> None:
    """The data's two parts, and the teacher."""
    folder = build.folder
    if not (folder / "task.npz").exists():
        write_data(setting, data, folder)
    build("large", teacher_text(setting))
    if not (folder / "teacher.safetensors").exists():
        found = sorted((folder / "store-large" / "artifacts").rglob("*"), key=_age)
        shutil.copy(found[0], folder / "teacher.safetensors")


def every_block(built: Finished, setting: Setting) -> Spent:
    """The paper trains all blocks first. A build trains them as candidates need them: what is
    missing when it ends early is charged at the mean of those trained.
    """
    trained = [block for block in built.summary["blocks"]["list"] if not block["reused"]]
    wanted = len(setting.rates.split(",")) * len(built.summary["modules"])
    share = wanted / len(trained)
    fixed = built.fixed
    return Spent().plus(replace(fixed, block_steps=round(share * fixed.block_steps)), share)


def experiment(setting: Setting, data: Path, build: Builds, extra: list[str], least: bool) -> None:
    prepared(setting, data, build)
    strictest = min(setting.points, default=None)

    def in_order(way: str, *lines: str) -> Finished:
        return build(way, space_text(setting, strictest, *lines))

    default = in_order("baseline", "blocks none")
    paper = in_order("paper", "blocks modules", f"pretrain {setting.pretrain}")
    named = {"inherited weights": default.runs, "pre-trained blocks": paper.runs}
    if least or not setting.points:
        refitted = in_order("refitted", "blocks modules", setting.predicted)
        named["blocks refitted by least squares"] = refitted.runs
    teacher, full = default.summary["teacher"], default.summary["teacher"]["params"]
    accuracy = teacher["validation_accuracy"]
    sizes = sorted(run.params / full for run in default.runs)
    print(
        f"{setting.candidates} candidates from {sizes[0]:.1%} of {full:,} parameters on; "
        f"teacher {accuracy:.2%} on validation images\n"
    )
    medians(named, whole=not setting.points)
    blocks = every_block(paper, setting)
    answers: list[Answer] = []
    for points in setting.points:
        lines = ["explore predicted", setting.predicted, *extra]
        built = build(f"ours-{points}", space_text(setting, points, *lines))
        one, summary = ours(built), built.summary
        best = summary["best"]
        assert abs(one.limit - (accuracy - points / 100)) < 1e-6
        answers += [
            read_off("baseline", default, one.limit, Spent()),
            read_off("paper", paper, one.limit, blocks),
            one,
        ]
        print(
            f"ours, {points:g} points: ended: {summary['search']['ended']}; "
            f"validation {best['accuracy']:.2%}, test {best['test_accuracy']:.2%} "
            f"(teacher {teacher['test_accuracy']:.2%}); "
            f"refitting and scores {built.fixed.cpu:.1f} of {built.spent.cpu:.1f} CPU s; "
            f"{summary['compilations']['count']} programs compiled"
        )
    print(flush=True)
    table(answers, full)
    print("versions:", default.summary["versions"])


def _age(path: Path) -> float:
    return path.stat().st_mtime if path.is_file() else float("inf")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("setting", choices=list(SETTINGS), nargs="?", default="digits")
    parser.add_argument("--data", type=Path, default=DIGITS, help="a zip of class/name.jpg")
    parser.add_argument("--quick", action="store_true", help="train next to nothing")
    parser.add_argument("--line", action="append", default=[], help="more lines of our space")
    parser.add_argument("--candidates", type=int, help="how many, in place of the setting's")
    parser.add_argument("--keep", type=Path, help="a folder for the data, stores and results")
    parser.add_argument("--minutes", type=float, help="end after so many; needs --keep to go on")
    parser.add_argument("--least", action="store_true", help="also medians from least squares")
    options = parser.parse_args()
    setting = SETTINGS[options.setting]
    if (options.data == DIGITS) != (setting.name == "digits"):
        parser.error("digits come with wootzc; all other settings need --data")
    if options.quick:
        setting = quick(setting)
    if options.candidates:
        setting = replace(setting, candidates=options.candidates)
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print("command:", " ".join(["python", *sys.argv]))
    print(f"machine: {platform.platform()}, {os.cpu_count()} cores, load {load}\n", flush=True)
    until = None if options.minutes is None else time.perf_counter() + 60 * options.minutes
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.keep or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        build = Builds(folder=folder, until=until)
        experiment(setting, options.data.resolve(), build, options.line, options.least)


if __name__ == "__main__":
    main()
