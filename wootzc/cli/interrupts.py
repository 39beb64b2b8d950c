"""Ctrl-C and SIGTERM during a build."""

import signal
from types import FrameType
from typing import Any

from wootzc.builder.jobs.events import BuildInterrupted, Event, Progressed


class Interrupts:
    """Turns both into KeyboardInterrupt, also where a library swallows it: a build listener that
    raises again at the next event. Use as a context manager around the build.
    """

    def __init__(self) -> None:
        self.number: int = signal.SIGINT  # of the latest signal
        self.seen = False  # one came, and whether the build knows is not known
        self.before: dict[int, Any] = {}

    @property
    def exit_code(self) -> int:
        """As shells have it: 130 after Ctrl-C, 143 after SIGTERM."""
        return 128 + self.number

    def __enter__(self) -> "Interrupts":
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) != signal.SIG_IGN:  # nohup and the like mean it
                self.before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *raised: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        self.number, self.seen = number, True
        raise KeyboardInterrupt

    def __call__(self, event: Event) -> None:
        if self.seen and isinstance(event, BuildInterrupted):  # it knows, and writes what it has
            self.seen = False
        if self.seen and isinstance(event, Progressed):
            self.seen = False
            raise KeyboardInterrupt
