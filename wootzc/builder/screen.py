"""Progress for people: a live display on a terminal, plain lines in a log."""

import time
from collections.abc import Callable
from types import TracebackType
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
    WorkerJoined,
    WorkerLost,
)  # fmt: skip
from wootzc.builder.result.chance import half_width
from wootzc.builder.result.summary import Summary
from wootzc.builder.result.verdict import Kind, ending, latency_text, memory_text, verdict
from wootzc.ir.net.metrics import METRICS, Metric, costs
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
    | CandidatesProposed | Taken | Warned | Noted | Waiting | BuildInterrupted | BuildFailed
    | BuildFinished | WorkerJoined | WorkerLost
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
    ):
        self.clock = clock
        self.console = console or Console(highlight=False)
        self.verbosity = verbosity
        self.live = verbosity != "quiet" and self.console.is_terminal
        self.best = "none yet"
        self.last_line = 0.0
        # By candidate: when its stage said a first word, and at what step.
        self.since: dict[int | None, tuple[float, int]] = {}
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
        self.workers: dict[int | None, str] = {}  # by candidate: which of a cluster has it
        self.places: dict[int | None, Place] = {}  # of candidates under way
        self.latest = Place(0, "")

    def __enter__(self) -> "Screen":
        self.bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.bars.stop()

    def __call__(self, event: Event) -> None:
        if self.verbosity == "quiet":
            return
        match event:
            case Progressed():
                self._progress(event)
            case CandidateChosen():
                self._candidate(event)
            case RunsOn(candidate=candidate, worker=worker, host=host):
                self.workers[candidate] = f" (worker {worker}, {host})"
            case BestKnown(cost=cost, costs=costs, met=met):
                told = "meets the objective" if met else "closest so far"
                self.best = f"{METRICS[cost].short(costs[cost])}, {told}"
            case _:
                line = self._line(event)
                if line:
                    self.console.print(line, soft_wrap=True)
        match event:
            case Trained(job="polish"):  # nothing runs beside it
                self._end_stage(None)
                self.places.clear()
            case Trained(candidate=candidate):
                self._end_stage(candidate)
                self.places.pop(candidate, None)
            case Tested() | BlockTrained() | SweepFinished():
                self._end_stage(None)
            case _:
                pass

    def _line(self, event: Line) -> str | None:
        verbose = self.verbosity == "verbose"
        match event:
            case BuildStarted():
                return (
                    f"space {event.space}: {event.candidates:,} candidates, "
                    f"{event.blocks:,} tuning blocks; results go to {event.out}"
                )
            case DataLoaded():
                return (
                    f"data: {event.train:,} train, {event.validation:,} validation, "
                    f"{event.test:,} test images" + _fitted(event)
                )
            case DevicesShared(count=count, at_once=at_once):
                every = "every step over all of them"
                shared = f"{at_once} candidates at once" if at_once > 1 else every
                return f"devices: {count}, {shared}" if count > 1 else None
            case WorkerJoined(worker=worker, host=host, devices=devices):
                return f"worker {worker}: {host}, {devices}"
            case WorkerLost(worker=worker, host=host, doing=doing):
                return f"lost worker {worker} ({host}): another does its {doing}"
            case Trained():
                stands = STANDS.get(event.reason, "") if event.job == "candidate" else ""
                return self._trained(event) + _how(event.seconds) + stands
            case BlockTrained():
                if not verbose:
                    return None
                change = f"{event.loss_first:.4g} → {event.loss_last:.4g}"
                return f"block {event.name}: loss {change}" + _how(event.seconds)
            case ActivationsKept(memory=memory, disk=disk):
                if not verbose:
                    return None
                kept = f"{bytes_text(memory)} in memory, {bytes_text(disk)} on disk"
                return f"kept of the teacher: {kept}"
            case SweepFinished(of=of, variants=variants, seconds=seconds):
                return f"{SWEEPS[of]}: {variants} variants" + _how(seconds)
            case CandidatesProposed(candidates=candidates):
                return f"proposed: {candidates:,} candidates"
            case Warned(message=message):
                return f"warning: {message}"
            case Noted(message=message):
                return f"note: {message}"
            case Waiting():
                return "waiting: another build on this store is doing this job"
            case Resumed(stage=stage, candidate=candidate, step=step, steps=steps):
                label = STAGES[stage] if candidate is None else self._place(candidate).text
                return f"{label.rstrip(':')}: goes on from step {step} of {steps}"
            case JobStarted() | BlocksStarted() | SweepStarted() | Tested():
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
                return f"{self.latest.text} polished to {accuracy} in {event.steps} steps"
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
        self.bars.update(
            self.search,
            completed=event.position - len(self.places),
            note=f"at most; best: {self.best}",
        )

    def _progress(self, event: Progressed) -> None:
        name, step, steps, which = STAGES[event.stage], event.step, event.steps, event.candidate
        note = "" if event.loss is None else f"loss {event.loss:.4f}"
        if event.accuracy is not None:
            note += f" accuracy {percent(event.accuracy)}"
        several = which is not None and len(self.places) > 1
        label = f"{name} {self._place(which).number}" if several else name
        label += self.workers.get(which, "")
        if self.live:
            if which not in self.stages or name != self.stage_name:
                self._end_stage(which)
                self.stages[which] = self.bars.add_task(label, total=steps, note=note)
                self.stage_name = name
            self.bars.update(self.stages[which], completed=step, note=note)
            return
        now = self.clock()
        if which not in self.since:
            self.since[which] = now, step
            self.last_line = max(self.last_line, now) if len(self.since) > 1 else now
        if self.verbosity == "verbose" or now - self.last_line >= LOG_EVERY:
            self.last_line = now
            began, first = self.since[which]
            eta = (now - began) / max(step - first, 1) * (steps - step)
            self.console.print(
                f"  {label} {step}/{steps} {note}, ETA {seconds_text(eta)}", soft_wrap=True
            )

    def _place(self, candidate: int | None) -> Place:
        return self.places.get(candidate, self.latest)

    def _end_stage(self, candidate: int | None) -> None:
        self.since.pop(candidate, None)
        if candidate in self.stages:
            self.bars.remove_task(self.stages.pop(candidate))


