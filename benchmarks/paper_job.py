"""One build of benchmarks/paper_table.py, in a process of its own, and what each of its jobs took.

    python benchmarks/paper_job.py space.wz out store meter.jsonl

Every line of the meter is what was spent since the line before: seconds of the processor and of the
clock. A build that goes on adds lines to the same file; what it takes to get to where it stood is
not counted. Importing, reading the data, the teacher and the test images are not counted either.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from wootzc.builder import Interrupted, Options, build
from wootzc.builder.jobs.events import (
    BlocksStarted,
    BlockTrained,
    Event,
    JobStarted,
    SweepFinished,
    SweepStarted,
    Trained,
)


class Meter:
    """Listens to a build."""

    def __init__(self, path: Path):
        self.going_on = path.exists()
        self.file = path.open("a", encoding="utf-8")
        self.mark = _now()

    def __call__(self, event: Event) -> None:
        match event:
            case JobStarted(job="candidate") | SweepStarted() | BlocksStarted() if self.going_on:
                self.mark, self.going_on = _now(), False
            case Trained(job="teacher"):
                self.mark = _now()
            case Trained(job="candidate", seconds=took) if took is not None:
                self.note(job="candidate", candidate=event.candidate, until=event.steps)
            case BlockTrained(steps=steps):
                self.note(job="block", steps=steps)
            case SweepFinished(of=of):
                self.note(job=of)
            case _:
                pass

    def note(self, **what: Any) -> None:
        before, self.mark = self.mark, _now()
        took = {key: after - before[key] for key, after in self.mark.items()}
        self.file.write(json.dumps(what | took) + "\n")
        self.file.flush()


def _now() -> dict[str, float]:
    used = os.times()
    return {"cpu": used.user + used.system, "seconds": time.perf_counter()}


def main() -> int:
    source, out, store, meter = map(Path, sys.argv[1:])
    heard = Meter(meter)
    try:
        build(source, Options(out=out, store=store), [heard])
    except (KeyboardInterrupt, Interrupted):
        heard.note(job="interrupted")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
