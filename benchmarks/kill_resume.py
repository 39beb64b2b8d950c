"""Builds are killed, crowded and starved; what is run again must end as if nothing had happened.

    python benchmarks/kill_resume.py                       # all of it, about twenty minutes
    python benchmarks/kill_resume.py --only period --seconds 45
    python benchmarks/kill_resume.py --source samples/digits.wz --only moments --kills 12

Every build is a process of `wootzc build`, killed by SIGKILL and started again until it ends. It
survived if it ended in the files of `best/`, the candidates and the accuracies of one that nobody
touched, byte for byte, without a traceback, and no finished job was run twice. A row of the table
says how often that was tried, and how often it was survived. `disks` needs root, for it mounts
disks of a few kB and then gives the right to write away.
"""

import argparse
import collections
import itertools
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from kill_world import (
    WOOTZC,
    Build,
    World,
    ended,
    harmed,
    processor_seconds,
    resident,
    until,
)

NO_RIGHTS = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs")
LONG = ("teacher.steps=30000", "polish.steps=20000", "polish.every=5000", "teacher.every=5000")
FORMS = ("onnx", "torch", "flax", "safetensors", "stablehlo")


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


def moments(trials: Trials) -> Iterator[Row]:
    """At random moments."""
    began = time.perf_counter()
    trials.world.build("timed").run()
    seconds, left = time.perf_counter() - began, trials.options.kills
    for number in itertools.count():
        if left <= 0:
            return

        def wait(process: subprocess.Popen[bytes]) -> bool:
            return not ended(process, trials.rng.uniform(1.0, seconds))

        row = trials.killed("a random moment", trials.world.build(f"moments{number}"), wait)
        left -= max(row.tried, 1)
        yield row


def period(trials: Trials) -> Iterator[Row]:
    """Every so many seconds, jobs being longer: only checkpoints make it end."""
    world = replace(trials.world, settings=(*trials.world.settings, *trials.options.long))
    whole = world.build("long")
    whole.run()
    longest = max(
        (float(e["seconds"]) for e in whole.events() if e.get("seconds") and "name" in e),
        default=0.0,
    )
    seconds = trials.options.seconds
    own = replace(trials, world=world, whole=whole)
    row = own.killed(
        f"every {seconds:g} s, the longest job taking {longest:.0f} s",
        world.build("period"),
        lambda process: not ended(process, seconds),
    )
    yield row


def stages(trials: Trials) -> Iterator[Row]:
    """As soon as a stage begins, or a little later; the next kill is of the same stage."""
    for event in ("teacher", "blocks", "candidate", "polish", "test"):
        build, left = trials.world.build(f"stage-{event}"), itertools.count()

        def wait(
            process: subprocess.Popen[bytes], event: str = event, build: Build = build
        ) -> bool:
            if next(left) >= trials.options.each:  # noqa: B023
                return False
            began = len(build.events())

            def seen() -> bool:
                return any(e["event"] == f"{event}_started" for e in build.events()[began:])

            if not until(process, seen):
                return False
            return not ended(process, trials.rng.choice([0.0, 0.01, 0.05, 0.2]))

        yield trials.killed(f"when `{event}` begins", build, wait)


def checkpoints(trials: Trials) -> Iterator[Row]:
    """While a checkpoint, an artifact, or a record is being written."""
    for folder in ("checkpoints", "artifacts", "jobs"):
        build, left = trials.world.build(f"writing-{folder}"), itertools.count()

        def wait(
            process: subprocess.Popen[bytes], folder: str = folder, build: Build = build
        ) -> bool:
            if next(left) >= trials.options.each:  # noqa: B023
                return False
            old = set((build.store / folder).rglob(".*"))  # left by kills before
            return until(process, lambda: bool(set((build.store / folder).rglob(".*")) - old))

        name = {"checkpoints": "a checkpoint", "artifacts": "an artifact", "jobs": "a record"}
        start = partial(build.start, environment={"WOOTZC_CHECKPOINT_SECONDS": "0.05"})
        kills: collections.Counter[str] = collections.Counter()
        harmed(build, wait, kills, start)
        yield Row(
            what=f"while {name[folder]} is written",
            tried=kills.total(),
            survived=kills.total() if trials.survived(build) else 0,
            note=", ".join(f"{count} in {stage}" for stage, count in kills.items()),
        )


