"""What is said of the objective, of the search's end, and of chance."""

import math
from dataclasses import replace
from typing import Any

import pytest

from wootzc.builder.result.chance import half_width
from wootzc.builder.result.summary import VERSION, DeviceFigures, OnDevice, Summary, from_json
from wootzc.builder.result.summary_text import summary_text
from wootzc.builder.result.verdict import ending, latency_text, memory_text, verdict

HOLDS = {
    "drop": 0.006, "error": 0.007, "optimism": 0.002, "among": 9,
    "holds": True, "limit": 0.01, "confidence": None,
}  # fmt: skip


CANDIDATE: dict[str, Any] = {
    "params": 5, "macs": 50, "candidate": 0, "rates": [0.5], "start_accuracy": 0.5,
    "accuracy": 0.965, "error": 0.01, "steps": 9, "seconds": 1.0, "reason": "steps", "met": True,
    "blocks": [], "reused": False, "key": "key", "forecast": None,
}  # fmt: skip
WHOLE: dict[str, Any] = {
    "version": VERSION, "latency_on": None, "int8": None, "built_from": None,
    "space": "s", "network": "n", "modules": ["a"],
    "objective": "minimize params, accuracy >= 96.00%", "cost": "params", "baseline": False,
    "objective_met": True, "judgement": None, "damage": None, "taken": None,
    "target_accuracy": 0.96, "test_target": 0.95,
    "teacher": {
        "params": 10, "macs": 100, "key": "teacher", "bytes": 40, "validation_accuracy": 0.97,
        "validation_error": 0.01, "test_accuracy": 0.96, "test_error": 0.01, "steps": 9,
        "seconds": 1.0, "history": [], "reused": False,
    },
    "best": CANDIDATE | {"test_accuracy": 0.955, "test_error": 0.01, "bytes": 20},
    "candidates": {"in_space": 9, "within_cost_limits": 9, "tried": 9, "spared": 0},
    "search": {"explore": "all", "ended": "all", "left": None},
    "blocks": {
        "method": "modules", "planned": 0, "used": 0, "unused": 0, "trained": 0, "from_store": 0,
        "uses": 0, "list": [],
    },
    "steps": {"teacher": 9, "blocks": 0, "finetune": 81}, "seconds_now": {},
    "compilations": {"count": 0, "seconds": 0.0, "from_cache": 0, "seconds_reading": 0.0,
        "stages": {},
    },
    "seconds_recorded": {}, "device": None,
    "tried": [CANDIDATE | {"history": []}] * 9, "widths": [],
    "data": {"source": "x", "fingerprint": "f", "train": 9, "validation": 9, "test": 9},
    "seed": 0, "store": "store", "versions": {},
}  # fmt: skip


def a_summary(**changed: Any) -> Summary:
    """A limit of one point, met on validation and on test."""
    parts = {
        name: WHOLE[name] | value if name in ("best", "search") else value
        for name, value in changed.items()
    }
    return from_json(WHOLE | parts)


def on_test(accuracy: float) -> dict[str, Any]:
    return {"accuracy": 0.965, "test_accuracy": accuracy}


@pytest.mark.parametrize(
    ("changed", "kind", "headline"),
    [
        ({}, "met", "objective met"),
        (
            {"best": on_test(0.935)},
            "doubtful",
            "objective met on validation; on test −2.5 points, beyond the limit of 1.0",
        ),
        ({"best": on_test(0.95)}, "met", "objective met"),
        (
            {"best": on_test(0.955), "test_target": 0.96},  # an absolute limit, the teacher's own
            "doubtful",
            "objective met on validation; on test 95.50 %, beyond the limit of 96.00 %",
        ),
        ({"best": on_test(0.935), "test_target": None}, "met", "objective met"),
        (
            {"objective_met": False, "best": {"accuracy": 0.93, "test_accuracy": 0.9}},
            "missed",
            "objective NOT met: accuracy 93.00 % is 3.00 points below 96.00 %",
        ),
        ({"taken": 4}, "met", "candidate 4, taken by hand: objective met"),
        (
            {"taken": 4, "objective_met": False},  # judged beside the others, not by hand
            "missed",
            "candidate 4, taken by hand: objective NOT met: what was seen may be by chance",
        ),
        (
            {"taken": 4, "objective_met": False, "best": {"reason": "paused"}},
            "missed",
            "candidate 4, taken by hand: objective NOT met: its fine-tuning was paused, and what "
            "is paused is not judged",
        ),
        (
            {"judgement": HOLDS | {"holds": False}},
            "doubtful",
            "objective met on validation, but the drop may be beyond the limit",
        ),
    ],
)
def test_a_verdict_never_says_more_than_holds(
    changed: dict[str, Any], kind: str, headline: str
) -> None:
    said = verdict(a_summary(**changed))
    assert (said.kind, said.headline) == (kind, headline)


def test_a_judged_drop_stands_beside_the_verdict() -> None:
    def detail(**changed: Any) -> str | None:
        return verdict(a_summary(**changed)).detail

    judged = (
        "expected drop 0.6 ± 0.7 points (by validation, corrected for the choice among 9 tried)"
    )
    within = f"{judged}, within the limit of 1.0"
    assert detail(judgement=HOLDS) == within
    beyond = HOLDS | {"holds": False, "confidence": 0.9, "drop": 0.012}
    assert detail(judgement=beyond) == (
        "expected drop 1.2 ± 0.7 points (by validation, corrected for the choice among 9 tried; "
        "at 90 % confidence), beyond the limit of 1.0"
    )
    unlimited = HOLDS | {"limit": None}
    assert detail(judgement=unlimited, target_accuracy=None, test_target=None) == (
        "expected drop 0.6 ± 0.7 points (by validation, corrected for the choice among 9 tried)"
    )
    assert detail(judgement=None) is detail() is None


