"""Latency as it is measured: pruned networks whole, in turns with the full one.

What a variant adds is the difference that it makes in the full network. Where channels between
modules may go too, a variant is three cuts: what goes inside, what enters and what leaves. Each cut
is measured alone in the full network, a trunk's as a whole, which is shared out among the modules
that it runs through as their MACs fall; a variant of several cuts takes time by its MACs, at the
pace that its cuts were measured at.

Differences add up only roughly, so a few candidates are measured as well, and a line through the
full network and these corrects the sums; where MACs, corrected alike, come nearer to these, they
are what counts. Whoever tries a candidate measures it first. Every
measurement is a job of the store, by network, target, runtime and processor: what another machine
measured is never taken.

What else runs on a machine only adds to a reading. So a low quantile of many is what counts, not
their middle.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from wootzc.builder.jobs.keys import nameless
from wootzc.builder.jobs.store import Done, Store, job_key
from wootzc.builder.jobs.targets import Readings, is_measured_here, where
from wootzc.diagnostics import told_at
from wootzc.ir.array import Array
from wootzc.ir.diagram.feasible import holds
from wootzc.ir.net.cost_tables import network_costs, variant_costs
from wootzc.ir.net.network import module_positions, segment_shapes
from wootzc.ir.net.prune import prune_network
from wootzc.ir.net.rate import Rate, rate_of, rising, triple
from wootzc.ir.space import Measured, Space
from wootzc.ir.space.narrow import trunk_names
from wootzc.ir.space.space_costs import (
    space_costs,
    unmeasured,
    with_measured,
    without_unmeasured,
)
from wootzc.ir.text import print_network

Rates: TypeAlias = tuple[Rate, ...]  # of a candidate, one for each module
Tell: TypeAlias = Callable[[str], object]

VERSION = 1  # of what a measurement is
TOGETHER = 24  # networks that take turns …
BYTES = 10**9  # … and what their files may take
ANCHORED = 6  # networks between two readings of the full one
UNDISTURBED = 0.1  # the share of readings that other programs are taken to have left alone
CORRECTING = 5  # candidates that the line goes by
SLOPES = (0.2, 2.0)  # a line beyond is noise


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

        As it was measured alone or as its MACs say, each corrected by a line: whichever comes
        nearer to the candidates that were measured. A single odd width can cost a network the
        layouts that its runtime had chosen, which a candidate that has odd widths throughout, or
        none, never had to pay.
        """
        return min((self.lined(self.added()), self.lined(self.by_macs())), key=self._missed)

    def lined(self, added: NDArray[np.float64]) -> NDArray[np.float64]:
        """Corrected by the line through the full network and some candidates."""
        return self.slope(added) * added

    def by_macs(self) -> NDArray[np.float64]:
        """What each variant adds by its MACs, as a share of the full network's."""
        macs = variant_costs(self.space.network, self.space.rates).tables["macs"]
        return (macs - macs[:, :1]) / network_costs(self.space.network)["macs"]

    def _missed(self, added: NDArray[np.float64]) -> float:
        sums, seen = self._sums(added)
        return float(((sums - seen) ** 2).sum())

    def added(self) -> NDArray[np.float64]:
        """What each variant adds, [modules, rates]: as a share of the full network's time."""
        cuts = {
            (module, rate): self._cuts(module, self.space.rates[rate])
            for module, choices in enumerate(self.space.choices)
            for rate in choices
        }
        alone = {cut for own in cuts.values() for cut in own}
        ratios = self.ratios({*alone, *self._drawn, self._full})
        shares = {cut: self._shares(cut) for cut in alone}
        added = np.zeros((len(self.space.choices), len(self.space.rates)))
        for (module, rate), own in cuts.items():
            time = sum((ratios[cut] - 1) * shares[cut][place] for cut, place in own.items())
            macs = sum(self._macs(place, cut[place]) for cut, place in own.items())
            if macs:
                time *= self._macs(module, self.space.rates[rate]) / macs
            added[module, rate] = time
        return added

    def _cuts(self, module: int, rate: Rate) -> dict[Rates, int]:
        """The cuts that a variant is made of, each as the rates of a network that has it alone.

        With the module that stands for this one in it: of modules that are alike the first.
        """
        inside, entering, leaving = triple(rate)
        before, after = (names[module] for names in self._trunks)
        first = self._like[module]
        alone = (rate_of(inside) if m == first else 0.0 for m in range(len(self._full)))
        found: dict[Rates, int] = {tuple(alone): first}
        for name, part in ((before, entering), (after, leaving)):
            if name and part:
                found[self._trunk_at(name, part)] = module
        return {rates: place for rates, place in found.items() if rates != self._full}

    def _trunk_at(self, name: str, part: float) -> Rates:
        return tuple(
            rate_of(0.0, part if before == name else 0.0, part if after == name else 0.0)
            for before, after in zip(*self._trunks, strict=True)
        )

    def _shares(self, cut: Rates) -> list[float]:
        """How much of what a cut adds each module adds: as its MACs fall."""
        own = [self._macs(module, rate) for module, rate in enumerate(cut)]
        return [one / (sum(own) or 1) for one in own]

    def _macs(self, module: int, rate: Rate) -> int:
        """What a module adds to the full network's MACs at a rate."""
        costs, number = self._known_macs
        return int(costs[module, number[rate]] - costs[module, number[0.0]])

    @cached_property
    def _known_macs(self) -> tuple[NDArray[np.int64], dict[Rate, int]]:
        """Of each module at every rate, and at what is cut of it alone."""
        parts = {
            part
            for inside, before, after in map(triple, self.space.rates)
            for part in (
                rate_of(inside),
                rate_of(0.0, before),
                rate_of(0.0, 0.0, after),
                rate_of(0.0, before, before),
                rate_of(0.0, after, after),
            )
        }
        rates = sorted({0.0, *self.space.rates, *parts}, key=rising)
        costs = variant_costs(self.space.network, tuple(rates)).tables["macs"]
        return costs, {rate: place for place, rate in enumerate(rates)}

    def slope(self, added: NDArray[np.float64]) -> float:
        """Of the line through the full network and some candidates: measured against sums."""
        sums, seen = self._sums(added)
        slope = float(sums @ seen / (sums @ sums)) if sums.any() else 1.0
        return float(np.clip(slope, *SLOPES))

    def _sums(self, added: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Of the candidates that were measured: what their variants add, and what they do."""
        ratios = self.ratios(self._drawn)
        position = {rate: place for place, rate in enumerate(self.space.rates)}
        rows = [[position[rate] for rate in rates] for rates in self._drawn]
        sums = np.array([added[range(len(row)), row].sum() for row in rows])
        return sums, np.array([ratios[rates] - 1 for rates in self._drawn])

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
        found = {row: self.store.find(self._key(row)) for row in rows}
        missing = [row for row, done in found.items() if done is None]
        if missing:
            many = f"{len(missing)} networks" if len(missing) > 1 else "a network"
            self.tell(f"latency of {many} is measured on {self.on}")
            found |= {row: done for part in self._parts(missing) for row, done in self._run(part)}
        return {row: float(done.result["ratio"]) for row, done in found.items() if done}

    @property
    def _full(self) -> Rates:
        return (0.0,) * len(self.space.choices)

    def _full_milliseconds(self) -> float:
        done = self.store.find(self._key(self._full))
        assert done is not None, "it is measured before others"
        return float(done.result["milliseconds"])

    @cached_property
    def _drawn(self) -> list[Rates]:
        """The candidates that the line goes by."""
        rng = np.random.default_rng(self.space.seed)
        known = without_unmeasured(self.space)
        drawn = holds(known, space_costs(known), ()).sample(CORRECTING, rng)
        return [tuple(self.space.rates[place] for place in row) for row in drawn]

    @cached_property
    def _trunks(self) -> tuple[list[str], list[str]]:
        """The trunk that enters each module, and the one that leaves it."""
        return trunk_names(self.space.network)

    @cached_property
    def _like(self) -> list[int]:
        """For each module the first that is like it, inside."""
        network, first = self.space.network, dict[tuple[object, ...], int]()
        shapes = segment_shapes(network)
        return [
            first.setdefault(
                (replace(own, name="", entering=(), leaving=()), shapes[place]), module
            )
            for module, (own, place) in enumerate(
                zip(network.modules, module_positions(network), strict=True)
            )
        ]

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
            row: float(np.quantile(found[:, own], UNDISTURBED)) for row, own in columns.items()
        }
        for row, milliseconds in undisturbed.items():
            key = self._key(row)
            if row == self._full and (known := self.store.find(key)):
                yield row, known  # all others are a share of the same figure
                continue
            ratio = milliseconds / undisturbed[self._full]
            result = {"milliseconds": milliseconds, "ratio": ratio, "rounds": len(found)}
            yield row, self.store.finish(key, "latency", self.space.network.name, result, seconds)