def _fitted(event: DataLoaded) -> str:
    if not event.fitted_from:
        return ""
    before, after = ("x".join(map(str, shape)) for shape in (event.fitted_from, event.shape))
    return f", fitted from {before} to {after}"


def _how(seconds: float | None) -> str:
    return " (from the store)" if seconds is None else f" ({seconds_text(seconds)})"


def summary_text(
    summary: Summary, out: str, paint: Callable[[str, Kind], str] = lambda text, _: text
) -> str:
    """The closing summary of a build; `paint` may colour the verdict."""
    teacher, best = summary.teacher, summary.best
    candidates, steps = summary.candidates, summary.steps
    compiled = summary.compilations

    def versus(one: Metric) -> str:
        full, pruned, text = teacher.costs[one.name], best.costs[one.name], one.text
        ratio = full / max(pruned, 1)
        saved = f"{text(full)} → {text(pruned)}  ({pruned / full:.1%}, {ratio:.1f}x smaller)"
        return f"  {one.heading:<10}  {saved}" + (f"   ({one.note})" if one.note else "")

    figures = "\n".join(versus(one) for one in costs().values())
    rates = "  ".join(
        f"{module} {100 * rate:.4g}%"
        for module, rate in zip(summary.modules, best.rates, strict=True)
    )
    now = summary.seconds_now
    stages = "  ".join(f"{name} {seconds_text(spent)}" for name, spent in now.items())
    trained = "  ".join(
        f"{name} {seconds_text(spent)}" for name, spent in summary.seconds_recorded.items()
    )
    data = summary.data
    validation = 100 * half_width(best.accuracy, data.validation)
    test = 100 * half_width(best.test_accuracy, data.test)
    return f"""
{_verdict_text(summary, paint)}
{figures}
{_device_text(summary, paint)}  weights     {bytes_text(teacher.bytes)} → {bytes_text(best.bytes)}
  accuracy    validation {percent(teacher.validation_accuracy)} → {percent(best.accuracy)}\
   test {percent(teacher.test_accuracy)} → {percent(best.test_accuracy)}
              on {data.validation:,} and {data.test:,} images: ± {validation:.1f} and \
± {test:.1f} points by chance
  rates       {rates}
  candidates  {candidates.tried} tried, {candidates.spared} spared of \
{candidates.within_cost_limits}
{_left_text(summary)}  blocks      {_blocks_text(summary)}
  steps       teacher {steps.teacher}, blocks {steps.blocks}, finetune {steps.finetune}
  time        {stages}
  compiled    {compiled.count} programs in {seconds_text(compiled.seconds)}; \
{compiled.from_cache} more came from the cache
  trained in  {trained}
  result      {out}/best   report: {out}/report.html"""


def _verdict_text(summary: Summary, paint: Callable[[str, Kind], str]) -> str:
    """A line on the objective, and one or two more where they are needed."""
    said = verdict(summary)
    lines = [paint(f"{said.headline}: {summary.objective}", said.kind)]
    if said.kind == "missed":
        closest = "" if summary.taken else "; the closest candidate is written."
        lines = [paint(f"{said.headline}{closest}", said.kind)]
        if not summary.taken:
            lines.append("  ways on: a lower accuracy limit, lower rates, more finetune steps")
    if said.detail is not None:
        lines.insert(1, f"  {said.detail}")
    return "\n".join(lines)


def _device_text(summary: Summary, paint: Callable[[str, Kind], str]) -> str:
    """Latency, where it was measured, and memory: a line each."""
    device = summary.device
    if device is None:
        return ""
    memory, took = f"  memory      {memory_text(device)}\n", latency_text(device)
    if took is None:
        return memory
    text = f"  latency     {took}"
    return (paint(text, "missed") if device.slower else text) + "\n" + memory


def _left_text(summary: Summary) -> str:
    """How the search ended, and what it did not rule out: a line or two."""
    why, left, cost = ending(summary), summary.search.left, summary.metric
    lines = [] if why is None else [f"              {why}"]
    lines += [
        f"              not ruled out: {cost.short(one.costs[cost.name])}, expected "
        f"{percent(one.forecast.accuracy)}, chance {percent(one.forecast.chance)}"
        for one in (() if left is None else left.likeliest)
    ]
    return "".join(line + "\n" for line in lines)


def _blocks_text(summary: Summary) -> str:
    blocks = summary.blocks
    origin = f"{blocks.trained} trained, {blocks.from_store} from the store"
    if blocks.used and not summary.steps.blocks:
        origin = "refitted by least squares"
    return f"{blocks.used} used ({origin}), {blocks.uses} uses"
