"""Progress for people: a live display on a terminal, plain lines in a log."""

import time
from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias, assert_never

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from wootzc.builder.jobs.events import (
    ActivationsKept,
    BestKnown,
    BlocksStarted,
    BlockTrained,
    BuildFailed,
    BuildFinished,
    BuildInterrupted,
    BuildStarted,
    CandidateChosen,
    CandidatesProposed,
    DataLoaded,
    DevicesShared,
    Event,
    GradientsFinished,
    GradientsStarted,
    JobStarted,
    Noted,
    Progressed,
    Resumed,
    RunsOn,
    Sweep,
    SweepFinished,
    SweepStarted,
    Taken,
    Tested,
    Trained,
    Waiting,
    Warned,
    WorkerIdle,
    WorkerJoined,
    WorkerLost,
)  # fmt: skip
from wootzc.builder.worker_bars import WorkerBars
from wootzc.ir.net.metrics import METRICS
from wootzc.units import bytes_text, percent, seconds_text

Verbosity = Literal["quiet", "normal", "verbose"]
LOG_EVERY = 10.0  # seconds between two progress lines of a stage, in a log

STAGES = {
    "teacher": "teacher",
    "blocks": "blocks",
    "candidate": "fine-tuning",
    "polish": "polishing",
}
SWEEPS: dict[Sweep, str] = {"variant": "least squares", "score": "scores"}
STANDS = {"diverged": " DIVERGED", "paused": " paused"}  # of a candidate whose training is over
Line: TypeAlias = (
    BuildStarted | DataLoaded | DevicesShared | JobStarted | Resumed | Trained | Tested
    | BlocksStarted | BlockTrained | ActivationsKept | SweepStarted | SweepFinished
    | GradientsStarted | GradientsFinished | CandidatesProposed | Taken | Warned | Noted | Waiting
    | BuildInterrupted | BuildFailed | BuildFinished
)  # fmt: skip


class Place(NamedTuple):
    """A candidate's place in the search."""

    number: int
    text: str


