"""Latency as it is measured: pruned networks whole, in turns with the full one.

What a variant adds is the difference that it makes in the full network. Differences add up only
roughly, so a few candidates are measured as well, and a line through the full network and these
corrects the sums. Where channels between modules may go, no variant fits the full network by
itself: there sums of MACs are what the line corrects. Whoever tries a candidate measures it first.
Every measurement is a job of the store, by network, target, runtime and processor: what another
machine measured is never taken.

What else runs on a machine only adds to a reading. So a low quantile of many is what counts, not
their middle.
"""

import platform
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TypeAlias, assert_never

import numpy as np
from numpy.typing import NDArray

from wootzc.backends.onnx.runtime import alone, need_installed, readings, readings_by
from wootzc.builder.jobs.keys import nameless
from wootzc.builder.jobs.store import Done, Store, job_key
from wootzc.diagnostics import fail
from wootzc.ir.array import Array
from wootzc.ir.diagram.feasible import holds
from wootzc.ir.net.cost_tables import network_costs
from wootzc.ir.net.network import Network, module_positions, segment_shapes
from wootzc.ir.net.prune import prune_network
from wootzc.ir.space import Measured, OnCommand, OnRuntime, Space
from wootzc.ir.space.space_costs import (
    space_costs,
    unmeasured,
    with_measured,
    without_unmeasured,
)
from wootzc.ir.text import print_network

Row: TypeAlias = tuple[int, ...]  # a rate position for each module
Tell: TypeAlias = Callable[[str], object]

VERSION = 1  # of what a measurement is
SECONDS = 0.2  # of measuring, each network
TOGETHER = 24  # networks that take turns …
BYTES = 10**9  # … and what their files may take
ANCHORED = 6  # networks between two readings of the full one
ROUNDS = 15  # of all in turn, at least
UNDISTURBED = 0.1  # the share of readings that other programs are taken to have left alone
CORRECTING = 5  # candidates that the line goes by
SLOPES = (0.2, 2.0)  # a line beyond is noise


