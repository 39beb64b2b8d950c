"""Work shared by threads: results in order, one item a group at a time, an end when told."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from wootzc.backends.data import Dataset, Split
from wootzc.backends.data.images import Stored
from wootzc.backends.flax.device.parallel import Devices
from wootzc.builder.jobs.at_once import Share, Stopped, at_once
from wootzc.builder.jobs.events import Event, Noted, Waiting
from wootzc.builder.jobs.listeners import Events
from wootzc.builder.jobs.store import Store

GROUPS = [Devices(1, number) for number in range(3)]


@pytest.fixture
def dataset() -> Dataset:
    split = Split(
        images=Stored(np.zeros((4, 2, 2, 1), np.uint8)),
        rows=np.arange(4),
        labels=np.zeros(4, np.int32),
        mean=np.zeros(1, np.float32),
        std=np.ones(1, np.float32),
    )
    return Dataset(
        train=split,
        validation=split,
        test=split,
        classes=("a",),
        shape=(2, 2, 1),
        fingerprint="",
        mean=np.zeros(1, np.float32),
        std=np.ones(1, np.float32),
        source="",
    )


def until_stopped(dataset: Dataset) -> None:
    """Read batches for as long as there are any: training that never ends by itself."""
    for _ in range(10_000):
        dataset.train.batch(np.arange(2))
        time.sleep(0.001)
    raise AssertionError("nobody stopped this")


def test_results_keep_the_order_and_no_group_serves_two(dataset: Dataset) -> None:
    busy: set[Devices] = set()
    together = threading.Barrier(len(GROUPS), timeout=30)

    def work(item: int, share: Share) -> int:
        assert share.devices not in busy
        busy.add(share.devices)
        if item < len(GROUPS):
            together.wait()  # passes only if all groups work at once
        assert len(share.dataset.validation.batch(np.arange(2)).labels) == 2
        time.sleep(0.01 * (item % 3))
        busy.remove(share.devices)
        return item**2

    events = Events()
    assert at_once(work, range(10), GROUPS, dataset, events) == [n**2 for n in range(10)]
    assert at_once(work, [], GROUPS, dataset, events) == []


def test_listeners_hear_the_threads_in_the_one_that_builds(dataset: Dataset) -> None:
    heard: list[Event] = []

    def listener(event: Event) -> None:
        assert threading.current_thread() is threading.main_thread()
        heard.append(event)

    events = Events(listeners=[listener])

    def work(item: int, _share: Share) -> None:
        for word in ("began", "ended"):
            events.emit(Noted(message=f"{item} {word}"))

    at_once(work, range(6), GROUPS, dataset, events)
    said = [event.message for event in heard if isinstance(event, Noted)]
    for item in range(6):
        assert [text for text in said if text[0] == str(item)] == [f"{item} began", f"{item} ended"]


@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt()])
def test_an_exception_in_a_thread_ends_the_others(dataset: Dataset, error: BaseException) -> None:
    ended: list[int] = []

    def work(item: int, share: Share) -> None:
        if item == 2:
            raise error
        try:
            until_stopped(share.dataset)
        except Stopped:
            ended.append(item)
            raise

    with pytest.raises(type(error)):
        at_once(work, range(9), GROUPS, dataset, Events())
    assert sorted(ended) == [0, 1]  # and none of the rest was begun


@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt()])
def test_an_exception_of_a_listener_ends_the_threads(
    dataset: Dataset, error: BaseException
) -> None:
    def listener(_event: Event) -> None:
        raise error

    events = Events(listeners=[listener])
    before = threading.active_count()

    def work(_item: int, share: Share) -> None:
        events.emit(Noted(message="began"))
        until_stopped(share.dataset)

    with pytest.raises(type(error)):
        at_once(work, range(9), GROUPS, dataset, events)
    assert threading.active_count() == before


def test_a_thread_that_waits_for_another_build_ends_too(dataset: Dataset, tmp_path: Path) -> None:
    def listener(_event: Event) -> None:
        raise KeyboardInterrupt

    events, store = Events(listeners=[listener]), Store(tmp_path / "store")

    def work(_item: int, share: Share) -> None:
        with store.locked(["job"], lambda: events.emit(Waiting()), share.check):
            raise AssertionError("the other build still has it")

    with store.locked(["job"], lambda: None), pytest.raises(KeyboardInterrupt):
        at_once(work, range(2), GROUPS, dataset, events)
