"""What is done around a build, rather than to it: for `kill_resume.py`."""

import collections
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from kill_world import Build, Row, Trials, processor_seconds, resident, until

HOSTS_IN = ("teacher", "blocks", "candidate", "polish", "test")
NO_RIGHTS = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs")


def together(trials: Trials) -> Iterator[Row]:
    """Four builds on one store, undisturbed; then each of them killed now and then."""
    for what, kills in (("four builds on one store at once", 0), ("…, each killed twice", 2)):
        store = trials.world.folder / f"shared{kills}"
        builds = [replace(trials.world.build(f"four{kills}-{n}"), shared=store) for n in range(4)]
        left = {build.folder: kills for build in builds}
        running = {build.folder: (build, build.start()) for build in builds}
        began = dict.fromkeys(running, 0)  # processes, before the one that runs
        killed: collections.Counter[str] = collections.Counter()
        while running:
            time.sleep(trials.rng.uniform(0.5, 3.0))
            for folder, (build, process) in list(running.items()):
                if process.poll() is not None:
                    del running[folder]
                elif build.starts() == began[folder] or build.stage() == "start":
                    continue  # it has no job yet
                elif left[folder] and trials.rng.random() < 0.3:
                    process.kill()
                    process.wait()
                    left[folder] -= 1
                    killed[build.stage()] += 1
                    began[folder] = build.starts()
                    running[folder] = build, build.start()
        made = collections.Counter(
            (event["event"], event.get("name"))
            for build in builds
            for event in build.events()
            if event.get("seconds") is not None and "name" in event
        )
        twice = sum(count > 1 for count in made.values())
        survived = sum(trials.survived(build) for build in builds)
        stages = "".join(f"{count} in {stage}, " for stage, count in killed.items())
        note = f"{stages}{len(made)} jobs, {twice} of them made twice"
        yield Row(what=what, tried=4, survived=survived, note=note)


def hosts(trials: Trials) -> Iterator[Row]:
    """One build on two hosts, processes of this machine: in each stage one is killed, then the
    other.
    """
    whole, build = trials.world.build("hosts-whole"), trials.world.build("hosts")
    for process in _pair(whole):
        process.wait()
    kills: collections.Counter[str] = collections.Counter()
    left = 0  # pairs of which the other ended too
    aims = [(stage, victim) for stage in HOSTS_IN for victim in (1, 0)]
    for stage, victim in aims:
        pair, began = _pair(build), build.starts()

        def there(stage: str = stage, began: int = began) -> bool:
            return build.starts() > began and build.stage() == stage

        if until(pair[0], there):
            pair[victim].kill()
            kills[build.stage()] += 1
            for process in pair:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(60)
            left += all(process.poll() is not None for process in pair)
        for process in pair:
            process.kill()
            process.wait()
    codes = [process.wait() for process in _pair(build)]
    same = build.outcome() == whole.outcome() is not None and codes == [0, 0]
    killed = ", ".join(f"{count} in {stage}" for stage, count in kills.items())
    note = f"{killed}; the other ended within a minute {left} times, then run again: same bytes"
    hit = kills == collections.Counter(stage for stage, _ in aims)
    yield Row(what="one of two hosts that build together, in each stage", tried=len(aims),
              survived=left if same and hit and build.is_quiet() else 0, note=note)  # fmt: skip


def _pair(build: Build) -> list["subprocess.Popen[bytes]"]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    return [
        build.start(
            "--hosts", address, "--host", f"{host}/2",
            environment={"WOOTZC_STORE": str(build.folder / f"store{host}")},
        )
        for host in (0, 1)
    ]  # fmt: skip


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


CLOCKED = """
import sys, time
from wootzc.builder.jobs.checkpoints import Checkpoints, Keeper
from wootzc.cli import main

spent, written, call, write = 0.0, 0, Keeper.__call__, Checkpoints.write

def clocked(keeper, take):
    global spent
    began = time.process_time()
    call(keeper, take)
    spent += time.process_time() - began

def counted(checkpoints, key, checkpoint):
    global written
    written += 1
    write(checkpoints, key, checkpoint)

Keeper.__call__, Checkpoints.write = clocked, counted
try:
    main()
finally:
    print("clocked", spent, time.process_time(), written, flush=True)
"""


def share(trials: Trials) -> Iterator[Row]:
    """Of the processor's seconds of a build, those in which a state is taken or written."""
    world = replace(trials.world, settings=(*trials.world.settings, *trials.options.long))
    build = world.build("share")
    build.start(python=CLOCKED).wait()
    (line,) = [one for one in build.said.read_text().splitlines() if one.startswith("clocked")]
    spent, whole, written = map(float, line.split()[1:])
    note = f"{spent:.2f} of {whole:.0f} s of the processor, {written:.0f} checkpoints"
    yield Row(what="taking and writing checkpoints, 2 % at most", tried=1,
              survived=int(spent / whole < 0.02), note=f"{spent / whole:.2%}: {note}")  # fmt: skip


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