def results(trials: Trials) -> Iterator[Row]:
    """While the result folder of another build is replaced, after each number of its files."""
    build = trials.world.build("results")
    other = replace(trials.world, settings=(*trials.world.settings, "finetune.steps=10"))
    replace(build, world=other).run()
    old, tried, whole = build.outcome(), 0, 0
    new = build.out.with_name(f".{build.out.name}.wootzc-new")
    for files in range(14):
        process = build.start()

        def seen(files: int = files) -> bool:
            return sum(path.is_file() for path in new.rglob("*")) >= files and new.exists()

        if until(process, seen):
            process.kill()
            tried += 1
        process.wait()
        whole += build.is_whole() and build.outcome() in (old, trials.whole.outcome())
        if build.outcome() != old:  # once more from the other
            replace(build, world=other).run("--replace")
    build.run()
    yield Row(
        what="while the result folder is switched, after 0 to 13 files",
        tried=tried,
        survived=whole - (14 - tried) if trials.survived(build) else 0,
        note="the old result or the new, whole, after each",
    )


def exports(trials: Trials) -> Iterator[Row]:
    """While a network is exported."""
    build = trials.whole
    for form in FORMS:
        target = build.folder / f"exported-{form}"
        command = [*WOOTZC, "export", str(build.out), "--to", form, "-o"]
        sound = build.folder / f"sound-{form}"
        subprocess.run([*command, str(sound)], check=True, stdout=subprocess.DEVNULL)
        tried = survived = 0
        for number in range(trials.options.each):
            process = subprocess.Popen([*command, str(target)], stdout=subprocess.DEVNULL)
            folder = target.parent
            if until(process, lambda: _begun(folder, target)):  # noqa: B023
                ended(process, 0.002 * number)
                process.kill()
                tried += 1
            process.wait()
            whole = all(_same(part, target, sound) for part in _files(target))
            done = subprocess.run([*command, str(target)], stdout=subprocess.DEVNULL)
            again = _files(target) and all(_same(p, sound, target) for p in _files(sound))
            survived += bool(whole and again and done.returncode == 0)
            for path in sorted(target.rglob("*"), reverse=True) + [target]:
                path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
        survived -= trials.options.each - tried
        yield Row(what=f"while {form} is exported", tried=tried, survived=survived)


def _begun(folder: Path, target: Path) -> bool:
    return target.exists() or any(folder.glob(f".{target.name}*"))


def _files(path: Path) -> list[Path]:
    return [p for p in path.rglob("*") if p.is_file()] if path.is_dir() else [path][: path.exists()]


def _same(part: Path, root: Path, other: Path) -> bool:
    """A file below one folder is that of the other; temporary ones that a kill left don't count."""
    if part.name.startswith(".") or "__pycache__" in part.parts:
        return True
    twin = other / part.relative_to(root) if part != root else other
    return twin.is_file() and twin.read_bytes() == part.read_bytes()


def together(trials: Trials) -> Iterator[Row]:
    """Four builds on one store, undisturbed; then each of them killed now and then."""
    for what, kills in (("four builds on one store at once", 0), ("…, each killed twice", 2)):
        store = trials.world.folder / f"shared{kills}"
        builds = [replace(trials.world.build(f"four{kills}-{n}"), shared=store) for n in range(4)]
        left = {build.folder: kills for build in builds}
        running = {build.folder: (build, build.start()) for build in builds}
        killed = 0
        while running:
            time.sleep(trials.rng.uniform(0.5, 3.0))
            for folder, (build, process) in list(running.items()):
                if process.poll() is not None:
                    del running[folder]
                elif left[folder] and trials.rng.random() < 0.3:
                    process.kill()
                    process.wait()
                    left[folder] -= 1
                    killed += 1
                    running[folder] = build, build.start()
        made = collections.Counter(
            (event["event"], event.get("name"))
            for build in builds
            for event in build.events()
            if event.get("seconds") is not None and "name" in event
        )
        twice = sum(count > 1 for count in made.values())
        survived = sum(trials.survived(build) for build in builds)
        note = f"{killed} kills; {len(made)} jobs, {twice} of them made twice"
        yield Row(what=what, tried=4, survived=survived, note=note)


