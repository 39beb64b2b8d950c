"""Several jobs at once, each on a group of devices of its own, driven by a thread.

Threads suffice: JAX computes without holding Python's lock.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from threading import Event, Thread
from typing import TypeVar

from wootzc.backends.data import Dataset, Split
from wootzc.backends.data.images import Images, Pixels, Rows, Shape
from wootzc.backends.flax.parallel import Devices
from wootzc.build.events import Events

Item = TypeVar("Item")
Result = TypeVar("Result")


class Stopped(Exception):
    """Raised in a thread whose work is not wanted any more."""


def at_once(
    work: Callable[[Item, Devices, Dataset], Result],
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
    own = stoppable(dataset, stop)
    waiting = enumerate(items)  # the threads take from it in turn
    results: dict[int, Result] = {}
    failures: list[BaseException] = []

    def serve(group: Devices) -> None:
        try:
            while not stop.is_set() and (taken := next(waiting, None)):
                place, item = taken
                results[place] = work(item, group, own)
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


def stoppable(dataset: Dataset, stop: Event) -> Dataset:
    """The same images, until `stop` is set: then the next batch raises `Stopped`."""

    def watched(split: Split) -> Split:
        return replace(split, images=_Watched(split.images, stop))

    return replace(
        dataset,
        train=watched(dataset.train),
        validation=watched(dataset.validation),
        test=watched(dataset.test),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Watched:
    images: Images
    stop: Event

    def __len__(self) -> int:
        return len(self.images)

    @property
    def shape(self) -> Shape:
        return self.images.shape

    @property
    def nbytes(self) -> int:
        return self.images.nbytes

    def take(self, rows: Rows) -> Pixels:
        if self.stop.is_set():
            raise Stopped
        return self.images.take(rows)
