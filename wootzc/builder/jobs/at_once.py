"""Where jobs run, several at once: an executor, shaped as those of `concurrent.futures`.

Whatever is submitted is called with its place first, and in each place one call is served at a
time. `Local` has groups of this machine's devices for places, each driven by a thread: threads
suffice, since JAX computes without holding Python's lock. `cluster.py` has workers on Ray.
"""

import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Event, Thread
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from wootzc.backends.data import Dataset, Split
from wootzc.backends.flax.device.parallel import Devices
from wootzc.builder.jobs.listeners import Events

Result = TypeVar("Result")
Seat = TypeVar("Seat")  # where a call is served: what this machine holds of a place
Place = TypeVar("Place")  # what a call is given of it
Given = ParamSpec("Given")


class Stopped(Exception):
    """Raised in work that is not wanted any more."""


class Lost(Exception):
    """A place is gone, with what it worked on: somebody else is to do that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What a call works with on this machine."""

    devices: Devices
    dataset: Dataset  # its batches end as `check` does
    check: Callable[[], None] = lambda: None  # raises `Stopped` once the work is not wanted


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """What was submitted."""

    work: Callable[..., Any]
    given: tuple[Any, ...]
    options: dict[str, Any]
    future: Future[Any] = field(default_factory=Future)
    stop: Event = field(default_factory=Event)

    def check(self) -> None:
        """Raises `Stopped` once the work is not wanted."""
        if self.stop.is_set():
            raise Stopped


class Workers(ABC, Generic[Seat, Place]):
    """Serves calls in as many places as there are seats, in the order they were submitted.

    A seat has a thread while there is work for it.
    """

    def __init__(self, seats: Sequence[Seat], events: Events):
        self.width = len(seats)
        self.events = events
        self._lock = threading.Lock()
        self._free = deque(seats)
        self._waiting: deque[Call] = deque()
        self._running: set[Call] = set()
        self._threads: list[Thread] = []
        self._failure: BaseException | None = None  # what ends all work, until `stop`

    @property
    def idle(self) -> int:
        """Into how many parts work had better be cut that is wanted soon."""
        return max(1, len(self._free) - len(self._waiting))

    def submit(
        self,
        work: Callable[Concatenate[Place, Given], Result],
        /,
        *given: Given.args,
        **options: Given.kwargs,
    ) -> Future[Result]:
        """Have `work(place, …)` called as soon as a place is free."""
        call = Call(work, given, options)
        self._take(call)
        return call.future

    def _take(self, call: Call) -> None:
        with self._lock:
            if self._failure is None:
                self._waiting.append(call)
                self._seat()
            else:
                call.future.cancel()

    def results(self, futures: Sequence[Future[Result]]) -> list[Result]:
        """What comes of these, in order, telling meanwhile what their threads emit.

        An exception of whatever was submitted, that of Ctrl-C too, ends all of it at its next batch
        of images, and is then raised.
        """
        try:
            self.events.relay(lambda: bool(self._failure) or all(one.done() for one in futures))
            if self._failure is not None:
                raise self._failure
            return [future.result() for future in futures]
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End all that was submitted, and wait until it has ended."""
        self._halt(Stopped())
        with self._lock:
            running, threads = [*self._running], self._threads
        wait([call.future for call in running])
        for thread in threads:
            thread.join()
        self.events.forget()
        self._failure = None

    def _halt(self, failure: BaseException) -> None:
        """Begin nothing more, and let what is under way end at its next batch."""
        with self._lock:
            self._failure = self._failure or failure
            for call in self._waiting:
                if not call.future.cancel():  # it was put back
                    call.future.set_exception(Stopped())
            self._waiting.clear()
            for call in self._running:
                call.stop.set()

    @abstractmethod
    def serve(self, seat: Seat, call: Call) -> Any:
        """What comes of a call. Raises `Lost` where the place was lost meanwhile."""

    def prepare(self, seat: Seat) -> None:
        """Called before a seat takes calls. May leave it unready once nothing is waiting."""

    def _seat(self) -> None:
        """Give the first free seat a thread, if there is work for it. The lock is held."""
        if self._waiting and self._free:
            thread = Thread(target=self._work, args=(self._free.popleft(),))
            self._threads = [*(one for one in self._threads if one.is_alive()), thread]
            thread.start()

    def _work(self, seat: Seat) -> None:
        """Serve calls until there are none, or the place is lost."""
        try:
            self.prepare(seat)
        except Exception as error:
            self._halt(error)
            self.events.wake()
        else:
            while call := self._next():
                try:
                    call.check()
                    result = self.serve(seat, call)
                except Lost:
                    self._put_back(call)
                    break
                except BaseException as error:  # raised again by `results`, where the build is
                    self._halt(error)
                    self._end(call, partial(call.future.set_exception, error))
                else:
                    self._end(call, partial(call.future.set_result, result))
        with self._lock:
            self._free.append(seat)
            self._seat()  # what came in since, or was put back

    def _next(self) -> Call | None:
        with self._lock:
            if not self._waiting:
                return None
            call = self._waiting.popleft()
            self._running.add(call)
        if not call.future.running():
            call.future.set_running_or_notify_cancel()
        return call

    def _put_back(self, call: Call) -> None:
        """As one that nobody has begun, before all others."""
        if call.stop.is_set():
            self._end(call, partial(call.future.set_exception, Stopped()))
            return
        with self._lock:
            self._running.discard(call)
            self._waiting.appendleft(call)

    def _end(self, call: Call, tell: Callable[[], None]) -> None:
        with self._lock:
            self._running.discard(call)
        tell()
        self.events.wake()


class AtOnce(Workers[Seat, Place]):
    """Serves each call in the thread that submits it: `submit` raises what the work does."""

    def _take(self, call: Call) -> None:
        call.future.set_result(self.serve(self._free[0], call))


class Local(Workers[Devices, Share]):
    """Groups of this machine's devices."""

    def __init__(self, groups: Sequence[Devices], dataset: Dataset, events: Events):
        super().__init__(groups, events)
        self.dataset = dataset

    def serve(self, seat: Devices, call: Call) -> Any:
        share = Share(devices=seat, dataset=checked(self.dataset, call.check), check=call.check)
        return call.work(share, *call.given, **call.options)


class Here(AtOnce[Devices, Share], Local):
    """This machine's devices, all of them for each call."""


def checked(dataset: Dataset, check: Callable[[], None]) -> Dataset:
    """The same images, with this check too before each batch."""

    def with_check(split: Split) -> Split:
        def both() -> None:
            split.check()
            check()

        return replace(split, check=both)

    train, validation, test = map(with_check, (dataset.train, dataset.validation, dataset.test))
    return replace(dataset, train=train, validation=validation, test=test)
