"""Kills while something of a store is being written: for `kill_resume.py`.

The process strikes itself down, so that a kill is where its row says it is: with half of a file on
disk, with all of it under its temporary name, or with its name just given.
"""

import collections
import json
import os
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal

from kill_world import Row, Trials, events_in, latest, stage_of

from wootzc.cli import main

Moment = Literal["half", "unnamed", "named"]
MOMENTS: tuple[Moment, ...] = ("half", "unnamed", "named")
WRITTEN = {  # by each stage, in this order
    "teacher": ("checkpoints", "artifacts", "jobs"),
    "blocks": ("checkpoints", "artifacts", "jobs"),
    "candidate": ("checkpoints", "artifacts", "jobs"),
    "polish": ("checkpoints", "artifacts", "jobs"),
    "test": ("jobs",),
}
NAMES = {"checkpoints": "a checkpoint", "artifacts": "an artifact", "jobs": "a record"}
STRUCK = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import kill_writes; kill_writes.struck()"  # noqa: E501


def writes(trials: Trials) -> Iterator[Row]:
    """While a checkpoint, an artifact, or a record is being written, in every stage."""
    for stage, folders in WRITTEN.items():
        build, kills = trials.world.build(f"writing-{stage}"), collections.Counter[str]()
        for folder in folders:
            for moment in MOMENTS:
                log = build.out / "log.jsonl"
                aim = {"folder": folder, "stage": stage, "moment": moment, "log": str(log)}
                own = {"WOOTZC_CHECKPOINT_SECONDS": "0", "KILL_AT": json.dumps(aim)}
                code = build.start(environment=own, python=STRUCK).wait()
                if code == -signal.SIGKILL:
                    kills[f"{NAMES[folder]} in {build.stage()}"] += 1
        build.run()
        note = ", ".join(f"{count} of {what}" for what, count in kills.items())
        tried = len(folders) * len(MOMENTS)
        hit = all(what.endswith(f" in {stage}") for what in kills) and kills.total() == tried
        yield Row(what=f"while `{stage}` writes: half written, not yet named, just named",
                  tried=tried, survived=tried if hit and trials.survived(build) else 0,
                  note=note)  # fmt: skip


def struck() -> None:
    """A build that ends by its own hand where $KILL_AT says."""
    aim = json.loads(os.environ["KILL_AT"])

    def is_there(path: Path, *moments: Moment) -> bool:
        there = aim["moment"] in moments and path.parent.parent.name == aim["folder"]
        return there and stage_of(latest(events_in(Path(aim["log"])))) == aim["stage"]

    def synced(real: Callable[[int], None], handle: int) -> None:
        real(handle)
        path = Path(os.readlink(f"/proc/self/fd/{handle}"))
        if is_there(path, "half", "unnamed"):
            if aim["moment"] == "half":
                os.ftruncate(handle, os.fstat(handle).st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)

    def moved(real: Callable[..., None], source: Any, target: Any, **more: Any) -> None:
        real(source, target, **more)
        if is_there(Path(target), "named"):
            os.kill(os.getpid(), signal.SIGKILL)

    os.fsync = partial(synced, os.fsync)  # type: ignore[assignment]
    os.replace = partial(moved, os.replace)
    os.link = partial(moved, os.link)
    main()
