"""Several jobs at once, each on a group of devices of its own, driven by a thread.

Threads suffice: JAX computes without holding Python's lock.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from threading import Event, Thread
from typing import TypeVar

from wootzc.backends.data import Dataset, Split
from wootzc.backends.data.images import Images, Pixels, Rows, Shape
from wootzc.backends.flax.device.parallel import Devices
from wootzc.builder.jobs.listeners import Events

Item = TypeVar("Item")
Result = TypeVar("Result")


class Stopped(Exception):
    """Raised in a thread whose work is not wanted any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What a thread works with."""

    devices: Devices
    dataset: Dataset  # its batches end as `check` does
    check: Callable[[], None] = lambda: None  # raises `Stopped` once the work is not wanted


def at_once(
    work: Callable[[Item, Share], Result],
    items: Sequence[Item],
    groups: Sequence[Devices],
    dataset: Dataset,
    events: Events,
) -> list[Result]:
    """`work` done for every item, as many at once as there are groups; results in order.

    An exception, that of Ctrl-C too, ends the work on all items at their next batch of images, and
    is then raised.
    """
    stop = Event()

    def check() -> None:
        if stop.is_set():
            raise Stopped

    checked = _checked(dataset, check)
    waiting = enumerate(items)  # the threads take from it in turn
    results: dict[int, Result] = {}
    failures: list[BaseException] = []

    def serve(group: Devices) -> None:
        try:
            while not stop.is_set() and (taken := next(waiting, None)):
                place, item = taken
                results[place] = work(item, Share(devices=group, dataset=checked, check=check))
        except BaseException as error:  # raised again below, by the thread that builds
            failures.append(error)
            stop.set()
        finally:
            events.end_thread()

    threads = [Thread(target=serve, args=(group,)) for group in groups[: len(items)]]
    try:
        for thread in threads:
            thread.start()
        events.relay(len(threads))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    if failures:
        raise failures[0]
    return [results[place] for place in range(len(items))]


def _checked(dataset: Dataset, check: Callable[[], None]) -> Dataset:
    """The same images, with a check before each batch."""

    def checked(split: Split) -> Split:
        return replace(split, images=_Checked(split.images, check))

    return replace(
        dataset,
        train=checked(dataset.train),
        validation=checked(dataset.validation),
        test=checked(dataset.test),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Checked:
    images: Images
    check: Callable[[], None]

    def __len__(self) -> int:
        return len(self.images)

    @property
    def shape(self) -> Shape:
        return self.images.shape

    @property
    def nbytes(self) -> int:
        return self.images.nbytes

    def take(self, rows: Rows) -> Pixels:
        self.check()
        return self.images.take(rows)