def test_the_end_of_a_search_in_words() -> None:
    left = {"ruled_out": 21, "open": 3, "likeliest": [], "chance": 0.04}

    def words(ended: str, left: dict[str, Any] | None = None, **changed: Any) -> str | None:
        return ending(a_summary(search={"ended": ended, "left": left}, **changed))

    assert words("met") is None
    assert words("budget") == "the budget was spent"
    assert words("interrupted") == "interrupted: the best so far; the same command again goes on"
    assert words("all") == "everything was tried"
    assert words("all", left) == "nothing better is left to try"
    assert words("ruled out", left) == "21 that would be better are unlikely to hold"
    assert words("ruled out", left, objective="maximize accuracy") == (
        "21 untried are unlikely to be better"
    )
    assert words("certified", left) == (
        "21 that would be better are ruled out together: chance 4.00 % that any would hold"
    )
    assert "3 are not ruled out" in (words("budget", left) or "")


def test_chance_is_a_95_percent_interval() -> None:
    assert half_width(0.5, 10_000) == pytest.approx(1.96 * 0.5 / 100, rel=0.01)
    assert half_width(0.9, 400) == pytest.approx(1.96 * 0.3 / 20, rel=0.02)
    assert 0 < half_width(1.0, 400) < half_width(1.0, 100) < 0.05  # all right is not certainty
    assert half_width(0.5, 0) == 0.0
    assert math.isnan(half_width(math.nan, 100))


def took(milliseconds: float, low: float, ratio: float, high: float) -> dict[str, Any]:
    own = {"median": milliseconds, "low": 0.9 * milliseconds, "high": 1.1 * milliseconds}
    return own | {"ratio": ratio, "ratio_low": low, "ratio_high": high, "rounds": 9}


@pytest.mark.parametrize(
    "low, ratio, high, slower",
    [(0.4, 0.5, 0.6, False), (0.98, 1.02, 1.1, False), (1.01, 1.2, 1.3, True)],
)
def test_a_network_that_came_out_slower_is_told_in_red(
    low: float, ratio: float, high: float, slower: bool
) -> None:
    before = {"latency": took(2.0, 1.0, 1.0, 1.0), "memory": 6000, "size": 9000}
    after = {"latency": took(2.0 * ratio, low, ratio, high), "memory": 4000, "size": 2000}
    on = "onnxruntime 9, 1 thread"
    summary = a_summary(device={"before": before, "after": after, "on": on})
    assert summary.device is not None and summary.device.slower == slower
    text = latency_text(summary.device)
    assert (
        text is not None and text.startswith(f"2 → {2 * ratio:.3g} ms") and "onnxruntime 9" in text
    )
    assert f"{ratio:.2f} of the time" in text and ("SLOWER" in text) == slower
    assert ("within noise" in text) == (low <= 1 <= high)
    shown = summary_text(summary, "out", lambda line, kind: f"<{kind}>{line}")
    assert ("<missed>  latency" in shown) == slower and "  latency     2 → " in shown
    assert "latency" not in summary_text(a_summary(), "out")


def test_where_latency_is_searched_by_one_line_has_that_name() -> None:
    """What the networks took in the end stands below; figures never contradict their ratio."""
    before = {"latency": took(2.0, 1.0, 1.0, 1.0), "memory": 6000, "size": 9000}
    after = {"latency": took(2.1, 0.93, 0.97, 1.02), "memory": 4000, "size": 2000}
    device = {"before": before, "after": after, "on": "onnxruntime 9, 1 thread"}
    summary = a_summary(device=device, latency_on="jax 1, cpu")
    costs = {**summary.teacher.costs, "latency": 3_000_000}
    teacher = replace(summary.teacher, costs=costs)
    best = replace(summary.best, costs={**summary.best.costs, "latency": 1_500_000})
    shown = summary_text(replace(summary, teacher=teacher, best=best), "out")
    lines = [line.strip() for line in shown.splitlines() if "latency" in line or " ms" in line]
    assert lines == [
        "latency     3 ms → 1.5 ms  (50.0%, 2.0x faster)   (jax 1, cpu)",
        "in the end 2 → 1.94 ms  (within noise, 0.97 of the time, 0.93–1.02 in half of the "
        "readings; onnxruntime 9, 1 thread)",
    ]


def test_without_onnxruntime_there_is_no_latency_to_tell() -> None:
    one = {"latency": None, "memory": 6000, "size": 9000}
    known = {"before": one, "after": one, "on": ""}
    assert "latency" not in summary_text(a_summary(device=known), "out")
    there = OnDevice(latency=None, memory=6000, size=9000)
    told = memory_text(DeviceFigures(before=there, after=there, on=""))
    assert told == "6.0 kB → 6.0 kB of activations at the peak; the ONNX file 9.0 kB → 9.0 kB"


@pytest.mark.parametrize(
    ("params", "size", "told"), [(3_000, 17_000, True), (9_000, 17_000, False)]
)
def test_why_a_small_file_of_int8_is_hardly_smaller(params: int, size: int, told: bool) -> None:
    change = {"images": 9, "float32": 0.97, "int8": 0.96}
    int8 = {"on": "onnxruntime", "calibrated_on": 9, "validation": change, "test": change}
    costs = {"params": params, "size": size}
    text = summary_text(a_summary(int8=int8, best=costs, teacher=WHOLE["teacher"] | costs), "out")
    line = "about 3.0 kB of the file's 17.0 kB are weights"
    assert (line in text) == told
