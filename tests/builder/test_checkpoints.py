"""A job that is killed goes on from its checkpoint, to the same bits; damage costs steps only."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wootzc.builder import Built, Options, build
from wootzc.builder.jobs.checkpoints import SECONDS, Checkpoint, Checkpoints, Keeper
from wootzc.builder.jobs.events import Event, Progressed, Resumed
from wootzc.builder.jobs.store import Store
from wootzc.files import load_json

pytestmark = pytest.mark.bits

HERE = Checkpoint(
    result={"steps": 7, "losses": [0.1, float("nan")]},
    seconds=1.5,
    arrays={"state:0": np.arange(6, dtype=np.float32).reshape(2, 3).T, "state:1": np.array(3)},
)


class Killed(BaseException):
    """As SIGKILL: nothing is written on the way out."""


@pytest.fixture
def kept(tmp_path: Path) -> Checkpoints[Path]:
    return Checkpoints(root=tmp_path)


def test_a_checkpoint_is_found_as_it_was_written(kept: Checkpoints[Path]) -> None:
    assert kept.find("key") is None
    kept.write("key", HERE)
    found = kept.find("key")
    assert found is not None
    assert repr(found.result) == repr(HERE.result) and found.seconds == HERE.seconds
    for name, array in HERE.arrays.items():
        assert found.arrays[name].shape == array.shape
        np.testing.assert_array_equal(found.arrays[name], array)
    kept.drop("key")
    assert kept.find("key") is None
    kept.drop("key")


@pytest.mark.parametrize("place", [0, 70, 100, -1, None])
def test_a_damaged_checkpoint_counts_as_never_made(
    kept: Checkpoints[Path], place: int | None
) -> None:
    kept.write("key", HERE)
    content = bytearray(kept.path("key").read_bytes())
    if place is None:
        del content[60:]  # cut off in its hash
    else:
        content[place] ^= 1
    kept.path("key").write_bytes(content)
    told: list[str] = []
    again = Checkpoints(root=kept.root, tell=told.append)
    assert again.find("key") is None and again.find("key") is None
    (message,) = told
    assert "checkpoint is damaged" in message and "starts anew" in message


def test_a_checkpoint_under_another_key_is_none_of_this_job(kept: Checkpoints[Path]) -> None:
    kept.write("key", HERE)
    kept.path("key").rename(kept.path("ke2"))
    assert kept.find("ke2") is None


def test_other_versions_of_the_libraries_start_anew(
    kept: Checkpoints[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.write("key", HERE)
    monkeypatch.setattr("wootzc.builder.jobs.checkpoints.made_with", lambda: {"jax": "0.0"})
    assert kept.find("key") is None


def test_a_checkpoint_that_cannot_be_written_is_said_once(tmp_path: Path) -> None:
    told: list[str] = []
    (tmp_path / "file").write_text("in the way")
    kept = Checkpoints(root=tmp_path / "file", tell=told.append)
    kept.write("key", HERE)
    kept.write("key", HERE)
    assert len(told) == 1 and "can't write a checkpoint" in told[0]


def test_a_finished_job_has_no_checkpoint_and_clean_takes_all(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    for key in ("done", "other"):
        store.checkpoints.write(key, HERE)
    store.finish("done", "teacher", "teacher", {}, 1.0, {})
    assert store.checkpoints.find("done") is None
    half = store.checkpoints.path("other").with_name(".other.checkpoint.x1")  # killed in writing
    half.write_bytes(b"x")
    assert store.checkpoints.find("other") is not None
    store.clear()
    assert not [path for path in store.checkpoints.root.rglob("*") if path.is_file()]


# When


class Clock:
    """Time passes as `keeper` is called and as it writes."""

    def __init__(self, take: float = 0.0, write: float = 0.0):
        self.now, self.take_takes, self.write_takes = 0.0, take, write
        self.written: list[tuple[float, float]] = []  # state, seconds of its job
        self.keeper: Keeper[float] = Keeper(write=self.write, before=100.0, clock=lambda: self.now)

    def take(self) -> float:
        self.now += self.take_takes
        return self.now

    def write(self, state: float, seconds: float) -> None:
        self.now += self.write_takes
        self.written.append((state, seconds))

    def run(self, until: float, pause: float = 1.0) -> None:
        while self.now < until:
            self.now += pause
            self.keeper(self.take)


def test_the_first_comes_early_and_the_others_every_half_minute() -> None:
    clock = Clock()
    clock.run(75.0)
    assert clock.written == [(10.0, 110.0), (40.0, 140.0), (70.0, 170.0)]


def test_checkpoints_that_take_long_come_seldom() -> None:
    clock = Clock(take=0.5, write=2.0)
    clock.run(4000.0)
    assert len(clock.written) * 2.0 <= 0.011 * clock.now
    assert len(clock.written) >= 15


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_what_was_taken_last_is_written_when_a_job_is_interrupted(
    error: type[BaseException],
) -> None:
    clock = Clock()
    with pytest.raises(error), clock.keeper:
        clock.run(58.0)
        raise error
    assert [state for state, _ in clock.written] == [10.0, 40.0, 55.0]


def test_nothing_is_written_of_a_job_that_is_done() -> None:
    clock = Clock()
    with clock.keeper:
        clock.run(38.0)
    assert [state for state, _ in clock.written] == [10.0]


# Whole builds


def outcome(built: Built) -> dict[str, Any]:
    """What may not depend on how often a build was killed."""
    summary = load_json(built.out / "result.json")
    keep = ("candidate", "rates", "params", "start_accuracy", "accuracy", "steps")
    return {
        "teacher": summary["teacher"]["validation_accuracy"],
        "tried": [{key: one[key] for key in keep} for one in summary["tried"]],
        "blocks": [[one["loss_first"], one["loss_last"]] for one in summary["blocks"]["list"]],
        "weights": (built.out / "best" / "weights.safetensors").read_bytes(),
    }


def test_a_build_that_is_killed_in_every_stage_ends_in_the_same_bits(
    make_space: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = make_space()
    unharmed: list[Event] = []
    whole = build(file, Options(out=tmp_path / "o", store=tmp_path / "s"), [unharmed.append])
    assert not [event for event in unharmed if isinstance(event, Resumed)]
    monkeypatch.setenv(SECONDS, "0")
    monkeypatch.setattr(
        "wootzc.builder.jobs.checkpoints.DEAREST", 1e9
    )  # after every piece of a run
    monkeypatch.setattr(Keeper, "__exit__", lambda *_: None)
    kills = [("teacher", 40), ("teacher", 60), ("blocks", 10), ("candidate", 10), ("polish", 5)]
    went_on: list[Resumed] = []
    for stage, least in kills:
        events: list[Event] = []

        def kill(event: Event, stage: str = stage, least: int = least) -> None:
            if isinstance(event, Progressed) and event.stage == stage and event.step >= least:
                raise Killed

        options = Options(out=tmp_path / "out", store=tmp_path / "store")
        with pytest.raises(Killed):
            build(file, options, [events.append, kill])
        went_on += (event for event in events if isinstance(event, Resumed))
        assert list((tmp_path / "store" / "checkpoints").rglob("*.checkpoint"))
    again: list[Event] = []
    built = build(file, options, [again.append])
    went_on += (event for event in again if isinstance(event, Resumed))
    assert outcome(built) == outcome(whole)
    assert [one.stage for one in went_on] == [stage for stage, _ in kills]
    assert all(0 < one.step < one.steps for one in went_on), went_on
    steps = [one.step for one in went_on if one.stage == "teacher"]
    assert steps == sorted(set(steps))  # each further than the one before
    assert not list((tmp_path / "store" / "checkpoints").rglob("*.checkpoint"))
