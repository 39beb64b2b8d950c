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
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from kill_around import cleaned, cost, disks, hosts, memory, share, together
from kill_world import WOOTZC, Build, Row, Trials, World, ended, until
from kill_writes import writes

LONG = ("teacher.steps=20000", "teacher.every=5000", "polish.steps=12000", "polish.every=4000")
FORMS = ("onnx", "torch", "flax", "safetensors", "stablehlo")


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
        if row.tried:  # else it ended before it was hit
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
    for event in ("teacher", "blocks", "candidate", "polish"):
        build, left = trials.world.build(f"stage-{event}"), itertools.count()

        def wait(
            process: subprocess.Popen[bytes], event: str = event, build: Build = build
        ) -> bool:
            if next(left) >= trials.options.each:  # noqa: B023
                return False
            return _begins(build, event, process) and not ended(
                process, trials.rng.choice([0.0, 0.01, 0.05, 0.2])
            )

        yield trials.killed(f"when `{event}` begins", build, wait)


def tests(trials: Trials) -> Iterator[Row]:
    """While the teacher, or the best, is tested: the tests are all that a store lacks."""
    tried = survived = 0
    kills: collections.Counter[str] = collections.Counter()
    for number in range(2 * trials.options.each):
        build = trials.world.build(f"tests{number}")
        shutil.copytree(trials.whole.store, build.store)
        for record in (build.store / "jobs").rglob("*.json"):
            if json.loads(record.read_text())["kind"] == "test":
                record.unlink()
        process = build.start()
        if _begins(build, "test", process, 1 + number % 2):
            process.kill()
            tried += 1
        process.wait()
        kills[build.stage()] += 1
        survived += trials.survived(build.run())
    note = ", ".join(f"{count} in {stage}" for stage, count in kills.items())
    yield Row(what="while it is tested", tried=tried, survived=survived, note=note)


def _begins(build: Build, event: str, process: subprocess.Popen[bytes], times: int = 1) -> bool:
    """Whether a process begins such a job so often; returns as soon as it does."""
    began = len(build.events())

    def seen() -> bool:
        found = [e for e in build.events()[began:] if e["event"] == f"{event}_started"]
        return len(found) >= times

    return until(process, seen)


def results(trials: Trials) -> Iterator[Row]:
    """While the result folder of another build is replaced, after each number of its files."""
    build = trials.world.build("results")
    other = replace(trials.world, settings=(*trials.world.settings, "finetune.steps=10"))
    replace(build, world=other).run()
    old, tried, whole = build.outcome(), 0, 0
    stages: collections.Counter[str] = collections.Counter()

    def written() -> set[Path]:
        return {new for new in build.folder.glob(".out.wootzc-new-*") if new.is_dir()}

    for files in range(14):
        left = written()  # by kills before
        process = build.start()

        def seen(files: int = files, left: set[Path] = left) -> bool:
            try:
                found = [new.rglob("*") for new in written() - left]
                return any(sum(path.is_file() for path in one) >= files for one in found)
            except OSError:  # it is being taken away
                return False

        if until(process, seen):
            process.kill()
            stages[build.stage()] += 1
            tried += 1
        process.wait()
        whole += build.is_whole() and build.outcome() in (old, trials.whole.outcome())
        if build.outcome() != old:  # once more from the other
            replace(build, world=other).run("--replace")
    build.run()
    yield Row(
        what="while the result folder is switched, after 0 to 13 files",
        tried=tried,
        survived=whole - (14 - tried) if build.outcome() == trials.whole.outcome() else 0,
        note=", ".join(f"{count} in {stage}" for stage, count in stages.items())
        + "; the old result or the new, whole, after each",
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
            for path in [*sorted(target.rglob("*"), reverse=True), target]:
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


KINDS: dict[str, Callable[[Trials], Iterator[Row]]] = {
    "moments": moments,
    "period": period,
    "stages": stages,
    "tests": tests,
    "writes": writes,
    "results": results,
    "exports": exports,
    "together": together,
    "hosts": hosts,
    "cleaned": cleaned,
    "disks": disks,
    "memory": memory,
    "share": share,
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
