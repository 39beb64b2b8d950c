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
    ("candidate", {"position": 1, "of": 3, "params": 123456, "macs": 1}),
    ("block_finished", {"name": "a1(0.5)", "loss_first": 2, "loss_last": 1, "seconds": 1.0}),
    ("candidate_reused", {"start_accuracy": 0.5, "accuracy": 0.9, "steps": 20}),
    ("best", {"candidate": 0, "params": 123456, "met": True}),
]


def printed(verbosity: Verbosity, terminal: bool = False) -> str:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=100, highlight=False)
    with Screen(verbosity, console) as screen:
        for kind, fields in EVENTS:
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
