"""Progress for people: a live display on a terminal, plain lines in a log."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Literal, NamedTuple

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

from wootzc.build.chance import half_width
from wootzc.build.chosen import cost_of
from wootzc.build.verdict import Kind, ending, verdict
from wootzc.ir.metrics import METRICS, Metric, costs
from wootzc.units import bytes_text, percent, seconds_text

Verbosity = Literal["quiet", "normal", "verbose"]
LOG_EVERY = 10.0  # seconds between two progress lines of a stage, in a log

STAGES = {
    "teacher": "teacher",
    "blocks": "blocks",
    "candidate": "fine-tuning",
    "polish": "polishing",
}


class Place(NamedTuple):
    """A candidate's place in the search."""

    number: int
    text: str


class Screen:
    """A listener of build events. Use as a context manager: it restores the terminal."""

    def __init__(self, verbosity: Verbosity = "normal", console: Console | None = None):
        self.console = console or Console(highlight=False)
        self.verbosity = verbosity
        self.live = verbosity != "quiet" and self.console.is_terminal
        self.best = "none yet"
        self.last_line = 0.0
        self.since: dict[int | None, float] = {}  # by candidate: when its stage said a first word
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

    def __call__(self, kind: str, fields: dict[str, Any]) -> None:
        if self.verbosity == "quiet":
            return
        match kind:
            case "progress":
                self._progress(fields)
            case "candidate" | "polish":
                self._candidate(fields)
            case _:
                line = self._line(kind, fields)
                if line:
                    self.console.print(line, soft_wrap=True)
        if kind.endswith(("_finished", "_reused")):
            self._end_stage(fields.get("candidate"))
        if kind in ("candidate_finished", "candidate_reused"):
            self.places.pop(fields.get("candidate"), None)
        if kind in ("polish_finished", "polish_reused"):  # nothing runs beside it
            self.places.clear()

    def _line(self, kind: str, fields: dict[str, Any]) -> str | None:
        verbose = self.verbosity == "verbose"
        match kind:
            case "build_started":
                return (
                    f"space {fields['space']}: {fields['candidates']:,} candidates, "
                    f"{fields['blocks']:,} tuning blocks; results go to {fields['out']}"
                )
            case "data_loaded":
                return (
                    f"data: {fields['train']:,} train, {fields['validation']:,} validation, "
                    f"{fields['test']:,} test images" + _fitted(fields)
                )
            case "devices" if fields["count"] > 1:
                return f"devices: {fields['count']}, {_shared(fields)}"
            case "teacher_finished" | "teacher_reused":
                return f"teacher: validation accuracy {percent(fields['accuracy'])}" + _how(fields)
            case "block_finished" if verbose:
                return (
                    f"block {fields['name']}: loss {fields['loss_first']:.4g} → "
                    f"{fields['loss_last']:.4g}" + _how(fields)
                )
            case "activations_kept" if verbose:
                return (
                    f"kept of the teacher: {bytes_text(fields['memory'])} in memory, "
                    f"{bytes_text(fields['disk'])} on disk"
                )
            case "candidate_finished" | "candidate_reused":
                return (
                    f"{self._place(fields).text} {percent(fields['start_accuracy'])} → "
                    f"{percent(fields['accuracy'])} in {fields['steps']} steps"
                    + _how(fields)
                    + {"diverged": " DIVERGED", "paused": " paused"}.get(
                        fields.get("reason", ""), ""
                    )
                )
            case "polish_finished" | "polish_reused":
                return (
                    f"{self.latest.text} polished to {percent(fields['accuracy'])} "
                    f"in {fields['steps']} steps" + _how(fields)
                )
            case "variants_finished":
                return f"least squares: {_variants(fields)}"
            case "scores_finished":
                return f"scores: {_variants(fields)}"
            case "proposed":
                return f"proposed: {fields['candidates']:,} candidates"
            case "best":
                met = "meets the objective" if fields["met"] else "closest so far"
                self.best = f"{_cost(fields)}, {met}"
                return None
            case "warning":
                return f"warning: {fields['message']}"
            case "note":
                return f"note: {fields['message']}"
            case "waiting":
                return f"waiting: {fields['message']}"
            case _:
                return None

    def _candidate(self, fields: dict[str, Any]) -> None:
        place = f"candidate {fields['position']}/{fields['of']} ({_cost(fields)}):"
        self.latest = self.places[fields.get("candidate")] = Place(fields["position"], place)
        if not self.live:
            return
        if self.search is None:
            self.search = self.bars.add_task("search", total=fields["of"], note="")
        self.bars.update(
            self.search,
            completed=fields["position"] - len(self.places),
            note=f"at most; best: {self.best}",
        )

    def _progress(self, fields: dict[str, Any]) -> None:
        name, step, steps = STAGES[fields["stage"]], fields["step"], fields["steps"]
        note = "" if fields.get("loss") is None else f"loss {fields['loss']:.4f}"
        if fields.get("accuracy") is not None:
            note += f" accuracy {percent(fields['accuracy'])}"
        which = fields.get("candidate")
        several = which is not None and len(self.places) > 1
        label = f"{name} {self._place(fields).number}" if several else name
        if self.live:
            if which not in self.stages or name != self.stage_name:
                self._end_stage(which)
                self.stages[which] = self.bars.add_task(label, total=steps, note=note)
                self.stage_name = name
            self.bars.update(self.stages[which], completed=step, note=note)
            return
        now = time.perf_counter()
        if which not in self.since:
            self.since[which] = now
            self.last_line = max(self.last_line, now) if len(self.since) > 1 else now
        if self.verbosity == "verbose" or now - self.last_line >= LOG_EVERY:
            self.last_line = now
            eta = (now - self.since[which]) / max(step, 1) * (steps - step)
            self.console.print(
                f"  {label} {step}/{steps} {note}, ETA {seconds_text(eta)}", soft_wrap=True
            )

    def _place(self, fields: dict[str, Any]) -> Place:
        """Of the candidate that an event is about."""
        return self.places.get(fields.get("candidate"), self.latest)

    def _end_stage(self, candidate: int | None) -> None:
        self.since.pop(candidate, None)
        if candidate in self.stages:
            self.bars.remove_task(self.stages.pop(candidate))