def cleaned(trials: Trials) -> Iterator[Row]:
    """`clean` again and again while a build starts: it is refused, or has nothing to lose."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom wootzc.builder.jobs.store import Store\n"
        "from wootzc.diagnostics import WootzError\ndone = refused = 0\n"
        "while not Path(sys.argv[2]).exists():\n"
        "    try:\n        Store(Path(sys.argv[1])).clear(); done += 1\n"
        "    except WootzError: refused += 1\n"
        "print(done, refused)\n"
    )
    tried = survived = times = refusals = 0
    for number in range(trials.options.each):
        build, stop = trials.world.build(f"cleaned{number}"), trials.world.folder / f"stop{number}"
        arguments = [sys.executable, "-c", code, str(build.store), str(stop)]
        cleaner = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
        process = build.start()
        until(process, lambda: build.stage() == "candidate")  # noqa: B023
        stop.touch()
        process.wait()
        done, refused = map(int, cleaner.communicate()[0].split())
        times, refusals, tried = times + done, refusals + refused, tried + 1
        survived += trials.survived(build)
    note = f"{times:,} times it cleaned, {refusals:,} times it was refused"
    yield Row(what="`clean` all the time while a build starts", tried=tried, survived=survived,
              note=note)  # fmt: skip


def disks(trials: Trials) -> Iterator[Row]:
    """Disks that are full or may not be written, as a user without rights."""
    if os.geteuid() != 0:
        yield Row(what="disks (not tried: this is not root)", tried=0, survived=0)
        return
    for what, place in (("the store", "store"), ("the result", "out")):
        for size in (20, 60, 100, 140):
            build, disk = _on_disk(trials, place, size)
            code = build.start(before=NO_RIGHTS).wait()
            refused = code == 1 and b"error[WZ" in build.said.read_bytes() and build.is_whole()
            full = not build.outcome()
            subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
            build.start(before=NO_RIGHTS).wait()
            survived = (refused or not full) and trials.survived(build)
            subprocess.run(["umount", str(disk)], check=True)
            told = "refused with a diagnostic, then" if full else "it suffices:"
            yield Row(what=f"{what} on a disk of {size} kB", tried=1, survived=int(survived),
                      note=f"{told} the same bytes")  # fmt: skip
    for what, made in (("a new store", False), ("a store that has all jobs", True)):
        build = trials.world.build(f"read-only-{made}")
        if made:
            build.run()
        build.store.mkdir(parents=True, exist_ok=True)
        subprocess.run(["chmod", "-R", "a-w", str(build.store)], check=True)
        code = build.start(before=NO_RIGHTS).wait()
        told = code == 1 and b"error[WZ" in build.said.read_bytes() and build.is_quiet()
        subprocess.run(["chmod", "-R", "u+w", str(build.store)], check=True)
        build.run()
        survived = told and trials.survived(build)
        yield Row(what=f"{what} that may not be written", tried=1, survived=int(survived),
                  note="refused with a diagnostic; then, allowed, the same bytes")  # fmt: skip


def _on_disk(trials: Trials, place: str, size: int) -> tuple[Build, Path]:
    build = trials.world.build(f"disk-{place}-{size}")
    disk = build.folder / "disk"
    disk.mkdir(parents=True)
    options = f"size={size}k,mode=777"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(disk)], check=True)
    own = {"store": {"shared": disk / "store"}, "out": {"out_in": disk / "out"}}[place]
    return replace(build, **own), disk


def memory(trials: Trials) -> Iterator[Row]:
    """What a build holds after each of 100 candidates."""
    more = ("rates={ 20%, 40%, 60%, 75%, 85% }", "sample=100", "explore=all")
    world = replace(trials.world, settings=(*trials.world.settings, *more))
    build, held = world.build("memory"), []
    process = build.start()
    while process.poll() is None:
        finished = sum(event["event"] == "candidate_finished" for event in build.events())
        if finished > len(held):
            held += [resident(process.pid) / 2**20] * (finished - len(held))
        time.sleep(0.02)
    count = len(held)
    last = np.arange(count // 5, count)
    slope = float(np.polyfit(last, np.array(held)[last], 1)[0]) if count > 10 else float("nan")
    seen = ", ".join(f"{held[n - 1]:.0f} MB after {n}" for n in (1, 10, 20, 50, count))
    yield Row(
        what=f"memory of {count} candidates, first to last",
        tried=count,
        survived=count if slope < 0.5 else 0,
        note=f"{seen}; {slope:+.2f} MB a candidate from the {last[0] + 1}th on",
    )


def cost(trials: Trials) -> Iterator[Row]:
    """Seconds of the processor with checkpoints and without, in turns."""
    world = replace(trials.world, settings=(*trials.world.settings, *trials.options.long))
    taken: dict[str, list[float]] = {"with": [], "without": []}
    world.build("warm").run()
    for turn in range(trials.options.turns):
        for kind in ("with", "without") if turn % 2 else ("without", "with"):
            own = {} if kind == "with" else {"WOOTZC_CHECKPOINT_SECONDS": "1e9"}
            build = world.build(f"cost-{kind}{turn}")
            run = partial(_run, build, own)
            taken[kind].append(processor_seconds(run))
    ratio = float(np.median(taken["with"]) / np.median(taken["without"]) - 1)
    each = "; ".join(f"{k} {', '.join(f'{s:.1f}' for s in v)} s" for k, v in taken.items())
    yield Row(what="cost of checkpoints, of the processor's time", tried=trials.options.turns,
              survived=trials.options.turns if ratio < 0.02 else 0,
              note=f"{ratio:+.1%} by the medians ({each})")  # fmt: skip


def _run(build: Build, environment: dict[str, str]) -> None:
    build.start(environment=environment).wait()


KINDS: dict[str, Callable[[Trials], Iterator[Row]]] = {
    "moments": moments,
    "period": period,
    "stages": stages,
    "checkpoints": checkpoints,
    "results": results,
    "exports": exports,
    "together": together,
    "cleaned": cleaned,
    "disks": disks,
    "memory": memory,
    "cost": cost,
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--source", type=Path, help="default: a space that builds in seconds")
    parser.add_argument("--set", dest="settings", action="append", default=[])
    parser.add_argument("--long", nargs="+", default=LONG, help="settings that make jobs long")
    parser.add_argument("--seconds", type=float, default=45.0, help="from one kill to the next")
    parser.add_argument("--kills", type=int, default=12, help="at random moments")
    parser.add_argument("--each", type=int, default=5, help="kills of each other kind")
    parser.add_argument("--turns", type=int, default=3, help="of builds whose cost is compared")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    print("command: python", " ".join(sys.argv), flush=True)
    lost = 0
    with tempfile.TemporaryDirectory() as temporary:
        # Programs are compiled once for all of these processes.
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(temporary) / "xla"))
        os.chmod(temporary, 0o755)
        world = World.of_quadrants(Path(temporary), options.settings)
        if options.source is not None:
            world = replace(world, source=options.source)
        whole = world.build("whole").run()
        trials = Trials(world=world, whole=whole, options=options, rng=random.Random(options.seed))
        print("| what | tried | survived | |\n| --- | --- | --- | --- |", flush=True)
        for kind in options.only:
            for row in KINDS[kind](trials):
                print(f"| {row.what} | {row.tried} | {row.survived} | {row.note} |", flush=True)
                lost += row.tried - row.survived
    return int(lost > 0)


if __name__ == "__main__":
    sys.exit(main())
