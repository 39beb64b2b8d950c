"""Builds with little memory, and with files, end in the same blocks."""

import json
import os
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from wootzc.backends.data import load
from wootzc.backends.weights.stored import initial_weights
from wootzc.builder import Options, Store, build
from wootzc.builder.jobs.events import ActivationsKept, BlocksStarted, BlockTrained, Event, Noted
from wootzc.builder.jobs.jobs import Jobs
from wootzc.builder.jobs.listeners import Events
from wootzc.builder.jobs.store import Outcome
from wootzc.driver import compile

pytestmark = pytest.mark.bits

Said = list[Event]
E = TypeVar("E")
AUGMENTED = "augment { crop(1) }\n  teacher"


def jobs(file: Path, store: Path, **options: Any) -> tuple[Jobs, Said]:
    """The jobs of a build, and what they say."""
    said: Said = []
    events = Events(listeners=[said.append])
    plan = compile(file)
    dataset = load(plan.space.data, seed=0)
    return Jobs(plan, dataset, Store(store), events, **options), said


def of_kind(said: Said, kind: type[E]) -> list[E]:
    return [event for event in said if isinstance(event, kind)]


def train(some: Jobs, numbers: list[int]) -> dict[int, Outcome]:
    return some.blocks(numbers, initial_weights(some.space.network, seed=0))


def same(some: dict[int, Outcome], others: dict[int, Outcome]) -> None:
    assert some.keys() == others.keys()
    for number, one in some.items():
        for name, value in one.weights.items():
            np.testing.assert_array_equal(value, others[number].weights[name], err_msg=name)


@pytest.fixture(scope="module")
def alone(make_space: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Outcome]:
    """Every block, trained with plenty of memory and nobody beside it."""
    some, _ = jobs(make_space(), tmp_path_factory.mktemp("store"), memory=10**9, disk=0)
    assert some.plan.blocks is not None
    return {n: train(some, [n])[n] for n in range(len(some.plan.blocks))}


@pytest.mark.parametrize(("memory", "disk"), [(10**9, 0), (0, 10**8), (0, 0), (2_000_000, 500_000)])
def test_no_amount_of_memory_changes_a_block(
    make_space: Any, tmp_path: Path, alone: dict[int, Outcome], memory: int, disk: int
) -> None:
    some, said = jobs(make_space(), tmp_path, memory=memory, disk=disk)
    same(train(some, [*alone]), alone)
    cohorts = [event.blocks for event in of_kind(said, BlocksStarted)]
    assert sorted(number for cohort in cohorts for number in cohort) == [*alone]
    assert len(cohorts) == {10**9: 1, 0: len(alone), 2_000_000: len(cohorts)}[memory]
    kept = of_kind(said, ActivationsKept)
    assert bool(kept) == (memory + disk > 0)
    assert all(k.memory <= memory / 2 and k.disk <= disk for k in kept)
    some.close()
    known = {"artifacts", "jobs", "locks", "xla"}
    assert {p.name for p in tmp_path.iterdir()} <= known


def test_small_cohorts_reach_deeper_one_after_the_other(make_space: Any, tmp_path: Path) -> None:
    some, said = jobs(make_space(), tmp_path, memory=0, disk=0)
    plan = some.plan
    assert plan.blocks is not None
    train(some, [*reversed(range(len(plan.blocks)))])
    starts = [plan.blocks[event.blocks[0]].start for event in of_kind(said, BlocksStarted)]
    assert starts == sorted(starts)
    finished = [type(event) for event in said if isinstance(event, BlocksStarted | BlockTrained)]
    assert finished == [BlocksStarted, BlockTrained] * len(starts)  # each lands at once


def augmented(file: Path) -> Path:
    file.write_text(file.read_text().replace("teacher", AUGMENTED, 1))
    return file


def test_with_augmentation_nothing_is_kept_and_it_is_said_once(
    make_space: Any, tmp_path: Path
) -> None:
    some, said = jobs(augmented(make_space()), tmp_path, memory=10**9)
    found = train(some, [0, 2])
    again = train(some, [0, 2])
    assert all(one.reused for one in again.values())
    same(again, found)
    assert [event.blocks for event in of_kind(said, BlocksStarted)] == [[0, 2]]
    (note,) = of_kind(said, Noted)  # once a build
    assert "augmentation" in note.message
    other, _ = jobs(augmented(make_space()), tmp_path / "other", memory=10**9)
    same(train(other, [2]), {2: found[2]})


def test_the_work_that_was_recorded_is_the_work_that_was_done(
    make_space: Any, tmp_path: Path
) -> None:
    """160 images are 5 batches of 32; the second cohort finds what the first one kept."""
    some, _ = jobs(make_space(), tmp_path, memory=10**9)
    assert some.plan.costs is not None and some.plan.blocks is not None
    first, second = train(some, [0])[0], train(some, [1])[1]
    macs = some.plan.costs["macs"].variants.values
    own = [3 * 10 * 32 * int(macs[0, some.plan.blocks[n].rates[0]]) for n in (0, 1)]
    assert some.plan.blocks[1].start == 0
    stem = 8 * 8 * 9 * 8  # one image through the first convolution
    assert first.done.result["work"][0] == own[0] + 5 * 32 * (stem + int(macs[0, 0]))
    assert second.done.result["work"][0] == own[1]


def test_a_build_cleans_up_and_says_what_it_keeps(make_space: Any, tmp_path: Path) -> None:
    file = make_space()
    options = Options(out=tmp_path / "out", store=tmp_path / "store", memory=0, disk=10**8)
    build(file, options)
    log = [json.loads(line) for line in (tmp_path / "out" / "log.jsonl").read_text().splitlines()]
    kept = [event for event in log if event["event"] == "activations_kept"]
    assert kept and kept[-1]["disk"] > 0 and kept[-1]["memory"] == 0
    if Path("/proc/self/maps").exists():
        assert str(tmp_path) not in Path("/proc/self/maps").read_text()
        open_files = [os.path.realpath(path) for path in Path("/proc/self/fd").iterdir()]
        assert not [name for name in open_files if name.startswith(str(tmp_path))]