def measured(
    space: Space, store: Callable[[], Store], tell: Tell = print, *, commands: bool = True
) -> Space:
    """The space with a table of each cost that it goes by and that must be measured.

    A table that it brings along stays, and is told apart where another machine or runtime made it.
    `commands`: whether such as the space names may be run. Raises `WootzError`.
    """
    if (brought := space.measured) is not None:
        here = Stopwatch(space=space, store=store()).on
        if brought.on != here:
            tell(
                f"{brought.metric} of the parts was measured elsewhere, on {brought.on}: it only "
                f"says what to try; what is tried is measured here, on {here}"
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
        """What each variant adds to the full network, in nanoseconds, corrected by the line."""
        added = self.added()
        slope = self.slope(added)
        full = 1e6 * self._full_milliseconds()
        return Measured(
            metric="latency",
            on=self.on,
            full=round(full),
            variants=Array(np.rint(full * slope * added).astype(np.int64)),
        )

    def added(self) -> NDArray[np.float64]:
        """What each variant adds, [modules, rates]: as a share of the full network's time."""
        if self._is_narrowed:
            return self._by_macs()
        of = self._alike()
        ratios = self.ratios({*of.values(), *self._drawn, self._full})
        added = np.zeros((len(self.space.choices), len(self.space.rates)))
        for (module, rate), row in of.items():
            added[module, rate] = ratios[row] - 1
        return added

    @property
    def _is_narrowed(self) -> bool:
        """Whether the ends of modules may go, so that no variant fits the full network alone."""
        return any(module.entering or module.leaving for module in self.space.network.modules)

    def _by_macs(self) -> NDArray[np.float64]:
        """What each variant adds if time goes by MACs; the line says how far it does."""
        self.ratios({*self._drawn, self._full})
        macs = space_costs(without_unmeasured(self.space)).tables["macs"]
        return (macs - macs[:, :1]) / network_costs(self.space.network)["macs"]

    def slope(self, added: NDArray[np.float64]) -> float:
        """Of the line through the full network and some candidates: measured against sums."""
        ratios = self.ratios(self._drawn)
        sums = np.array([added[range(len(row)), row].sum() for row in self._drawn])
        seen = np.array([ratios[row] - 1 for row in self._drawn])
        slope = float(sums @ seen / (sums @ sums)) if sums.any() else 1.0
        return float(np.clip(slope, *SLOPES))

    def nanoseconds(self, rows: Sequence[Row]) -> list[int]:
        """What these candidates take, each measured by itself."""
        ratios = self.ratios({*rows, self._full})
        full = self._full_milliseconds()
        return [round(1e6 * full * ratios[row]) for row in rows]

    @cached_property
    def on(self) -> str:
        """The target, and where it runs."""
        match self.space.latency:
            case OnRuntime(batch=batch, threads=threads, provider=provider):
                need_installed("latency is measured")
                from onnxruntime import __version__

                return (
                    f"onnxruntime {__version__}, {provider}, threads {threads}, batch {batch}, "
                    f"{processor()}"
                )
            case OnCommand(command=command):
                return f"{command}, {processor()}"
            case _:
                assert_never(self.space.latency)

    def ratios(self, rows: Iterable[Row]) -> dict[Row, float]:
        """How long each takes, as a share of the full network's time; from the store if there."""
        rows = sorted(rows)
        found = {row: self.store.find(self._key(row)) for row in rows}
        missing = [row for row, done in found.items() if done is None]
        if missing:
            many = f"{len(missing)} networks" if len(missing) > 1 else "a network"
            self.tell(f"latency of {many} is measured on {self.on}")
            found |= {row: done for part in self._parts(missing) for row, done in self._run(part)}
        return {row: float(done.result["ratio"]) for row, done in found.items() if done}

    @property
    def _full(self) -> Row:
        return (0,) * len(self.space.choices)

    def _full_milliseconds(self) -> float:
        done = self.store.find(self._key(self._full))
        assert done is not None, "it is measured before others"
        return float(done.result["milliseconds"])

    @cached_property
    def _drawn(self) -> list[Row]:
        """The candidates that the line goes by."""
        rng = np.random.default_rng(self.space.seed)
        if self._is_narrowed:
            known = without_unmeasured(self.space)
            whole = holds(known, space_costs(known), ())
            return [tuple(map(int, row)) for row in whole.sample(CORRECTING, rng)]
        return [
            tuple(int(rng.choice(choices)) for choices in self.space.choices)
            for _ in range(CORRECTING)
        ]

    def _alike(self) -> dict[tuple[int, int], Row]:
        """Each variant, as the network in which it is measured: the first of those alike."""
        network, rows = self.space.network, dict[tuple[object, ...], Row]()
        shapes = segment_shapes(network)
        found = {}
        for module, place in enumerate(module_positions(network)):
            for rate in self.space.choices[module]:
                same = (replace(network.modules[module], name=""), shapes[place], rate)
                row = tuple(rate if m == module else 0 for m in range(len(network.modules)))
                found[module, rate] = rows.setdefault(same, row)
        return found

    def _network(self, row: Row) -> Network:
        return prune_network(self.space.network, tuple(self.space.rates[i] for i in row))

    def _key(self, row: Row) -> str:
        return job_key(
            "latency",
            version=VERSION,
            network=print_network(nameless(self._network(row))),
            full=print_network(nameless(self._network(self._full))),
            target=asdict(self.space.latency),
            on=self.on,
        )

    def _parts(self, rows: list[Row]) -> Iterator[list[Row]]:
        """So many at a time as take turns and fit into memory."""
        size = network_costs(self.space.network)["size"]
        many = max(1, min(TOGETHER, BYTES // size - 1))
        others = [row for row in rows if row != self._full]
        for start in range(0, max(len(others), 1), many):
            yield others[start : start + many]

    def _run(self, rows: list[Row]) -> Iterator[tuple[Row, Done]]:
        """Measure these beside the full network."""
        whole = [self._full]  # again and again: every other figure hangs on it
        for place, row in enumerate(rows, start=1):
            whole += [row, self._full] if place % ANCHORED == 0 else [row]
        began = time.perf_counter()
        found = self._readings([self._file(row) for row in whole])
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

    def _file(self, row: Row) -> tuple[str, bytes]:
        from wootzc.backends.onnx import to_onnx
        from wootzc.backends.weights.stored import initial_weights

        network = self._network(row)
        model = to_onnx(network, initial_weights(network, seed=0))
        return network.name, bytes(model.SerializeToString())

    def _readings(self, models: Sequence[tuple[str, bytes]]) -> NDArray[np.float64]:
        match self.space.latency:
            case OnRuntime() as target:
                return readings(models, target, seconds=SECONDS, least=ROUNDS, clock=alone(target))
            case OnCommand(command=command):
                if not self.commands:
                    raise fail(
                        "WZ307",
                        "latency is not measured yet, and only `wootzc build` runs commands",
                        "build, or measure on onnxruntime",
                        self.space.span,
                    )
                return readings_by(command, [content for _, content in models])
            case _:
                assert_never(self.space.latency)


def processor() -> str:
    """The name that the processor gives itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
