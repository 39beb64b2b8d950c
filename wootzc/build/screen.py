"""Progress for people: a live display on a terminal, plain lines in a log."""

import time
from types import TracebackType
from typing import Any, Literal

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

from wootzc.units import count, percent, seconds_text

Verbosity = Literal["quiet", "normal", "verbose"]
LOG_EVERY = 10.0  # seconds between two progress lines of a stage, in a log

STAGES = {"teacher": "teacher", "blocks": "blocks", "candidate": "fine-tuning"}


class Screen:
    """A listener of build events. Use as a context manager: it restores the terminal."""

    def __init__(self, verbosity: Verbosity = "normal", console: Console | None = None):
        self.console = console or Console(highlight=False)
        self.verbosity = verbosity
        self.live = verbosity != "quiet" and self.console.is_terminal
        self.best = "none yet"
        self.last_line = 0.0
        self.since: float | None = None  # when the current stage said its first word
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
        self.stage: TaskID | None = None
        self.stage_name = ""

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
            case "candidate":
                self._candidate(fields)
            case _:
                line = self._line(kind, fields)
                if line:
                    self.console.print(line, soft_wrap=True)
        if kind.endswith(("_finished", "_reused")):
            self._end_stage()

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
                    f"{fields['test']:,} test images"
                )
            case "teacher_finished" | "teacher_reused":
                return f"teacher: validation accuracy {percent(fields['accuracy'])}" + _how(fields)
            case "block_finished" if verbose:
                return (
                    f"block {fields['name']}: loss {fields['loss_first']:.4g} → "
                    f"{fields['loss_last']:.4g}" + _how(fields)
                )
            case "candidate_finished" | "candidate_reused":
                return (
                    f"{self._position} {percent(fields['start_accuracy'])} → "
                    f"{percent(fields['accuracy'])} in {fields['steps']} steps"
                    + _how(fields)
                    + (" DIVERGED" if fields.get("reason") == "diverged" else "")
                )
            case "best":
                met = "meets the objective" if fields["met"] else "closest so far"
                self.best = f"{count(fields['params'])} params, {met}"
                return None
            case "warning":
                return f"warning: {fields['message']}"
            case "waiting":
                return f"waiting: {fields['message']}"
            case _:
                return None

    def _candidate(self, fields: dict[str, Any]) -> None:
        place = f"candidate {fields['position']}/{fields['of']}"
        self._position = f"{place} ({count(fields['params'])} params):"
        if not self.live:
            return
        if self.search is None:
            self.search = self.bars.add_task("search", total=fields["of"], note="")
        self.bars.update(
            self.search, completed=fields["position"] - 1, note=f"at most; best: {self.best}"
        )

    def _progress(self, fields: dict[str, Any]) -> None:
        name, step, steps = STAGES[fields["stage"]], fields["step"], fields["steps"]
        note = "" if fields.get("loss") is None else f"loss {fields['loss']:.4f}"
        if fields.get("accuracy") is not None:
            note += f" accuracy {percent(fields['accuracy'])}"
        if self.live:
            if self.stage is None or name != self.stage_name:
                self._end_stage()
                self.stage = self.bars.add_task(name, total=steps, note=note)
                self.stage_name = name
            self.bars.update(self.stage, completed=step, note=note)
            return
        now = time.perf_counter()
        if self.since is None:
            self.since = self.last_line = now
        if self.verbosity == "verbose" or now - self.last_line >= LOG_EVERY:
            self.last_line = now
            eta = (now - self.since) / max(step, 1) * (steps - step)
            self.console.print(
                f"  {name} {step}/{steps} {note}, ETA {seconds_text(eta)}", soft_wrap=True
            )

    def _end_stage(self) -> None:
        self.since = None
        if self.stage is not None:
            self.bars.remove_task(self.stage)
            self.stage = None


def _how(fields: dict[str, Any]) -> str:
    seconds = fields.get("seconds")
    return " (from the store)" if seconds is None else f" ({seconds_text(seconds)})"


def summary_text(summary: dict[str, Any], out: str) -> str:
    """The closing summary of a build."""
    teacher, best, blocks = summary["teacher"], summary["best"], summary["blocks"]
    candidates, steps = summary["candidates"], summary["steps"]

    def versus(key: str) -> str:
        full, pruned = teacher[key], best[key]
        ratio = full / max(pruned, 1)
        return f"{count(full)} → {count(pruned)}  ({pruned / full:.1%}, {ratio:.1f}x smaller)"

    rates = "  ".join(
        f"{module} {100 * rate:.4g}%"
        for module, rate in zip(summary["modules"], best["rates"], strict=True)
    )
    target = summary["target_accuracy"]
    if summary["objective_met"]:
        verdict = f"objective met: {summary['objective']}"
    else:
        verdict = (
            f"objective NOT met: accuracy {percent(best['accuracy'])} is "
            f"{100 * (target - best['accuracy']):.2f} points below {percent(target)}; "
            "the closest candidate is written.\n"
            "  ways on: a lower accuracy limit, lower rates, more pretrain or finetune steps"
        )
    now = summary["seconds_now"]
    stages = "  ".join(f"{name} {seconds_text(spent)}" for name, spent in now.items())
    trained = "  ".join(
        f"{name} {seconds_text(spent)}" for name, spent in summary["seconds_recorded"].items()
    )
    data = summary["data"]
    validation, test = [
        100 * 1.96 * (best[key] * (1 - best[key]) / data[part]) ** 0.5
        for part, key in (("validation", "accuracy"), ("test", "test_accuracy"))
    ]
    return f"""
{verdict}
  params      {versus("params")}
  MACs        {versus("macs")}   (1 MAC = 2 FLOPs)
  accuracy    validation {percent(teacher["validation_accuracy"])} → {percent(best["accuracy"])}\
   test {percent(teacher["test_accuracy"])} → {percent(best["test_accuracy"])}
              on {data["validation"]:,} and {data["test"]:,} images: ± {validation:.1f} and \
± {test:.1f} points by chance
  rates       {rates}
  candidates  {candidates["tried"]} tried, {candidates["spared"]} spared of \
{candidates["within_cost_limits"]}
  blocks      {blocks["used"]} used ({blocks["trained"]} trained, {blocks["from_store"]} from the \
store), {blocks["uses"]} uses
  steps       teacher {steps["teacher"]}, blocks {steps["blocks"]}, finetune {steps["finetune"]}
  time        {stages}
  trained in  {trained}
  result      {out}/best   report: {out}/report.html"""