def _cost(fields: dict[str, Any]) -> str:
    """What it costs in the measure that the search goes by."""
    return METRICS[fields["cost"]].short(fields[fields["cost"]])


def _shared(fields: dict[str, Any]) -> str:
    at_once = fields["at_once"]
    return f"{at_once} candidates at once" if at_once > 1 else "every step over all of them"


def _variants(fields: dict[str, Any]) -> str:
    return f"{fields['variants']} variants ({seconds_text(fields['seconds'])})"


def _fitted(fields: dict[str, Any]) -> str:
    if not fields.get("fitted_from"):
        return ""
    before, after = ("x".join(map(str, fields[key])) for key in ("fitted_from", "shape"))
    return f", fitted from {before} to {after}"


def _how(fields: dict[str, Any]) -> str:
    seconds = fields.get("seconds")
    return " (from the store)" if seconds is None else f" ({seconds_text(seconds)})"


def summary_text(
    summary: dict[str, Any], out: str, paint: Callable[[str, Kind], str] = lambda text, _: text
) -> str:
    """The closing summary of a build; `paint` may colour the verdict."""
    teacher, best = summary["teacher"], summary["best"]
    candidates, steps = summary["candidates"], summary["steps"]
    compiled = summary["compilations"]

    def versus(one: Metric) -> str:
        full, pruned, text = teacher[one.name], best[one.name], one.text
        ratio = full / max(pruned, 1)
        saved = f"{text(full)} → {text(pruned)}  ({pruned / full:.1%}, {ratio:.1f}x smaller)"
        return f"  {one.heading:<10}  {saved}" + (f"   ({one.note})" if one.note else "")

    figures = "\n".join(versus(one) for one in costs().values())
    rates = "  ".join(
        f"{module} {100 * rate:.4g}%"
        for module, rate in zip(summary["modules"], best["rates"], strict=True)
    )
    now = summary["seconds_now"]
    stages = "  ".join(f"{name} {seconds_text(spent)}" for name, spent in now.items())
    trained = "  ".join(
        f"{name} {seconds_text(spent)}" for name, spent in summary["seconds_recorded"].items()
    )
    data = summary["data"]
    validation, test = [
        100 * half_width(best[key], data[part])
        for part, key in (("validation", "accuracy"), ("test", "test_accuracy"))
    ]
    return f"""
{_verdict_text(summary, paint)}
{figures}
  weights     {bytes_text(teacher["bytes"])} → {bytes_text(best["bytes"])}
  accuracy    validation {percent(teacher["validation_accuracy"])} → {percent(best["accuracy"])}\
   test {percent(teacher["test_accuracy"])} → {percent(best["test_accuracy"])}
              on {data["validation"]:,} and {data["test"]:,} images: ± {validation:.1f} and \
± {test:.1f} points by chance
  rates       {rates}
  candidates  {candidates["tried"]} tried, {candidates["spared"]} spared of \
{candidates["within_cost_limits"]}
{_left_text(summary)}  blocks      {_blocks_text(summary)}
  steps       teacher {steps["teacher"]}, blocks {steps["blocks"]}, finetune {steps["finetune"]}
  time        {stages}
  compiled    {compiled["count"]} programs in {seconds_text(compiled["seconds"])}; \
{compiled["from_cache"]} more came from the cache
  trained in  {trained}
  result      {out}/best   report: {out}/report.html"""


def _verdict_text(summary: dict[str, Any], paint: Callable[[str, Kind], str]) -> str:
    """A line on the objective, and one or two more where they are needed."""
    said = verdict(summary)
    lines = [paint(f"{said.headline}: {summary['objective']}", said.kind)]
    if said.kind == "missed":
        closest = "" if summary.get("taken") else "; the closest candidate is written."
        lines = [paint(f"{said.headline}{closest}", said.kind)]
        if not summary.get("taken"):
            lines.append("  ways on: a lower accuracy limit, lower rates, more finetune steps")
    if said.detail is not None:
        lines.insert(1, f"  {said.detail}")
    return "\n".join(lines)


def _left_text(summary: dict[str, Any]) -> str:
    """How the search ended, and what it did not rule out: a line or two."""
    why, left, cost = ending(summary), summary["search"]["left"], cost_of(summary)
    lines = [] if why is None else [f"              {why}"]
    lines += [
        f"              not ruled out: {cost.short(one[cost.name])}, expected "
        f"{percent(one['forecast']['accuracy'])}, chance {percent(one['forecast']['chance'])}"
        for one in (() if left is None else left["likeliest"])
    ]
    return "".join(line + "\n" for line in lines)


def _blocks_text(summary: dict[str, Any]) -> str:
    blocks = summary["blocks"]
    origin = f"{blocks['trained']} trained, {blocks['from_store']} from the store"
    if blocks["used"] and not summary["steps"]["blocks"]:
        origin = "refitted by least squares"
    return f"{blocks['used']} used ({origin}), {blocks['uses']} uses"
