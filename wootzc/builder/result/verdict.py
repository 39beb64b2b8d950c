"""What a result says of its objective, and how its search ended, in words.

The closing summary and the report say the same, from what `result.json` holds.
"""

from dataclasses import dataclass
from typing import Literal

from wootzc.builder.result.summary import DeviceFigures, Summary
from wootzc.ir.net.metrics import Metric
from wootzc.units import bytes_text, percent

# doubtful: met on the images that chose it, but not on those of the test.
Kind = Literal["met", "doubtful", "missed"]
UNJUDGED = "its fine-tuning was paused, and what is paused is not judged"
NOISE = 1e-6  # an accuracy limit is a hair lower than it was written


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    kind: Kind
    headline: str  # "objective met", and what must stand beside it
    detail: str | None = None  # the drop, where it was judged


def verdict(summary: Summary) -> Verdict:
    """Whether the objective is met, on which images, and by how much."""
    best = summary.best
    detail = _judged(summary)
    taken = summary.taken
    who = "objective" if taken is None else f"candidate {taken}, taken by hand: objective"
    judgement = summary.judgement
    target = summary.target_accuracy
    if not summary.objective_met and (target is None or best.accuracy >= target):
        why = UNJUDGED if best.reason == "paused" else "what was seen may be by chance"
        headline = f"{who} NOT met: {why}"
        return Verdict(kind="missed", headline=headline, detail=detail)
    if not summary.objective_met and target is not None:
        short = 100 * (target - best.accuracy)
        return Verdict(
            kind="missed",
            headline=f"{who} NOT met: accuracy {percent(best.accuracy)} is {short:.2f} points "
            f"below {percent(target)}",
            detail=detail,
        )
    beyond = _beyond_on_test(summary)
    if beyond is not None:
        headline = f"{who} met on validation; on test {beyond}"
        return Verdict(kind="doubtful", headline=headline, detail=detail)
    if judgement and not judgement.holds:
        headline = f"{who} met on validation, but the drop may be beyond the limit"
        return Verdict(kind="doubtful", headline=headline, detail=detail)
    return Verdict(kind="met", headline=f"{who} met", detail=detail)


def blocks_origin(summary: Summary) -> str:
    """How the blocks of this build came to be."""
    blocks = summary.blocks
    if not summary.steps.blocks:  # none took a step
        return "refitted by least squares"
    return f"{blocks.trained:,} trained, {blocks.from_store:,} from the store"


def change(cost: Metric, full: int, pruned: int, times: str, digits: int) -> str:
    """By how much a cost fell, or rose: 79.5x smaller. `times` stands behind the number."""
    less, more = ("faster", "slower") if cost.known == "measured" else ("smaller", "larger")
    factor = full / max(pruned, 1) if pruned <= full else pruned / max(full, 1)
    return f"{factor:.{digits}f}{times} {less if pruned <= full else more}"


def percent_of(pruned: int, full: int) -> str:
    """What is left of a cost. A network may have had none of it."""
    return f"{pruned / full if full else 1.0:.1%}"


def int8_size(weights: int, file: int) -> str | None:
    """Why an int8 file of so many bytes is hardly smaller; None where weights are most of it."""
    if 2 * weights >= file:
        return None
    return (
        f"about {bytes_text(weights)} of the file's {bytes_text(file)} are weights: the rest, its "
        "nodes with names and scales, int8 makes no smaller"
    )


def latency_text(device: DeviceFigures) -> str | None:
    """What one image takes: 0.412 → 0.243 ms  (0.59 of the time, …). None: it was not measured.

    The second figure is the first one's share: readings of one round are compared, so that what
    slows the machine down between rounds does not make the two contradict their ratio.
    """
    before, after = device.before.latency, device.after.latency
    if before is None or after is None:
        return None
    spread = f"{after.ratio_low:.2f}–{after.ratio_high:.2f} in half of the readings"
    return (
        f"{before.median:.3g} → {after.ratio * before.median:.3g} ms  "
        f"({share_text(device)}, {spread}; {device.on})"
    )


def share_text(device: DeviceFigures) -> str:
    """0.59 of the time. Where it was measured."""
    took = device.after.latency
    assert took is not None
    if device.within_noise:
        return f"within noise, {took.ratio:.2f} of the time"
    return f"{'SLOWER: ' * device.slower}{took.ratio:.2f} of the time"


def memory_text(device: DeviceFigures) -> str:
    """Activations and file: 65.5 kB → 49.2 kB, the file 1.1 MB → 0.4 MB."""
    before, after = device.before, device.after
    file = f"the ONNX file {bytes_text(before.size)} → {bytes_text(after.size)}"
    if before.memory is None or after.memory is None:
        return file
    peak = f"{bytes_text(before.memory)} → {bytes_text(after.memory)}"
    return f"{peak} of activations at the peak; {file}"


def _beyond_on_test(summary: Summary) -> str | None:
    """How far the test accuracy is beyond the limit; None where it holds, or nobody knows."""
    limit, best = summary.test_target, summary.best
    if limit is None or best.test_accuracy >= limit:
        return None
    teacher = summary.teacher.test_accuracy
    change = f"{100 * (best.test_accuracy - teacher):+.1f}".replace("-", "−")
    if teacher <= limit + NOISE:  # the teacher does not hold it either
        return f"{percent(best.test_accuracy)}, beyond the limit of {percent(limit)}"
    return f"{change} points, beyond the limit of {100 * (teacher - limit):.1f}"


def _judged(summary: Summary) -> str | None:
    """The drop that the best network is expected to have on images that did not choose it."""
    judgement = summary.judgement
    if not judgement:
        return None
    drop = f"expected drop {100 * judgement.drop:.1f} ± {100 * judgement.error:.1f} points"
    among = f"by validation, corrected for the choice among {judgement.among} tried"
    if judgement.confidence is not None:
        among += f"; at {100 * judgement.confidence:.4g} % confidence"
    if judgement.limit is None:
        return f"{drop} ({among})"
    side = "within" if judgement.holds else "beyond"
    return f"{drop} ({among}), {side} the limit of {100 * judgement.limit:.1f}"


def ending(summary: Summary) -> str | None:
    """How the search ended; None where it ended at a success."""
    left, ended = summary.search.left, summary.search.ended
    if ended == "met":
        return None
    if left is None:
        alone = {
            "all": "everything was tried",
            "budget": "the budget was spent",
            "interrupted": "interrupted: the best so far; the same command again goes on",
        }
        return alone.get(ended, ended)
    out = f"{left.ruled_out:,}"
    if summary.objective.startswith("maximize"):  # by accuracy: any of them may be better
        which, fails = "untried", "be better"
    else:
        which, fails = "that would be better", "hold"
    words = {
        "all": "nothing better is left to try",
        "ruled out": f"{out} {which} {'is' if out == '1' else 'are'} unlikely to {fails}",
        "certified": f"{out} {which} are ruled out together: chance {percent(left.chance)} "
        f"that any would {fails}",
        "budget": f"the budget was spent: of those {which} {out} are unlikely to {fails}, "
        f"{left.open:,} are not ruled out",
    }
    return words.get(ended, ended)
