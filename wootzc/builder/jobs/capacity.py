"""What a build may hold while it trains blocks: how many fly together, what is kept of the teacher.

Neither changes any result.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from wootzc.backends.flax.device.parallel import free_memory, training_devices
from wootzc.backends.flax.train.boundary_activations import Activations, Boundaries, Room
from wootzc.backends.flax.train.memory import block_bytes
from wootzc.builder.jobs.cohorts import Passes, cut, ends_of, teacher_passes
from wootzc.builder.jobs.context import Context
from wootzc.builder.jobs.events import ActivationsKept, Noted
from wootzc.ir.space.recipe import Augment

DISK_SHARE = 10  # one part in so many of what is free where the store lies


@dataclass(frozen=True)
class Capacity:
    """Memory is that of the accelerators, where there are any: bytes on each."""

    context: Context

    @cached_property
    def activations(self) -> Activations | None:
        """What is kept of the teacher's activations; None where augmentation forbids it."""
        space = self.context.space
        if space.augment != Augment():
            message = (
                "with augmentation every step sees other pixels, so nothing of the teacher's "
                "activations is kept between steps"
            )
            self.context.events.emit(Noted(message=message))
            return None
        disk = self.context.disk
        if disk is None:
            disk = shutil.disk_usage(self.context.store.root).free // DISK_SHARE
        room = Room(memory=self._memory // 2, disk=disk, folder=self.context.store.root)
        return Activations(
            space.network, self.context.dataset.train, space.pretrain, space.seed, room
        )

    @cached_property
    def room(self) -> int:
        """Bytes for the blocks in flight."""
        return self._memory if self.activations is None else self._memory - self._memory // 2

    def cohorts(self, numbers: Sequence[int]) -> list[list[int]]:
        """These blocks, cut by memory.

        Those that reach less far come first: the first cohorts then run less of the teacher.
        """
        plan = self.context.plan
        ordered = sorted(numbers, key=lambda number: max(ends_of(plan, number)))
        return cut({number: self._size(number) for number in ordered}, self.room)

    @property
    def passes(self) -> Passes:
        """What the teacher must run, with what is kept now."""
        kept, images = self.activations, len(self.context.dataset.train)
        if kept is None:
            return teacher_passes(self.context.plan, images)
        return replace(teacher_passes(self.context.plan, kept.seen), held=kept.held)

    def tell(self, before: Boundaries) -> None:
        """Say what is kept by now, if that is more than before."""
        kept = self.activations
        if kept is not None and kept.held != before:
            told = ActivationsKept(
                boundaries=sorted(kept.held),
                images=kept.seen,
                memory=kept.taken("memory"),
                disk=kept.taken("disk"),
            )
            self.context.events.emit(told)

    def close(self) -> None:
        """Let go of what is kept."""
        if kept := self.__dict__.get("activations"):
            kept.close()

    @cached_property
    def _memory(self) -> int:
        return free_memory() // 2 if self.context.memory is None else self.context.memory

    def _size(self, number: int) -> int:
        """Bytes that a block holds while it trains."""
        space, block = self.context.space, self.context.plan.blocks[number]
        rates = self.context.keys.block_rates(number)
        devices = training_devices(space.pretrain.batch)
        return block_bytes(space.network, block.start, rates, space.pretrain, devices)
