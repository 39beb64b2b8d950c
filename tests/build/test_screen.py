"""What a build prints where the output is not a terminal."""

import io
from typing import Any

from rich.console import Console

from wootzc.build.screen import Screen, Verbosity

EVENTS: list[tuple[str, dict[str, Any]]] = [
    ("build_started", {"space": "s", "candidates": 3, "blocks": 2, "out": "build/s"}),
    ("data_loaded", {"train": 10, "validation": 2, "test": 2}),
    ("progress", {"stage": "teacher", "step": 5, "steps": 10, "loss": 0.5, "accuracy": None}),
    ("teacher_finished", {"accuracy": 0.975, "seconds": 3.0}),
    ("candidate", {"position": 1, "of": 3, "params": 123456, "macs": 1, "cost": "params"}),
    ("block_finished", {"name": "a1(0.5)", "loss_first": 2, "loss_last": 1, "seconds": 1.0}),
    ("candidate_reused", {"start_accuracy": 0.5, "accuracy": 0.9, "steps": 20}),
    ("best", {"candidate": 0, "params": 123456, "cost": "params", "met": True}),
]


def candidate(kind: str, number: int, **fields: Any) -> tuple[str, dict[str, Any]]:
    return kind, {"candidate": number, **fields}


def looked(number: int, step: int) -> tuple[str, dict[str, Any]]:
    fields = {"stage": "candidate", "step": step, "steps": 20, "loss": 0.5, "accuracy": 0.25}
    return candidate("progress", number, **fields)


def finished(number: int, accuracy: float) -> tuple[str, dict[str, Any]]:
    measured = {"start_accuracy": 0.5, "accuracy": accuracy, "steps": 20, "seconds": 1.0}
    return candidate("candidate_finished", number, **measured)


AT_ONCE = [
    ("devices", {"count": 8, "at_once": 2}),
    candidate("candidate", 70, position=1, of=9, params=1000, macs=1, cost="params"),
    candidate("candidate", 30, position=2, of=9, params=2000, macs=1, cost="params"),
    ("progress", {"stage": "blocks", "step": 5, "steps": 10, "loss": 0.5}),
    ("block_finished", {"name": "a1(0.5)", "loss_first": 2, "loss_last": 1, "seconds": 1.0}),
    looked(30, 10),
    looked(70, 10),
    finished(30, 0.75),
    looked(70, 20),
    finished(70, 1.0),
]


def printed(
    verbosity: Verbosity,
    terminal: bool = False,
    events: list[tuple[str, dict[str, Any]]] = EVENTS,
) -> str:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=100, highlight=False)
    with Screen(verbosity, console) as screen:
        for kind, fields in events:
            screen(kind, fields)
    return stream.getvalue()


def test_a_log_gets_plain_lines() -> None:
    text = printed("normal")
    assert "\x1b" not in text
    assert "teacher: validation accuracy 97.50 % (3.0 s)" in text
    assert "candidate 1/3 (123 k params): 50.00 % → 90.00 % in 20 steps (from the store)" in text
    assert "a1(0.5)" not in text


def test_verbose_adds_blocks_and_quiet_prints_nothing() -> None:
    assert "block a1(0.5): loss 2 → 1" in printed("verbose")
    assert printed("quiet") == ""


def test_a_terminal_gets_bars() -> None:
    text = printed("normal", terminal=True)
    assert "ETA" in text and "search" in text and "best" in text


def test_candidates_at_once_are_told_apart() -> None:
    lines = printed("verbose", events=AT_ONCE).splitlines()
    assert [line.split(", ETA")[0] for line in lines] == [
        "devices: 8, 2 candidates at once",
        "  blocks 5/10 loss 0.5000",
        "block a1(0.5): loss 2 → 1 (1.0 s)",
        "  fine-tuning 2 10/20 loss 0.5000 accuracy 25.00 %",
        "  fine-tuning 1 10/20 loss 0.5000 accuracy 25.00 %",
        "candidate 2/9 (2,000 params): 50.00 % → 75.00 % in 20 steps (1.0 s)",
        "  fine-tuning 20/20 loss 0.5000 accuracy 25.00 %",
        "candidate 1/9 (1,000 params): 50.00 % → 100.00 % in 20 steps (1.0 s)",
    ]
    text = printed("normal", terminal=True, events=AT_ONCE)
    assert "fine-tuning 1" in text and "fine-tuning 2" in text


def test_what_was_polished_is_not_taken_to_run_on() -> None:
    events = [
        candidate("polish", 70, position=1, of=9, params=1000, macs=1, cost="params"),
        ("polish_finished", {"accuracy": 0.75, "steps": 40, "seconds": 1.0}),
        candidate("candidate", 30, position=2, of=9, params=2000, macs=1, cost="params"),
        looked(30, 10),
    ]
    assert [line.split(", ETA")[0] for line in printed("verbose", events=events).splitlines()] == [
        "candidate 1/9 (1,000 params): polished to 75.00 % in 40 steps (1.0 s)",
        "  fine-tuning 10/20 loss 0.5000 accuracy 25.00 %",
    ]


def test_what_is_kept_of_the_teacher() -> None:
    events: list[tuple[str, dict[str, Any]]] = [
        ("note", {"message": "nothing is kept"}),
        ("activations_kept", {"memory": 1_500_000, "disk": 0, "boundaries": [1], "images": 9}),
    ]
    assert printed("normal", events=events) == "note: nothing is kept\n"
    last = printed("verbose", events=events).splitlines()[-1]
    assert last == "kept of the teacher: 1.5 MB in memory, 0 bytes on disk"


def test_images_that_do_not_fit_are_told() -> None:
    fields = {"train": 10, "validation": 2, "test": 2, "shape": (8, 8, 1)}
    fitted = printed("normal", events=[("data_loaded", fields | {"fitted_from": (32, 32, 3)})])
    assert fitted.strip().endswith("2 test images, fitted from 32x32x3 to 8x8x1")
    assert "fitted" not in printed("normal", events=[("data_loaded", fields)])
