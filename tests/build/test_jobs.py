"""Where a candidate's job is kept that was, or might have been, given up."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from wootzc.build.events import Events
from wootzc.build.jobs import Jobs
from wootzc.build.store import Store


def kept(store: Path, reason: str, cut: str | None, counts: bool = True) -> bool:
    """Ask for the job `whole`, or `cut` where it ends as hopeless; whether the store had it."""
    jobs = SimpleNamespace(store=Store(store), events=Events(), _waiting=lambda: None)
    result: dict[str, Any] = {"reason": reason, "history": []}
    own = cast(Jobs, jobs)
    made = Jobs._run(
        own, "candidate", "0.5", "whole", lambda: (result, None), cut=cut, counts=lambda _: counts
    )
    return made.reused


def test_a_run_to_its_end_serves_searches_with_and_without_floors(tmp_path: Path) -> None:
    assert not kept(tmp_path, "steps", "cut")
    assert kept(tmp_path, "steps", None)
    assert kept(tmp_path, "steps", "other")


def test_a_run_that_was_given_up_serves_the_same_floors_alone(tmp_path: Path) -> None:
    assert not kept(tmp_path, "hopeless", "cut")
    assert kept(tmp_path, "hopeless", "cut")
    assert not kept(tmp_path, "steps", None)
    assert not kept(tmp_path, "hopeless", "other", counts=False)  # it would have been given up
