"""What the teacher makes of the training images at the boundaries of its segments.

Boundary b is what enters segment b; boundary 0 is the images. A flight of blocks needs some
boundaries at every step. Without augmentation a step sees pixels that other steps and flights saw
before, so each boundary is worked out once per build and kept: in memory, then in a file, as far as
a stated room goes. What does not fit is worked out again at every step, from the nearest boundary
that is kept.

Either way gives the same bits: images are run through the teacher in batches of one size, segment
by segment, and in evaluation mode no image of a batch depends on the others
(docs/decisions/010-kept-activations.md).
"""

import os
import tempfile
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import repeat
from math import prod
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, TypeAlias

import jax
import numpy as np

from wootzc.backends.flax.batches import Indices, visited
from wootzc.backends.flax.model import Structure
from wootzc.backends.flax.parallel import Devices, Function, training_devices
from wootzc.backends.flax.segments import compiled_evaluate
from wootzc.backends.parameters import Weights
from wootzc.ir.network import Network, segment_shapes
from wootzc.ir.recipe import Recipe

if TYPE_CHECKING:
    from wootzc.backends.data import Split

Place: TypeAlias = Literal["memory", "disk"]  # memory: of the devices, where these are accelerators
Boundaries: TypeAlias = frozenset[int]

PLACES: tuple[Place, ...] = ("memory", "disk")
NUMBER = 4  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Bytes that kept activations may take."""

    memory: int  # on one accelerator, or of the machine's
    disk: int = 0
    folder: Path | None = None  # of the files; None: the system's for temporary ones


def route(wanted: Iterable[int], held: Container[int]) -> tuple[int, ...]:
    """The segments that must run, in order, for every wanted boundary to be known.

    They start from boundaries that are held; boundary 0 always is.
    """
    runs: set[int] = set()
    for boundary in wanted:
        while boundary > 0 and boundary not in held and boundary - 1 not in runs:
            boundary -= 1
            runs.add(boundary)
    return tuple(sorted(runs))


@dataclass(slots=True, kw_only=True)
class Teacher:
    """The full network in evaluation mode. Segments go to the devices when they first run."""

    graphs: tuple[Structure, ...]
    parts: tuple[Weights, ...]  # by segment, on the host
    devices: Devices
    _placed: dict[int, Any] = field(default_factory=dict)

    def activations(
        self,
        wanted: Iterable[int],
        held: Container[int],
        at_hand: Callable[[int], Any],  # boundary, held or 0 → what is there, on the devices
    ) -> dict[int, Any]:  # wanted boundary → what is there, on the devices
        wanted = set(wanted)
        found = {b: at_hand(b) for b in wanted if b == 0 or b in held}
        x: Any = None
        for segment in route(wanted, held):
            if segment == 0 or segment in held:
                x = found[segment] if segment in found else at_hand(segment)
            x = self._run(segment, x)
            if segment + 1 in wanted:
                found[segment + 1] = x
        return found

    def _run(self, segment: int, x: Any) -> Any:
        if segment not in self._placed:
            self._placed[segment] = self.devices.replicate(self.parts[segment])
        return compiled_evaluate(self.graphs[segment], self.devices)(self._placed[segment], x)


@dataclass(slots=True, kw_only=True)
class _Kept:
    """One boundary, for all images that the schedule visits."""

    place: Place
    size: int  # bytes
    array: Any  # [images, …] on the host; on accelerators, on each of them


class Activations:
    """The kept boundaries of one teacher over one data set, for blocks of one recipe and seed.

    `close` lets go of them. Files have no name, so that a build that is killed leaves none.
    """

    def __init__(self, network: Network, images: "Split", recipe: Recipe, seed: int, room: Room):
        self.shapes = segment_shapes(network)
        self.images = images
        self.batch = recipe.batch
        self.room = room
        self.devices = training_devices(recipe.batch)
        self.positions = visited(len(images), recipe.batch, max(recipe.steps, 1), seed)
        self._kept: dict[int, _Kept] = {}

    @property
    def held(self) -> Boundaries:
        return frozenset(self._kept)

    def taken(self, place: Place) -> int:
        """Bytes in use."""
        return sum(kept.size for kept in self._kept.values() if kept.place == place)

    def fitting(self, wanted: Iterable[int]) -> dict[int, Place]:
        """Where those of the wanted boundaries would be kept that are not held yet and fit.

        The deepest first: they are the smaller ones, and spare the longer part of the teacher.
        """
        disk = 0 if self.devices.accelerated else self.room.disk  # its way there takes too long
        free: dict[Place, int] = {
            "memory": self.room.memory - self.taken("memory"),
            "disk": disk - self.taken("disk"),
        }
        found: dict[int, Place] = {}
        for boundary in sorted({*wanted} - self.held - {0}, reverse=True):
            size = len(self.positions) * prod(self.shapes[boundary]) * NUMBER
            for place in PLACES:
                if size <= free[place]:
                    found[boundary] = place
                    free[place] -= size
                    break
        return found

    def keep(self, teacher: Teacher, wanted: Iterable[int]) -> None:
        """Run all visited images through the teacher, and keep what fits of the wanted."""
        places = self.fitting(wanted)
        held, count = self.held, len(self.positions)
        arrays: dict[int, _Kept] = {}
        for slots, images in self._sweep(0 in route(places, held)) if places else ():

            def at_hand(boundary: int, slots: Indices = slots, images: Any = images) -> Any:
                return self._rows(boundary, slots) if boundary else images

            start = int(slots[0])
            use = min(self.batch, count - start)
            for boundary, values in teacher.activations(places, held, at_hand).items():
                rows = self.devices.gather(values)
                if boundary not in arrays:
                    shape = (count, *rows.shape[1:])
                    kept = self._made(places[boundary], shape, rows.dtype)
                    if kept is None:
                        del places[boundary]
                        continue
                    arrays[boundary] = kept
                arrays[boundary].array[start : start + use] = rows[:use]
        for boundary, kept in arrays.items():
            if self.devices.accelerated:
                kept.array = self.devices.replicate(kept.array)
            self._kept[boundary] = kept

    def _sweep(self, pixels: bool) -> Iterator[tuple[Indices, Any]]:
        """All visited images in batches, the last one filled up: slots, and pixels if asked for."""
        count = len(self.positions)
        parts = [np.arange(n, n + self.batch) % count for n in range(0, count, self.batch)]
        if not pixels:
            yield from zip(parts, repeat(None))
            return
        batches = self.images.batches(self.positions[slots] for slots in parts)
        for slots, batch in zip(parts, batches, strict=True):
            yield slots, self.devices.spread(batch.images)

    def rows(self, boundary: int, positions: Indices) -> Any:
        """What is kept of the images at these positions, a batch, on the devices."""
        if len(self.positions) < len(self.images):
            slots = np.searchsorted(self.positions, positions)
            assert (self.positions[slots] == positions).all(), "not of this schedule"
            return self._rows(boundary, slots)
        return self._rows(boundary, positions)

    def close(self) -> None:
        """Let go of everything."""
        self._kept.clear()

    def _rows(self, boundary: int, slots: Indices) -> Any:
        array = self._kept[boundary].array
        if self.devices.accelerated:
            return _compiled_take(self.devices)(array, self.devices.spread(slots))
        return self.devices.spread(array[slots])

    def _made(self, place: Place, shape: tuple[int, ...], kind: np.dtype[Any]) -> _Kept | None:
        """An array to fill; None where the disk has no room for it after all."""
        size = prod(shape) * kind.itemsize
        if place == "memory":
            return _Kept(place=place, size=size, array=np.empty(shape, kind))
        try:
            # It has no name, and goes with the last that holds it: the mapping, or the process.
            with tempfile.TemporaryFile(dir=self.room.folder) as file:
                _reserve(file, size)
                array = np.memmap(file, kind, "r+", shape=shape).view(np.ndarray)
        except OSError:
            return None
        return _Kept(place=place, size=size, array=array)


@cache
def _compiled_take(devices: Devices) -> Function:
    def take(array: jax.Array, slots: jax.Array) -> jax.Array:
        return array[slots]

    return devices.compile(take)


def _reserve(file: IO[bytes], size: int) -> None:
    """Make the file this long. A disk that turns out full later would kill, not raise."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
    else:
        file.truncate(size)
        file.flush()
