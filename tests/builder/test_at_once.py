"""Work shared by threads: results in order, one item a group at a time, an end when told."""

import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wootzc.backends.data import Dataset, Split
from wootzc.backends.data.images import Stored
from wootzc.backends.flax.device.parallel import Devices
from wootzc.builder.jobs.at_once import Call, Here, Local, Lost, Share, Stopped, Workers
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


Work = Callable[[Share, int], Any]


def at_once(work: Work, items: Iterable[int], dataset: Dataset, events: Events) -> list[Any]:
    local = Local(GROUPS, dataset, events)
    return local.results([local.submit(work, item) for item in items])


def until_stopped(dataset: Dataset) -> None:
    """Read batches for as long as there are any: training that never ends by itself."""
    for _ in range(10_000):
        dataset.train.batch(np.arange(2))
        time.sleep(0.001)
    raise AssertionError("nobody stopped this")


def test_results_keep_the_order_and_no_group_serves_two(dataset: Dataset) -> None:
    busy: set[Devices] = set()
    together = threading.Barrier(len(GROUPS), timeout=30)

    def work(share: Share, item: int) -> int:
        assert share.devices not in busy
        busy.add(share.devices)
        if item < len(GROUPS):
            together.wait()  # passes only if all groups work at once
        assert len(share.dataset.validation.batch(np.arange(2)).labels) == 2
        time.sleep(0.01 * (item % 3))
        busy.remove(share.devices)
        return item**2

    events = Events()
    assert at_once(work, range(10), dataset, events) == [n**2 for n in range(10)]
    assert at_once(work, [], dataset, events) == []


def test_listeners_hear_the_threads_in_the_one_that_builds(dataset: Dataset) -> None:
    heard: list[Event] = []

    def listener(event: Event) -> None:
        assert threading.current_thread() is threading.main_thread()
        heard.append(event)

    events = Events(listeners=[listener])

    def work(_share: Share, item: int) -> None:
        for word in ("began", "ended"):
            events.emit(Noted(message=f"{item} {word}"))

    at_once(work, range(6), dataset, events)
    said = [event.message for event in heard if isinstance(event, Noted)]
    for item in range(6):
        assert [text for text in said if text[0] == str(item)] == [f"{item} began", f"{item} ended"]


@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt()])
def test_an_exception_in_a_thread_ends_the_others(dataset: Dataset, error: BaseException) -> None:
    ended: list[int] = []

    def work(share: Share, item: int) -> None:
        if item == 2:
            raise error
        try:
            until_stopped(share.dataset)
        except Stopped:
            ended.append(item)
            raise

    with pytest.raises(type(error)):
        at_once(work, range(9), dataset, Events())
    assert sorted(ended) == [0, 1]  # and none of the rest was begun


@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt()])
def test_an_exception_of_a_listener_ends_the_threads(
    dataset: Dataset, error: BaseException
) -> None:
    def listener(_event: Event) -> None:
        raise error

    events = Events(listeners=[listener])
    before = threading.active_count()

    def work(share: Share, _item: int) -> None:
        events.emit(Noted(message="began"))
        until_stopped(share.dataset)

    with pytest.raises(type(error)):
        at_once(work, range(9), dataset, events)
    assert threading.active_count() == before


def test_a_thread_that_waits_for_another_build_ends_too(dataset: Dataset, tmp_path: Path) -> None:
    def listener(_event: Event) -> None:
        raise KeyboardInterrupt

    events, store = Events(listeners=[listener]), Store(tmp_path / "store")

    def work(share: Share, _item: int) -> None:
        with store.locked(["job"], lambda: events.emit(Waiting()), share.check):
            raise AssertionError("the other build still has it")

    with store.locked(["job"], lambda: None), pytest.raises(KeyboardInterrupt):
        at_once(work, range(2), dataset, events)


def test_what_is_submitted_later_is_served_too(dataset: Dataset) -> None:
    """A window: the next goes out when the first is in, whatever became of those between."""
    local, events = Local(GROUPS, dataset, Events()), threading.Event()

    def work(_share: Share, item: int) -> int:
        if item == 1:
            events.wait(timeout=30)
        return item

    futures = [local.submit(work, item) for item in range(3)]
    assert local.results(futures[:1]) == [0]
    later = local.submit(work, 7)
    assert local.results([later]) == [7] and not futures[1].done()
    events.set()
    assert local.results(futures) == [0, 1, 2]


def test_on_one_group_work_is_done_where_it_is_submitted(dataset: Dataset) -> None:
    here = Here([Devices(1)], dataset, Events())
    future = here.submit(lambda share, item: (threading.get_ident(), share.devices, item), 3)
    assert here.results([future]) == [(threading.get_ident(), Devices(1), 3)]

    def broken(_share: Share) -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        here.submit(broken)


class Losing(Workers[str, str]):
    """Two places, of which `bad` loses what it begins, so many times."""

    times = 1

    def prepare(self, seat: str) -> None:
        if self.times < 0:
            raise ValueError("no room")

    def serve(self, seat: str, call: Call) -> Any:
        if seat == "bad" and self.times:
            self.times -= 1
            raise Lost
        return call.work(seat, *call.given)


@pytest.mark.parametrize("seats", [["bad"], ["bad", "good"], ["good", "bad"]])
def test_what_a_lost_place_worked_on_is_done_by_another(seats: list[str]) -> None:
    for _ in range(50):
        losing = Losing(seats, Events())
        futures = [losing.submit(lambda _seat, item: item**2, item) for item in range(6)]
        assert losing.results(futures) == [n**2 for n in range(6)]


def test_a_place_that_cannot_be_prepared_ends_the_work(dataset: Dataset) -> None:
    losing = Losing(["good"], Events())
    losing.times = -1
    with pytest.raises(ValueError, match="no room"):
        losing.results([losing.submit(lambda _seat: None)])
