"""benchmarks/scale.py: a search over workers that only take time."""

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from wootzc.backends.bits import packed
from wootzc.backends.data import load
from wootzc.builder.jobs.listeners import Events
from wootzc.builder.jobs.records import Record
from wootzc.builder.jobs.store import Done, Outcome, Store
from wootzc.driver import compile

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(
    not (ROOT / "benchmarks").is_dir(), reason="an sdist carries no benchmarks"
)
SPACE = """
module pair { conv(3x3, 20); norm; relu; conv(3x3, 8); norm; relu }

network tiny {
  input(8x8x1)
  pair as a[1..2]
  global_pool
  dense(4)
}

space quadrants over tiny {
  data "quadrants.npz" { validation 25%; test 25% }
  rates { 30%, 50%, 80% }
  prune * by l1
  multiple of 1
  all
  minimize params
  subject to accuracy >= teacher - 1 point
  finetune { steps 20; optimizer sgd(0.02); batch 32; every 10 }
  polish off
  explore all
}
"""
IMAGES = 16  # for validation


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")  # as where a script is run
    return importlib.import_module("scale_world")


def look(step: int, accuracy: float) -> dict[str, Any]:
    right = np.arange(IMAGES) < round(accuracy * IMAGES)
    return {"step": step, "loss": None, "accuracy": accuracy, "right": packed(right)}


def record(start: float, end: float, seconds: float) -> Record:
    result = {
        "start_accuracy": start,
        "accuracy": end,
        "steps": 20,
        "reason": "steps",
        "history": [look(0, start), look(10, start), look(20, end)],
    }
    return Record(
        key="", kind="candidate", name="", result=result, seconds=seconds, finished="",
        artifact=None, sha256=None,
    )  # fmt: skip


@pytest.fixture
def found(world: ModuleType, tmp_path: Path) -> Any:
    """What so many workers find of nine candidates; of rank 0 is what takes `long`."""
    images = np.zeros((4 * IMAGES, 8, 8, 1), np.uint8)
    np.savez(tmp_path / "quadrants.npz", images=images, labels=np.arange(4 * IMAGES) % 4)
    file = tmp_path / "quadrants.wz"
    file.write_text(SPACE)
    plan = compile(file)
    teacher = {"accuracy": 1.0, "history": [look(0, 1.0)]}

    def by(workers: int, long: float = 1000.0, ranks: tuple[float, ...] = (0.5,) * 9) -> Any:
        jobs = world.Timed(
            plan=plan,
            dataset=load(plan.space.data, seed=0),
            store=Store(tmp_path / "store"),
            events=Events(),
            crew=world.Crew(count=workers),
            recorded=world.Recorded(
                candidates=[record(0.5, 0.75, long), record(0.25, 0.5, 1000.0)],
                polished=[],
                blocks=0.0,
                look=0.0,
                times=1.0,
            ),
            given=ranks,
        )
        done = Done(key="teacher", result=teacher, seconds=1.0, weights={})
        return world.searched(jobs, Outcome(done=done, reused=True))

    return by


def test_a_search_takes_as_long_as_its_workers(found: Any) -> None:
    one, three, many = found(1), found(3), found(1000)
    assert one.order == three.order == many.order and len(one.order) == 9
    assert one.cost == three.cost == many.cost
    for run, seconds in ((one, 9000), (three, 3000), (many, 1000)):
        assert run.seconds - run.searching == pytest.approx(seconds, rel=0.01)
    assert three.busy == pytest.approx(1, rel=0.05) and many.busy < 0.01


def test_the_first_of_a_window_is_waited_for(found: Any) -> None:
    """The next is chosen when the one that was chosen first is in, whichever is faster."""
    order = found(1).order
    ranks = [0.5] * 9
    ranks[order[0]] = 0.0
    run = found(2, long=9000.0, ranks=tuple(ranks))
    assert run.seconds - run.searching == pytest.approx(9000 + 4000, rel=0.01)


def test_more_steps_than_recorded_bring_nothing(world: ModuleType, found: Any) -> None:
    assert found(1).met is False


def test_times_of_workers(world: ModuleType) -> None:
    crew = world.Crew(count=2)
    ends = [crew.does(seconds) - crew.now for seconds in (3.0, 1.0, 1.0, 5.0)]
    assert ends == pytest.approx([3, 1, 2, 7], abs=0.1)
    crew.wait(2.5)
    assert crew.now == 2.5 and crew.worked == 10
