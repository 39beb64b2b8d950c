"""A cluster's workers on a terminal: what each does, which are idle, which are lost."""

from dataclasses import dataclass, field
from typing import assert_never

from rich.progress import Progress, TaskID

from wootzc.builder.jobs.events import RunsOn, WorkerIdle, WorkerJoined, WorkerLost


@dataclass(slots=True, kw_only=True)
class WorkerBars:
    """One line a worker, from when it joins on."""

    bars: Progress
    tasks: dict[int, TaskID] = field(default_factory=dict)
    hosts: dict[int, str] = field(default_factory=dict)

    def name(self, worker: int) -> str:
        return f"worker {worker}, {self.hosts[worker]}"

    def tell(self, event: WorkerJoined | WorkerIdle | WorkerLost) -> str | None:
        """What is printed of it, where anything is."""
        match event:
            case WorkerJoined(worker=worker, host=host, devices=devices):
                self.hosts[worker] = host
                self._show(worker, "idle")
                return f"worker {worker}: {host}, {devices}"
            case WorkerIdle(worker=worker):
                self._show(worker, "idle")
                return None
            case WorkerLost(worker=worker, host=host, doing=doing):
                self._show(worker, "lost")
                return f"lost worker {worker} ({host}): another does its {doing}"
            case _:
                assert_never(event)

    def runs(self, event: RunsOn, place: int) -> None:
        """`place`: in the search, of the candidate if it is about one."""
        what = event.what if event.candidate is None else f"{event.what} {place}"
        self._show(event.worker, what)

    def progress(self, worker: int, step: int, steps: int, note: str) -> None:
        self.bars.update(self.tasks[worker], completed=step, total=steps, note=note)

    def _show(self, worker: int, doing: str) -> None:
        if worker not in self.tasks:
            self.tasks[worker] = self.bars.add_task("", total=1, note="")
        text = f"{self.name(worker)}: {doing}"
        self.bars.reset(self.tasks[worker], description=text, total=1, completed=0, note="")
