"""The closing summary of a build, for people."""

from collections.abc import Callable

from wootzc.builder.result.chance import plus_minus
from wootzc.builder.result.summary import Summary
from wootzc.builder.result.verdict import (
    Kind,
    blocks_origin,
    change,
    ending,
    int8_size,
    latency_text,
    percent_of,
    verdict,
)
from wootzc.ir.net.metrics import MEASURED, METRICS, Metric
from wootzc.units import bytes_text, percent, rate_text, seconds_text


def summary_text(
    summary: Summary, out: str, paint: Callable[[str, Kind], str] = lambda text, _: text
) -> str:
    """`paint` may colour the verdict."""
    teacher, best = summary.teacher, summary.best
    candidates, steps = summary.candidates, summary.steps
    compiled = summary.compilations

    def versus(one: Metric) -> str:
        full, pruned, text = teacher.costs[one.name], best.costs[one.name], one.text
        share = percent_of(pruned, full)
        saved = f"{text(full)} → {text(pruned)}  ({share}, {change(one, full, pruned, 'x', 1)})"
        note = one.note if one.known == "counted" else summary.latency_on
        return f"  {one.heading:<10}  {saved}" + (f"   ({note})" if note else "")

    figures = "\n".join(versus(METRICS[name]) for name in teacher.costs)
    rates = "  ".join(f"{one.module} {rate_text(one.rate)}" for one in summary.widths)
    now = summary.seconds_now
    stages = "  ".join(f"{name} {seconds_text(spent)}" for name, spent in now.items())
    trained = "  ".join(
        f"{name} {seconds_text(spent)}" for name, spent in summary.seconds_recorded.items()
    )
    data = summary.data
    validation, test = plus_minus(best.error), plus_minus(best.test_error)
    return f"""
{_verdict_text(summary, paint)}
{figures}
{_device_text(summary, paint)}  weights     {bytes_text(teacher.bytes)} → {bytes_text(best.bytes)}\
   (the arrays alone, in float32; size: the exported ONNX file)
  accuracy    validation {percent(teacher.validation_accuracy)} → {percent(best.accuracy)}\
   test {percent(teacher.test_accuracy)} → {percent(best.test_accuracy)}
              on {data.validation:,} and {data.test:,} images:{validation} and\
{test} points by chance
{_int8_text(summary)}  rates       {rates}
  candidates  {candidates.tried} tried, {candidates.spared} spared of \
{candidates.within_cost_limits}
{_left_text(summary)}  blocks      {_blocks_text(summary)}
  steps       teacher {steps.teacher}, blocks {steps.blocks}, candidates {steps.finetune}
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
    """A line on latency, where it was measured: below the one of what was searched by, if any."""
    device = summary.device
    took = None if device is None else latency_text(device)
    if device is None or took is None:
        return ""
    known = MEASURED & summary.teacher.costs.keys()
    text = f"              in the end {took}" if known else f"  latency     {took}"
    return (paint(text, "missed") if device.slower else text) + "\n"


def _int8_text(summary: Summary) -> str:
    """What quantising costs, where accuracies are of int8."""
    if summary.int8 is None:
        return ""
    parts = "   ".join(
        f"{name} {percent(one.float32)} → {percent(one.int8)}"
        for name, one in (("validation", summary.int8.validation), ("test", summary.int8.test))
    )
    why = int8_size(summary.best.costs["params"], summary.best.costs["size"])
    more = "" if why is None else f"              {why}\n"
    return f"  int8        {parts}  (float32 → int8, {summary.int8.on})\n{more}"


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
    if not blocks.used:
        return "none used"
    return f"{blocks.used} used ({blocks_origin(summary)}), {blocks.uses} uses"
