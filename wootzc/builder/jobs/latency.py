"""Latency as it is measured: pruned networks whole, in turns with the full one.

What variants add is told by some candidates, drawn at random and measured whole: a table is fitted
to these (`regressed.py`). Whoever tries a candidate measures it first. Every measurement is a job
of the store, by network, target, runtime and processor: what another machine measured is never
taken.

What else runs on a machine only adds to a reading. So a low quantile of many is what counts, not
their middle.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import islice
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from wootzc.builder.jobs.keys import nameless
from wootzc.builder.jobs.regressed import regressed
from wootzc.builder.jobs.store import Done, Store, job_key
from wootzc.builder.jobs.targets import Readings, is_measured_here, where
from wootzc.diagnostics import told_at
from wootzc.ir.array import Array
from wootzc.ir.diagram.feasible import holds
from wootzc.ir.diagram.space_diagram import SpaceDiagram
from wootzc.ir.net.cost_tables import network_costs
from wootzc.ir.net.metrics import MEASURED
from wootzc.ir.net.prune import prune_network
from wootzc.ir.net.rate import Rate, rising
from wootzc.ir.space import Measured, Space
from wootzc.ir.space.space_costs import (
    not_measured,
    space_costs,
    unmeasured,
    with_measured,
    without_unmeasured,
)
from wootzc.ir.text import print_network

Rates: TypeAlias = tuple[Rate, ...]  # of a candidate, one for each module
Tell: TypeAlias = Callable[[str], object]

VERSION = 2  # of what a measurement is
TOGETHER = 24  # networks that take turns …
BYTES = 10**9  # … and what their files may take
ANCHORED = 6  # networks between two readings of the full one
UNDISTURBED = 0.1  # the share of readings that other programs are taken to have left alone
DRAWN = 48  # candidates that the table goes by …
FASTEST = 12  # … and those that it takes to be the fastest then
BILLION = 10**9  # shares of a time are whole numbers of this, where they are added exactly


def measured(
    space: Space, store: Callable[[], Store], tell: Tell = print, *, commands: bool = True
) -> Space:
    """The space with a table of each cost that it goes by and that must be measured.

    A table that it brings along stays; where another machine or runtime made it, it is told whose
    it is. `commands`: whether such as the space names may be run. Raises `WootzError`.
    """
    if (brought := space.measured) is not None and not is_measured_here(space):
        tell(
            f"{brought.metric} was measured elsewhere, on {brought.on}: that table is what counts, "
            "and candidates are not measured by themselves"
        )
    for metric in unmeasured(space):
        if metric not in MEASURED:  # put in from outside: what a clock says is not its cost
            raise not_measured(space, metric)
        watch = Stopwatch(space=space, store=store(), tell=tell, commands=commands)
        space = with_measured(space, replace(watch.table(), metric=metric))
    return space


@dataclass(frozen=True)
class Stopwatch:
    """Measures networks of a space on its target."""

    space: Space
    store: Store
    tell: Tell = lambda message: None
    commands: bool = True

    def table(self) -> Measured:
        """What each variant adds to the full network, in nanoseconds."""
        foretold = self.foretold()
        full = 1e6 * self._full_milliseconds()
        return Measured(
            metric="latency",
            on=self.on,
            full=round(full),
            variants=Array(np.rint(full * foretold).astype(np.int64)),
        )

    def foretold(self) -> NDArray[np.float64]:
        """What each variant adds, [modules, rates]: as a share of the full network's time.

        Fitted to candidates drawn at random, then to those as well that it took to be the fastest:
        they lie farthest from what was drawn, and limits and objectives lead there.
        """
        shares = np.rint(BILLION * self._fitted(self.drawn)).astype(np.int64)
        fastest = (self._rates(row) for row, _ in islice(self._within.best(shares), FASTEST))
        return self._fitted([*dict.fromkeys([*self.drawn, *fastest])])

    def _fitted(self, rows: Sequence[Rates]) -> NDArray[np.float64]:
        ratios = self.ratios({*rows, self._full})
        position = {rate: place for place, rate in enumerate(self.space.rates)}
        places = np.array([[position[rate] for rate in row] for row in rows], np.intp)
        seen = np.array([ratios[row] for row in rows])
        return regressed(self.space, places.reshape(len(rows), len(self.space.choices)), seen)

    def nanoseconds(self, rows: Sequence[Rates]) -> list[int]:
        """What these candidates take, each measured by itself."""
        ratios = self.ratios({*rows, self._full})
        full = self._full_milliseconds()
        return [round(1e6 * full * ratios[row]) for row in rows]

    @cached_property
    def on(self) -> str:
        """The target, and where it runs."""
        with told_at(self.space.at("latency")):
            return where(self.space)

    def ratios(self, rows: Iterable[Rates]) -> dict[Rates, float]:
        """How long each takes, as a share of the full network's time; from the store if there."""
        rows = sorted(rows, key=lambda row: tuple(map(rising, row)))
        found = self.store.all_found({row: self._key(row) for row in rows})
        missing = [row for row in rows if row not in found]
        if missing:
            many = f"{len(missing)} networks" if len(missing) > 1 else "a network"
            self.tell(f"latency of {many} is measured on {self.on}")
            found |= {row: done for part in self._parts(missing) for row, done in self._run(part)}
        return {row: float(done.result["ratio"]) for row, done in found.items()}

    @property
    def _full(self) -> Rates:
        return (0.0,) * len(self.space.choices)

    def _full_milliseconds(self) -> float:
        done = self.store.find(self._key(self._full))
        assert done is not None, "it is measured before others"
        return float(done.result["milliseconds"])

    @cached_property
    def drawn(self) -> list[Rates]:
        """The candidates that the table goes by first."""
        rng = np.random.default_rng(self.space.seed)
        return [self._rates(row) for row in self._within.sample(DRAWN, rng)]

    @cached_property
    def _within(self) -> SpaceDiagram:
        """Candidates within limits of what is known without the table."""
        known = without_unmeasured(self.space)
        return holds(known, space_costs(known), ())

    def _rates(self, row: Iterable[int]) -> Rates:
        return tuple(self.space.rates[place] for place in row)

    def _key(self, row: Rates) -> str:
        return job_key(
            "latency",
            version=VERSION,
            network=print_network(nameless(prune_network(self.space.network, row))),
            full=print_network(nameless(prune_network(self.space.network, self._full))),
            target=asdict(self.space.latency),
            on=self.on,
        )

    def _parts(self, rows: list[Rates]) -> Iterator[list[Rates]]:
        """So many at a time as take turns and fit into memory."""
        size = network_costs(self.space.network)["size"]
        many = max(1, min(TOGETHER, BYTES // size - 1))
        others = [row for row in rows if row != self._full]
        for start in range(0, max(len(others), 1), many):
            yield others[start : start + many]

    def _run(self, rows: list[Rates]) -> Iterator[tuple[Rates, Done]]:
        """Measure these beside the full network."""
        whole = [self._full]  # again and again: every other figure hangs on it
        for place, row in enumerate(rows, start=1):
            whole += [row, self._full] if place % ANCHORED == 0 else [row]
        began = time.perf_counter()
        clock = Readings(self.space, self.store.root / "xla", self.commands)
        with told_at(self.space.at("latency")):
            found = clock.of([prune_network(self.space.network, row) for row in whole])
        seconds = (time.perf_counter() - began) / len(whole)
        columns = {row: [place for place, one in enumerate(whole) if one == row] for row in whole}
        undisturbed = {
            row: float(np.median(np.quantile(found[:, own], UNDISTURBED, axis=0)))
            for row, own in columns.items()
        }
        for row, milliseconds in undisturbed.items():
            key = self._key(row)
            if row == self._full and (known := self.store.find(key)):
                yield row, known  # all others are a share of the same figure
                continue
            ratio = milliseconds / undisturbed[self._full]
            result = {"milliseconds": milliseconds, "ratio": ratio, "rounds": len(found)}
            yield row, self.store.finish(key, "latency", self.space.network.name, result, seconds)