class Screen:
    """A listener of build events. Use as a context manager: it restores the terminal."""

    def __init__(
        self,
        verbosity: Verbosity = "normal",
        console: Console | None = None,
        clock: Callable[[], float] = time.perf_counter,
        compiled: Callable[[], float] | None = None,  # seconds so far; as counted, if none is given
    ):
        self.clock = clock
        self.compiled = compiled or _compiled
        self.console = console or Console(highlight=False)
        self.verbosity = verbosity
        self.live = verbosity != "quiet" and self.console.is_terminal
        self.best = "none yet"
        self.last_line = 0.0
        # By worker and candidate: when a stage said a first word, compiling left out, and its step.
        self.since: dict[tuple[int | None, int | None], tuple[float, int]] = {}
        self.bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            TextColumn("ETA"),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
            disable=not self.live,
        )
        self.search: TaskID | None = None
        self.stages: dict[int | None, TaskID] = {}  # by candidate; None: teacher, blocks
        self.stage_name = ""
        self.workers = WorkerBars(bars=self.bars)
        self.places: dict[int | None, Place] = {}  # of candidates under way
        self.latest = Place(0, "")

    def __enter__(self) -> "Screen":
        self.bars.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.bars.stop()

    def __call__(self, event: Event) -> None:
        if self.verbosity == "quiet":
            return
        match event:
            case Progressed():
                self._progress(event)
            case CandidateChosen():
                self._candidate(event)
            case WorkerJoined() | WorkerIdle() | WorkerLost():
                self._print(self.workers.tell(event))
            case RunsOn(candidate=candidate):
                self.workers.runs(event, self._place(candidate).number)
            case BestKnown(cost=cost, costs=costs, met=met):
                self.best = METRICS[cost].short(costs[cost]) + ", "
                self.best += "meets the objective" if met else "closest so far"
            case _:
                self._print(self._line(event))
        match event:
            case Trained(candidate=candidate):
                self._end_stage(candidate)
                self.places.pop(candidate, None)
            case Tested() | BlockTrained() | SweepFinished() | GradientsFinished():
                self._end_stage(None)
            case _:
                pass

    def _line(self, event: Line) -> str | None:
        plain = self.verbosity != "verbose"
        match event:
            case Trained(reason="paused", steps=0) | BlockTrained() | ActivationsKept() if plain:
                return None
            case BuildStarted(candidates=candidates, blocks=blocks):
                some = f"scores will propose up to {candidates:,} candidates"
                if blocks is not None:
                    some = f"{candidates:,} candidates, {blocks:,} tuning blocks"
                return f"space {event.space}: {some}; results go to {event.out}"
            case DataLoaded():
                return (
                    f"data: {event.train:,} train, {event.validation:,} validation, "
                    f"{event.test:,} test images" + _fitted(event)
                )
            case DevicesShared(count=count, at_once=at_once):
                every = "every step over all of them"
                shared = f"{at_once} candidates at once" if at_once > 1 else every
                return f"devices: {count}, {shared}" if count > 1 else None
            case Trained(reason="paused", steps=0, start_accuracy=start):
                place = self._place(event.candidate).text
                return f"{place} {percent(start or 0.0)} before fine-tuning" + _how(event.seconds)
            case Trained():
                stands = STANDS.get(event.reason, "") if event.job == "candidate" else ""
                how = _how(event.seconds)
                if event.begun and event.seconds is not None:
                    how = f", the last {event.steps - event.begun} in {seconds_text(event.seconds)}"
                return self._trained(event) + how + stands
            case BlockTrained():
                change = f"{event.loss_first:.4g} → {event.loss_last:.4g}"
                return f"block {event.name}: loss {change}" + _how(event.seconds)
            case ActivationsKept(memory=memory, disk=disk):
                kept = f"{bytes_text(memory)} in memory, {bytes_text(disk)} on disk"
                return f"kept of the teacher: {kept}"
            case SweepFinished(of=of, variants=variants, seconds=seconds):
                many = f"{variants} variant{'s' if variants > 1 else ''}"
                return f"{SWEEPS[of]}: {many}" + _how(seconds)
            case GradientsFinished(images=images, seconds=seconds):
                return f"gradients: {images:,} images" + _how(seconds)
            case CandidatesProposed(candidates=candidates, blocks=blocks):
                return f"proposed: {candidates:,} candidates, {blocks:,} tuning blocks"
            case Warned(message=message, help=help):
                return f"warning: {message}" + (f"; {help}" if help else "")
            case Noted(message=message):
                return f"note: {message}"
            case Waiting():
                return "waiting: another build on this store is doing this job"
            case Resumed(stage=stage, candidate=candidate, step=step, steps=steps):
                label = STAGES[stage] if candidate is None else self._place(candidate).text
                return f"{label.rstrip(':')}: goes on from step {step} of {steps}"
            case JobStarted() | BlocksStarted() | SweepStarted() | GradientsStarted() | Tested():
                return None
            case Taken() | BuildInterrupted() | BuildFailed() | BuildFinished():
                return None  # the command says it
            case _:
                assert_never(event)

    def _trained(self, event: Trained) -> str:
        match event.job:
            case "teacher":
                return f"teacher: validation accuracy {percent(event.accuracy)}"
            case "candidate":
                start, end = percent(event.start_accuracy or 0.0), percent(event.accuracy)
                place = self._place(event.candidate)
                return f"{place.text} {start} → {end} in {event.steps} steps"
            case "polish":
                accuracy = percent(event.accuracy)
                place = self._place(event.candidate)
                return f"{place.text} polished to {accuracy} in {event.steps} steps"
            case _:
                assert_never(event.job)

    def _candidate(self, event: CandidateChosen) -> None:
        cost = METRICS[event.cost].short(event.costs[event.cost])
        text = f"candidate {event.position}/{event.of} ({cost}):"
        self.latest = self.places[event.candidate] = Place(event.position, text)
        if not self.live:
            return
        if self.search is None:
            self.search = self.bars.add_task("search", total=event.of, note="")
        done, note = event.position - len(self.places), f"at most; best: {self.best}"
        self.bars.update(self.search, completed=done, note=note)

    def _progress(self, event: Progressed) -> None:
        name, step, steps, which = STAGES[event.stage], event.step, event.steps, event.candidate
        note = "" if event.loss is None else f"loss {event.loss:.4f}"
        if event.accuracy is not None:
            note += f" accuracy {percent(event.accuracy)}"
        if step == 0:  # what its steps need comes first
            note += " compiling"
        several = which is not None and len(self.places) > 1
        label = f"{name} {self._place(which).number}" if several else name
        if event.worker is not None:
            label += f" ({self.workers.name(event.worker)})"
            self.workers.progress(event.worker, step, steps, note)
        elif self.live:
            if which not in self.stages or name != self.stage_name:
                self._end_stage(which)
                self.stages[which] = self.bars.add_task(label, total=steps, note=note)
                self.stage_name = name
            self.bars.update(self.stages[which], completed=step, note=note)
        if self.live:
            return
        now = self.clock()
        working, run = now - self.compiled(), (event.worker, which)
        if run not in self.since:
            self.last_line = max(self.last_line, now) if self.since else now
        began, first = self.since.setdefault(run, (working, step))
        if self.verbosity == "verbose" or now - self.last_line >= LOG_EVERY:
            self.last_line = now
            left = max(working - began, 0.0) / max(step - first, 1) * (steps - step)
            eta = f", ETA {seconds_text(left)}" if step > first else ""
            self._print(f"  {label} {step}/{steps} {note}{eta}")

    def _print(self, line: str | None) -> None:
        if line:
            self.console.print(line, soft_wrap=True)

    def _place(self, candidate: int | None) -> Place:
        return self.places.get(candidate, self.latest)

    def _end_stage(self, candidate: int | None) -> None:
        self.since = {run: since for run, since in self.since.items() if run[1] != candidate}
        if candidate in self.stages:
            self.bars.remove_task(self.stages.pop(candidate))


def _compiled() -> float:
    """Seconds that XLA took in this process."""
    from wootzc.backends.flax.device.compiles import compilations

    done = compilations()
    return done.seconds + done.seconds_reading


def _fitted(event: DataLoaded) -> str:
    if not event.fitted_from:
        return ""
    before, after = ("x".join(map(str, shape)) for shape in (event.fitted_from, event.shape))
    return f", fitted from {before} to {after}"


def _how(seconds: float | None) -> str:
    return " (from the store)" if seconds is None else f" ({seconds_text(seconds)})"
