"""What the teacher makes of the training images at the boundaries of its segments.

Boundary b is what enters segment b; boundary 0 is the images. A cohort of blocks needs some
boundaries at every step. Without augmentation every epoch visits the same batches, so each boundary
is worked out once per build and kept, batch by batch: in memory, then in a file, as far as a stated
room goes. What does not fit is worked out again at every step, from the nearest boundary that is
kept.

Either way gives the same bits, for it is the same work: the same compiled functions, segment by
segment, on the same batches (docs/decisions/010-kept-activations.md).
"""

import os
import tempfile
from collections.abc import Callable, Collection, Container, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import repeat
from math import prod
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, TypeAlias

import jax
import numpy as np

from wootzc.backends.flax.device.parallel import Devices, training_devices
from wootzc.backends.flax.net.model import Structure
from wootzc.backends.flax.train.batches import fixed_batches
from wootzc.backends.flax.train.segments import compiled_evaluate
from wootzc.backends.weights.parameters import Weights
from wootzc.ir.net.network import Network, segment_shapes
from wootzc.ir.space.recipe import Recipe

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
        """What stands at the wanted boundaries, by running only the segments that lead there."""
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
    """One boundary, for all batches that the schedule visits."""

    place: Place
    size: int = 0  # bytes; of accelerators on each of them
    batches: Any  # in memory a list of arrays on the devices; on disk [batches, batch, …]


class Activations:
    """The kept boundaries of one teacher over one data set, for blocks of one recipe and seed.

    `close` lets go of them. Files have no name, so that a build that is killed leaves none.
    """

    def __init__(self, network: Network, images: "Split", recipe: Recipe, seed: int, room: Room):
        self.shapes = segment_shapes(network)
        self.images = images
        self.room = room
        self.devices = training_devices(recipe.batch)
        every = fixed_batches(len(images), recipe.batch, seed)
        self.batches = every[: max(recipe.steps, 1)]  # [batches, batch]: those that are visited
        self._kept: dict[int, _Kept] = {}

    @property
    def held(self) -> Boundaries:
        return frozenset(self._kept)

    @property
    def seen(self) -> int:
        """How many images are visited."""
        return min(self.batches.size, len(self.images))

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
            size = self._share(self.batches.size * prod(self.shapes[boundary]) * NUMBER)
            for place in PLACES:
                if size <= free[place]:
                    found[boundary] = place
                    free[place] -= size
                    break
        return found

    def keep(self, teacher: Teacher, wanted: Iterable[int]) -> None:
        """Run all visited batches through the teacher, and keep what fits of the wanted."""
        if not (places := self.fitting(wanted)):
            return
        kept: dict[int, _Kept] = {}
        for number, found in enumerate(self.feed(teacher, places, range(len(self.batches)))):
            for boundary, values in found.items():
                if boundary in kept:
                    self._put(kept[boundary], number, values)
                elif made := self._made(places[boundary], values):
                    kept[boundary] = made
                    self._put(made, number, values)
                else:
                    del places[boundary]
            if not places:
                break
        self._kept |= kept

    def feed(
        self, teacher: Teacher, wanted: Collection[int], order: Iterable[int]
    ) -> Iterator[dict[int, Any]]:
        """What is at the wanted boundaries, on the devices, for each of the batches in this order.

        Kept, or worked out from the nearest boundary that is. `keep` fills from here too.
        """
        held = self.held
        for number, images in self._with_images(order, 0 in wanted or 0 in route(wanted, held)):

            def at_hand(boundary: int, number: int = number, images: Any = images) -> Any:
                return self._get(self._kept[boundary], number) if boundary else images

            yield teacher.activations(wanted, held, at_hand)

    def close(self) -> None:
        """Let go of everything."""
        self._kept.clear()

    def _with_images(self, order: Iterable[int], asked: bool) -> Iterator[tuple[int, Any]]:
        """Numbers of batches with their images. Where nobody asks for these they are not read."""
        if not asked:
            yield from zip(order, repeat(None))
            return
        numbers = list(order)
        batches = self.images.batches(self.batches[number] for number in numbers)
        for number, batch in zip(numbers, batches, strict=True):
            yield number, self.devices.place(batch.images)

    def _get(self, kept: _Kept, number: int) -> Any:
        """A batch of what is kept, on the devices."""
        batch = kept.batches[number]
        return batch if kept.place == "memory" else self.devices.place(batch)

    def _put(self, kept: _Kept, number: int, values: Any) -> None:
        if kept.place == "disk":
            kept.batches[number] = self.devices.gather(values)
            return
        kept.batches.append(jax.block_until_ready(values))  # or all images would wait their turn
        kept.size += self._share(values.nbytes)

    def _made(self, place: Place, values: Any) -> _Kept | None:
        """Where batches like this one can be put; None where the disk has no room after all."""
        if place == "memory":
            return _Kept(place=place, batches=[])
        shape = (*self.batches.shape, *values.shape[1 if self.devices.count == 1 else 2 :])
        size = len(self.batches) * values.nbytes * self.devices.hosts
        try:
            # It has no name, and goes with the last that holds it: the mapping, or the process.
            with tempfile.TemporaryFile(dir=self.room.folder) as file:
                _reserve(file, size)
                array = np.memmap(file, values.dtype, "r+", shape=shape).view(np.ndarray)
        except OSError:
            return None
        return _Kept(place=place, size=size, batches=array)

    def _share(self, size: int) -> int:
        """What so many bytes over all devices take where they are kept."""
        return size // self.devices.count if self.devices.accelerated else size


def _reserve(file: IO[bytes], size: int) -> None:
    """Make the file this long. A disk that turns out full later would kill, not raise."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
    else:
        file.truncate(size)
        file.flush()
